"""Parts of the held-out interactions, each evaluated for itself: who is served worse, and on what?"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions


class TargetSlice(NamedTuple):
    """Some of the targets: what they were chosen by, which they are, in words, and the targets."""

    by: Literal["popularity", "history"]
    label: str
    targets: Interactions


def slice_targets(history: Interactions, targets: Interactions, reference: Interactions) -> Iterator[TargetSlice]:
    """Thirds of the targets by popularity of the item, then by length of the user's history.

    The items of the catalogue are put in the order of their interactions in `reference` and cut in three; so are the
    users who have targets, by the interactions of their history. Equal ones stay together, in the third that the middle
    one of them falls in. Users and items keep their indices. Parts without a target are left out.
    """
    popularity = np.bincount(reference.items, minlength=reference.n_items)
    thirds = _thirds(popularity)
    for third, label in enumerate(("least popular third", "middle third", "most popular third")):
        chosen = thirds[targets.items] == third
        yield from _part("popularity", f"{label} ({_span(popularity[thirds == third])})", targets, chosen)
    asked = np.flatnonzero(targets.counts)
    lengths = history.counts[asked]
    thirds = np.full(targets.n_users, -1)
    thirds[asked] = _thirds(lengths)
    for third, label in enumerate(("shortest histories", "middle third", "longest histories")):
        chosen = thirds[targets.users] == third
        yield from _part("history", f"{label} ({_span(lengths[thirds[asked] == third])})", targets, chosen)


def _thirds(keys: NDArray[np.integer]) -> NDArray[np.int64]:
    """0, 1 or 2 for every key."""
    ordered = np.sort(keys)
    places = np.searchsorted(ordered, keys) + np.searchsorted(ordered, keys, side="right")
    return np.asarray(3 * places // (2 * max(1, len(keys))), dtype=np.int64)


def _span(counts: NDArray[np.integer]) -> str:
    return f"{counts.min()} to {counts.max()} interactions" if len(counts) else "none"


def _part(
    by: Literal["popularity", "history"], label: str, targets: Interactions, chosen: NDArray[np.bool_]
) -> Iterator[TargetSlice]:
    if chosen.any():
        yield TargetSlice(by, label, targets.keep(chosen))
