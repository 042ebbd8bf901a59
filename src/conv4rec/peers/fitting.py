"""From a model of others, in its own terms, to a law: one way for all that rank, one for all that predict ratings.

What a peer learns from, the same rule for all. Hyper-parameters and links are chosen with a model fitted on
`task.train`, on validation data. A peer that takes the history of a user when it is asked (EASE, iALS, item kNN, VAECF,
LensKit's ALS) keeps these weights, like our own model, and is given what is known by then. A peer with parameters per
user (BPR, the other matrix factorisations) cannot be given anything, so that it is fitted again on `task.known`, with
the same hyper-parameters and links.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.errors import DataError, PeerError
from conv4rec.evaluation import Validation
from conv4rec.peers.links import ConsumeLink, fit_consume_link
from conv4rec.peers.peer import Claim, Task
from conv4rec.peers.rating_link import RatingLink, fit_rating_link
from conv4rec.predictions import Floats, Predictions
from conv4rec.vocabulary import InteractionTypes

Users = NDArray[np.intp]

SCORES = 6_000_000
"""Scores on which a consumption link is fitted, about: users are drawn until there are so many."""
RATINGS = 50_000
"""Ratings on which a rating link is fitted, about."""
BATCH = 512
"""Users scored at a time while links are fitted."""


class Scorer(Protocol):
    """A fitted model in its own terms: scores of items, or expected ratings."""

    @property
    def n_bytes(self) -> int: ...

    def scores(self, users: Users, histories: Interactions) -> Floats:
        """(B, I) for users, given their histories, row for row."""
        ...


Learn = Callable[[Interactions], Scorer]


@dataclass(frozen=True)
class Ranking:
    """A fitted model of consumption; the law of the types is a placeholder."""

    name: str
    types: InteractionTypes
    scorer: Scorer
    link: ConsumeLink

    @property
    def claims(self) -> frozenset[Claim]:
        return frozenset(("consume",))

    @property
    def n_bytes(self) -> int:
        return self.scorer.n_bytes + self.link.n_bytes

    def predict(self, users: Users, histories: Interactions) -> Predictions:
        scores = _scores(self.name, self.scorer, users, histories)
        log_p = self.link.log_p_consume(scores, histories.users, histories.items)
        return Predictions(self.types, log_p, UniformLaw(len(scores), histories.n_items, self.types.n_types))


@dataclass(frozen=True)
class Rating:
    """A fitted model of ratings; the law of consumption is a placeholder.

    Attributes:
        log_shares: (L,) log share, among all interactions, of the name of every type: it does not depend on the item.
    """

    name: str
    types: InteractionTypes
    scorer: Scorer
    link: RatingLink
    log_shares: NDArray[np.float64]

    @property
    def claims(self) -> frozenset[Claim]:
        return frozenset(("rating",))

    @property
    def n_bytes(self) -> int:
        return self.scorer.n_bytes + self.link.n_bytes + self.log_shares.nbytes

    def predict(self, users: Users, histories: Interactions) -> Predictions:
        predicted = _scores(self.name, self.scorer, users, histories)
        anything = np.broadcast_to(-np.log(predicted.shape[1]), predicted.shape)
        return Predictions(self.types, anything, PredictedLaw(predicted, self.link, self.types, self.log_shares))


@dataclass(frozen=True)
class PredictedLaw:
    """log p(type | item) from expected ratings (B, I): that of the type's name, and that of its rating."""

    predicted: Floats
    link: RatingLink
    types: InteractionTypes
    log_shares: NDArray[np.float64]

    def pairs(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:
        return self._law(self.predicted[rows, items])

    def grid(self) -> Floats:
        return self._law(self.predicted)

    def _law(self, predicted: Floats) -> Floats:
        log_p = np.log(self.link(predicted))  # (..., R)
        members = self.types.level_members
        of_rating = np.where(members.any(axis=1), log_p[..., members.argmax(axis=1)], 0.0)
        return np.asarray(of_rating + self.log_shares)


@dataclass(frozen=True)
class UniformLaw:
    """Every type has the same probability."""

    n_rows: int
    n_items: int
    n_types: int

    def pairs(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:  # noqa: ARG002
        return np.full((len(rows), self.n_types), -np.log(self.n_types))

    def grid(self) -> Floats:
        return np.broadcast_to(-np.log(self.n_types), (self.n_rows, self.n_items, self.n_types))


def fit_ranking(name: str, task: Task, learn: Learn, *, again: bool = False) -> Ranking:
    """Learn from train, and fit the link on validation. Where users have parameters, learn `again` from all known."""
    scorer = learn(task.train)
    link = learn_consume_link(name, scorer, task)
    return Ranking(name, task.types, _final(scorer, task, learn, again=again), link)


def learn_consume_link(name: str, scorer: Scorer, task: Task) -> ConsumeLink:
    """The link of a model fitted on train, from a sample of the users with validation data."""
    users, asked = next(_drawn(task, per_batch=max(1, SCORES // max(1000, task.train.n_items))))
    return fit_consume_link(_scores(name, scorer, users, asked.history), asked)


def fit_rating(name: str, task: Task, learn: Learn, *, again: bool = False) -> Rating:
    """Like `fit_ranking`, for a model of ratings. Raises DataError where no rating is held out to fit its law on."""
    scorer = learn(task.train)
    found = list(_predicted(name, scorer, task))
    if not found:
        raise DataError(f"{name}: no rating in the validation data, expected some to fit the law of the ratings on")
    predicted, levels = (np.concatenate(parts) for parts in zip(*found, strict=True))
    link = fit_rating_link(predicted, levels, task.types.rating_values)
    scorer = _final(scorer, task, learn, again=again)
    return Rating(name, task.types, scorer, link, _log_shares(task.train, task.types))


def n_bytes(*arrays: NDArray[np.generic]) -> int:
    """Bytes of all arrays."""
    return sum(array.nbytes for array in arrays)


def _final(scorer: Scorer, task: Task, learn: Learn, *, again: bool) -> Scorer:
    is_news = task.known is not task.train and task.known.fingerprint() != task.train.fingerprint()
    return learn(task.known) if again and is_news else scorer


def _scores(name: str, scorer: Scorer, users: Users, histories: Interactions) -> Floats:
    scores = scorer.scores(users, histories)
    if not np.isfinite(scores).all():
        row, item = np.argwhere(~np.isfinite(scores))[0]
        raise PeerError(
            f"{name}: the score of user {users[row]}, item {item} is {scores[row, item]}, expected a number"
        )
    return scores


def _drawn(task: Task, *, per_batch: int) -> Iterator[tuple[Users, Validation]]:
    """Users with validation targets, in an order drawn at random, and what they are asked."""
    held_out = task.validation
    users = np.random.default_rng(task.seed).permutation(np.flatnonzero(held_out.targets.counts))
    if not len(users):
        raise DataError("nothing in the validation data, expected interactions to fit links on")
    for start in range(0, len(users), per_batch):
        some = np.sort(users[start : start + per_batch])
        yield some, Validation(held_out.history.select(some), held_out.targets.select(some))


def _predicted(name: str, scorer: Scorer, task: Task) -> Iterator[tuple[Floats, NDArray[np.integer]]]:
    """Predicted ratings and given levels of validation targets, until there are enough."""
    n_found = 0
    for users, asked in _drawn(task, per_batch=BATCH):
        ratings = task.types.channel_ratings[asked.targets.channels]
        rated = ~np.isnan(ratings)
        scores = _scores(name, scorer, users, asked.history)
        if rated.any():
            levels = np.searchsorted(task.types.rating_values, ratings[rated])
            yield scores[asked.targets.users[rated], asked.targets.items[rated]], levels
        n_found += int(np.count_nonzero(rated))
        if n_found >= RATINGS:
            return


def _log_shares(interactions: Interactions, types: InteractionTypes) -> NDArray[np.float64]:
    """(L,) log share of every type's name among all interactions, one added to each."""
    names = list(dict.fromkeys(kind.name for kind in types.channels))
    of_channel = np.array([names.index(kind.name) for kind in types.channels])
    counts = np.bincount(of_channel[interactions.channels], minlength=len(names)) + 1.0
    return np.asarray(np.log(counts / counts.sum())[of_channel[: types.n_types]])
