"""Does what is said to happen three times in ten happen three times in ten? Both laws, in bins.

Sums over bins are kept per user, so that they can be weighted again by the bootstrap. All functions take sums with the
bins on the last axis.
"""

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.metrics.ranking import Order
from conv4rec.predictions import Floats

LIKE_BINS = 20
"""Bins of equal width for p_like."""
CONSUME_EDGES = np.arange(-8, 13)
"""Edges of the bins of p_consume: powers of two times the uniform probability 1 / I; below and above, one bin each."""
CONSUME_BINS = len(CONSUME_EDGES) + 1
FINE = 1 << 16
"""Steps of p_like that the pooled AUC tells apart."""

Array = NDArray[np.float64]


def expected_calibration_error(predicted: Array, observed: Array, total: Array) -> Array:
    """(..., bins) sums of probabilities and of events to the mean distance between them, weighted by the bins, (...).

    For p_like, `total` is the number of predictions: the usual ECE (Naeini et al. 2015). For p_consume it is the number
    of interactions, the mass that was predicted: the usual ECE over all pairs times the number of items, because one
    over all pairs is near zero for any law. 0 is best; 2 is worst for p_consume, 1 for p_like.
    """
    return np.asarray(np.abs(observed - predicted).sum(axis=-1) / total)


def bin_likes(p: Floats) -> NDArray[np.int64]:
    """(N,) the bin of p_like, from 0."""
    return np.minimum((p * LIKE_BINS).astype(np.int64), LIKE_BINS - 1)


def bin_consumption(log_p: Floats, n_items: int) -> NDArray[np.int64]:
    """(N,) the bin of log p_consume, from 0."""
    return np.searchsorted(_edges(n_items).astype(log_p.dtype), log_p, side="right")


def _edges(n_items: int) -> Array:
    return np.asarray(CONSUME_EDGES * np.log(2.0) - np.log(n_items))


def consumption_mass(order: Order, history: Interactions, log_p: Floats) -> tuple[Array, Array, Array]:
    """(B, bins) predicted mass, (B, bins) number of items, and (B,) sum of squared probabilities, of all items.

    `order` holds log p_consume (B, I) without the history, `log_p` with it.
    """
    n_rows, n_items = log_p.shape
    edges = _edges(n_items).astype(log_p.dtype)
    rows = np.repeat(np.arange(n_rows), len(edges))
    inner = order.count_below(rows, np.tile(edges, n_rows)).reshape(n_rows, -1)
    bounds = np.concatenate([np.zeros((n_rows, 1), dtype=np.int64), inner, np.full((n_rows, 1), n_items)], axis=1)
    p = np.exp(order.ascending)
    counts = np.diff(bounds, axis=1).astype(np.float64)
    mass = _sums_between(p, bounds)
    counts[:, 0] -= n_items - order.n_allowed  # the history stands there with -inf
    users, items = history.distinct_pairs
    seen = log_p[users, items]
    cells = users * CONSUME_BINS + bin_consumption(seen, n_items)
    p_seen = np.exp(seen.astype(np.float64))
    mass += np.bincount(cells, weights=p_seen, minlength=mass.size).reshape(mass.shape)
    counts += np.bincount(cells, minlength=mass.size).reshape(mass.shape)
    squares = np.einsum("bi,bi->b", p, p) + np.bincount(users, weights=p_seen**2, minlength=n_rows)
    return mass, counts, squares


def _sums_between(values: Floats, bounds: NDArray[np.int64]) -> Array:
    """(B, I) to sums from bound to bound of every row, (B, bounds - 1)."""
    n_rows, n_items = values.shape
    starts = bounds[:, :-1]
    padded = np.minimum(starts + np.arange(n_rows)[:, None] * n_items, values.size - 1)
    sums = np.add.reduceat(values.ravel(), padded.ravel()).reshape(starts.shape).astype(np.float64)
    return np.where(np.diff(bounds, axis=1) > 0, sums, 0.0)  # reduceat gives an element for an empty stretch


def count_likes(p: Floats, liked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(2, FINE) numbers of disliked and of liked ones by steps of p_like, (N,)."""
    steps = np.minimum((p * FINE).astype(np.int64), FINE - 1)
    return np.bincount(liked * FINE + steps, minlength=2 * FINE).reshape(2, FINE)


def pooled_auc(liked: NDArray[np.floating], disliked: NDArray[np.floating]) -> Array:
    """(..., bins) counts by p_like to the share of pairs in the right order, a tie half; NaN with one class."""
    below = np.cumsum(disliked, axis=-1) - disliked
    pairs = liked.sum(axis=-1) * disliked.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return np.asarray((liked * (below + disliked / 2)).sum(axis=-1) / np.where(pairs > 0, pairs, np.nan))


def reliability(predicted: Array, observed: Array, total: Array, weight: Array) -> list[dict[str, float]]:
    """A row a bin that has predictions: mean probability, frequency, and share of `weight`."""
    rows = np.flatnonzero(total > 0)
    return [
        {
            "predicted": float(predicted[b] / total[b]),
            "observed": float(observed[b] / total[b]),
            "weight": float(weight[b] / weight.sum()),
        }
        for b in rows
    ]
