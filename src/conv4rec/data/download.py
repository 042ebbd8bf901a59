"""Fetches the files of a named data set from its publisher: over https, limited in size, all of them or none."""

import hashlib
import http.client
import ipaddress
import json
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import urlsplit
from urllib.request import Request

from conv4rec.errors import DatasetNotFoundError

BLOCK = 1 << 16
TIMEOUT = 30.0
"""Seconds without an answer after which a download is given up."""
RECORD = "download.json"
"""Written beside the files: where they came from and what their hashes were, for sets whose publisher names none."""


class Progress(Protocol):
    """Is told how far a download is."""

    def __call__(self, file: str, done: int, total: int | None) -> None:
        """`done` of `total` bytes of `file` are here; `total` is None where the server does not say."""
        ...


@dataclass(frozen=True)
class Download:
    """A file of a publisher, and what is taken from it.

    Attributes:
        url: where it is; https, or http on this machine.
        files: for a zip archive, the members wanted; else the one name under which the file is kept.
        md5: as the publisher states it; None where they state none.
        max_bytes: the largest size accepted, of the file and of what is unpacked from it.
    """

    url: str
    files: tuple[str, ...]
    md5: str | None = None
    max_bytes: int = 50 * 2**20

    @property
    def is_archive(self) -> bool:
        return self.url.endswith(".zip")


class _RefusedError(Exception):
    """Why a download is not used; becomes a DatasetNotFoundError."""


def fetch(name: str, downloads: Sequence[Download], folder: Path, progress: Progress | None = None) -> None:
    """Download into `folder`, which comes to be once all files are complete and checked.

    Raises:
        DatasetNotFoundError: no connection, an answer that is too large, cut short or has another hash, or an archive
            without the members wanted. Nothing is left behind.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as workplace:
            complete = Path(workplace) / "complete"
            complete.mkdir()
            records = [_fetch_one(download, Path(workplace), complete, progress) for download in downloads]
            (complete / RECORD).write_text(json.dumps(records, indent=2) + "\n")
            _move(complete, folder)
    except (_RefusedError, OSError, http.client.HTTPException) as error:
        raise DatasetNotFoundError(f"{name}: cannot be downloaded: {_reason(error)}") from None


def _fetch_one(download: Download, workplace: Path, complete: Path, progress: Progress | None) -> dict[str, str]:
    """Fetch, check and unpack; returns the record of what came."""
    if not _is_safe(download.url):
        raise _RefusedError(f"{download.url} is not https")
    path = workplace / "file"
    try:
        hashes = _receive(download, path, progress)
    except (OSError, http.client.HTTPException) as error:
        raise _RefusedError(f"{download.url}: {_reason(error)}") from None
    if download.md5 is not None and hashes["md5"] != download.md5:
        raise _RefusedError(f"{download.url}: md5 is {hashes['md5']}, expected {download.md5}")
    if download.is_archive:
        _unpack(download, path, complete)
    else:
        path.replace(complete / download.files[0])
    return {"url": download.url, **hashes}


def _receive(download: Download, path: Path, progress: Progress | None) -> dict[str, str]:
    request = Request(download.url, headers={"User-Agent": "conv4rec"})  # noqa: S310 - _is_safe
    name = urlsplit(download.url).path.rpartition("/")[2]
    with _opener().open(request, timeout=TIMEOUT) as response, path.open("wb") as file:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        _refuse_large(download, total or 0)
        hashes = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        done = 0
        while block := response.read(BLOCK):
            done += len(block)
            _refuse_large(download, done)
            file.write(block)
            for running in hashes:
                running.update(block)
            if progress is not None:
                progress(name, done, total)
    if total is not None and done < total:
        raise _RefusedError(f"{download.url}: cut short after {done} of {total} bytes")
    return {running.name: running.hexdigest() for running in hashes}


def _unpack(download: Download, path: Path, complete: Path) -> None:
    """Write the members wanted under their last name, and nothing else that the archive holds."""
    left = download.max_bytes
    try:
        with zipfile.ZipFile(path) as archive:
            for member in download.files:
                with archive.open(member) as packed, (complete / Path(member).name).open("wb") as file:
                    left -= _copy(packed, file, left, f"{download.url}: {member}")
    except KeyError:
        raise _RefusedError(f"{download.url}: has no {member}") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise _RefusedError(f"{download.url}: not a sound zip archive: {error}") from None


def _copy(packed: IO[bytes], file: IO[bytes], limit: int, what: str) -> int:
    done = 0
    while block := packed.read(BLOCK):
        done += len(block)
        if done > limit:
            raise _RefusedError(f"{what} unpacks to more than is left of the limit, {limit} bytes")
        file.write(block)
    return done


def _refuse_large(download: Download, n_bytes: int) -> None:
    if n_bytes > download.max_bytes:
        raise _RefusedError(f"{download.url}: {n_bytes} bytes or more; expected at most {download.max_bytes}")


def _move(complete: Path, folder: Path) -> None:
    """Put the files in place: the folder at once, or one by one where it exists already."""
    if not folder.exists():
        complete.replace(folder)
        return
    for file in complete.iterdir():
        file.replace(folder / file.name)


class _StaySafe(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only to where the download itself could have gone."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        if not _is_safe(newurl):
            raise urllib.error.URLError(f"redirected to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_StaySafe)


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(error: Exception) -> str:
    """One line without the wrapping that urllib puts around it."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"HTTP {error.code} {error.reason}"
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    text = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    return text.splitlines()[0] if text else type(inner).__name__
