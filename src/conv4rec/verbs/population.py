"""What is known of all users together: what a profile is compared with. In index space. Source: ours."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.embeddings import Embeddings, unit
from conv4rec.predictions import Floats, Predictions, Predictor
from conv4rec.verbs.leave_out import claims_left_out, nothing
from conv4rec.verbs.style import Styles

USERS, ITEMS = 500, 20
"""Users drawn to learn what is usual, and items of each that are left out."""
SEED = 0
"""Seed of that draw."""
TIE = 1e-4
"""Values as near as this are equal to a percentile: the same sum over other threads differs by less."""
FEW = 5.0
"""Pseudo-count with which the mean rating of an item is drawn to that of all."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """How well the model finds what users of the population took, once it is left out of their history.

    Attributes:
        lifts: (N,) ascending; log p_consume of an item that was left out, less that of its popularity.
        means: (S,) ascending; the mean of them for every user drawn.
    """

    lifts: Array
    means: Array


@dataclass(frozen=True)
class Population:
    """Facts about all users, each gathered when it is first asked for.

    Attributes:
        predictor: the model.
        embeddings: where its users and items lie.
        histories: the histories of the population.
        memory_mb: limit on scoring memory, MiB.
    """

    predictor: Predictor
    embeddings: Embeddings
    histories: Interactions
    memory_mb: int

    @cached_property
    def blank(self) -> Predictions:
        """(1, I) the law of a user of whom nothing is known."""
        return self.predictor.predict(nothing(self.histories.n_items))

    @cached_property
    def item_means(self) -> Array:
        """(I,) the mean rating of every item, drawn to that of all where there are few; NaN where nothing is rated."""
        rating = self.predictor.types.channel_ratings[self.histories.channels]
        rated = ~np.isnan(rating)
        rating, items, n_items = rating[rated], self.histories.items[rated], self.histories.n_items
        if not len(rating):
            return np.full(n_items, np.nan)
        total = np.bincount(items, weights=rating, minlength=n_items)
        return np.asarray((total + FEW * rating.mean()) / (np.bincount(items, minlength=n_items) + FEW))

    @cached_property
    def popularity(self) -> Array:
        """(I,) the share of every item in all interactions, one added to each item."""
        counts = np.bincount(self.histories.items, minlength=self.histories.n_items) + 1.0
        return np.asarray(counts / counts.sum())

    @cached_property
    def users(self) -> Floats:
        """(U, D) directions of all users."""
        return self.directions(self._bottlenecks)

    def directions(self, embeddings: Floats) -> Floats:
        """(B, D) embeddings seen from the mean of all users, of length one: what all have in common tells nobody."""
        return unit(embeddings - self._bottlenecks.mean(axis=0))

    @cached_property
    def _bottlenecks(self) -> Floats:
        return self.embeddings.users(self.histories)

    @cached_property
    def styles(self) -> Styles:
        """Rating styles of all users."""
        return Styles.of(self.histories, self.predictor.types, self.item_means)

    @cached_property
    def reference(self) -> Reference:
        """Lifts of items that users drawn by a fixed seed have in their histories, each left out in turn."""
        generator = np.random.default_rng(SEED)
        drawn = np.flatnonzero(self.histories.counts)
        drawn = generator.permutation(drawn)[:USERS]
        picked = [self._draw(user, generator) for user in drawn.tolist()]
        rows = np.repeat(drawn, [len(items) for items in picked])
        lifts = self.lifts(self.histories, rows, np.concatenate(picked))
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        means = np.add.reduceat(lifts, starts) / np.diff(np.append(starts, len(rows)))
        return Reference(np.sort(lifts), np.sort(means))

    def lifts(self, histories: Interactions, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Array:
        """(N,) log p_consume of every item, left out of the history of its row, less the log of its popularity."""
        found = claims_left_out(self.predictor, histories, rows, items, like=0.0, memory_mb=self.memory_mb)
        return np.asarray(found["consume"] - np.log(self.popularity[items]), dtype=np.float64)

    def _draw(self, user: int, generator: np.random.Generator) -> NDArray[np.int32]:
        mine = slice(self.histories.indptr[user], self.histories.indptr[user + 1])
        items = np.unique(self.histories.items[mine])
        return generator.permutation(items)[:ITEMS]


def percentile(value: float, ascending: Array) -> float:
    """Percent of the values that are lower, half of the equal ones (within TIE) counted; 50 where there are none."""
    if not len(ascending):
        return 50.0
    low = np.searchsorted(ascending, value - TIE, side="left")
    high = np.searchsorted(ascending, value + TIE, side="right")
    return float(50.0 * (low + high) / len(ascending))
