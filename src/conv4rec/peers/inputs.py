"""Interactions in the forms that others take."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from conv4rec.data.interactions import Interactions
from conv4rec.errors import DataError
from conv4rec.vocabulary import InteractionTypes


class Rated(NamedTuple):
    """N ratings, in the order of the users; every pair once."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    ratings: NDArray[np.floating]

    def per_user(self, n_users: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.floating]]]:
        """Items and ratings of every user in turn."""
        starts = np.searchsorted(self.users, np.arange(n_users + 1))
        for start, stop in pairwise(starts):
            yield self.items[start:stop], self.ratings[start:stop]


def binary_matrix(interactions: Interactions) -> sparse.csr_matrix:
    """(B, I) float32, 1 where a user took an item, in whatever way and however often."""
    users, items = interactions.distinct_pairs
    ones = np.ones(len(users), dtype=np.float32)
    return sparse.csr_matrix((ones, (users, items)), shape=(interactions.n_users, interactions.n_items))


def rated_pairs(interactions: Interactions, types: InteractionTypes) -> Rated:
    """The interactions that carry a rating; of a pair rated several times, the mean."""
    ratings = types.channel_ratings[interactions.channels]
    rated = ~np.isnan(ratings)
    pairs = interactions.users[rated] * interactions.n_items + interactions.items[rated]
    distinct, place = np.unique(pairs, return_inverse=True)
    means = np.bincount(place, weights=ratings[rated], minlength=len(distinct)) / np.bincount(place)
    return Rated(*np.divmod(distinct, interactions.n_items), means)


def rated_to_learn(name: str, interactions: Interactions, types: InteractionTypes) -> Rated:
    """`rated_pairs` for a model called `name`, which cannot do without: DataError where there are none."""
    found = rated_pairs(interactions, types)
    if not len(found.ratings):
        raise DataError(f"{name} predicts ratings, and none of {len(interactions):,} interactions has one")
    return found
