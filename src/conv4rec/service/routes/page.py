"""The web page: files of the package, which hold no data and need no key. They ask the routes beside them."""

from functools import cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from conv4rec.service.problems import Problem

PATH = "/page/"
FOLDER = Path(__file__).parents[1] / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
GUARD = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Headers of every file: no code, style or data from elsewhere, none within the page, and no frame around it."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home() -> Response:
    """To the page."""
    return RedirectResponse(PATH)


@router.get(PATH)
async def index() -> Response:
    """The page itself."""
    return _file("index.html")


@router.get(PATH + "{name}")
async def file(name: str) -> Response:
    """A style sheet or a module of it. Problem 404 for anything that is no file of the page."""
    return _file(name)


@cache
def _files() -> dict[str, bytes]:
    """All files by name, read once."""
    return {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in TYPES}


def _file(name: str) -> Response:
    if name not in _files():
        raise Problem(404, "no such path")
    kind = TYPES[Path(name).suffix]
    return Response(_files()[name], headers=GUARD, media_type=f"{kind}; charset=utf-8")
