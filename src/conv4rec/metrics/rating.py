"""How well are ratings told, and how likely was what happened? Errors, scores of the whole law, and likelihood.

The functions return one figure per interaction, so that sums over batches are all a caller keeps.
"""

import numpy as np
from numpy.typing import NDArray

from conv4rec.predictions import Floats, expected_rating
from conv4rec.vocabulary import InteractionTypes


def rating_errors(p_rating: Floats, ratings: NDArray[np.float64], types: InteractionTypes) -> NDArray[np.float64]:
    """(N,) expected minus given rating, in the units of the ratings, from (N, R) laws.

    RMSE is the root of its mean square, MAE its mean size.
    """
    return np.asarray(expected_rating(p_rating, types) - ratings, dtype=np.float64)


def ranked_probability_score(p_rating: Floats, levels: NDArray[np.integer]) -> NDArray[np.float64]:
    """(N,) mean over the R - 1 thresholds of (probability of a rating up to it - whether it was)^2.

    0 for a sure and right law, 1 for one that is sure of the other end of the scale; 0 where there is one rating value.
    Source: Epstein 1969, divided by R - 1.
    """
    n_levels = p_rating.shape[1]
    if n_levels < 2:
        return np.zeros(len(levels))
    up_to = np.cumsum(p_rating[:, :-1], axis=1, dtype=np.float64)
    happened = levels[:, None] <= np.arange(n_levels - 1)
    return np.asarray(((up_to - happened) ** 2).mean(axis=1))


def is_most_likely(p_rating: Floats, levels: NDArray[np.integer]) -> NDArray[np.float64]:
    """(N,) 1 where the rating is the one with the highest probability, the lower of equal ones, else 0."""
    return np.asarray(p_rating.argmax(axis=1) == levels, dtype=np.float64)


def type_nll(log_p_type: Floats, channels: NDArray[np.uint8], types: InteractionTypes) -> NDArray[np.float64]:
    """(N,) -log p(type | item), in nats, of interactions with law (N, L) and channels (N,).

    An interaction of unknown rating may have been any of the types that it covers: their probabilities are summed.
    One that may have been anything costs 0. Source: METHOD.md section 2, the marginal form is ours.
    """
    nll = np.zeros(len(channels))
    exact = np.flatnonzero(channels < types.n_types)
    nll[exact] = -log_p_type[exact, channels[exact]]
    covered = types.covers[channels]
    partial = np.flatnonzero((channels >= types.n_types) & ~covered.all(axis=1))
    open_to = np.where(covered[partial], log_p_type[partial], -np.inf).astype(np.float64)
    nll[partial] = -np.logaddexp.reduce(open_to, axis=1)
    return nll
