"""Matrices from files of three formats."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from conv4rec.compression.matrix_file import load_matrix
from conv4rec.errors import DataError

MADE = np.arange(6, dtype=np.float32).reshape(3, 2)


def test_every_format_gives_the_same(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", MADE.astype(np.float64))
    save_file({"x": MADE.astype(np.float16)}, tmp_path / "b.safetensors")
    save_file({"x": MADE, "y": MADE[:1]}, tmp_path / "c.safetensors")
    pl.DataFrame(MADE, schema=["p", "q"]).write_parquet(tmp_path / "d.parquet")
    pl.DataFrame({"id": [1, 2, 3], "vector": MADE.tolist()}).write_parquet(tmp_path / "e.parquet")
    fixed = pl.Series("v", MADE, dtype=pl.Array(pl.Float32, 2))
    pl.DataFrame({"v": fixed, "w": fixed}).write_parquet(tmp_path / "f.parquet")
    asked = {"a.npy": None, "b.safetensors": None, "c.safetensors": "x", "d.parquet": None, "e.parquet": None}
    for name, tensor in (asked | {"f.parquet": "w"}).items():
        found = load_matrix(tmp_path / name, tensor)
        assert (found.dtype.name, found.tolist()) == ("float32", MADE.tolist()), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn, torch.float64, torch.int16, torch.uint32])
def test_types_of_torch(tmp_path: Path, dtype: torch.dtype) -> None:
    save_torch_file({"x": torch.from_numpy(MADE).to(dtype)}, tmp_path / "x.safetensors")
    found = load_matrix(tmp_path / "x.safetensors")
    assert (found.dtype.name, found.tolist()) == ("float32", MADE.tolist())


def test_what_is_too_large_is_infinite(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[1.0, 1e300]]))
    assert load_matrix(tmp_path / "a.npy").tolist() == [[1.0, np.inf]]


def write(path: Path, value: Any) -> Path:
    if isinstance(value, bytes):
        path.write_bytes(value)
    elif isinstance(value, pl.DataFrame):
        value.write_parquet(path)
    elif isinstance(value, dict):
        save_file(value, path)
    elif value is not None:
        np.save(path, value)
    return path


@pytest.mark.parametrize(
    ("name", "value", "tensor", "message"),
    [
        ("a.txt", b"1 2", None, r"expected a name that ends in \.npy, \.parquet, \.safetensors"),
        ("a.npy", None, None, "cannot be read: No such file"),
        ("a.npy", b"", None, "cannot be read: No data left in file"),
        ("a.npy", pickle.dumps([1]), None, "no matrix of numbers: .*pickled"),
        ("a.npy", np.array([{}], dtype=object), None, "no matrix of numbers: Object arrays cannot be loaded"),
        ("a.npy", np.zeros(3), None, r"float64 of shape \(3,\), expected a matrix of numbers"),
        ("a.npy", np.array([["x"]]), None, r"<U1 of shape \(1, 1\), expected a matrix of numbers"),
        ("a.npy", MADE, "x", r"a \.npy file has one matrix, none by the name 'x'"),
        ("a.safetensors", b"\x00" * 20, None, "no matrix of numbers: "),
        ("a.safetensors", {"x": MADE, "y": MADE}, None, "which one is wanted; expected one of x, y"),
        ("a.safetensors", {"x": MADE}, "z", "no tensor 'z'; expected one of x"),
        ("a.parquet", b"no", None, "no matrix of numbers: "),
        ("a.parquet", pl.DataFrame({"v": [[1.0], [1.0, 2.0]]}), None, "no matrix of numbers: lists of 1 to 2 numbers"),
        ("a.parquet", pl.DataFrame({"v": [1.0, None]}), None, "no matrix of numbers: there are nulls"),
        ("a.parquet", pl.DataFrame({"v": ["a", "b"]}), None, "object of shape .*, expected a matrix of numbers"),
        ("a.parquet", pl.DataFrame({"v": [1.0]}), "v", "no column of lists 'v'; expected one of none"),
    ],
)
def test_refusals(tmp_path: Path, name: str, value: Any, tensor: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message) as told:
        load_matrix(write(tmp_path / name, value), tensor)
    assert str(told.value).count(str(tmp_path)) == 1
