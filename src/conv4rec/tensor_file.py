"""Safetensors files with a JSON manifest and a SHA-256 of every tensor: written whole, read as untrusted input."""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from conv4rec.atomic import write_atomically
from conv4rec.errors import ModelFileError

Tensors = dict[str, NDArray[Any]]
Manifest = TypeVar("Manifest", bound=BaseModel)
FLOATS, INTEGERS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}, {"I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1"}
DTYPES = FLOATS | INTEGERS | {"U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?"}
"""What a tensor may be of, by its name in the file."""


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]], header: str, manifest: str) -> None:
    """Write tensors, and under the name `header` the manifest; raises SaveError where it cannot be written."""
    ordered = {name: np.asarray(value, order="C") for name, value in tensors.items()}
    write_atomically(path, lambda temporary: save_file(ordered, temporary, metadata={header: manifest}))


@contextmanager
def opened(path: Path, header: str, what: str) -> Iterator[tuple[Any, str]]:
    """The open file and its manifest as text; what goes wrong while it is open becomes a ModelFileError.

    `what` is what is expected, in words: a conv4rec model.
    """
    if path.is_dir():
        raise ModelFileError(f"{path}: cannot be read: it is a folder, expected {what}")
    try:
        with safe_open(path, framework="numpy") as file:
            manifest = (file.metadata() or {}).get(header)
            if manifest is None:
                raise ModelFileError(f"{path}: a safetensors file, but not {what}: it has no {header}")
            yield file, manifest
    except OSError as error:
        reason = error.strerror if error.strerror is not None else str(error)
        raise ModelFileError(f"{path}: cannot be read: {reason}") from None
    except SafetensorError as error:
        raise ModelFileError(f"{path}: not {what}, or cut short: {error}") from None


def read_manifest(path: Path, text: str, kind: type[Manifest], reads: tuple[int, ...], again: str) -> Manifest:
    """The manifest of a file, of one of the schema versions that are read; `again` says how to make an older one anew.

    Raises ModelFileError naming the version, or the part that is not as it should be.
    """
    try:
        version = json.loads(text)["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ModelFileError(f"{path}: the manifest is damaged: expected a schema_version") from None
    if version not in reads:
        newer = "" if isinstance(version, int) and version < max(reads) else "install a newer conv4rec or "
        versions = f"version{'s' * (len(reads) > 1)} {' and '.join(', '.join(map(str, reads)).rsplit(', ', 1))}"
        raise ModelFileError(
            f"{path}: written with schema version {version}, this conv4rec reads {versions}; {newer}{again}"
        )
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = "".join(f"{part}: " for part in [".".join(str(part) for part in fault["loc"])] if part)
        raise ModelFileError(f"{path}: the manifest is damaged: {where}{fault['msg']}") from None


def all_tensors(path: Path) -> Tensors:
    """Every tensor of a file that `opened` has accepted, in memory, once: the library would map the file besides.

    Raises ModelFileError for one of a type that no file of ours has.
    """
    start, told = _layout(path)
    return {name: _read(path, start, name, entry) for name, entry in told.items()}


def mapped_tensors(path: Path) -> Tensors:
    """Every tensor of a file that `opened` has accepted, read-only and read from disk when it is used."""
    start, told = _layout(path)
    content = np.memmap(path, dtype=np.uint8, mode="r", offset=start) if told else np.zeros(0, np.uint8)
    return {name: _mapped(path, content, name, entry) for name, entry in told.items()}


def verify(path: Path, hashes: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> None:
    """ModelFileError unless these are the tensors, and each has its hash."""
    if hashes.keys() != tensors.keys():
        odd = sorted(hashes.keys() ^ tensors.keys())
        raise ModelFileError(f"{path}: the manifest and the tensors do not agree on {', '.join(odd[:3])}")
    for name, value in tensors.items():
        if sha256(value) != hashes[name]:
            raise ModelFileError(f"{path}: damaged: tensor {name} does not have the hash of the manifest")


def hashes_of(tensors: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """The hash of every tensor, by name."""
    return {name: sha256(value) for name, value in sorted(tensors.items())}


def sha256(value: NDArray[Any]) -> str:
    """Of type, shape and content."""
    digest = hashlib.sha256(f"{value.dtype}{value.shape}".encode())
    digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _layout(path: Path) -> tuple[int, dict[str, Any]]:
    """Where tensors begin in a file, and what its header tells of each."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        told = json.loads(file.read(length))
    told.pop("__metadata__", None)
    return 8 + length, told


def _read(path: Path, start: int, name: str, entry: Mapping[str, Any]) -> NDArray[Any]:
    _check_type(path, name, entry["dtype"])
    first, last = entry["data_offsets"]
    dtype = np.dtype(DTYPES[entry["dtype"]])
    content = np.fromfile(path, dtype, (last - first) // dtype.itemsize, offset=start + first)
    return content.reshape(entry["shape"])


def _mapped(path: Path, content: NDArray[np.uint8], name: str, entry: Mapping[str, Any]) -> NDArray[Any]:
    """The bytes that the entry of the header tells; whatever else it tells is nothing to us."""
    _check_type(path, name, entry["dtype"])
    first, last = entry["data_offsets"]
    return content[first:last].view(DTYPES[entry["dtype"]]).reshape(entry["shape"])


def _check_type(path: Path, name: str, dtype: str) -> None:
    if dtype not in DTYPES:
        raise ModelFileError(f"{path}: tensor {name} is of type {dtype}, expected one of {', '.join(DTYPES)}")
