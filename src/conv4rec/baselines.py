"""The two ends of the scale: what a model must beat, and, for a simulated world, the truth that none can beat."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from conv4rec.data.interactions import Interactions
from conv4rec.data.simulator import Simulation
from conv4rec.predictions import Floats, Predictions
from conv4rec.vocabulary import InteractionTypes

Array = NDArray[np.float32]

PRIOR_EVENTS = 1.0
"""Interactions added to every item, so that none has probability 0."""
PRIOR_RATINGS = 10.0
"""Interactions of the average kind added to every item, and ratings without deviation added to every user."""


@dataclass(frozen=True)
class MostPopular:
    """Everybody takes what is popular; a rating is that of the item, moved by how mild the user is. Source: ours.

    The types of an item follow its own histogram, smoothed towards the global one. The user moves the law by an
    exponential tilt in the rating, which shifts the mean by the user's bias to first order and never leaves the scale;
    a type without a rating stands at the global mean. The bias is the mean deviation from the items' expected ratings,
    shrunk, from the history at hand, so that new users are folded in.

    Attributes:
        types: the interaction types.
        log_p_item: (I,) log-probability of every item.
        log_p_type: (I, L) log-probability of every type, given the item.
        item_means: (I,) expected rating of every item, given that it is rated; 0 where nothing is rated.
        lift: (L,) deviation of every type from the mean rating, over the variance of the ratings.
    """

    types: InteractionTypes
    log_p_item: Array
    log_p_type: Array
    item_means: Array
    lift: Array

    @classmethod
    def fit(cls, interactions: Interactions, types: InteractionTypes) -> "MostPopular":
        """Count; no interactions at all give the uniform law."""
        n_items = interactions.n_items
        cells = interactions.items.astype(np.int64) * types.n_channels + interactions.channels
        counts = np.bincount(cells, minlength=n_items * types.n_channels).reshape(n_items, types.n_channels)
        overall = _spread(counts.sum(axis=0, keepdims=True), types, np.ones(types.n_types))[0] + 1.0
        overall /= overall.sum()
        typed = _spread(counts, types, overall) + PRIOR_RATINGS * overall
        popularity = counts.sum(axis=1) + PRIOR_EVENTS
        p_type = typed / typed.sum(axis=1, keepdims=True)
        return cls(
            types,
            np.log(popularity / popularity.sum()).astype(np.float32),
            np.log(p_type).astype(np.float32),
            _mean_rating(p_type, types).astype(np.float32),
            _lift(overall, types).astype(np.float32),
        )

    def predict(self, histories: Interactions) -> Predictions:
        """The law of every user of the batch; what is in the history is not left out of it."""
        log_p_consume = np.broadcast_to(self.log_p_item, (histories.n_users, len(self.log_p_item)))
        return Predictions(self.types, log_p_consume, _TiltedLaw(self.log_p_type, self.lift, self._biases(histories)))

    def _biases(self, histories: Interactions) -> Array:
        """(B,) how much higher than others every user rates; 0 for a user without ratings."""
        ratings = self.types.channel_ratings[histories.channels]
        rated = ~np.isnan(ratings)
        users, deviations = histories.users[rated], (ratings - self.item_means[histories.items])[rated]
        sums = np.bincount(users, weights=deviations, minlength=histories.n_users)
        return (sums / (np.bincount(users, minlength=histories.n_users) + PRIOR_RATINGS)).astype(np.float32)


@dataclass(frozen=True)
class _TiltedLaw:
    """log p(type | item, user) = log p(type | item) + bias_u lift_type, normalised."""

    log_p_type: Array
    lift: Array
    biases: Array

    def pairs(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:
        return np.asarray(log_softmax(self.log_p_type[items] + self.biases[rows, None] * self.lift, axis=1))

    def grid(self) -> Floats:
        return np.asarray(log_softmax(self.log_p_type + self.biases[:, None, None] * self.lift, axis=2))


def _spread(counts: NDArray[np.integer], types: InteractionTypes, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(I, channels) counts to (I, L): a type of unknown rating is shared out by the weights of what it may have been.

    What may have been anything says nothing, and is left out.
    """
    shares = types.covers * weights * ~types.covers.all(axis=1, keepdims=True)
    if types.n_types == 1:  # the only outcome is all that it covers
        shares = types.covers.astype(np.float64)
    return np.asarray(counts @ (shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)))


def _mean_rating(p_type: NDArray[np.float64], types: InteractionTypes) -> NDArray[np.float64]:
    """(..., L) to (...): the mean over the types that carry a rating."""
    ratings = types.channel_ratings[: types.n_types]
    rated = ~np.isnan(ratings)
    if not rated.any():
        return np.zeros(p_type.shape[:-1])
    return np.asarray(p_type[..., rated] @ ratings[rated] / p_type[..., rated].sum(axis=-1))


def _lift(overall: NDArray[np.float64], types: InteractionTypes) -> NDArray[np.float64]:
    ratings = types.channel_ratings[: types.n_types]
    deviations = np.where(np.isnan(ratings), 0.0, ratings - _mean_rating(overall, types))
    variance = (overall * deviations**2).sum() / overall[~np.isnan(ratings)].sum() if types.n_levels > 1 else 1.0
    return np.asarray(deviations / variance)


def true_law(simulation: Simulation, users: NDArray[np.integer]) -> Predictions:
    """The law that the events of these users, (B,) indices, were drawn from; for `evaluate_by_user`."""
    law = _TrueLaw(simulation.log_p_type, users)
    return Predictions(simulation.ratings.types, simulation.log_p_consume[users], law)


@dataclass(frozen=True)
class _TrueLaw:
    log_p_type: NDArray[np.float64]
    users: NDArray[np.integer]

    def pairs(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:
        return np.asarray(self.log_p_type[self.users[rows], items])

    def grid(self) -> Floats:
        return np.asarray(self.log_p_type[self.users])
