"""Sets of ratings that hold the true one as often as promised: split conformal prediction from p_rating.

The score of a rating is one minus its probability. Calibration data, which the model has not seen, tell how large the
scores of true ratings are; a set holds all ratings whose score is not larger than the quantile of these. If calibration
and test interactions are exchangeable, the true rating is in the set with at least the probability asked for, whatever
the model. Where they differ in how they were chosen, weights repair it as far as they are right.
Sources: Vovk, Gammerman and Shafer 2005; Sadinle, Lei and Wasserman 2019 (the score, sets by group); Tibshirani,
Barber, Candes and Ramdas 2019 (weights); Podkopaev and Ramdas 2021 (weights that depend on the label).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.errors import TheoryError
from conv4rec.predictions import Floats

Array = NDArray[np.float64]
Indices = NDArray[np.integer]


@dataclass(frozen=True)
class ConformalSets:
    """The rule by which sets are made.

    Attributes:
        coverage: the probability asked for.
        thresholds: (G, R) largest score that is let into a set, by group and candidate rating; infinite where there was
            too little to calibrate on, so that all ratings are let in.
        n_calibration: (G,) calibration interactions, or with weights as many as would tell as much.
        groups: their names; one empty name where there are none.
    """

    coverage: float
    thresholds: Array
    n_calibration: Array
    groups: tuple[str, ...] = ("",)

    def sets(self, p_rating: Floats, groups: Indices | None = None) -> NDArray[np.bool_]:
        """(N, R) which ratings are in the set of each of N pairs, whose groups are (N,); a set may be empty."""
        places = np.zeros(len(p_rating), dtype=np.int64) if groups is None else groups
        return np.asarray(scores(p_rating) <= self.thresholds[places])

    def join(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A table of `predict` or `recommend` with one more column, `rating_set`; of sets without groups."""
        if len(self.groups) > 1:
            raise TheoryError(f"the sets are of {len(self.groups)} groups: use sets() with the group of every pair")
        names = [name for name in frame.columns if name.startswith("p_rating_")]
        values = np.array([float(name.removeprefix("p_rating_")) for name in names])
        chosen = self.sets(frame.select(names).to_numpy())
        return frame.with_columns(
            rating_set=pl.Series([values[row].tolist() for row in chosen], dtype=pl.List(pl.Float64))
        )


@dataclass(frozen=True)
class Covered:
    """How often sets held the true rating, how large they were, and how often they were empty, in one group."""

    group: str
    coverage: float
    size: float
    empty: float
    n: int
    by_rating: dict[int, float] = field(default_factory=dict)
    """Coverage by the level of the true rating."""


def scores(p_rating: Floats) -> Array:
    """(..., R) probabilities to scores: the less probable, the larger."""
    return 1.0 - np.asarray(p_rating, dtype=np.float64)


def calibrate(
    p_rating: Floats,
    levels: Indices,
    coverage: float = 0.9,
    *,
    groups: Indices | None = None,
    names: Sequence[str] = ("",),
    weights: Array | None = None,
    level_weights: Array | None = None,
) -> ConformalSets:
    """Learn the thresholds from interactions that the model has not seen.

    Args:
        p_rating: (N, R) as predicted.
        levels: (N,) index of the true rating of each.
        coverage: how often a set is to hold the true rating, between 0 and 1.
        groups: (N,) index of the group of each; each group is calibrated by itself and has the coverage for itself.
        names: of the groups.
        weights: (N,) how much likelier each is among what will be asked than among the calibration data.
        level_weights: (R,) the same for a candidate rating of a new pair; the mean of `weights` where it is None.

    Raises:
        TheoryError: a coverage that is none, nothing to calibrate on, or weights below zero or not finite.
    """
    if not 0 < coverage < 1:
        raise TheoryError(f"coverage {coverage:g}: expected a probability between 0 and 1")
    if not len(levels):
        raise TheoryError("no rated interactions to calibrate on: expected at least one that the model has not seen")
    weight = np.ones(len(levels)) if weights is None else weights
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
        raise TheoryError("calibration weights: expected finite numbers of at least 0, not all of them 0")
    places = np.zeros(len(levels), dtype=np.int64) if groups is None else groups
    true = scores(p_rating)[np.arange(len(levels)), levels]
    new = np.full(p_rating.shape[1], weight.mean()) if level_weights is None else level_weights
    thresholds = [_thresholds(true[places == g], weight[places == g], new, coverage) for g in range(len(names))]
    counts = [_effective(weight[places == g]) for g in range(len(names))]
    return ConformalSets(coverage, np.stack(thresholds), np.array(counts), tuple(names))


def measure(
    sets: ConformalSets, p_rating: Floats, levels: Indices, groups: Indices | None = None
) -> tuple[Covered, ...]:
    """Of all pairs together, named `all`, then of every group that has some."""
    chosen = sets.sets(p_rating, groups)
    parts = {"all": np.ones(len(levels), dtype=np.bool_)}
    if groups is not None:
        parts |= {name: groups == g for g, name in enumerate(sets.groups)}
    return tuple(_covered(name, chosen[part], levels[part]) for name, part in parts.items() if part.any())


def selection_weights(selected: Indices, asked: Indices, n_levels: int) -> Array:
    """(R,) how much likelier a rating is among what is asked than among what users chose to rate: 1 / propensity.

    Naive Bayes: P(rated | r) = P(r | rated) P(rated) / P(r), up to a constant; `selected` are levels of chosen ratings,
    `asked` of a sample that nobody chose, kept apart from every test. One is added to each count.
    Source: Schnabel, Swaminathan, Singh, Chandak and Joachims 2016.
    """
    chosen, sample = (np.bincount(each, minlength=n_levels) + 1.0 for each in (selected, asked))
    return np.asarray((sample / sample.sum()) / (chosen / chosen.sum()))


def _thresholds(true: Array, weight: Array, new: Array, coverage: float) -> Array:
    """(R,) the least score below which lies `coverage` of the weight, that of the new pair being at infinity."""
    order = np.argsort(true, kind="stable")
    ordered, below = true[order], np.cumsum(weight[order])
    total = below[-1] if len(below) else 0.0
    places = np.searchsorted(below, coverage * (total + new) * (1 - 1e-12))  # (R,)
    return np.append(ordered, np.inf)[places]


def _effective(weight: Array) -> float:
    """Kish: as many interactions of equal weight would tell as much."""
    return float(weight.sum() ** 2 / (weight**2).sum()) if weight.any() else 0.0


def _covered(name: str, chosen: NDArray[np.bool_], levels: Indices) -> Covered:
    hit, size = chosen[np.arange(len(levels)), levels], chosen.sum(1)
    by_rating = {int(level): float(hit[levels == level].mean()) for level in np.unique(levels)}
    return Covered(name, float(hit.mean()), float(size.mean()), float((size == 0).mean()), len(levels), by_rating)
