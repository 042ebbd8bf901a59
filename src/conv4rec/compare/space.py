"""A space of hyper-parameters, as optuna knows it: numbers as they are, choices as JSON text."""

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from conv4rec.peers.peer import Setting

if TYPE_CHECKING:
    import optuna

Space = Mapping[str, Setting]


def suggest(trial: "optuna.Trial", space: Space) -> dict[str, Any]:
    """The values that a trial proposes."""
    return meant(space, {name: _suggest(trial, name, setting) for name, setting in space.items()})


def shown(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the settings of a space, as optuna keeps them."""
    return {name: json.dumps(params[name]) if space[name].choices else params[name] for name in space}


def meant(space: Space, kept: Mapping[str, Any]) -> dict[str, Any]:
    """The values that optuna keeps, as the model takes them."""
    return {name: _choices(space[name])[value] if space[name].choices else value for name, value in kept.items()}


def holds(setting: Setting, value: Any) -> bool:
    """Whether a value lies within a setting."""
    if setting.choices:
        return value in setting.choices
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and setting.low <= value <= setting.high and not (setting.integer and value != int(value))


def size(space: Space) -> float:
    """How many different values a space has; infinite where one of them is continuous."""
    return math.prod(_size(setting) for setting in space.values())


def in_words(setting: Setting) -> str:
    """What may be searched."""
    if setting.choices:
        return ", ".join(json.dumps(choice) for choice in setting.choices)
    return f"{setting.low:g} to {setting.high:g}"


def _size(setting: Setting) -> float:
    if setting.choices:
        return len(setting.choices)
    return setting.high - setting.low + 1 if setting.integer else math.inf


def _suggest(trial: "optuna.Trial", name: str, setting: Setting) -> Any:
    if setting.choices:
        return trial.suggest_categorical(name, list(_choices(setting)))
    if setting.integer:
        return trial.suggest_int(name, int(setting.low), int(setting.high), log=setting.log)
    return trial.suggest_float(name, setting.low, setting.high, log=setting.log)


def _choices(setting: Setting) -> dict[str, Any]:
    return {json.dumps(choice): choice for choice in setting.choices}
