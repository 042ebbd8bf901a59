"""A matrix from a file: .npy, .parquet or .safetensors; no pickle."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from conv4rec.errors import DataError

SUFFIXES = (".npy", ".parquet", ".safetensors")


def load_matrix(path: Path, tensor: str | None = None) -> NDArray[np.float32]:
    """(N, d) vectors, one in every row.

    A Parquet file has them as one column of lists or arrays, or as d columns of numbers. `tensor` names a tensor of a
    safetensors file, or a column of lists; None where there is only one.

    Raises:
        DataError: a file that is not there, of another kind, or holds no such matrix of numbers.
    """
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}")
    if tensor is not None and path.suffix == ".npy":
        raise DataError(f"{path}: a .npy file has one matrix, none by the name {tensor!r}")
    try:
        values = _read(path, tensor)
    except DataError:  # a ValueError, but one that tells its own story
        raise
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None)
        raise DataError(f"{path}: cannot be read: {error if reason is None else reason}") from None
    except (ValueError, SafetensorError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: no matrix of numbers: {' '.join(str(error).split())}") from None
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise DataError(f"{path}: {values.dtype} of shape {values.shape}, expected a matrix of numbers")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which is told of its row
        return values.astype(np.float32)


def _read(path: Path, tensor: str | None) -> NDArray[Any]:
    if path.suffix == ".npy":
        values: NDArray[Any] = np.load(path, allow_pickle=False)
        return values
    return _parquet(path, tensor) if path.suffix == ".parquet" else _safetensors(path, tensor)


def _safetensors(path: Path, tensor: str | None) -> NDArray[Any]:
    with safe_open(path, framework="pt") as file:  # of torch: numpy has no bfloat16
        value = file.get_tensor(_only(path, list(file.keys()), tensor, "tensor"))
    return np.asarray(value.float() if value.is_floating_point() else value)


def _parquet(path: Path, column: str | None) -> NDArray[Any]:
    frame: pl.DataFrame = pl.read_parquet(path)
    if frame.null_count().sum_horizontal().sum():
        raise ValueError("there are nulls")
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List | pl.Array)]
    if column is None and not lists:
        return frame.to_numpy()
    rows = frame[_only(path, lists, column, "column of lists")]
    widths = sorted({len(row) for row in rows})
    if len(widths) > 1:
        raise ValueError(f"lists of {widths[0]} to {widths[-1]} numbers")
    return np.stack(rows.to_list()) if rows.len() else np.zeros((0, 0))


def _only(path: Path, names: list[str], wanted: str | None, what: str) -> str:
    """The wanted one, or the only one."""
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted not in names:
        told = "which one is wanted" if wanted is None else f"no {what} {wanted!r}"
        raise DataError(f"{path}: {told}; expected one of {', '.join(names) or 'none: there is no ' + what}")
    return wanted
