"""Which models can be compared: those of the registry, and any other that can be imported."""

import difflib
import importlib
from collections.abc import Mapping

from conv4rec.errors import QueryError
from conv4rec.peers.peer import Peer


def all_models() -> Mapping[str, Peer]:
    """The peers of the registry by name, ours first."""
    from conv4rec.peers.registry import PEERS

    return PEERS


def find_model(name: str) -> Peer:
    """The peer of this name, or, for `package.module:NAME`, a Peer of one's own that is called NAME there.

    Raises QueryError for a name that is neither.
    """
    module, colon, attribute = name.partition(":")
    return _import(name, module, attribute) if colon else _registered(name)


def _registered(name: str) -> Peer:
    known = all_models()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}, or package.module:NAME"
        raise QueryError(f"model {name!r} does not exist; {hint}")
    return known[name]


def _import(name: str, module: str, attribute: str) -> Peer:
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError as error:
        raise QueryError(f"model {name!r}: {module} cannot be imported: {error}") from None
    if not isinstance(found, Peer):
        met = "nothing" if found is None else type(found).__name__
        raise QueryError(f"model {name!r}: expected {module} to have a Peer of the name {attribute}; got {met}")
    return found
