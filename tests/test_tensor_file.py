"""The file under every model, compressor and index: what is written comes back, and a header is believed in nothing."""

import json
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import BaseModel, ConfigDict

from conv4rec.errors import ModelFileError, SaveError
from conv4rec.tensor_file import (
    DTYPES,
    all_tensors,
    hashes_of,
    mapped_tensors,
    opened,
    read_manifest,
    sha256,
    verify,
    write_tensors,
)

HEADER = "made_here"
ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


class Manifest(BaseModel):
    """As those of our files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1, 2]
    sha256: dict[str, str]


def tensors() -> dict[str, Any]:
    """One of every type, and shapes that are easily got wrong."""
    made: dict[str, Any] = {name: np.arange(6).reshape(2, 3).astype(dtype) for name, dtype in DTYPES.items()}
    turned = np.arange(6, dtype=np.int32).reshape(2, 3).T
    return made | {"scalar": np.array(2.5), "none": np.zeros((0, 4), np.float32), "turned": turned}


def read(path: Path) -> dict[str, Any]:
    with opened(path, HEADER, "a thing") as (_, text):
        manifest, found = read_manifest(path, text, Manifest, (1, 2), "make it again"), all_tensors(path)
    verify(path, manifest.sha256, found)
    return found


def mapped(path: Path) -> dict[str, Any]:
    with opened(path, HEADER, "a thing"):
        return mapped_tensors(path)


def write(path: Path, made: dict[str, Any], **manifest: Any) -> Path:
    told = {"schema_version": 2, "sha256": hashes_of(made)} | manifest
    write_tensors(path, made, HEADER, json.dumps(told))
    return path


def write_raw(path: Path, header: Any, content: bytes = b"") -> Path:
    """A file with any header; a dict as JSON, with a manifest of its own."""
    made = header if isinstance(header, bytes) else json.dumps({"__metadata__": {HEADER: "{}"}} | header).encode()
    path.write_bytes(struct.pack("<Q", len(made)) + made + content)
    return path


@pytest.mark.parametrize("reader", [read, mapped])
def test_everything_comes_back(tmp_path: Path, reader: Any) -> None:
    found, made = reader(write(tmp_path / "t", tensors())), tensors()
    assert found.keys() == made.keys()
    for name, value in made.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape), name
        assert found[name].tolist() == value.tolist(), name
    verify(tmp_path / "t", hashes_of(made), found)


def test_nothing_comes_back_too(tmp_path: Path) -> None:
    path = write(tmp_path / "t", {})
    assert (read(path), mapped(path)) == ({}, {})
    assert mapped(write(path, {"x": np.zeros((3, 0))}))["x"].shape == (3, 0)


def test_what_is_mapped_is_on_disk_and_stays_as_it_is(tmp_path: Path) -> None:
    found = mapped(write(tmp_path / "t", {"x": np.zeros(3)}))["x"]
    assert isinstance(found, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1


def test_the_same_content_is_the_same_file(tmp_path: Path) -> None:
    one, other = (write(tmp_path / name, tensors()) for name in "ab")
    assert one.read_bytes() == other.read_bytes()


@given(value=arrays.arrays(np.int16, arrays.array_shapes(min_dims=0, min_side=0)), place=st.integers(0, 1000))
def test_hashes_know_type_shape_and_content(value: Any, place: int) -> None:
    assert sha256(value) == sha256(np.array(value, order="F"))
    assert sha256(value) != sha256(value[None])
    if value.size:
        assert sha256(value) != sha256(value.view(np.uint16))
        changed = np.array(value)
        changed.flat[place % value.size] ^= 1
        assert sha256(value) != sha256(changed)


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = write(tmp_path / "t", {"x": np.zeros(2)})
    before = path.read_bytes()
    with pytest.raises(SaveError, match=r"t/u: cannot be written: .*; nothing was left there"):
        write_tensors(path / "u", {}, HEADER, "{}")
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), mask=st.integers(1, 255))
def test_a_changed_byte_is_noticed_or_of_no_account(tmp_path: Path, place: int, mask: int) -> None:
    """Names and numbers are under hashes; what is left of the header only says where they are."""
    path = write(tmp_path / "t", tensors())
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= mask
    path.write_bytes(content)
    try:
        found = read(path)
    except ModelFileError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either is right
        return
    assert hashes_of(found) == hashes_of(tensors())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(0, 10**6))
def test_a_file_that_is_cut_short(tmp_path: Path, length: int) -> None:
    path = write(tmp_path / "t", tensors())
    content = path.read_bytes()
    path.write_bytes(content[: length % len(content)])
    for reader in (read, mapped):
        with pytest.raises(ModelFileError, match="not a thing, or cut short: "):
            reader(path)


HOSTILE: list[tuple[str, Any, bytes]] = [
    ("header too large", b"", b""),
    ("invalid JSON in header", b"abcd", b""),
    ("invalid JSON in header", b"[" * 100_000, b""),
    ("duplicate field", b'{"__metadata__":{"made_here":"{}"},"__metadata__":{"made_here":"{}"}}', b""),
    ("expected a map", {"__metadata__": [1]}, b""),
    ("expected a string", {"__metadata__": {HEADER: 1}}, b""),
    ("not fully covered", {"x": ONE}, b"12"),
    ("not fully covered", {"x": ONE}, b"12345678"),
    ("invalid offset", {"x": ONE, "y": ONE}, b"1234"),
    ("invalid offset", {"x": ONE | {"data_offsets": [4, 8]}}, b"12345678"),
    ("header", {"x": ONE | {"data_offsets": [4, 0]}}, b"1234"),
    ("header", {"x": ONE | {"shape": [2]}}, b"1234"),
    ("header", {"x": ONE | {"shape": [-1]}}, b"1234"),
    ("header", {"x": ONE | {"shape": [1.0]}}, b"1234"),
    ("overflow", {"x": ONE | {"shape": [2**40, 2**40]}}, b"1234"),
    ("header", {"x": ONE | {"dtype": "object"}}, b"1234"),
]


@pytest.mark.parametrize(("message", "header", "content"), HOSTILE, ids=range(len(HOSTILE)))
def test_headers_that_lie(tmp_path: Path, message: str, header: Any, content: bytes) -> None:
    path = write_raw(tmp_path / "t", header, content)
    if not header:
        path.write_bytes(struct.pack("<Q", 2**63) + b"{}")
    for reader in (read, mapped):
        with pytest.raises(ModelFileError, match=f"t: not a thing, or cut short: .*{message}"):
            reader(path)


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "C64"])
def test_types_that_no_file_of_ours_has(tmp_path: Path, dtype: str) -> None:
    size = {"BF16": 2, "F8_E4M3": 1, "C64": 8}[dtype]
    path = write_raw(tmp_path / "t", {"x": {"dtype": dtype, "shape": [1], "data_offsets": [0, size]}}, b"1" * size)
    told = f"t: tensor x is of type {dtype}, expected one of F64, F32, "
    with pytest.raises(ModelFileError, match=told):
        mapped(path)
    with opened(path, HEADER, "a thing"), pytest.raises(ModelFileError, match=told):
        all_tensors(path)


def test_what_a_header_says_beside_is_not_heard(tmp_path: Path) -> None:
    odd = {"name": "y", "path": "/etc/passwd", "more": 1}
    found = mapped(write_raw(tmp_path / "t", {"x": ONE | odd}, b"\0\0\0\0"))
    assert found["x"].tolist() == [0.0]


def test_tensors_at_odd_places(tmp_path: Path) -> None:
    header = {
        "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "x": {"dtype": "F64", "shape": [1], "data_offsets": [1, 9]},
    }
    path = write_raw(tmp_path / "t", header, b"\7" + struct.pack("<d", 1.5))
    assert {name: value.tolist() for name, value in mapped(path).items()} == {"a": [7], "x": [1.5]}


def test_files_that_are_none_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="none: cannot be read: No such file or directory"):
        read(tmp_path / "none")
    with pytest.raises(ModelFileError, match=": cannot be read: it is a folder, expected a thing"):
        read(tmp_path)
    write_raw(tmp_path / "t", {"__metadata__": {"other": "{}"}})
    with pytest.raises(ModelFileError, match="t: a safetensors file, but not a thing: it has no made_here"):
        read(tmp_path / "t")
    (tmp_path / "t").write_bytes(b"")
    with pytest.raises(ModelFileError, match="t: not a thing, or cut short: "):
        read(tmp_path / "t")


MANIFESTS = [
    ("", "the manifest is damaged: expected a schema_version"),
    ("[1]", "the manifest is damaged: expected a schema_version"),
    ("{}", "the manifest is damaged: expected a schema_version"),
    ("[" * 100_000, "the manifest is damaged: expected a schema_version"),
    ('{"schema_version":' + "9" * 5000 + "}", "the manifest is damaged: expected a schema_version"),
    (
        '{"schema_version": 3}',
        "written with schema version 3, this conv4rec reads versions 1 and 2; install a newer conv4rec or make it",
    ),
    ('{"schema_version": 0}', "written with schema version 0, this conv4rec reads versions 1 and 2; make it again"),
    ('{"schema_version": "1"}', "written with schema version 1, .*; install a newer conv4rec or make it again"),
    ('{"schema_version": 1}', "the manifest is damaged: sha256: Field required"),
    ('{"schema_version": 1, "sha256": {"x": 1}}', "the manifest is damaged: sha256.x: Input should be a valid string"),
    ('{"schema_version": 1, "sha256": {}, "more": 1}', "the manifest is damaged: more: Extra inputs"),
    ('{"schema_version": 1, "sha256": {}, "a": "\\ud800"}', "the manifest is damaged: Invalid JSON: "),
]


@pytest.mark.parametrize(("text", "message"), MANIFESTS, ids=range(len(MANIFESTS)))
def test_manifests_that_are_damaged(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t"
    write_tensors(path, {}, HEADER, text)
    with pytest.raises(ModelFileError, match=f"^{path}: {message}"):
        read(path)


def test_one_version_is_told_as_one() -> None:
    with pytest.raises(ModelFileError, match="schema version 2, this conv4rec reads version 1; install a newer"):
        read_manifest(Path("t"), '{"schema_version": 2}', Manifest, (1,), "make it again")


def test_hashes_that_are_not_of_the_tensors(tmp_path: Path) -> None:
    made = {"x": np.zeros(2), "y": np.ones(2)}
    for hashes in ({}, hashes_of({"x": made["x"]}), hashes_of(made | {"x": np.ones(3)})):
        path = write(tmp_path / "t", made, sha256=hashes)
        told = "damaged: tensor x does not" if len(hashes) == 2 else "the manifest and the tensors do not agree on "
        with pytest.raises(ModelFileError, match=f"t: {told}"):
            read(path)
    with pytest.raises(ModelFileError, match="do not agree on a, x, y$"):
        verify(Path("t"), {"a": "0"}, made)
