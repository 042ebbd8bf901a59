"""How p_rating departs from the histogram of all ratings, for users and for items: the law read as histograms."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.errors import TheoryError
from conv4rec.ids import Ids
from conv4rec.predictions import Predictor
from conv4rec.vocabulary import Vocabulary

Array = NDArray[np.float64]
Side = Literal["user", "item"]

LEAST_RATINGS = 10
"""Ratings of a user or an item below which its histogram says too little to be shown."""
SHOWN_USERS, SHOWN_ITEMS = 200, 200
"""Over how many users an item's law, and over how many items a user's law, is averaged."""
QUANTILES = {"lowest tenth": 0.1, "middle": 0.5, "highest tenth": 0.9}
"""Of the mean rating: which users and items are picked."""


@dataclass(frozen=True)
class Shift:
    """The law of one user over items, or of one item over users, beside histograms.

    Attributes:
        of: user or item.
        name: its id.
        place: which of the picked ones.
        rating: (R,) values.
        everyone: (R,) shares of all ratings.
        own: (R,) shares of its own ratings.
        predicted: (R,) mean p_rating, over items for a user and over users for an item, at random.
    """

    of: Side
    name: str
    place: str
    rating: Array
    everyone: Array
    own: Array
    predicted: Array


def shifts(predictor: Predictor, known: Interactions, vocabulary: Vocabulary, *, seed: int = 0) -> tuple[Shift, ...]:
    """A generous, a middling and a strict user, and an item loved, middling and disliked, by the mean of their ratings.

    `known` are the histories of all users, of which the histograms are made and from which is predicted. Raises
    TheoryError where nothing is rated, or no user or item has enough ratings.
    """
    types = vocabulary.types
    if types.n_levels < 2:
        raise TheoryError("there are no ratings whose histogram could shift")
    ratings = types.channel_ratings[known.channels]
    rated = known.keep(~np.isnan(ratings))
    levels = np.searchsorted(types.rating_values, ratings[~np.isnan(ratings)])
    everyone = np.bincount(levels, minlength=types.n_levels) / len(levels)
    sides: dict[Side, tuple[NDArray[np.integer], Ids]] = {
        "user": (rated.users, vocabulary.users),
        "item": (rated.items, vocabulary.items),
    }
    found = []
    for of, (places, ids) in sides.items():
        cells = np.bincount(places * types.n_levels + levels, minlength=len(ids) * types.n_levels)
        counts = cells.reshape(-1, types.n_levels).astype(np.float64)
        for place, index in _picked(counts, types.rating_values).items():
            own = counts[index] / counts[index].sum()
            predicted = _law(predictor, known, of, index, np.random.default_rng(seed))
            found.append(Shift(of, str(ids.values[index]), place, types.rating_values, everyone, own, predicted))
    return tuple(found)


def _picked(counts: Array, values: Array) -> dict[str, int]:
    """Index of the one at each quantile of the mean rating, among those with enough ratings."""
    enough = np.flatnonzero(counts.sum(1) >= LEAST_RATINGS)
    if not len(enough):
        raise TheoryError(f"no user or no item has {LEAST_RATINGS} ratings: their histograms say too little")
    means = counts[enough] @ values / counts[enough].sum(1)
    order = enough[np.argsort(means, kind="stable")]
    return {place: int(order[round(share * (len(order) - 1))]) for place, share in QUANTILES.items()}


def _law(predictor: Predictor, known: Interactions, of: Side, index: int, rng: np.random.Generator) -> Array:
    """(R,) mean p_rating of a user over items, or of an item over users, at random."""
    if of == "user":
        items = rng.permutation(known.n_items)[:SHOWN_ITEMS]
        found = predictor.predict(known.select(np.array([index])))
        return np.asarray(found.p_rating(np.zeros(len(items), dtype=np.int64), items).mean(0), dtype=np.float64)
    users = rng.permutation(np.flatnonzero(known.counts))[:SHOWN_USERS]
    found = predictor.predict(known.select(users))
    rows = np.arange(len(users))
    return np.asarray(found.p_rating(rows, np.full(len(users), index)).mean(0), dtype=np.float64)
