"""Hyper-parameters of models in TOML or JSON."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conv4rec.config import Config
from conv4rec.errors import ConfigError
from conv4rec.peers.peer import Peer

SECTIONS = ("data", "model", "train")
"""What makes a model; the protocol and the figures are another matter."""

Params = dict[str, Any]


def read_params(words: Sequence[str], models: Mapping[str, Peer]) -> dict[str, Params]:
    """What `--params` gives: hyper-parameters by model.

    A word is `MODEL=FILE`, with the hyper-parameters of one model as `conv4rec tune` writes them, or a file, or JSON
    text, with a table a model; later words win. Files end in .toml or .json. Raises ConfigError for anything else, for
    a model that is not compared, and for a hyper-parameter that the model does not have.
    """
    found: dict[str, Params] = {}
    for word in words:
        for model, params in _tables(word).items():
            found[model] = found.get(model, {}) | _checked(model, params, models)
    return found


def in_toml(params: Mapping[str, Any]) -> str:
    """A line a hyper-parameter; `section.field` keys make the file one that `conv4rec train --config` reads."""
    return "".join(f"{_key(name)} = {_value(name, value)}\n" for name, value in params.items())


def settings_in_toml(config: Config, params: Mapping[str, Any]) -> str:
    """The settings of data, model and training that differ from their defaults, and `params` over them."""
    now, usual = flat(config.model_dump(mode="json")), flat(Config().model_dump(mode="json"))
    changed = {name: v for name, v in now.items() if name.partition(".")[0] in SECTIONS and v != usual[name]}
    return in_toml({name: value for name, value in (changed | dict(params)).items() if value != usual[name]})


def are_settings(peer: Peer) -> bool:
    """Whether the hyper-parameters of a model are settings, by section and field."""
    return any("." in name for name in (*peer.defaults, *peer.space))


def settings_given(peer: Peer, config: Config) -> Params:
    """The settings among the hyper-parameters of a model that are not at their default, so that somebody chose them."""
    settings = flat(config.model_dump(mode="json")) if are_settings(peer) else {}
    return {name: settings[name] for name, usual in peer.defaults.items() if settings.get(name, usual) != usual}


def flat(tables: Mapping[str, Any], name: str = "") -> Params:
    """Nested tables as one with dotted names."""
    found: Params = {}
    for key, value in tables.items():
        inner = f"{name}.{key}" if name else key
        found |= flat(value, inner) if isinstance(value, Mapping) else {inner: value}
    return found


def _tables(word: str) -> dict[str, Any]:
    if word.lstrip().startswith("{"):
        return _parsed(word, word, ".json")
    model, equals, file = word.partition("=")
    if not equals:
        return _read(Path(word))
    return {model: _read(Path(file))}


def _read(path: Path) -> dict[str, Any]:
    try:
        return _parsed(path.read_text(), str(path), path.suffix)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ConfigError(f"--params {path}: cannot be read: {reason}") from None


def _parsed(text: str, where: str, suffix: str) -> dict[str, Any]:
    if suffix not in (".json", ".toml"):
        raise ConfigError(f"--params {where}: expected a name that ends in .toml or .json, MODEL=FILE, or JSON text")
    try:
        found = tomllib.loads(text) if suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise ConfigError(f"--params {where}: not {suffix[1:].upper()}: {error}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"--params {where}: expected a table a model; got {type(found).__name__}")
    return found


def _checked(model: str, params: Any, models: Mapping[str, Peer]) -> Params:
    if model not in models:
        raise ConfigError(f"--params: model {model!r} is not compared; expected one of {', '.join(models)}")
    if not isinstance(params, Mapping):
        raise ConfigError(f"--params: {model}: expected a table of hyper-parameters; got {params!r}")
    given, known = flat(params), _known(models[model])
    for name in given:
        if name not in known:
            raise ConfigError(f"--params: {model} has no hyper-parameter {name!r}; expected one of {', '.join(known)}")
    return given


def _known(peer: Peer) -> list[str]:
    """The hyper-parameters that a model takes."""
    own = list({**peer.defaults, **peer.space})
    settings = flat(Config().model_dump(mode="json")) if are_settings(peer) else {}
    return own + [name for name in settings if name.partition(".")[0] in SECTIONS and name not in own]


def _key(name: str) -> str:
    return (
        name if all(part.replace("_", "").replace("-", "").isalnum() for part in name.split(".")) else json.dumps(name)
    )


def _value(name: str, value: Any) -> str:
    if value is None or isinstance(value, Mapping):
        raise ConfigError(f"{name} = {value!r}: TOML has no word for it")
    return json.dumps(value)
