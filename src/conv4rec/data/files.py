"""Files on disk: found, unzipped, and handed to the reader of their format."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from conv4rec.errors import DataError, DatasetNotFoundError

TEXT = (".csv", ".tsv", ".txt", ".data", ".dat", ".inter", ".base", ".test", ".item")
PARQUET = (".parquet", ".pq")
JSON_LINES = (".jsonl", ".ndjson", ".json")

Contents = Path | bytes
"""A file: where it lies, or what it holds once unzipped."""


def open_file(path: Path) -> Contents:
    """The file itself, or the content of a gzip file.

    Raises:
        DatasetNotFoundError: there is no such file.
        DataError: a folder, an empty file, or gzip data that is damaged or cut short.
    """
    if not path.exists():
        raise DatasetNotFoundError(f"{path}: no such file")
    if path.is_dir():
        inside = ", ".join(sorted(entry.name for entry in path.iterdir())[:8])
        raise DataError(f"{path}: a folder; expected a file, such as one of those in it: {inside or 'none'}")
    contents = _unzip(path) if path.suffix == ".gz" else path
    if not next(chunks(contents), b"").strip():
        raise DataError(f"{path.name}: empty file; expected ratings")
    return contents


def kind(path: Path) -> str:
    """The suffix that tells the format, in lower case: `.csv` for `ratings.csv.gz`."""
    return Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()


def chunks(contents: Contents, size: int = 1 << 20) -> Iterator[bytes]:
    """The bytes of a file, `size` at a time, without holding more than that."""
    with io.BytesIO(contents) if isinstance(contents, bytes) else contents.open("rb") as file:
        while block := file.read(size):
            yield block


def whole(contents: Contents) -> bytes:
    """All bytes of a file."""
    return contents if isinstance(contents, bytes) else contents.read_bytes()


def refuse_undecodable(name: str, data: bytes) -> None:
    """Raise DataError for bytes that are not UTF-8, with the line of the first of them."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fault = f"{name}:{line}: byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        raise DataError(fault) from None


def _unzip(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except EOFError:
        raise DataError(f"{path.name}: the gzip file is cut short; fetch it again") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path.name}: not a sound gzip file: {error}") from None
