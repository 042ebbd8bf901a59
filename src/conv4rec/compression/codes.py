"""Sparse codes as the index keeps them, and weights whose sums come out exactly.

Only the direction of a code counts, so it is kept as whole numbers of one byte, its largest entry as 127 or -127. The
weights that it is multiplied with are rounded to whole multiples of a power of two, so fine that 53 bits hold every sum
of the products. Sums are therefore exact in double precision, whatever the order of the terms: scores do not depend on
batch or segment, and equal codes have equal scores. Source: ours.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from conv4rec.errors import QueryError

LARGEST, BITS = 127, 7
"""Of an entry, and how many bits that takes."""
MANTISSA = 53
"""Bits of a double."""

Array = NDArray[np.float64]
Codes = sp.csr_array
"""One a row: (N, S)."""


def check_codes(codes: Any, width: int, what: str) -> Codes:
    """Codes as CSR in double precision, every atom once, in order; QueryError for another width, or what is no number.

    `what` names them in errors.
    """
    is_sparse: bool = sp.issparse(codes)
    if not is_sparse or codes.shape[1] != width:
        met = f"of shape {codes.shape}" if is_sparse else f"a {type(codes).__name__}"
        raise QueryError(f"{what}: {met}, expected a scipy sparse matrix with {width} columns")
    checked: Codes = sp.csr_array(codes, dtype=np.float64, copy=True)
    checked.sum_duplicates()
    if not np.isfinite(checked.data).all():
        raise QueryError(f"{what}: an entry is not a finite number")
    return checked


def check_vectors(vectors: Any, width: int, what: str) -> Array:
    """(N, width) vectors in double precision; QueryError for another shape, or what is no number."""
    checked = np.asarray(vectors, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[1] != width:
        raise QueryError(f"{what}: of shape {checked.shape}, expected (any, {width})")
    if not np.isfinite(checked).all():
        raise QueryError(f"{what}: an entry is not a finite number")
    return checked


def whole(codes: Codes) -> Codes:
    """Codes with entries from -127 to 127, rounded; what rounds to nothing is left out, and a zero code stays."""
    made = _over_largest(codes)
    made.data = np.rint(LARGEST * made.data)
    made.eliminate_zeros()
    return made


def of_length_one(codes: Codes) -> Codes:
    """Codes with their entries divided by their lengths; one that is zero stays."""
    made = _over_largest(codes)  # first, so that no square overflows
    rows = _rows(made)
    lengths = np.sqrt(np.bincount(rows, weights=made.data**2, minlength=codes.shape[0]))
    made.data = np.divide(made.data, lengths[rows], out=made.data, where=made.data != 0)
    return made


def _over_largest(codes: Codes) -> Codes:
    """A copy, the entries of every code divided by its largest without regard to the sign."""
    rows, largest = _rows(codes), np.zeros(codes.shape[0])
    np.maximum.at(largest, rows, np.abs(codes.data))
    entries = np.divide(codes.data, largest[rows], out=np.zeros_like(codes.data), where=codes.data != 0)
    return sp.csr_array((entries, codes.indices.copy(), codes.indptr.copy()), shape=codes.shape)


def _rows(codes: Codes) -> NDArray[np.intp]:
    return np.repeat(np.arange(codes.shape[0]), np.diff(codes.indptr))


def inverse(lengths: Array) -> NDArray[np.float32]:
    """One over every length, rounded; 0 for 0: what has no direction is like nothing."""
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0).astype(np.float32)


def rounded(weights: Array, n_terms: int) -> Array:
    """(B, S) weights of queries, each row to whole multiples of a power of two; see above.

    `n_terms` is the most entries that a code has. The error is at most 2^-42 of the largest weight for 16 entries,
    twice that for every doubling.
    """
    bits = MANTISSA - BITS - int(np.ceil(np.log2(max(1, n_terms))))
    largest = np.frexp(np.abs(weights).max(axis=1, keepdims=True, initial=0.0))[1]  # below 2^largest
    return np.asarray(np.ldexp(np.rint(np.ldexp(weights, bits - largest)), largest - bits))
