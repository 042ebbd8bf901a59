"""What comes before what? Lists of the best items, and ranks among all of them, ties broken by one rule.

The functions speak of a batch: B users (rows), I items, lists of K items. Ties go to the item with the lower index,
which is the smaller id: the order of the rows of the source and the size of the batch do not matter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conv4rec.errors import TrainingError
from conv4rec.metrics.timed import NEVER
from conv4rec.predictions import Floats

Indices = NDArray[np.integer]
PER_TIE = 500_000
"""Scores compared at a time to tell close ones apart."""


def top_k(scores: Floats, k: int) -> NDArray[np.int32]:
    """The K = min(k, I) best items of every row of (B, I) scores, best first, (B, K).

    A score of -inf takes an item out of the list; a list that runs out of items ends in -1. Raises TrainingError for a
    score that is not a number. Time O(B I).
    """
    n_items = scores.shape[1]
    k = min(k, n_items)
    best = _parted(scores, n_items - k)[:, n_items - k :]
    if np.isnan(best).any():  # numpy sorts them last, so that one of them would be among the best
        row = int(np.isnan(best).any(axis=1).argmax())
        raise TrainingError(f"row {row}: a score is NaN, expected numbers to rank")
    threshold = best.min(axis=1, keepdims=True)
    return _in_order(scores, _at_least(scores, threshold, k), k)


def _parted(scores: Floats, place: int) -> Floats:
    """A copy in which the places from this one on hold the highest scores of every row."""
    parted = scores.copy()
    parted.partition(place, axis=1)
    return parted


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


def _in_order(scores: Floats, chosen: NDArray[np.bool_], k: int) -> NDArray[np.int32]:
    """(N, k) items of the N rows of (B, I) in which k are chosen, best first; -1 for those with a score of -inf."""
    rows, items = (places.reshape(-1, k) for places in np.divmod(np.flatnonzero(chosen), scores.shape[1]))
    found = scores[rows, items]
    order = np.argsort(np.negative(found), axis=1, kind="stable")
    ranked = np.take_along_axis(items, order, axis=1)
    ranked[np.take_along_axis(found, order, axis=1) == -np.inf] = -1
    return ranked.astype(np.int32)


@dataclass(frozen=True)
class Order:
    """The order of the scores of a batch, some items left out, without sorting them: steps of two bytes are sorted.

    Attributes:
        scores: (B, I).
        steps: (B, I) whole numbers that never fall where the scores rise; 0, which is below all, for what is left out.
        ascending: (B, I) the steps, sorted.

    A score of -inf is the last of all, and in no list.
    """

    scores: Floats
    steps: NDArray[np.uint16]
    ascending: NDArray[np.uint16]

    @classmethod
    def of(cls, scores: Floats, steps: NDArray[np.uint16], rows: Indices, items: Indices) -> "Order":
        """Of (B, I) scores and their steps from 1, without some pairs of row and item. Time O(B I)."""
        kept = steps.copy()
        kept[rows, items] = 0
        return cls(scores, kept, np.sort(kept, axis=1, kind="stable"))  # of two bytes: a radix sort

    @property
    def n_allowed(self) -> NDArray[np.int64]:
        """(B,) the number of items that are not left out."""
        rows = np.arange(len(self.scores))
        return np.asarray(self.scores.shape[1] - self._count_below(rows, np.ones_like(rows)))

    def ranks(self, rows: Indices, items: Indices) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Of N items that are not left out: (N,) ranks from 1, ties broken, and (N,) middle ranks, ties shared.

        The rank of an item with a score of -inf is NEVER: no list is long enough.
        """
        n_items, steps = self.scores.shape[1], self.steps[rows, items].astype(np.int32)
        below = self._count_below(rows, steps)
        beside = np.ones(len(rows), dtype=np.int64)
        close = np.flatnonzero(self.ascending[rows, np.minimum(below + 1, n_items - 1)] == steps)
        beside[close] = self._count_below(rows[close], steps[close] + 1) - below[close]
        greater = n_items - below - beside
        before, equal = np.zeros(len(rows), dtype=np.int64), np.ones(len(rows), dtype=np.int64)
        size = max(1, PER_TIE // n_items)
        for start in range(0, len(close), size):
            part = close[start : start + size]
            more, before[part], equal[part] = self._compare(rows[part], items[part])
            greater[part] += more
        ranks = greater + before + 1
        ranks[self.scores[rows, items] == -np.inf] = NEVER
        return ranks, greater + (equal + 1) / 2

    def _count_below(self, rows: Indices, steps: NDArray[np.integer]) -> NDArray[np.int64]:
        """(N,) how many items of a row are below a step: a binary search, all N at once."""
        n_items = self.scores.shape[1]
        flat, before = self.ascending.reshape(-1), np.asarray(rows, dtype=np.int64) * n_items - 1
        low = np.zeros(len(before), dtype=np.int64)
        for jump in (1 << np.arange(n_items.bit_length())[::-1]).tolist():
            ahead = low + jump
            low = np.where((ahead <= n_items) & (flat[before + np.minimum(ahead, n_items)] < steps), ahead, low)
        return low

    def _compare(self, rows: Indices, items: Indices) -> tuple[NDArray[np.int64], ...]:
        """(N,) how many items on the same step score more, score the same with a lower index, and score the same."""
        same = self.steps[rows] == self.steps[rows, items][:, None]
        pairs, others = np.divmod(np.flatnonzero(same), self.scores.shape[1])
        theirs, mine = self.scores[rows[pairs], others], self.scores[rows, items][pairs]
        kinds = theirs > mine, (theirs == mine) & (others < items[pairs]), theirs == mine
        return tuple(np.bincount(pairs[kind], minlength=len(rows)) for kind in kinds)

    def top(self, k: int) -> NDArray[np.int32]:
        """`top_k` of the scores of what is not left out."""
        n_rows, n_items = self.scores.shape
        k = min(k, n_items)
        threshold = self.ascending[:, n_items - k]
        chosen = self.steps >= threshold[:, None]
        hard = threshold == 0  # the list reaches what is left out, or ends between items on the same step
        if k < n_items:
            hard |= self.ascending[:, n_items - k - 1] == threshold
        chosen[hard] = False
        listed = np.empty((n_rows, k), dtype=np.int32)
        listed[~hard] = _in_order(self.scores, chosen, k)
        if hard.any():
            listed[hard] = top_k(np.where(self.steps[hard] > 0, self.scores[hard], -np.inf), k)
        return listed
