"""`conv4rec config`: every setting with its value and meaning, as TOML that `--config` reads."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from conv4rec.cli import options
from conv4rec.cli.output import print_json

if TYPE_CHECKING:
    from conv4rec.config import Config, Section


def config(config: options.Toml = None, set_: options.Sets = None, as_json: options.Json = False) -> None:
    """Print all settings, after --config and --set, as TOML with a line of explanation each."""
    from conv4rec.config import load_config

    settings = load_config(config, options.given(set_))
    if as_json:
        print_json(settings.model_dump(mode="json"))
    else:
        typer.echo("\n".join(_lines(settings)))


def _lines(settings: "Config") -> Iterator[str]:
    for name in type(settings).model_fields:
        section: Section = getattr(settings, name)
        yield f"[{name}]  # {type(section).__doc__}"
        for key, setting in type(section).model_fields.items():
            yield f"# {' '.join(str(setting.description).split())}"
            value = getattr(section, key)
            yield f"# {key} = (not set)" if value is None else f"{key} = {_toml(value)}"
        yield ""


def _toml(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)
