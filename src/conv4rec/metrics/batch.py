"""What a batch of users is measured by: what is known of them, what is asked, what is predicted, and how it is read."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.errors import TrainingError
from conv4rec.metrics.calibration import consumption_steps
from conv4rec.metrics.catalogue import Catalogue
from conv4rec.metrics.ranking import Order
from conv4rec.predictions import Floats, Predictions, default_like, p_like, rating_marginal
from conv4rec.vocabulary import InteractionTypes

Array = NDArray[np.float64]
Indices = NDArray[np.integer]
Pairs = tuple[Indices, Indices]


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        config: see EvaluateConfig.
        types: the interaction types of the law.
        catalogue: what is known of the items; None where the predictor makes no claim on what is consumed.
        with_types: whether it makes one on the types.
    """

    config: EvaluateConfig
    types: InteractionTypes
    catalogue: Catalogue | None
    with_types: bool

    @property
    def with_ratings(self) -> bool:
        """Whether there are ratings, and a claim on them."""
        return self.with_types and self.types.n_levels > 0

    @cached_property
    def ks(self) -> tuple[int, ...]:
        """Lengths of lists, ascending."""
        return tuple(sorted(set(self.config.k)))

    @property
    def bytes_per_user(self) -> int:
        """What is kept of a user while it waits to be added up, with its weights, about."""
        return 8 * (200 + 12 * len(self.ks) + 4 * self.ks[-1] + self.config.bootstrap)

    @cached_property
    def like(self) -> float:
        """The lowest rating that counts as liked; NaN where nothing is rated."""
        if not self.types.n_levels:
            return float("nan")
        return default_like(self.types) if self.config.like is None else self.config.like


@dataclass(frozen=True)
class Batch:
    """B users.

    Attributes:
        users: (B,) their indices.
        log_p_consume: (B, I) law of the next item; not read without a catalogue in the plan.
        log_p_type: (N, L) law of the type of every target; (N, 0) where it is not claimed.
        taken: what lists leave out: the history, and what the users have taken besides.
        targets: N interactions that are asked about.
        plan: what is to be measured.
    """

    users: Indices
    log_p_consume: Floats
    log_p_type: Floats
    taken: Interactions
    targets: Interactions
    plan: Plan

    @classmethod
    def of(
        cls, predictions: Predictions, users: Indices, *, taken: Interactions, targets: Interactions, plan: Plan
    ) -> "Batch":
        """Ask for the law of the types here, because a predictor need not bear several threads.

        Raises TrainingError where it is not a number.
        """
        law: Floats = np.empty((len(targets), 0))
        if plan.with_types:
            law = predictions.type_law.pairs(targets.users, targets.items)
        if np.isnan(law).any():
            user = users[targets.users[np.isnan(law).any(axis=1).argmax()]]
            raise TrainingError(f"user {user}: the law of a type is NaN, expected log-probabilities")
        return cls(users, predictions.log_p_consume, law, taken, targets, plan)

    def parts(self, n: int) -> Iterator["Batch"]:
        """The same users, at most n parts of about equal size, one after the other."""
        cuts = np.unique(np.linspace(0, self.n_rows, n + 1).astype(np.int64))
        for start, end in pairwise(cuts.tolist()):
            rows, asked = np.arange(start, end), slice(*self.targets.indptr[[start, end]])
            law = self.log_p_consume[start:end]
            yield Batch(
                self.users[start:end],
                law if law.flags.c_contiguous else law.copy(),
                self.log_p_type[asked],
                self.taken.select(rows),
                self.targets.select(rows),
                self.plan,
            )

    @property
    def n_rows(self) -> int:
        return self.targets.n_users

    def sum(self, values: NDArray[np.number], rows: Indices | None = None) -> Array:
        """(N,) values of the targets, or of `rows`, to sums per user, (B,)."""
        rows = self.targets.users if rows is None else rows
        return np.bincount(rows, weights=values, minlength=self.n_rows).astype(np.float64)

    @cached_property
    def steps(self) -> NDArray[np.uint16]:
        """(B, I) of log p_consume. Raises TrainingError where it is not a number."""
        broken = np.isnan(self.log_p_consume.max(axis=1))
        if broken.any():
            raise TrainingError(
                f"user {self.users[broken.argmax()]}: the law of consumption is NaN, expected log-probabilities"
            )
        return consumption_steps(self.log_p_consume)

    @cached_property
    def order(self) -> Order:
        """log p_consume without what was taken already."""
        return Order.of(self.log_p_consume, self.steps, self.taken.users, self.taken.items)

    @cached_property
    def relevant_pairs(self) -> Pairs:
        """Rows, ascending, and items, every pair once: targets that are relevant and not taken already."""
        relevant, least = self.targets, self.plan.config.relevant
        if least is not None:
            relevant = relevant.keep(self._ratings >= least)  # NaN is not
        rows, items = relevant.distinct_pairs
        new = self.order.steps[rows, items] > 0
        return rows[new], items[new]

    @cached_property
    def _ratings(self) -> Array:
        """(N,) given rating of every target; NaN where there is none."""
        return self.plan.types.channel_ratings[self.targets.channels]

    @cached_property
    def rated(self) -> "Rated":
        """The targets that have a rating."""
        types, like = self.plan.types, self.plan.like
        where = np.flatnonzero(~np.isnan(self._ratings))
        law = rating_marginal(self.log_p_type[where], types)
        ratings = self._ratings[where]
        return Rated(
            self.targets.users[where],
            self.targets.items[where],
            ratings,
            np.searchsorted(types.rating_values, ratings),
            law,
            p_like(law, types, like).astype(np.float64).clip(0.0, 1.0),
            ratings >= like,
        )


@dataclass(frozen=True)
class Rated:
    """N rated targets: (N,) rows, items, ratings, levels and p_like, (N, R) laws, and whether they are liked."""

    rows: Indices
    items: Indices
    ratings: Array
    levels: Indices
    p_rating: Floats
    p_like: Array
    liked: NDArray[np.bool_]
