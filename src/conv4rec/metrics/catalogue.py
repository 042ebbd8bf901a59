"""What do the lists look like? Coverage, concentration, popularity, novelty and diversity of what is recommended.

Lists are (B, K) item indices, best first, -1 where a list has run out of items.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.metrics.ranking import segments

REPLICATES = 100
"""Replicates of the metrics of the whole catalogue, which take a number an item each."""
SKETCH = 512
"""Width of the item vectors whose cosines measure diversity; exact up to this many users."""


@dataclass(frozen=True)
class Catalogue:
    """What is known of the items of reference interactions, usually those of the training.

    Attributes:
        popularity: (I,) share of the users that have the item.
        novelty: (I,) bits of surprise, -log2 of that share; an item that nobody has counts as had by one.
        vectors: (I, SKETCH) unit vectors of who has the item; zero where nobody has.
        is_estimate: whether there are more users than places in a vector.

    With more than SKETCH users, users share the places of a vector, each with a random sign: a pair's cosine is then
    an estimate with a standard error of at most 1/sqrt(SKETCH), .044. Source of novelty: Zhou et al. 2010.
    """

    popularity: NDArray[np.float64]
    novelty: NDArray[np.float64]
    vectors: NDArray[np.float32]
    is_estimate: bool

    @classmethod
    def of(cls, reference: Interactions) -> "Catalogue":
        """Count; a repeated pair of user and item counts once."""
        users, items = reference.distinct_pairs
        counts = np.bincount(items, minlength=reference.n_items)
        n_users = max(1, reference.n_users)
        novelty = -np.log2(np.maximum(counts, 1) / n_users)
        return cls(counts / n_users, novelty, _vectors(users, items, reference), n_users > SKETCH)


def _vectors(users: NDArray[np.integer], items: NDArray[np.integer], reference: Interactions) -> NDArray[np.float32]:
    place, sign = np.arange(reference.n_users), np.ones(reference.n_users)
    if reference.n_users > SKETCH:
        generator = np.random.default_rng(0)
        place, sign = generator.integers(0, SKETCH, len(place)), generator.choice([-1.0, 1.0], len(place))
    cells = items.astype(np.int64) * SKETCH + place[users]
    sums = np.bincount(cells, weights=sign[users], minlength=reference.n_items * SKETCH)
    vectors = sums.reshape(reference.n_items, SKETCH)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)


def mean_listed(values: NDArray[np.float64], top: NDArray[np.int32], k: int) -> NDArray[np.float64]:
    """(B,) mean of (I,) values over the first k places; NaN for an empty list."""
    items = top[:, :k]
    listed = items >= 0
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (values[items] * listed).sum(axis=1) / np.where(listed.any(axis=1), listed.sum(axis=1), np.nan)
        )


def lists_as_rows(top: NDArray[np.int32], start: int, end: int, n_items: int) -> "sparse.csr_array[np.float32]":
    """(B, I) with a one for every item at the places `start` to `end` of the lists."""
    items = top[:, start:end]
    listed = items >= 0
    indptr = np.concatenate([[0], np.cumsum(np.count_nonzero(listed, axis=1))])
    return sparse.csr_array(
        (np.ones(int(indptr[-1]), dtype=np.float32), items[listed], indptr), shape=(len(top), n_items)
    )


def diversity(
    sums: NDArray[np.float32], n_listed: NDArray[np.integer], n_known: NDArray[np.integer]
) -> NDArray[np.float64]:
    """(B,) mean of 1 - cosine over the pairs of a list, from (B, SKETCH) sums of its unit vectors.

    `n_known` of the `n_listed` items have a vector; the others are like no other item. NaN for a list with fewer than
    two items. Sum of all pairs: |sum of vectors|^2 = number of vectors + 2 sum of cosines. Source: Ziegler et al. 2005,
    on who has the items instead of what they are.
    """
    n_pairs = n_listed * (n_listed - 1) / 2
    cosines = (np.einsum("bd,bd->b", sums, sums).astype(np.float64) - n_known) / 2
    with np.errstate(invalid="ignore"):
        return np.asarray(1 - cosines / np.where(n_pairs > 0, n_pairs, np.nan))


def coverage(counts: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., I) how often an item is listed to the share of items listed at all, (...)."""
    return np.asarray((counts > 0).mean(axis=-1))


def gini(counts: NDArray[np.floating]) -> NDArray[np.float64]:
    """(..., I) how often items are listed to the Gini index of these numbers, (...): 0 all alike, near 1 one has all.

    Items never listed count as well. NaN where nothing is listed.
    """
    n = counts.shape[-1]
    ordered = np.sort(counts, axis=-1).astype(np.float64)
    total = ordered.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return np.asarray(ordered @ (2 * np.arange(1, n + 1) - n - 1) / (n * np.where(total > 0, total, np.nan)))


@dataclass
class Exposure:
    """How often every item is listed, (n_ks, I), and the same for some replicates, (n_ks, I, R)."""

    ks: Sequence[int]
    counts: NDArray[np.float64]
    drawn: NDArray[np.float32]

    @classmethod
    def of(cls, ks: Sequence[int], n_items: int, config: EvaluateConfig) -> "Exposure":
        n = min(config.bootstrap, REPLICATES)
        if 4 * len(ks) * n_items * n > config.memory_mb * 2**20:
            n = 0
        return cls(ks, np.zeros((len(ks), n_items)), np.zeros((len(ks), n_items, n), dtype=np.float32))

    @property
    def has_replicates(self) -> bool:
        return bool(self.drawn.shape[2])

    def add(self, top: NDArray[np.int32], weights: NDArray[np.float32]) -> None:
        n_items = self.counts.shape[1]
        for place, (start, end) in enumerate(segments(self.ks)):
            listed = lists_as_rows(top, start, end, n_items)
            self.counts[place:] += np.bincount(listed.indices, minlength=n_items)
            if self.has_replicates:
                self.drawn[place:] += listed.T @ np.ascontiguousarray(weights[:, : self.drawn.shape[2]])

    def metrics(self) -> dict[str, float]:
        found = {f"coverage@{k}": float(coverage(counts)) for k, counts in zip(self.ks, self.counts, strict=True)}
        return found | {f"gini@{k}": float(gini(counts)) for k, counts in zip(self.ks, self.counts, strict=True)}

    def replicates(self) -> dict[str, NDArray[np.float64]]:
        if not self.has_replicates:
            return {}
        drawn = self.drawn.transpose(0, 2, 1)  # (n_ks, R, I)
        found = {f"coverage@{k}": coverage(counts) for k, counts in zip(self.ks, drawn, strict=True)}
        return found | {f"gini@{k}": gini(counts) for k, counts in zip(self.ks, drawn, strict=True)}
