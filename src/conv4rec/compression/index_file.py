"""A sparse index as a file: its segments as tensors, mapped from disk when it is read; untrusted input."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from conv4rec.compression.codes import LARGEST
from conv4rec.compression.index import MODES, Mode, SparseIndex
from conv4rec.compression.segment import MOST, Segment
from conv4rec.errors import ModelFileError
from conv4rec.tensor_file import Tensors, hashes_of, mapped_tensors, opened, read_manifest, verify, write_tensors

HEADER = "conv4rec_index"
WHAT = "a conv4rec index"


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[2]
    sha256: dict[str, str]


def save_index(index: SparseIndex, path: str | Path) -> Path:
    """Write the index to one file, whole or not at all; also over the file that it is mapped from."""
    tensors = index_tensors(index)
    manifest = _Manifest(schema_version=2, sha256=hashes_of(tensors))
    write_tensors(Path(path), tensors, HEADER, manifest.model_dump_json())
    return Path(path)


def load_index(path: str | Path) -> SparseIndex:
    """Map what `save_index` wrote: it is read through once, to be checked, and then from disk as it is needed.

    Raises ModelFileError for anything else. What is added or deleted later is in memory, until it is saved again.
    """
    path = Path(path)
    with opened(path, HEADER, WHAT) as (_, text):
        manifest = read_manifest(path, text, _Manifest, (2,), "make the index again")
        tensors = mapped_tensors(path)
    verify(path, manifest.sha256, tensors)
    try:
        return index_of(tensors)
    except ValueError as error:
        raise ModelFileError(f"{path}: {error}") from None


def index_tensors(index: SparseIndex) -> Tensors:
    """Everything that an index is, by name."""
    modes = [MODES.index(mode) for mode in index.modes]
    tensors: Tensors = {"atoms": index.atoms, "modes": np.array(modes, np.uint8), "alive": index.alive.view(np.uint8)}
    for number, segment in enumerate(index.segments):
        parts: Tensors = {"pointers": segment.pointers, "rows": segment.rows, "values": segment.values}
        parts |= {f"factors_{mode}": values for mode, values in segment.factors.items()}
        parts |= {} if segment.offsets is None else {"offsets": segment.offsets}
        tensors |= {f"{number}/{name}": value for name, value in parts.items()}
    return tensors


def index_of(tensors: Mapping[str, NDArray[Any]]) -> SparseIndex:
    """The index of these tensors, which may be anything: ValueError unless they are those of an index."""
    left = dict(tensors)
    atoms = _part(left, "atoms", "float32", 2)
    modes = _modes(_part(left, "modes", "uint8", 1))
    alive = _part(left, "alive", "uint8", 1)
    _require(len(atoms) >= 1 and bool(np.isfinite(atoms).all()), "atoms are not finite numbers")
    _require(alive.max(initial=0) <= 1, "a mark of what was deleted is neither 0 nor 1")
    segments: list[Segment] = []
    n_codes = 0
    while n_codes < len(alive):
        segments.append(_segment(left, len(segments), len(atoms), modes))
        n_codes += segments[-1].n_codes
    _require(n_codes == len(alive) and not left, "there are more codes, or other tensors, than are marked")
    return SparseIndex(atoms, modes, segments, alive.astype(np.bool_))


def _modes(numbers: NDArray[Any]) -> tuple[Mode, ...]:
    _require(0 < len(numbers) == len(np.unique(numbers)) and numbers.max() < len(MODES), "modes that do not exist")
    return tuple(MODES[number] for number in numbers)


def _segment(left: Tensors, number: int, width: int, modes: tuple[Mode, ...]) -> Segment:
    pointers = _part(left, f"{number}/pointers", "int32", 1)
    rows = _part(left, f"{number}/rows", "uint16", 1)
    values = _part(left, f"{number}/values", "int8", 1)
    factors = {str(mode): _part(left, f"{number}/factors_{mode}", "float32", 1) for mode in modes}
    offsets = _part(left, f"{number}/offsets", "float32", 1) if "inner" in modes else None
    segment = Segment(pointers, rows, values, factors, offsets)
    _check_lists(segment, width)
    _check_numbers(segment)
    return segment


def _check_lists(segment: Segment, width: int) -> None:
    pointers, rows, n_codes = segment.pointers, segment.rows, segment.n_codes
    _require(0 < n_codes <= MOST, f"a segment of {n_codes} codes")
    _require(len(pointers) == width + 1 and pointers[0] == 0, "pointers are not one for each atom")
    _require(bool((np.diff(pointers) >= 0).all()) and pointers[-1] == len(rows), "pointers do not ascend to the end")
    _require(len(segment.values) == len(rows), "entries without a value")
    _require(not len(rows) or int(rows.max()) < n_codes, "an entry is of a code that is not there")
    falls = np.flatnonzero(np.diff(rows.astype(np.int32)) <= 0) + 1
    _require(bool(np.isin(falls, pointers).all()), "the entries of an atom are not in order")


def _check_numbers(segment: Segment) -> None:
    _require(int(segment.values.min(initial=0)) >= -LARGEST, "a value is not a number from -127 to 127")
    per_code = list(segment.factors.values()) + ([] if segment.offsets is None else [segment.offsets])
    for numbers in per_code:
        _require(len(numbers) == segment.n_codes and bool(np.isfinite(numbers).all()), "factors or offsets do not fit")


def _part(left: Tensors, name: str, dtype: str, n_dims: int) -> NDArray[Any]:
    value = left.pop(name, None)
    _require(value is not None and value.dtype.name == dtype and value.ndim == n_dims, f"no tensor {name} of {dtype}")
    assert value is not None  # noqa: S101 - seen to above
    return value


def _require(fits: bool, fault: str) -> None:
    if not fits:
        raise ValueError(f"the parts of the index do not fit together: {fault}")
