"""Is what a user will take near the top of the list? Recall, NDCG, MRR and coverage at k.

The functions speak of a batch: B users (rows), I items, lists of K items. Relevant are the distinct held-out items.
"""

import numpy as np
from numpy.typing import NDArray

from conv4rec.errors import TrainingError
from conv4rec.predictions import Floats


def top_k(scores: Floats, k: int) -> NDArray[np.int32]:
    """The K = min(k, I) best items of every row of (B, I) scores, best first, (B, K).

    Ties go to the item with the lower index, which is the smaller id: the order of the rows of the source and the
    size of the batch do not matter. A score of -inf takes an item out of the list; a list that runs out of items
    ends in -1. Raises TrainingError for a score that is not a number. Time O(B I).
    """
    n_rows, n_items = scores.shape
    k = min(k, n_items)
    best = np.partition(scores, n_items - k, axis=1)[:, n_items - k :]
    if np.isnan(best).any():  # numpy sorts them last, so that one of them would be among the best
        raise TrainingError(f"row {int(np.isnan(best).any(axis=1).argmax())}: a score is NaN, expected numbers to rank")
    places = np.flatnonzero(_at_least(scores, best.min(axis=1, keepdims=True), k))
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


def find_hits(top: NDArray[np.int32], relevant: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(B, K): whether the item at each place of the (B, K) lists is one of the (B, I) relevant ones."""
    hits = np.take_along_axis(relevant, top.astype(np.intp), axis=1)  # -1 meets the last item: taken back below
    return hits & (top >= 0)


def recall_at(k: int, hits: NDArray[np.bool_], n_relevant: NDArray[np.integer]) -> NDArray[np.float64]:
    """(B,) hits among the first k over min(k, number of relevant items): 1 for the best list there can be.

    Every user must have a relevant item. Source: METHOD.md section 3.
    """
    return np.asarray(np.count_nonzero(hits[:, :k], axis=1) / np.minimum(k, n_relevant))


def ndcg_at(k: int, hits: NDArray[np.bool_], n_relevant: NDArray[np.integer]) -> NDArray[np.float64]:
    """(B,) sum of 1 / log2(rank + 1) over the hits among the first k, over that of the best list there can be.

    Binary gains; the ideal list starts with min(k, number of relevant items) hits. Every user must have a relevant
    item. Source: Järvelin and Kekäläinen 2002.
    """
    gains = 1.0 / np.log2(np.arange(2, k + 2))  # (k,)
    ideal = np.cumsum(gains)[np.minimum(k, n_relevant) - 1]
    listed = hits[:, :k]
    return np.asarray((listed * gains[: listed.shape[1]]).sum(axis=1) / ideal)


def mrr_at(k: int, hits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(B,) one over the rank of the first hit among the first k; 0 where there is none."""
    listed = hits[:, :k]
    return np.where(listed.any(axis=1), 1.0 / (listed.argmax(axis=1) + 1.0), 0.0)


def mark_listed(listed: NDArray[np.bool_], top: NDArray[np.int32], k: int) -> None:
    """Mark in (I,) the items that the first k places of the lists hold; coverage@k is the share marked."""
    items = top[:, :k]
    listed[items[items >= 0]] = True
