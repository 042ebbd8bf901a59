"""Leave-one-out: what the model claims when an item is taken out of a history, by encoding the rest anew."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.predictions import Floats, Predictions, Predictor, expected_rating, p_like, users_per_batch

BYTES = 300
"""Memory that an interaction of a batch takes while it is encoded, about."""

Indices = NDArray[np.integer]
Claims = dict[str, Floats]
"""`consume` (log p_consume) and, where there are ratings, `rating` (expected) and `like` (p_like), an array each."""


def without_items(histories: Interactions, rows: Indices, items: Indices) -> Interactions:
    """Row j of the answer: the history of `rows[j]` without any interaction with `items[j]`."""
    picked = histories.select(rows)
    return picked.keep(picked.items != items[picked.users])


def laws_without(
    predictor: Predictor, histories: Interactions, rows: Indices, items: Indices, *, memory_mb: int
) -> Iterator[tuple[slice, Predictions]]:
    """The law of every row of `without_items`, some rows at a time, within the memory.

    Memory goes by the rows of a batch times items, and by the longest of the histories.
    """
    longest = int(histories.counts[rows].max(initial=1))
    size = users_per_batch(histories.n_items, predictor.types.n_types, memory_mb=memory_mb)
    size = max(1, min(size, memory_mb * 2**20 // (BYTES * longest)))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        yield part, predictor.predict(without_items(histories, rows[part], items[part]))


def claims(predictions: Predictions, rows: Indices, items: Indices, like: float) -> Claims:
    """What is claimed for N pairs of a row and an item, (N,) each."""
    found: Claims = {"consume": predictions.log_p_consume[rows, items]}
    if predictions.types.n_levels:
        p_rating = predictions.p_rating(rows, items)
        found["rating"] = expected_rating(p_rating, predictions.types)
        found["like"] = p_like(p_rating, predictions.types, like)
    return found


def claims_left_out(
    predictor: Predictor, histories: Interactions, rows: Indices, items: Indices, *, like: float, memory_mb: int
) -> Claims:
    """What is claimed for every item that was taken out of a history, from the rest of it, (N,) each."""
    parts = [
        claims(predictions, np.arange(predictions.log_p_consume.shape[0]), items[part], like)
        for part, predictions in laws_without(predictor, histories, rows, items, memory_mb=memory_mb)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def nothing(n_items: int) -> Interactions:
    """The history of one user of whom nothing is known."""
    return Interactions(np.zeros(2, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8), n_items)
