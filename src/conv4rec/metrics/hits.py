"""From the ranks of the relevant items of a user to every metric of the list.

The functions speak of a batch of B users, each with at least one relevant item, and give a value each, (B,).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.integer]


@dataclass(frozen=True)
class Hits:
    """Which relevant items of B users are found.

    Attributes:
        rows: (N,) the user, ascending.
        ranks: (N,) ranks from 1, ascending within a user.
        n_relevant: (B,) relevant items of every user, found or not; at least one.
    """

    rows: Indices
    ranks: Indices
    n_relevant: NDArray[np.integer]

    @classmethod
    def of(cls, rows: Indices, ranks: Indices, n_rows: int, *, within: int) -> "Hits":
        """The pairs, in any order, with ranks up to `within`; every one of the `n_rows` users must have a pair."""
        found = ranks <= within
        keys = np.sort(rows[found].astype(np.int64) * (within + 1) + ranks[found])
        return cls(*np.divmod(keys, within + 1), np.bincount(rows, minlength=n_rows))

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """(N,) 1 for the best-ranked relevant item of a user, 2 for the next, and so on."""
        counts = np.bincount(self.rows, minlength=len(self.n_relevant))
        return np.arange(len(self.rows)) - (np.cumsum(counts) - counts)[self.rows] + 1

    @cached_property
    def gains(self) -> NDArray[np.float64]:
        """(N,) what a hit is worth to ndcg."""
        return np.asarray(1.0 / np.log2(self.ranks + 1.0))

    def sum(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,) values to their sums per user, (B,)."""
        return np.asarray(np.bincount(self.rows, weights=values, minlength=len(self.n_relevant)), dtype=np.float64)


def hits_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) the number of relevant items among the first k."""
    return hits.sum((hits.ranks <= k).astype(np.float64))


def recall_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) hits among the first k over min(k, number of relevant items): 1 for the best list there can be.

    LensKit divides by the same, ranx by the number of relevant items, whatever k. Source: METHOD.md section 3.
    """
    return np.asarray(hits_at(k, hits) / np.minimum(k, hits.n_relevant))


def precision_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) hits among the first k over k, also where fewer than k items are left to list.

    ranx divides by the same, LensKit by the length of the list where that is shorter.
    """
    return np.asarray(hits_at(k, hits) / k)


def hit_rate_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) 1 where a relevant item is among the first k, else 0; so do ranx and LensKit (Hit)."""
    return (hits_at(k, hits) > 0).astype(np.float64)


def ndcg_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) sum of 1 / log2(rank + 1) over the hits among the first k, over that of the best list there can be.

    Binary gains; the ideal list starts with min(k, relevant items) hits. ranx has the same; LensKit by default counts
    the first two ranks alike, 1 / log2(max(rank, 2)), and has this with LogRankWeight(offset=1). Source: Järvelin and
    Kekäläinen 2002, with the discount of Burges et al. 2005.
    """
    ideal = np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))[np.minimum(k, hits.n_relevant) - 1]
    return np.asarray(hits.sum(np.where(hits.ranks <= k, hits.gains, 0.0)) / ideal)


def map_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) average precision: mean, over min(k, relevant items), of the precision at the rank of each hit up to k.

    ranx divides by the number of relevant items, whatever k, LensKit (AveragePrecision) by min(length of the list,
    relevant items), which is the same where the list is not shorter than k.
    """
    precision = np.where(hits.ranks <= k, hits.places / hits.ranks, 0.0)
    return np.asarray(hits.sum(precision) / np.minimum(k, hits.n_relevant))


def mrr_at(k: int, hits: Hits) -> NDArray[np.float64]:
    """(B,) one over the rank of the first hit among the first k; 0 where there is none; so do ranx and LensKit."""
    first = (hits.places == 1) & (hits.ranks <= k)
    return hits.sum(np.where(first, 1.0 / hits.ranks, 0.0))


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
