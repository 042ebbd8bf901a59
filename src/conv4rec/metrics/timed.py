"""Recall that does not reward what is popular anyway: recall@K^beta. Source: arXiv 2308.06885, METHOD.md section 6.

Everything follows from the rank of every scored interaction and from the popularity of its item.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from conv4rec.errors import TrainingError
from conv4rec.predictions import Floats

Array = NDArray[np.float64]
Indices = NDArray[np.integer]

NEVER = np.iinfo(np.int64).max
"""The rank of an item that is in no list, however long."""
PER_COMPARISON = 2_000_000
"""Scores compared at a time: few enough that the cache holds what is computed of them."""


def ranks_of(scores: Floats, rows: Indices, items: Indices) -> NDArray[np.int64]:
    """(N,) ranks from 1 of single items among the (B, I) scores of their rows; a count, nothing is sorted.

    Ties go to the item with the lower index, as in `ranking.top_k`; a score of -inf takes an item out, and its rank is
    NEVER. Raises TrainingError for a score that is not a number. Time O(N I).
    """
    if np.isnan(scores).any():
        row = int(np.isnan(scores).any(axis=1).argmax())
        raise TrainingError(f"row {row}: a score is NaN, expected numbers to rank")
    ranks = np.empty(len(rows), dtype=np.int64)
    size = max(1, PER_COMPARISON // scores.shape[1])
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        ranks[part] = _count_ahead(scores[rows[part]], np.asarray(items[part], dtype=np.int64)) + 1
    ranks[scores[rows, items] == -np.inf] = NEVER
    return ranks


def _count_ahead(scores: Floats, items: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) how many of a row, (N, I), come before its item."""
    values: Floats = scores[np.arange(len(items)), items][:, None]
    ahead = np.asarray(np.count_nonzero(scores > values, axis=1))
    tied = np.flatnonzero(np.count_nonzero(scores >= values, axis=1) > ahead + 1)
    if len(tied):
        before = np.arange(scores.shape[1]) < items[tied, None]
        ahead[tied] += np.count_nonzero((scores[tied] == values[tied]) & before, axis=1)
    return ahead


def inverse_popularity(counts: Indices, betas: Sequence[float]) -> Array:
    """(I, b) weights p(i)^-beta of items, from the (I,) number of interactions each has; p is the share of all of them.

    An item without any is taken to have one: the rarest popularity that could have been seen, and a finite weight.
    """
    popularity = np.maximum(counts, 1) / max(1, int(counts.sum()))
    return np.asarray(popularity[:, None] ** -np.asarray(betas, dtype=np.float64))


def weighted_hits(ranks: Indices, weights: Array, starts: Indices, ks: Sequence[int]) -> Array:
    """(U, K, b) the weights of what is among the first k, summed per user: the numerators of recall@K^beta.

    Takes the (T,) ranks and (T, b) weights of the scored interactions, by user, and the (U,) places where users start.
    The metric is the sum of these over that of all weights: a weighted share of interactions, not a mean of users.
    """
    hits = [np.add.reduceat(np.where((ranks <= k)[:, None], weights, 0.0), starts, axis=0) for k in ks]
    return np.stack(hits, axis=1)
