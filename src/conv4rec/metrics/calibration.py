"""Does what is said to happen three times in ten happen three times in ten? Both laws, in bins.

Sums over bins are kept per user, so that they can be weighted again by the bootstrap. All functions take sums with the
bins on the last axis.
"""

import math

import numpy as np
from numpy.typing import NDArray

from conv4rec.predictions import Floats

LIKE_BINS = 20
"""Bins of equal width for p_like."""
DOUBLING = 1 << 11
"""Steps of p_consume for every factor of two."""
UNIFORM = 12 * DOUBLING
"""The step of 1 / I, the probability that a uniform law gives an item."""
CONSUME_BINS = 22
"""Bins of p_consume, a factor of two each, from 2^-8 / I to 2^12 / I; one bin below, and one above."""
PER_BLOCK = 1 << 18
"""Probabilities summed at a time: few enough that the cache holds what is computed of them."""
COUNTED = 1024.0
"""Added to every probability that is summed, so that the sum tells how many there were; exact to 1e-9."""
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


def consumption_steps(log_p: Floats) -> NDArray[np.uint16]:
    """(B, I) log p_consume to whole steps from 1 to 65535 that never fall where it rises: two bytes to sort and bin."""
    steps = log_p * (DOUBLING / math.log(2.0))
    steps += UNIFORM + DOUBLING * math.log2(log_p.shape[1])
    np.clip(steps, 1, (1 << 16) - 1, out=steps)
    return steps.astype(np.uint16)


def consumption_bins(steps: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """(...) steps of p_consume to bins, from 0."""
    return np.clip(steps // DOUBLING, 3, CONSUME_BINS + 2) - np.uint16(3)


def consumption_mass(log_p: Floats, steps: NDArray[np.uint16]) -> tuple[Array, Array, Array]:
    """(B, bins) predicted mass, (B, bins) number of items, and (B,) sum of squared probabilities, of all items."""
    size = max(1, PER_BLOCK // log_p.shape[1])
    starts = range(0, len(log_p), size)
    blocks = [_mass_of_block(log_p[start : start + size], steps[start : start + size]) for start in starts]
    mass, counts, squares = (np.concatenate(found) for found in zip(*blocks, strict=True))
    return mass, counts, squares


def _mass_of_block(log_p: Floats, steps: NDArray[np.uint16]) -> tuple[Array, Array, Array]:
    p, shape = np.exp(log_p), (len(log_p), CONSUME_BINS)
    cells = consumption_bins(steps).astype(np.intp)
    cells += CONSUME_BINS * np.arange(len(p))[:, None]
    weights = np.add(p, COUNTED, dtype=np.float64)  # numbers and mass in one pass: the mass of a law is far below
    both = np.bincount(cells.ravel(), weights=weights.ravel(), minlength=shape[0] * shape[1]).reshape(shape)
    counts, mass = np.divmod(both, COUNTED)
    return mass, counts, np.einsum("bi,bi->b", p, p).astype(np.float64)


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
