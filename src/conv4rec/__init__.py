"""Conv4Rec: one model for what users take and how they rate it, as probabilities."""

import importlib
from typing import TYPE_CHECKING, Any

from conv4rec._version import __version__

if TYPE_CHECKING:
    from conv4rec.config import Config
    from conv4rec.data.parts import load_parts
    from conv4rec.data.ratings import Ratings
    from conv4rec.data.sources import load_ratings
    from conv4rec.data.split import given_split, split
    from conv4rec.evaluation import Report, evaluate
    from conv4rec.progress import ProgressBar
    from conv4rec.recommender import Conv4Rec

__all__ = [
    "Config",
    "Conv4Rec",
    "ProgressBar",
    "Ratings",
    "Report",
    "__version__",
    "evaluate",
    "given_split",
    "load_parts",
    "load_ratings",
    "split",
]

_HOMES = {
    "Config": "config",
    "Conv4Rec": "recommender",
    "ProgressBar": "progress",
    "Ratings": "data.ratings",
    "Report": "evaluation",
    "evaluate": "evaluation",
    "given_split": "data.split",
    "load_parts": "data.parts",
    "load_ratings": "data.sources",
    "split": "data.split",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `conv4rec --help` does not wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'conv4rec' has no attribute {name!r}")
    return getattr(importlib.import_module(f"conv4rec.{_HOMES[name]}"), name)
