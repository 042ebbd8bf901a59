"""From a law to a score: the orders in which items can be recommended."""

from collections.abc import Callable

import numpy as np

from conv4rec.errors import QueryError
from conv4rec.predictions import Floats, Predictions, expected_rating, p_like

Scorer = Callable[[Predictions, float], Floats]
"""A batch of predictions and the rating that counts as liked, to scores (B, I)."""


def by_consume(predictions: Predictions, like: float) -> Floats:  # noqa: ARG001
    """What the user will take: log p_consume."""
    return predictions.log_p_consume


def by_rating(predictions: Predictions, like: float) -> Floats:  # noqa: ARG001
    """What the user would rate highest, if they took it: the expected rating."""
    return expected_rating(predictions.p_rating_grid(), predictions.types)


def by_enjoy(predictions: Predictions, like: float) -> Floats:
    """What the user will take and like: log p_consume + log p_like."""
    liked = p_like(predictions.p_rating_grid(), predictions.types, like)
    log_liked: Floats = np.log(np.maximum(liked, np.finfo(np.float32).tiny))
    return np.add(predictions.log_p_consume, log_liked)


SCORERS: dict[str, Scorer] = {"consume": by_consume, "rating": by_rating, "enjoy": by_enjoy}


def choose_scorer(rank_by: str, n_levels: int) -> Scorer:
    """The scorer of a name; QueryError for a name that does not exist, or that needs ratings where there are none."""
    if rank_by not in SCORERS:
        raise QueryError(f"rank_by {rank_by!r}: expected one of {', '.join(SCORERS)}")
    if rank_by != "consume" and not n_levels:
        raise QueryError(f"rank_by {rank_by!r} needs ratings, and this model was trained without; expected 'consume'")
    return SCORERS[rank_by]
