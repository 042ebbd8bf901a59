"""What recovery is measured against: laws that are counted, and the best pair of specialists.

All of them are `Fitted` (`peers/peer.py`), so that one function measures everything. Source: ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.peers.cornac_peers import MF
from conv4rec.peers.ease import EASE
from conv4rec.peers.peer import Claim, Fitted, Params, Peer, Task
from conv4rec.predictions import Floats, Predictions
from conv4rec.vocabulary import InteractionTypes

Array = NDArray[np.float64]
Users = NDArray[np.intp]

BOTH: frozenset[Claim] = frozenset(("consume", "rating"))
EASE_PENALTIES = tuple({"lambda": value} for value in (10.0, 50.0, 200.0, 800.0))
"""Tried on validation data."""
MF_SETTINGS = tuple({"k": k, "lambda_reg": penalty} for k, penalty in ((8, 0.02), (8, 0.1), (32, 0.05)))
"""Tried on validation data."""


@dataclass(frozen=True)
class CountedTypeLaw:
    """log p(type | item), from an array (B, I, L) or one that broadcasts to it."""

    log_p: Array

    def pairs(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:
        return np.asarray(self.log_p[rows, items])

    def grid(self) -> Floats:
        return self.log_p


@dataclass(frozen=True)
class Empirical:
    """The shares that each user's own interactions have had so far, nothing else; of exact types alone.

    Of the types of an item that the user never took it says what the user's interactions with all items say. A user
    without interactions is taken for uniform.
    """

    types: InteractionTypes
    claims: frozenset[Claim] = BOTH
    n_bytes: int = 0

    def predict(self, users: Users, histories: Interactions) -> Predictions:  # noqa: ARG002
        """Minus infinity for what never happened."""
        x, n_types = histories, self.types.n_types
        cells = (x.users * x.n_items + x.items) * n_types + x.channels
        counts = np.bincount(cells, minlength=x.n_users * x.n_items * n_types).astype(np.float64)
        counts = counts.reshape(x.n_users, x.n_items, n_types)
        with np.errstate(divide="ignore"):
            log_p_consume = np.log(_shares(counts.sum(axis=2)))
            of_user = _shares(counts.sum(axis=1))[:, None]
            log_p_type = np.log(np.where(counts.any(axis=2, keepdims=True), _shares(counts), of_user))
        return Predictions(self.types, log_p_consume, CountedTypeLaw(log_p_type))


@dataclass(frozen=True)
class Popularity:
    """The same for every user: the share of each item, one interaction added to each, times the share of each type.

    Attributes:
        log_p_item: (I,).
        log_p_type: (L,).
    """

    types: InteractionTypes
    log_p_item: Array
    log_p_type: Array
    claims: frozenset[Claim] = BOTH

    @classmethod
    def fit(cls, interactions: Interactions, types: InteractionTypes) -> "Popularity":
        items = np.bincount(interactions.items, minlength=interactions.n_items) + 1.0
        kinds = np.bincount(interactions.channels, minlength=types.n_types) + 1.0
        return cls(types, np.log(items / items.sum()), np.log(kinds / kinds.sum()))

    @property
    def n_bytes(self) -> int:
        return self.log_p_item.nbytes + self.log_p_type.nbytes

    def predict(self, users: Users, histories: Interactions) -> Predictions:  # noqa: ARG002
        shape = (histories.n_users, len(self.log_p_item))
        law = CountedTypeLaw(np.broadcast_to(self.log_p_type, (*shape, len(self.log_p_type))))
        return Predictions(self.types, np.broadcast_to(self.log_p_item, shape), law)


@dataclass(frozen=True)
class Pair:
    """Consumption from one model, ratings from another."""

    consume: Fitted
    rating: Fitted
    claims: frozenset[Claim] = BOTH

    @property
    def n_bytes(self) -> int:
        return self.consume.n_bytes + self.rating.n_bytes

    def predict(self, users: Users, histories: Interactions) -> Predictions:
        consumed = self.consume.predict(users, histories)
        return replace(consumed, type_law=self.rating.predict(users, histories).type_law)


def fit_pair(task: Task) -> Pair:
    """EASE and biased matrix factorisation, each with the likeliest settings on validation and its best link.

    Raises MissingExtraError where the package of the factorisation, Cornac, is not installed.
    """
    return Pair(fit_likeliest(EASE, EASE_PENALTIES, task), fit_likeliest(MF, MF_SETTINGS, task))


def fit_likeliest(peer: Peer, tried: Sequence[Params], task: Task) -> Fitted:
    """Fit with those of the settings under which the validation data are likeliest, given the train part alone."""
    search = replace(task, known=task.train)
    costs = [_cost(peer.fit(search, {**peer.defaults, **params}), peer, search) for params in tried]
    return peer.fit(task, {**peer.defaults, **tried[int(np.argmin(costs))]})


def _cost(fitted: Fitted, peer: Peer, task: Task) -> float:
    """Nats a validation target, of the part of the law that the peer claims."""
    asked = task.validation
    found = fitted.predict(np.arange(asked.history.n_users), asked.history)
    rows, items = asked.targets.users, asked.targets.items
    if "consume" in peer.claims:
        return float(-found.log_p_consume[rows, items].mean())
    return float(-found.type_law.pairs(rows, items)[np.arange(len(rows)), asked.targets.channels].mean())


def _shares(counts: Array) -> Array:
    """Over the last axis; uniform where there is nothing."""
    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray(np.where(total > 0, counts / np.maximum(total, 1.0), 1.0 / counts.shape[-1]))
