"""How somebody rates: the mean, generosity against the item, and spread. In index space. Source: ours."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.vocabulary import InteractionTypes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Styles:
    """The rating styles of U users.

    Attributes:
        n_ratings: (U,).
        mean: (U,) mean rating; NaN without ratings.
        generosity: (U,) mean of rating less the item's mean rating; NaN without ratings.
        spread: (U,) standard deviation of the ratings; NaN for fewer than two.
    """

    n_ratings: NDArray[np.int64]
    mean: Array
    generosity: Array
    spread: Array

    @classmethod
    def of(cls, histories: Interactions, types: InteractionTypes, item_means: Array) -> "Styles":
        """Measure every row of `histories`; `item_means` is (I,)."""
        rating = types.channel_ratings[histories.channels]
        rated = ~np.isnan(rating)
        users, rating, items = histories.users[rated], rating[rated], histories.items[rated]
        n = np.bincount(users, minlength=histories.n_users)

        def mean_of(values: Array) -> Array:
            total = np.bincount(users, weights=values, minlength=histories.n_users)
            return np.where(n > 0, total / np.maximum(n, 1), np.nan)

        mean = mean_of(rating)
        variance = mean_of((rating - mean[users]) ** 2)
        spread = np.where(n > 1, np.sqrt(variance), np.nan)
        return cls(n, mean, mean_of(rating - item_means[items]), spread)

    @cached_property
    def sorted_generosity(self) -> Array:
        """Ascending, of those who have any."""
        return np.sort(self.generosity[~np.isnan(self.generosity)])

    @cached_property
    def sorted_spread(self) -> Array:
        """Ascending, of those who have any."""
        return np.sort(self.spread[~np.isnan(self.spread)])
