"""Is one model better than another? Both on the same users, drawn again together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conv4rec.metrics.bootstrap import interval

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """A model beside the best one.

    Attributes:
        difference: its value minus that of the best.
        interval: of the difference, by bootstrap over users.
        p: two-sided, for no difference.
        p_holm: the same, corrected for the number of models that are compared.
    """

    difference: float
    interval: tuple[float, float] | None
    p: float
    p_holm: float


def compare_paired(differences: Sequence[tuple[float, Array]], *, confidence: float = 0.95) -> tuple[Comparison, ...]:
    """Test differences against zero, as one family.

    `differences` holds the difference of two models and its (n,) replicates, those of the one minus those of the other
    on the same users. The percentile interval and its p-value agree: p is twice the share of replicates on the far
    side of zero, where one replicate is added to each side, so that p is never 0. Source: Efron and Tibshirani 1993,
    ch. 13 and 16; Holm 1979.
    """
    ps = [two_sided_p(replicates) for _, replicates in differences]
    return tuple(
        Comparison(difference, interval(replicates, confidence), p, corrected)
        for (difference, replicates), p, corrected in zip(differences, ps, holm(ps), strict=True)
    )


def two_sided_p(replicates: Array) -> float:
    """Twice the share of (n,) replicates beyond zero, seen from most; those that are not defined are left out."""
    defined = replicates[np.isfinite(replicates)]
    beyond = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
    return min(1.0, 2 * (beyond + 1) / (len(defined) + 1))


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """p-values corrected for their number: the i-th smallest of m times (m - i + 1), never below a smaller one's."""
    order = np.argsort(ps, kind="stable")
    scaled = np.asarray(ps, dtype=np.float64)[order] * np.arange(len(ps), 0, -1)
    corrected = np.empty(len(ps))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(scaled)) if len(ps) else scaled
    return tuple(corrected.tolist())
