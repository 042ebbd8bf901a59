"""Is what a user will take near the top of the list? Ranks of the relevant items, and what follows from them.

The functions speak of a batch: B users (rows), I items, lists of K items. Every metric of a user follows from the ranks
of their relevant items; lists are made only where an item of the list itself is asked about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conv4rec.errors import TrainingError
from conv4rec.predictions import Floats

Indices = NDArray[np.integer]
PER_TIE = 4_000_000
"""Scores compared at a time to tell equal ones apart."""


def top_k(scores: Floats, k: int) -> NDArray[np.int32]:
    """The K = min(k, I) best items of every row of (B, I) scores, best first, (B, K).

    Ties go to the item with the lower index, which is the smaller id: the order of the rows of the source and the
    size of the batch do not matter. A score of -inf takes an item out of the list; a list that runs out of items
    ends in -1. Raises TrainingError for a score that is not a number. Time O(B I).
    """
    n_items = scores.shape[1]
    k = min(k, n_items)
    best = _ascending(scores, n_items - k)[:, n_items - k :]
    _check_numbers(best)
    return _listed(scores, best.min(axis=1, keepdims=True), k)


def _ascending(scores: Floats, place: int) -> Floats:
    """A copy in which the places from this one on hold the highest scores of every row."""
    parted = scores.copy()
    parted.partition(place, axis=1)
    return parted


def _check_numbers(best: Floats) -> None:
    if np.isnan(best).any():  # numpy sorts them last, so that one of them would be among the best
        raise TrainingError(f"row {int(np.isnan(best).any(axis=1).argmax())}: a score is NaN, expected numbers to rank")


def _listed(scores: Floats, threshold: Floats, k: int) -> NDArray[np.int32]:
    """(B, k) the items at or above the k-th best score of every row, (B, 1), best first."""
    n_rows, n_items = scores.shape
    places = np.flatnonzero(_at_least(scores, threshold, k))
    items = (places % n_items).reshape(n_rows, k)
    found = np.take_along_axis(scores, items, axis=1)
    order = np.argsort(np.negative(found), axis=1, kind="stable")
    ranked = np.take_along_axis(items, order, axis=1)
    ranked[np.take_along_axis(found, order, axis=1) == -np.inf] = -1
    return ranked.astype(np.int32)


def _at_least(scores: Floats, threshold: Floats, k: int) -> NDArray[np.bool_]:
    """(B, I) mask of the k items per row at or above the k-th best score, the leftmost of equal ones."""
    chosen = scores >= threshold
    surplus = np.flatnonzero(np.count_nonzero(chosen, axis=1) > k)
    if len(surplus):
        tied = scores[surplus] == threshold[surplus]
        above = chosen[surplus] & ~tied
        places = k - np.count_nonzero(above, axis=1, keepdims=True)
        chosen[surplus] = above | (tied & (np.cumsum(tied, axis=1, dtype=np.int32) <= places))
    return chosen


@dataclass(frozen=True)
class Order:
    """The scores of a batch, (B, I), and the same in ascending order: sorted once, asked for ranks, lists and masses.

    A score of -inf takes an item out; ties are broken as in `top_k`.
    """

    scores: Floats
    ascending: Floats

    @classmethod
    def of(cls, scores: Floats) -> "Order":
        """Sort. Raises TrainingError for a score that is not a number. Time O(B I log I)."""
        ascending = scores.copy()
        ascending.sort(axis=1)
        _check_numbers(ascending[:, -1:])
        return cls(scores, ascending)

    @cached_property
    def n_allowed(self) -> NDArray[np.int64]:
        """(B,) the number of items that are not taken out."""
        rows = np.arange(len(self.scores))
        out = self.count_below(rows, np.full(len(rows), -np.inf, dtype=self.scores.dtype), or_equal=True)
        return np.asarray(self.scores.shape[1] - out)

    def count_below(self, rows: Indices, values: Floats, *, or_equal: bool = False) -> NDArray[np.int64]:
        """(N,) how many scores of a row are below a value, or equal to it: a binary search, all N at once."""
        n_items = self.scores.shape[1]
        flat, base = self.ascending.ravel(), np.asarray(rows, dtype=np.int64) * n_items
        low = np.zeros(len(base), dtype=np.int64)
        for step in (1 << np.arange(n_items.bit_length())[::-1]).tolist():
            ahead = low + step
            last = flat[base + np.minimum(ahead, n_items) - 1]
            low = np.where((ahead <= n_items) & ((last <= values) if or_equal else (last < values)), ahead, low)
        return low

    def ranks(self, rows: Indices, items: Indices) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(N,) ranks from 1 with ties broken, and (N,) middle ranks, in which equal scores share their places."""
        values = self.scores[rows, items]
        below, up_to = (self.count_below(rows, values, or_equal=or_equal) for or_equal in (False, True))
        greater, equal = self.scores.shape[1] - up_to, up_to - below
        ranks = greater + 1
        tied = np.flatnonzero(equal > 1)
        if len(tied):
            ranks[tied] += self._equal_before(rows[tied], items[tied])
        return ranks, greater + (equal + 1) / 2

    def _equal_before(self, rows: Indices, items: Indices) -> NDArray[np.int64]:
        """(N,) the number of items with the same score and a lower index."""
        n_items = self.scores.shape[1]
        found = np.empty(len(rows), dtype=np.int64)
        size = max(1, PER_TIE // n_items)
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            scores = self.scores[rows[part]]
            equal = scores == np.take_along_axis(scores, np.asarray(items[part], dtype=np.int64)[:, None], axis=1)
            found[part] = np.count_nonzero(equal & (np.arange(n_items) < items[part][:, None]), axis=1)
        return found

    def top(self, k: int) -> NDArray[np.int32]:
        """`top_k` of the scores."""
        n_items = self.scores.shape[1]
        k = min(k, n_items)
        return _listed(self.scores, self.ascending[:, n_items - k, None], k)


@dataclass(frozen=True)
class Hits:
    """Where the relevant items of B users stand.

    Attributes:
        rows: (N,) the user, ascending.
        ranks: (N,) ranks from 1, ascending within a user.
        n_relevant: (B,) relevant items of every user, at least one.
    """

    rows: Indices
    ranks: Indices
    n_relevant: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Indices, ranks: Indices, n_rows: int) -> "Hits":
        """From pairs in any order; every one of the `n_rows` users must have one."""
        order = np.lexsort((ranks, rows))
        return cls(rows[order], ranks[order], np.bincount(rows, minlength=n_rows))

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """(N,) 1 for the best-ranked relevant item of a user, 2 for the next, and so on."""
        starts = np.cumsum(self.n_relevant) - self.n_relevant
        return np.arange(len(self.rows)) - starts[self.rows] + 1

    def sum(self, values: Floats) -> NDArray[np.float64]:
        """(N,) values to their sums per user, (B,)."""
        return np.asarray(np.bincount(self.rows, weights=values, minlength=len(self.n_relevant)), dtype=np.float64)


def hits_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) the number of relevant items among the first k."""
    return hits.sum((hits.ranks <= k).astype(np.float64))


def recall_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) hits among the first k over min(k, number of relevant items): 1 for the best list there can be.

    LensKit and ranx divide by the number of relevant items, whatever k. Source: METHOD.md section 3.
    """
    return np.asarray(hits_at(k, hits) / np.minimum(k, hits.n_relevant))


def precision_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) hits among the first k over k, also where fewer than k items are left to list."""
    return np.asarray(hits_at(k, hits) / k)


def hit_rate_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) 1 where a relevant item is among the first k, else 0."""
    return (hits_at(k, hits) > 0).astype(np.float64)


def ndcg_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) sum of 1 / log2(rank + 1) over the hits among the first k, over that of the best list there can be.

    Binary gains; the ideal list starts with min(k, relevant items) hits. Source: Järvelin and Kekäläinen 2002.
    """
    ideal = np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))[np.minimum(k, hits.n_relevant) - 1]
    gains = np.where(hits.ranks <= k, 1.0 / np.log2(hits.ranks + 1.0), 0.0)
    return np.asarray(hits.sum(gains) / ideal)


def map_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) average precision: mean, over min(k, relevant items), of the precision at the rank of each hit up to k.

    ranx divides by the number of relevant items, whatever k.
    """
    precision = np.where(hits.ranks <= k, hits.places / hits.ranks, 0.0)
    return np.asarray(hits.sum(precision) / np.minimum(k, hits.n_relevant))


def mrr_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) one over the rank of the first hit among the first k; 0 where there is none."""
    first = hits.ranks[hits.places == 1]
    return np.where(first <= k, 1.0 / first, 0.0)


def auc(midranks: NDArray[np.float64], rows: Indices, n_allowed: NDArray[np.int64]) -> NDArray[np.float64]:
    """(B,) share of pairs of a relevant and another allowed item that are in the right order, equal scores half.

    Takes the (N,) middle ranks of the relevant items and the (B,) number of items that could be listed. NaN for a user
    without one of the two kinds. Source: Mann and Whitney 1947.
    """
    n_relevant = np.bincount(rows, minlength=len(n_allowed))
    n_pairs = n_relevant * (n_allowed - n_relevant)
    behind = np.bincount(rows, weights=n_allowed[rows] - midranks, minlength=len(n_allowed))
    with np.errstate(invalid="ignore"):
        return np.asarray((behind - n_relevant * (n_relevant - 1) / 2) / np.where(n_pairs > 0, n_pairs, np.nan))


RANKING = {
    "ndcg": ndcg_at,
    "recall": recall_at,
    "precision": precision_at,
    "map": map_at,
    "mrr": mrr_at,
    "hit_rate": hit_rate_at,
}
"""The metrics of a list of length k that follow from the ranks, by name."""


def segments(ks: Sequence[int]) -> list[tuple[int, int]]:
    """The ks, ascending, as pieces of a list that do not overlap: (5, 10, 20) gives 0-5, 5-10, 10-20."""
    ends = sorted(set(ks))
    return list(zip([0, *ends[:-1]], ends, strict=True))
