"""From a law to a score: the orders in which items can be recommended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv4rec.discovery import Discovery
from conv4rec.errors import QueryError
from conv4rec.predictions import Floats, Predictions, expected_rating, p_like
from conv4rec.vocabulary import InteractionTypes

Utility = Mapping[Any, float]
"""What a rating is worth to the caller, for every value of the scale: `{1: -2, 2: -1, 3: 0, 4: 1, 5: 3}`."""


@dataclass(frozen=True)
class Aim:
    """What a ranking is after, beside the law.

    Attributes:
        like: the lowest rating that counts as liked.
        worth: (R,) the utility of every rating value, for `utility` and `gain`.
        discovery: what `discover` needs to know of the population.
    """

    like: float = 0.0
    worth: NDArray[np.float64] | None = None
    discovery: Discovery | None = None


Scorer = Callable[[Predictions, Aim], Floats]
"""A batch of predictions and the aim, to scores (B, I)."""


def by_consume(predictions: Predictions, aim: Aim) -> Floats:  # noqa: ARG001
    """What the user will take: log p_consume."""
    return predictions.log_p_consume


def by_rating(predictions: Predictions, aim: Aim) -> Floats:  # noqa: ARG001
    """What the user would rate highest, if they took it: the expected rating."""
    return expected_rating(predictions.p_rating_grid(), predictions.types)


def by_enjoy(predictions: Predictions, aim: Aim) -> Floats:
    """What the user will take and like: log p_consume + log p_like."""
    liked = p_like(predictions.p_rating_grid(), predictions.types, aim.like)
    log_liked: Floats = np.log(np.maximum(liked, np.finfo(np.float32).tiny))
    return np.add(predictions.log_p_consume, log_liked)


def by_discover(predictions: Predictions, aim: Aim) -> Floats:
    """What the user would like and not find alone, see `Discovery`."""
    assert aim.discovery is not None  # noqa: S101 - the engine sees to it
    liked = p_like(predictions.p_rating_grid(), predictions.types, aim.like)
    return aim.discovery.score(predictions.log_p_consume, liked)


def by_utility(predictions: Predictions, aim: Aim) -> Floats:
    """What is worth most to the caller, if the user takes it: the expected utility. Source: ours."""
    assert aim.worth is not None  # noqa: S101 - `read_utility` sees to it
    p_rating = predictions.p_rating_grid()
    return np.asarray(p_rating @ aim.worth.astype(p_rating.dtype))


def by_gain(predictions: Predictions, aim: Aim) -> Floats:
    """Expected utility times p_consume: what is not taken is worth 0. Source: ours."""
    return np.multiply(np.exp(predictions.log_p_consume), by_utility(predictions, aim))


SCORERS: dict[str, Scorer] = {
    "consume": by_consume,
    "rating": by_rating,
    "enjoy": by_enjoy,
    "discover": by_discover,
    "utility": by_utility,
    "gain": by_gain,
}
BY_UTILITY = ("utility", "gain")


def choose_scorer(rank_by: str, n_levels: int) -> Scorer:
    """The scorer of a name; QueryError for a name that does not exist, or that needs ratings where there are none."""
    if rank_by not in SCORERS:
        raise QueryError(f"rank_by {rank_by!r}: expected one of {', '.join(SCORERS)}")
    if rank_by != "consume" and not n_levels:
        raise QueryError(f"rank_by {rank_by!r} needs ratings, and this model was trained without; expected 'consume'")
    return SCORERS[rank_by]


def read_utility(utility: Utility | None, rank_by: str, types: InteractionTypes) -> NDArray[np.float64] | None:
    """(R,) the utility of every rating value; None where the order needs none.

    Raises QueryError for a utility that is missing, that the order would ignore, that leaves a rating value out or
    names one that is none, or that is not a finite number.
    """
    if (utility is not None) != (rank_by in BY_UTILITY):
        told = "needs a utility" if utility is None else f"takes no utility; expected {' or '.join(BY_UTILITY)}"
        raise QueryError(f"rank_by {rank_by!r} {told}, such as {{{_example(types)}}}")
    if utility is None:
        return None
    worth = {float(value): float(utility[value]) for value in utility}
    known = types.rating_values.tolist()
    if set(worth) != set(known):
        odd = sorted(set(worth) ^ set(known))[0]
        told = "is not a rating value" if odd in worth else "has no utility"
        raise QueryError(f"utility: rating {odd:g} {told}; expected one for each of {_listed(known)}")
    if not np.isfinite(list(worth.values())).all():
        raise QueryError(f"utility {dict(utility)}: expected finite numbers")
    return np.array([worth[value] for value in known])


def _example(types: InteractionTypes) -> str:
    return ", ".join(f"{value:g}: {place - types.n_levels // 2}" for place, value in enumerate(types.rating_values))


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
