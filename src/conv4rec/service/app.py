"""The app factory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from conv4rec._version import __version__
from conv4rec.service.engine import Service
from conv4rec.service.gate import Gate
from conv4rec.service.problems import add_handlers
from conv4rec.service.routes import ask, find, health, learn, models, page, users
from conv4rec.service.settings import ServiceSettings

OPEN_PATHS = ("/health/", page.PATH)
"""Beginnings of paths that need no key."""
ABOUT = """What users will take and how they will rate it, as probabilities.

Every answer has `X-Request-ID`. An answer that is no success has one form, `{"error": {...}}`. Rows of lists and
predictions are those of the Python API: `p_consume` is the probability that the next interaction is with the item,
`p_rating_<value>` that of a rating once it is consumed."""


def create_app(settings: ServiceSettings, *, open_paths: tuple[str, ...] = ()) -> FastAPI:
    """The service as an ASGI app; `app.state.service` is the object behind its routes.

    The model is read here, so that what cannot be served is known before anything listens.

    Args:
        settings: how to serve.
        open_paths: beginnings of further paths that need no key, for pages that are mounted beside the API.

    Raises:
        ConfigError: settings, keys, model files or a store that do not go together.
        DataError: a folder of records without any.
        ModelFileError: a file that is no model.
        MissingExtraError: the driver of the database is not installed.
    """
    service = Service.open(settings)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.close()

    app = FastAPI(
        title="conv4rec",
        version=__version__,
        description=ABOUT,
        lifespan=life,
        docs_url=None,  # its scripts would come from the internet
        redoc_url=None,
    )
    app.state.service = service
    add_handlers(app)
    for part in (find, ask, users, learn, models, health, page):
        app.include_router(part.router)
    app.add_middleware(Gate, service=service, open_paths=(*OPEN_PATHS, *open_paths))
    return app
