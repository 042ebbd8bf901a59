"""Conformal sets of a model from held-out data: who is asked what, in which group, and how a half calibrates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.split import HoldOut
from conv4rec.errors import TheoryError
from conv4rec.evaluation import Validation
from conv4rec.predictions import Predictor, users_per_batch
from conv4rec.recommender import Conv4Rec
from conv4rec.theory.conformal import Array, ConformalSets, Covered, Indices, calibrate, measure

THIRDS = 3
"""Groups of users by the length of their history, of about equally many interactions."""


@dataclass(frozen=True)
class Asked:
    """Rated held-out interactions and what is predicted for them.

    Attributes:
        p_rating: (N, R).
        log_p_consume: (N,) how likely the item was to be taken at all.
        levels: (N,) of the true rating.
        lengths: (N,) of the user's history.
    """

    p_rating: Array
    log_p_consume: Array
    levels: Indices
    lengths: Indices

    def __len__(self) -> int:
        return len(self.levels)

    def keep(self, chosen: NDArray[np.bool_]) -> "Asked":
        """Those marked in (N,)."""
        return Asked(*(getattr(self, name)[chosen] for name in ("p_rating", "log_p_consume", "levels", "lengths")))


def ask(predictor: Predictor, asked: Validation, *, memory_mb: int = 512) -> Asked:
    """Predict the rated targets; what has no rating has no place in a set. TheoryError where nothing is."""
    ratings = predictor.types.channel_ratings[asked.targets.channels]
    targets = asked.targets.keep(~np.isnan(ratings))
    if not len(targets):
        raise TheoryError("no held-out interaction is rated: there is nothing to make sets of")
    users, parts = np.flatnonzero(targets.counts), []
    size = users_per_batch(targets.n_items, 1, memory_mb=memory_mb)
    for start in range(0, len(users), size):
        some = users[start : start + size]
        found, wanted = predictor.predict(asked.history.select(some)), targets.select(some)
        rows, items = wanted.users, wanted.items
        parts.append((found.p_rating(rows, items), found.log_p_consume[rows, items]))
    p_rating, log_p_consume = (np.concatenate(each).astype(np.float64) for each in zip(*parts, strict=True))
    levels = np.searchsorted(predictor.types.rating_values, predictor.types.channel_ratings[targets.channels])
    return Asked(p_rating, log_p_consume, levels, asked.history.counts[targets.users])


def calibrate_model(
    model: Conv4Rec, held_out: HoldOut, coverage: float = 0.9, *, by_history: bool = False
) -> tuple[ConformalSets, tuple[Covered, ...]]:
    """Sets for a model, and what they reached: a random half of the held-out ratings calibrates, the other measures.

    Args:
        model: that has not seen the targets; the validation part will not do, because it decided the epoch and scalars.
        held_out: such as the test part of the split.
        coverage: asked for.
        by_history: calibrate each third of the users, by length of history, for itself.

    Returns:
        The rule, from both halves together, and the measurements of one half under the rule of the other.

    Raises:
        TheoryError: nothing is rated, or fewer than two ratings are.
    """
    found = ask(model.predictor, Validation.of(held_out, model.vocabulary))
    if len(found) < 2:
        raise TheoryError(f"{len(found)} rated held-out interaction: expected at least two, for two halves")
    groups, names = history_groups(found.lengths) if by_history else (np.zeros(len(found), dtype=np.int64), ("",))
    half = np.zeros(len(found), dtype=np.bool_)
    half[np.random.default_rng(model.config.split.seed).permutation(len(found))[: len(found) // 2]] = True
    rules = [
        calibrate(part.p_rating, part.levels, coverage, groups=places, names=names)
        for part, places in ((found.keep(half), groups[half]), (found, groups))
    ]
    rest, asked = found.keep(~half), groups[~half] if by_history else None
    return rules[1], measure(rules[0], rest.p_rating, rest.levels, asked)


def history_groups(lengths: Indices) -> tuple[Indices, tuple[str, ...]]:
    """(N,) the third of each by the length of the user's history, and the names of the thirds that there are."""
    edges = np.unique(np.quantile(lengths, np.arange(1, THIRDS) / THIRDS, method="nearest"))
    groups = np.searchsorted(edges, lengths, side="left")
    kept, places = np.unique(groups, return_inverse=True)
    names = [f"history {lengths[groups == g].min()} to {lengths[groups == g].max()}" for g in kept]
    return places, tuple(names)
