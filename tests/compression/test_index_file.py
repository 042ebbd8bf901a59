"""The file of an index: everything comes back, mapped from disk, and nothing else is taken for an index."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from safetensors.numpy import load_file, save_file

from conv4rec.compression.index import SparseIndex
from conv4rec.compression.index_file import HEADER, index_of, index_tensors, load_index, save_index
from conv4rec.errors import ModelFileError
from conv4rec.tensor_file import hashes_of


def make(modes: Any = ("sparse", "reconstructed")) -> SparseIndex:
    generator = np.random.default_rng(0)
    index = SparseIndex(generator.normal(size=(7, 3)).astype(np.float32), modes)
    for n_codes in (20, 4, 1):
        made = sp.csr_array(generator.normal(size=(n_codes, 7)) * (generator.random((n_codes, 7)) < 0.4))
        more = {"lengths": np.ones(n_codes), "offsets": np.arange(n_codes)} if "inner" in modes else {}
        index.add(made, **more)
    index.delete([3])
    return index


@pytest.mark.parametrize("modes", [("sparse", "reconstructed"), ("inner",)])
def test_everything_comes_back(tmp_path: Path, modes: Any) -> None:
    index = make(modes)
    loaded = load_index(save_index(index, tmp_path / "i"))
    queries: Any = np.eye(3) if modes == ("inner",) else index.codes()
    for by in modes:
        one, other = index.search(queries, 9, by=by), loaded.search(queries, 9, by=by)
        assert (one.rows.tolist(), one.scores.tolist()) == (other.rows.tolist(), other.scores.tolist())
    assert (len(loaded), loaded.n_bytes) == (24, index.n_bytes)


def test_it_is_mapped_and_can_be_changed(tmp_path: Path) -> None:
    path = save_index(make(), tmp_path / "i")
    loaded = load_index(path)
    assert isinstance(loaded.segments[0].values, np.memmap)
    loaded.delete([0])
    added = loaded.add(sp.csr_array(np.eye(7)))
    save_index(loaded, path)  # over the file that it is mapped from
    again = load_index(path)
    assert added.tolist() == [25, 26, 27, 28, 29, 30, 31]
    assert len(again) == 30
    assert again.search(sp.csr_array(np.eye(7)), 1, by="sparse").rows.ravel().tolist() == added.tolist()


def test_an_empty_index_comes_back(tmp_path: Path) -> None:
    index = load_index(save_index(SparseIndex(np.eye(3, dtype=np.float32)), tmp_path / "i"))
    assert (len(index), index.modes) == (0, ("sparse", "reconstructed"))


def write(path: Path, tensors: dict[str, Any], **manifest: Any) -> Path:
    """A file with sound hashes, but for what the manifest is told."""
    told = {"schema_version": 2, "sha256": hashes_of(tensors)} | manifest
    save_file(tensors, path, metadata={HEADER: json.dumps(told)})
    return path


def change(values: Any, place: int, value: Any) -> Any:
    changed = np.array(values)
    changed[place] = value
    return changed


BROKEN: list[tuple[str, Any, str]] = [
    ("0/pointers", lambda v: change(v, 1, 99), "pointers do not ascend to the end"),
    ("0/pointers", lambda v: change(v, 0, 1), "pointers are not one for each atom"),
    ("0/pointers", lambda v: v[:-1], "pointers are not one for each atom"),
    ("0/pointers", lambda v: change(v, -1, 10**6), "pointers do not ascend to the end"),
    ("0/pointers", lambda v: v.astype(np.int64), "no tensor 0/pointers of int32"),
    ("0/rows", lambda v: change(v, 0, 60_000), "an entry is of a code that is not there"),
    ("0/rows", lambda v: v[::-1].copy(), "the entries of an atom are not in order"),
    ("0/rows", lambda v: v[:-1], "pointers do not ascend to the end"),
    ("0/values", lambda v: v[:-1], "entries without a value"),
    ("0/values", lambda v: change(v, 0, -128), "a value is not a number from -127 to 127"),
    ("0/values", lambda v: v.astype(np.float16), "no tensor 0/values of int8"),
    ("0/factors_sparse", lambda v: change(v, 0, np.inf), "factors or offsets do not fit"),
    ("0/factors_sparse", lambda v: v[:0], "a segment of 0 codes"),
    ("0/factors_reconstructed", lambda v: v[:-1], "factors or offsets do not fit"),
    ("alive", lambda v: v[:-1], "there are more codes, or other tensors, than are marked"),
    ("alive", lambda v: np.append(v, v[:1]), "no tensor 3/pointers"),
    ("alive", lambda v: change(v, 0, 7), "a mark of what was deleted is neither 0 nor 1"),
    ("modes", lambda v: change(v, 0, 9), "modes that do not exist"),
    ("modes", lambda v: change(v, 0, 1), "modes that do not exist"),
    ("atoms", lambda v: change(v, 0, np.nan), "atoms are not finite numbers"),
    ("atoms", lambda v: v[0], "no tensor atoms of float32"),
    ("more", lambda _: np.ones(1, np.float32), "there are more codes, or other tensors, than are marked"),
]


@pytest.mark.parametrize(("name", "damage", "message"), BROKEN, ids=[f"{n} {m}" for n, _, m in BROKEN])
def test_parts_that_do_not_fit(tmp_path: Path, name: str, damage: Any, message: str) -> None:
    tensors = index_tensors(make())
    tensors[name] = damage(tensors.get(name))
    with pytest.raises(ModelFileError, match=f"the parts of the index do not fit together: {message}"):
        load_index(write(tmp_path / "i", tensors))


def test_parts_in_memory_are_checked_the_same() -> None:
    with pytest.raises(ValueError, match="no tensor atoms of float32"):
        index_of({})


def test_a_newer_and_a_damaged_file(tmp_path: Path) -> None:
    path = save_index(make(), tmp_path / "i")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="damaged: tensor .* does not have the hash of the manifest"):
        load_index(path)
    with pytest.raises(ModelFileError, match="schema version 3, this conv4rec reads version 2; install a newer"):
        load_index(write(tmp_path / "j", index_tensors(make()), schema_version=3))
    with pytest.raises(ModelFileError, match="schema version 1, this conv4rec reads version 2; make the index again"):
        load_index(write(tmp_path / "j", index_tensors(make()), schema_version=1))
    with pytest.raises(ModelFileError, match="the manifest and the tensors do not agree on 0/factors_reconstructed"):
        load_index(write(tmp_path / "j", index_tensors(make()), sha256={}))


def test_foreign_and_short_files(tmp_path: Path) -> None:
    path = save_index(make(), tmp_path / "i")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ModelFileError, match="not a conv4rec index, or cut short"):
        load_index(path)
    save_file({"x": np.zeros(2)}, tmp_path / "x")
    with pytest.raises(ModelFileError, match="a safetensors file, but not a conv4rec index: it has no conv4rec_index"):
        load_index(tmp_path / "x")
    with pytest.raises(ModelFileError, match="cannot be read: No such file"):
        load_index(tmp_path / "none")


def test_a_type_that_cannot_be_mapped(tmp_path: Path) -> None:
    path = write(tmp_path / "i", {"atoms": np.ones((2, 2), np.complex64)})
    with pytest.raises(ModelFileError, match="tensor atoms is of type C64, expected one of F64"):
        load_index(path)


def test_the_same_index_is_the_same_file(tmp_path: Path) -> None:
    one, other = (save_index(make(), tmp_path / name) for name in "ab")
    assert one.read_bytes() == other.read_bytes()
    assert set(load_file(one)) == set(index_tensors(make()))
