"""How sure is a figure? Sums over users, and the same sums over users drawn again with replacement.

The Poisson bootstrap gives every user of every replicate an independent Poisson(1) weight, so that replicates are
sums like any other, made batch by batch in memory that does not grow with the number of users. Source: Hanley and
MacGibbon 2006; Chamandy et al. 2012.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

Array = NDArray[np.float64]
Sums = Mapping[str, Array]
PER_PRODUCT = 128
"""Users whose sum is made in four bytes, before it is added in eight."""


class Weights:
    """Poisson(1) weights, user after user: the same seed gives the n-th user the same weights, whatever the batches."""

    def __init__(self, n_replicates: int, seed: int) -> None:
        self.n_replicates = n_replicates
        self._bits = np.random.PCG64(seed)
        steps = (np.arange(1 << 16) + 0.5) / (1 << 16)
        self._weight_of = np.searchsorted(poisson.cdf(np.arange(12), 1.0), steps).astype(np.float32)  # of 16 bits

    def draw(self, n_users: int) -> NDArray[np.float32]:
        """(n_users, n_replicates) weights of the next users."""
        words = -(-self.n_replicates // 4)
        bits = self._bits.random_raw(n_users * words).view(np.uint16).reshape(n_users, 4 * words)
        return self._weight_of[bits[:, : self.n_replicates]]


class Totals:
    """Sums over users of named columns, plain and for every replicate."""

    def __init__(self, n_replicates: int) -> None:
        self.n_replicates = n_replicates
        self._plain: dict[str, Array] = {}
        self._replicates: NDArray[np.float64] | None = None

    def add(self, columns: Mapping[str, NDArray[np.floating]], weights: NDArray[np.float32]) -> None:
        """Add a batch: columns (B,) or (B, n), the same names each time, and weights (B, n_replicates)."""
        for name, values in columns.items():
            self._plain[name] = self._plain.get(name, 0.0) + values.sum(axis=0, dtype=np.float64)
        if self.n_replicates:
            stacked = np.column_stack([np.asarray(values, dtype=np.float32) for values in columns.values()])
            if self._replicates is None:
                self._replicates = np.zeros((self.n_replicates, stacked.shape[1]))
            for start in range(0, len(stacked), PER_PRODUCT):
                part = slice(start, start + PER_PRODUCT)
                with np.errstate(invalid="ignore"):  # a user with an infinite loss, drawn zero times
                    self._replicates += weights[part].T @ stacked[part]

    @property
    def plain(self) -> Sums:
        """name -> () or (n,)."""
        return self._plain

    @property
    def replicates(self) -> Sums:
        """name -> (n_replicates,) or (n_replicates, n)."""
        if self._replicates is None:
            return {}
        widths = [max(1, np.size(values)) for values in self._plain.values()]
        pieces = np.split(self._replicates, np.cumsum(widths)[:-1], axis=1)
        return {
            name: piece if np.ndim(values) else piece[:, 0]
            for (name, values), piece in zip(self._plain.items(), pieces, strict=True)
        }


def interval(replicates: Array, confidence: float) -> tuple[float, float] | None:
    """The percentile interval of (n,) replicates; None where fewer than two of them are defined."""
    defined = replicates[np.isfinite(replicates)]
    if len(defined) < 2:
        return None
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
