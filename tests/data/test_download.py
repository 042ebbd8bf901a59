"""Downloads, from a real server on this machine."""

import hashlib
import http.server
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conv4rec.data import download
from conv4rec.data.download import Download, fetch
from conv4rec.errors import DatasetNotFoundError

RATINGS = b"1\t2\t3\t4\n" * 1000


def packed(**members: bytes) -> bytes:
    """A zip archive; `__` in a name stands for `/`, `up__` for `../`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("up__", "../").replace("__", "/"), content)
    return buffer.getvalue()


GOOD = packed(set__data=RATINGS, set__other=b"x", up__evil=b"evil")
FILES = {
    "/good.zip": GOOD,
    "/evil.zip": packed(up__data=RATINGS),
    "/bomb.zip": packed(set__data=bytes(10**6)),
    "/half.zip": GOOD[: len(GOOD) // 2],
    "/plain": RATINGS,
    "/silent": RATINGS,
}


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives FILES; some paths misbehave."""

    def do_GET(self) -> None:
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://example.org/good.zip")
            self.end_headers()
            return
        if self.path not in FILES and self.path != "/cut":
            self.send_error(404)
            return
        body = FILES.get(self.path, RATINGS)
        self.send_response(200)
        if self.path != "/silent":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:100] if self.path == "/cut" else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_the_wanted_members_and_nothing_else(server: str, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    wanted = Download(f"{server}/good.zip", ("set/data",), md5=hashlib.md5(GOOD, usedforsecurity=False).hexdigest())
    fetch("x", [wanted], tmp_path / "x", lambda file, done, total: told.append((file, done, total)))
    assert (tmp_path / "x" / "data").read_bytes() == RATINGS
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["data", "download.json", "x"]
    assert told[-1] == ("good.zip", len(GOOD), len(GOOD))
    (record,) = json.loads((tmp_path / "x" / "download.json").read_text())
    assert record["sha256"] == hashlib.sha256(GOOD).hexdigest()
    assert record["url"] == f"{server}/good.zip"


def test_a_plain_file_into_a_folder_that_exists(server: str, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    fetch("x", [Download(f"{server}/plain", ("ratings.dat",))], tmp_path)
    fetch("x", [Download(f"{server}/silent", ("other.dat",))], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["download.json", "kept", "other.dat", "ratings.dat"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Download("/plain", ("data",), max_bytes=100), r"/plain: 8000 bytes or more; expected at most 100"),
        (Download("/silent", ("data",), max_bytes=100), r"/silent: \d+ bytes or more; expected at most 100"),
        (Download("/good.zip", ("set/data",), md5="00"), r"/good\.zip: md5 is [0-9a-f]{32}, expected 00"),
        (Download("/cut", ("data",)), r"/cut: cut short after 100 of 8000 bytes"),
        (Download("/half.zip", ("set/data",)), r"/half\.zip: not a sound zip archive: File is not a zip file"),
        (Download("/good.zip", ("set/none",)), r"/good\.zip: has no set/none"),
        (
            Download("/bomb.zip", ("set/data",), max_bytes=5000),
            r"set/data unpacks to more than is left of .*5000 bytes",
        ),
        (Download("/none", ("data",)), r"/none: HTTP 404 Not Found"),
        (Download("/elsewhere", ("data",)), r"redirected to http://example\.org/good\.zip, which is not https"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(server: str, tmp_path: Path, wanted: Download, message: str) -> None:
    asked = Download(server + wanted.url, wanted.files, wanted.md5, wanted.max_bytes)
    with pytest.raises(DatasetNotFoundError, match=rf"^x: cannot be downloaded: .*{message}$"):
        fetch("x", [Download(f"{server}/plain", ("first",)), asked], tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_member_that_points_upwards_is_written_under_its_last_name(server: str, tmp_path: Path) -> None:
    fetch("x", [Download(f"{server}/evil.zip", ("../data",))], tmp_path / "cache" / "x")
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == [
        "cache/x/data",
        "cache/x/download.json",
    ]


def test_no_server(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetNotFoundError, match=r"^x: cannot be downloaded: http://127.0.0.1:9/a: Connection refused$"
    ):
        fetch("x", [Download("http://127.0.0.1:9/a", ("a",))], tmp_path / "x")


def test_only_https_leaves_this_machine(tmp_path: Path) -> None:
    for url in ("http://example.org/a", "file:///etc/passwd", "ftp://localhost/a"):
        with pytest.raises(DatasetNotFoundError, match=f"{url} is not https"):
            fetch("x", [Download(url, ("a",))], tmp_path / "x")
    assert download._is_safe("https://files.grouplens.org/a.zip")


def test_a_cache_that_cannot_be_written(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetNotFoundError, match="x: cannot be downloaded: (Not a directory|File exists)"):
        fetch("x", [Download(f"{server}/plain", ("a",))], tmp_path / "file" / "x")
