"""A part of an index: up to 65,536 codes as one list of entries per atom, in 3 bytes an entry."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from conv4rec.compression.codes import Array, Codes

MOST = 1 << 16
"""Codes in a segment: their numbers in it fit two bytes."""


@dataclass(frozen=True)
class Segment:
    """Codes by atom; the entries of atom a lie at pointers[a]:pointers[a + 1], by ascending row.

    Attributes:
        pointers: (S + 1,) int32.
        rows: (N,) uint16, which code of the segment an entry is of.
        values: (N,) int8, from -127 to 127; only the direction of a code counts.
        factors: by mode, (n,) float32 that a sum is multiplied with.
        offsets: (n,) float32 that is added to inner products; None: nothing is.
    """

    pointers: NDArray[np.int32]
    rows: NDArray[np.uint16]
    values: NDArray[np.int8]
    factors: Mapping[str, NDArray[np.float32]]
    offsets: NDArray[np.float32] | None = None

    @classmethod
    def of(
        cls, codes: Codes, factors: Mapping[str, NDArray[np.float32]], offsets: NDArray[np.float32] | None = None
    ) -> "Segment":
        """From codes of whole numbers from -127 to 127, at most MOST of them."""
        lists = sp.csc_array(codes)
        pointers, rows = lists.indptr.astype(np.int32), lists.indices.astype(np.uint16)
        return cls(pointers, rows, lists.data.astype(np.int8), factors, offsets)

    @property
    def n_codes(self) -> int:
        return len(next(iter(self.factors.values())))

    @property
    def n_bytes(self) -> int:
        """Size of all parts."""
        lists = self.pointers.nbytes + self.rows.nbytes + self.values.nbytes
        per_code = sum(values.nbytes for values in self.factors.values())
        return lists + per_code + (0 if self.offsets is None else self.offsets.nbytes)

    @cached_property
    def most_entries(self) -> int:
        """Of a code."""
        return int(np.bincount(self.rows, minlength=1).max())

    def codes(self) -> Codes:
        """The codes again, in double precision."""
        return sp.csr_array(self._lists())

    def join(self, other: "Segment") -> "Segment":
        """One segment of the codes of both."""
        factors = {mode: np.concatenate([mine, other.factors[mode]]) for mode, mine in self.factors.items()}
        both = None
        if self.offsets is not None and other.offsets is not None:
            both = np.concatenate([self.offsets, other.offsets])
        return Segment.of(sp.vstack([self.codes(), other.codes()], format="csr"), factors, both)

    def scores(self, weights: Array, mode: str) -> Array:
        """(B, S) weights, rounded, to (B, n) scores of all codes."""
        used = np.flatnonzero(weights.any(axis=0))
        sums = self._few(weights[0], used) if len(weights) == 1 and 8 * len(used) < len(weights[0]) else None
        scores = (self._lists() @ weights.T).T if sums is None else sums[None, :]  # (B, n)
        scores *= self.factors[mode].astype(np.float64)
        return scores if mode != "inner" or self.offsets is None else scores + self.offsets

    def _few(self, weights: Array, used: NDArray[np.intp]) -> Array:
        """(n,) sums for one query with few weights, from the lists of their atoms alone."""
        starts, ends = self.pointers[used], self.pointers[used + 1]
        lists = [slice(a, b) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        rows = np.concatenate([self.rows[each] for each in lists]) if lists else self.rows[:0]
        values = np.concatenate([self.values[each] for each in lists]) if lists else self.values[:0]
        terms = np.repeat(weights[used], ends - starts) * values
        return np.bincount(rows, weights=terms, minlength=self.n_codes).astype(np.float64, copy=False)

    def _lists(self) -> sp.csc_array:
        shape = self.n_codes, len(self.pointers) - 1
        return sp.csc_array((self.values.astype(np.float64), self.rows.astype(np.int32), self.pointers), shape=shape)
