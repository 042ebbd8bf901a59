"""Norms of weight matrices: spectral by power iteration, sums and maxima of lengths, products of blocks."""

import numpy as np
from numpy.typing import NDArray

from conv4rec.errors import TheoryError

Array = NDArray[np.float64]

TOLERANCE = 1e-4
"""Relative error to which a spectral norm is known."""
STEPS = 200_000
"""Most steps of power iteration; a step on 256 columns takes some microseconds."""


def spectral_norm(matrix: Array, *, tolerance: float = TOLERANCE, seed: int = 0) -> float:
    """The largest singular value of (n, m) by power iteration on the smaller of its two products with itself.

    It stops where |G v - g v| <= tolerance g for the product G and its Rayleigh quotient g: then an eigenvalue of G
    lies within that distance of g, and with a random start it is the largest. A matrix of zeros has norm 0.

    Raises:
        TheoryError: an entry is not finite, or `STEPS` steps were not enough.
    """
    if not np.isfinite(matrix).all():
        raise TheoryError("a weight is not finite: there is no norm to bound anything with")
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    v = np.random.default_rng(seed).normal(size=len(product))
    for _ in range(STEPS):
        v /= np.linalg.norm(v)
        moved = product @ v
        value = float(v @ moved)
        if np.linalg.norm(moved - value * v) <= tolerance * value:
            return float(np.sqrt(value))
        v = moved
    raise TheoryError(f"power iteration: {STEPS} steps did not reach a relative error of {tolerance:g}")


def sum_of_columns(matrix: Array) -> float:
    """The (2,1)-norm: the sum of the lengths of the columns of (inputs, outputs), one column an output."""
    return float(np.linalg.norm(matrix, axis=0).sum())


def longest_row(matrix: Array) -> float:
    """The length of the longest row of (n, m); 0 without rows."""
    return float(np.linalg.norm(matrix, axis=1).max(initial=0.0))


def largest_block(blocks: Array) -> float:
    """The largest spectral norm of n blocks (n, c, d), c small: by the eigenvalues of their (c, c) products."""
    if not len(blocks):
        return 0.0
    products = np.einsum("ncd,ned->nce", blocks, blocks)
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(products).max())))
