"""How well are ratings told, and how likely was what happened? RMSE, MAE and log-likelihood.

The functions return one figure per interaction, so that sums over batches are all a caller keeps.
"""

import numpy as np
from numpy.typing import NDArray

from conv4rec.predictions import Floats, expected_rating, rating_marginal
from conv4rec.vocabulary import InteractionTypes


def rating_errors(log_p_type: Floats, channels: NDArray[np.uint8], types: InteractionTypes) -> NDArray[np.float64]:
    """Expected minus given rating of every rated interaction, in the units of the ratings.

    Takes N interactions, log_p_type (N, L) and channels (N,); those without a rating are left out, so that the
    result may be shorter than N or empty. RMSE is the root of its mean square, MAE its mean size.
    """
    ratings = types.channel_ratings[channels]
    rated = ~np.isnan(ratings)
    if not rated.any():
        return np.empty(0)
    expected = expected_rating(rating_marginal(log_p_type[rated], types), types)
    return np.asarray(expected - ratings[rated], dtype=np.float64)


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
