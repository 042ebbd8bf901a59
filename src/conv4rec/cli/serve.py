"""`conv4rec serve`: a model behind REST; `conv4rec key`: the keys of those who may ask it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conv4rec.cli import options
from conv4rec.errors import MissingExtraError

if TYPE_CHECKING:
    from conv4rec.service.settings import ServiceSettings

LOUD = """conv4rec: NO KEYS: everybody on this machine may ask, change and erase everything.
conv4rec: Before others can reach this service, make keys with `conv4rec key` and give them with --keys.
"""


def serve(
    models: Annotated[list[Path], typer.Argument(help="Model files, or folders of *.conv4rec files.")],
    active: Annotated[str | None, typer.Option(help="The model that answers first.")] = None,
    store: Annotated[str | None, typer.Option(help="URL of the database of feedback. sqlite:///conv4rec.db")] = None,
    keys: Annotated[Path | None, typer.Option(envvar="CONV4REC_KEYS", help="TOML file of API keys.")] = None,
    records: Annotated[Path | None, typer.Option(help="Run folder whose comparison the page shows.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. 8000")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="All of these and more, as a TOML file.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="name=value of any other; may be repeated.")] = None,
) -> None:
    """Serve models over HTTP, and learn from feedback.

    One process, one model in memory. Stops at Ctrl-C or SIGTERM after what it was asked is answered.
    """
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise MissingExtraError("serving needs FastAPI and uvicorn: pip install 'conv4rec[serve]'") from None
    from conv4rec.service.settings import load_settings

    given: dict[str, Any] = {"models": models, "active": active, "store": store, "keys": keys, "records": records}
    settings = load_settings(config, options.given(set_), **given, host=host, port=port)
    if settings.keys is None:
        sys.stderr.write(LOUD)
    _run(settings)


def key(
    name: Annotated[str, typer.Option(help="Whose key it is; seen in logs.")],
    role: Annotated[str, typer.Option(help="read, write or admin.")] = "read",
) -> None:
    """Make an API key: its entry for the file of keys on standard output, the key itself, once, on standard error."""
    from conv4rec.service.keys import new_key

    secret, entry = new_key(name, role)
    sys.stderr.write(f"key (told only now): {secret}\n")
    sys.stdout.write(entry)


def _run(settings: "ServiceSettings") -> None:
    import uvicorn

    from conv4rec.service.app import create_app
    from conv4rec.service.logs import log_as_json

    log_as_json()
    app = create_app(settings)
    address = f"[{settings.host}]" if ":" in settings.host else settings.host
    sys.stderr.write(
        f"conv4rec: http://{address}:{settings.port}/ is the page, /openapi.json tells what can be asked\n"
    )
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,  # longer than a proxy in front keeps a connection, so that none is closed under it
        timeout_graceful_shutdown=round(settings.timeout),
    )
