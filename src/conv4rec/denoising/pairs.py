"""Labelled pairs of a user and an item, unlabelled ones drawn beside them, and the order they are asked in."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.errors import DataError
from conv4rec.vocabulary import InteractionTypes, Vocabulary

Indices = NDArray[np.int64]
LABELS = InteractionTypes.of([0, 1])
"""What the channels of `Pairs.histories` are."""
FOLDS = 5
"""Parts into which the pairs of a user are cut, where they are asked about together."""


@dataclass(frozen=True)
class Pairs:
    """N labelled pairs.

    Attributes:
        users: (N,) user indices.
        items: (N,) item indices.
        labels: (N,) 1 for positive, 0 for negative.
        n_users: of the vocabulary.
        n_items: of the vocabulary.
    """

    users: Indices
    items: Indices
    labels: NDArray[np.float32]
    n_users: int
    n_items: int

    @classmethod
    def from_ratings(cls, ratings: Ratings, vocabulary: Vocabulary, *, above: float) -> "Pairs":
        """Rated pairs, positive where the rating is above a value.

        An id that the vocabulary does not have raises UnknownIdError; an interaction without a rating DataError, for
        it has no label.
        """
        rating = ratings.frame["rating"] if "rating" in ratings.frame.columns else None
        if rating is None or rating.null_count():
            raise DataError(f"{ratings.name}: every pair needs a rating to be labelled by, and some have none")
        users = vocabulary.users.indices(ratings.frame["user_id"]).astype(np.int64)
        items = vocabulary.items.indices(ratings.frame["item_id"]).astype(np.int64)
        labels = (rating.to_numpy() > above).astype(np.float32)
        return cls(users, items, labels, len(vocabulary.users), len(vocabulary.items))

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def keys(self) -> Indices:
        """(N,) one number for each pair of user and item."""
        return self.users * self.n_items + self.items

    @property
    def histories(self) -> Interactions:
        """The pairs as interactions, each of the type of its label."""
        users, items, channels = self.users.astype(np.int32), self.items.astype(np.int32), self.labels.astype(np.uint8)
        return Interactions.from_triples(users, items, channels, n_users=self.n_users, n_items=self.n_items)

    def take(self, chosen: NDArray[np.bool_] | Indices) -> "Pairs":
        """The pairs at these places, or where a mask is true."""
        return replace(self, users=self.users[chosen], items=self.items[chosen], labels=self.labels[chosen])

    def flip(self, share: float, seed: int) -> "Pairs":
        """This share of the labels, drawn at random, turned into the other one."""
        drawn = np.random.default_rng([seed, 11]).permutation(len(self))[: round(share * len(self))]
        labels = self.labels.copy()
        labels[drawn] = 1 - labels[drawn]
        return replace(self, labels=labels)

    def hold_out(self, share: float, seed: int) -> tuple["Pairs", "Pairs"]:
        """The rest, and a share of the pairs drawn at random, at least one."""
        drawn = np.random.default_rng([seed, 12]).permutation(len(self))
        n_held_out = max(1, round(share * len(self)))
        return self.take(np.sort(drawn[n_held_out:])), self.take(np.sort(drawn[:n_held_out]))

    def batches(self, batch_size: int, rng: np.random.Generator, *, by_user: bool) -> Iterator[Indices]:
        """Places of all pairs once, shuffled; `by_user`: a fifth of a user's pairs after the other, users shuffled."""
        if by_user:
            part = self.users * FOLDS + rng.integers(FOLDS, size=len(self))
            order = np.argsort(rng.random(self.n_users * FOLDS)[part], kind="stable")
        else:
            order = rng.permutation(len(self))
        for start in range(0, len(order), batch_size):
            yield order[start : start + batch_size]


@dataclass(frozen=True)
class Unlabelled:
    """Draws an unlabelled item for a labelled pair: uniformly among the items that its user has no label for.

    Attributes:
        known: sorted numbers of the pairs that are never drawn.
        n_items: of the vocabulary.
        planted: pairs that are among the unlabelled in every epoch, once each; for experiments.
    """

    known: Indices
    n_items: int
    planted: Pairs | None = None

    @classmethod
    def beside(cls, pairs: Pairs, planted: Pairs | None = None) -> "Unlabelled":
        """Beside these labelled pairs.

        Raises DataError where a user has a label for every item, or more planted pairs than labelled ones.
        """
        known = np.unique(pairs.keys)
        full = np.flatnonzero(np.bincount(known // pairs.n_items, minlength=pairs.n_users) >= pairs.n_items)
        if len(full):
            raise DataError(f"user {full[0]} has a label for each of {pairs.n_items} items: none is left to draw")
        if planted is not None:
            _check_room(pairs, planted)
        return cls(known, pairs.n_items, planted)

    def draw(self, users: Indices, rng: np.random.Generator) -> Indices:
        """(N,) items for N labelled pairs of these users; planted ones take the place of drawn ones of their user."""
        items = self._draw_uniformly(users, rng)
        if self.planted is not None:
            places = _places(users, self.planted.users, rng)
            items[places] = self.planted.items
        return items

    def _draw_uniformly(self, users: Indices, rng: np.random.Generator) -> Indices:
        items = rng.integers(self.n_items, size=len(users))
        again = np.flatnonzero(self._is_known(users, items))
        while len(again):
            items[again] = rng.integers(self.n_items, size=len(again))
            again = again[self._is_known(users[again], items[again])]
        return items

    def _is_known(self, users: Indices, items: Indices) -> NDArray[np.bool_]:
        keys = users * self.n_items + items
        places = np.minimum(np.searchsorted(self.known, keys), len(self.known) - 1)
        return np.asarray(self.known[places] == keys)


def _check_room(pairs: Pairs, planted: Pairs) -> None:
    room = np.bincount(pairs.users, minlength=pairs.n_users)
    wanted = np.bincount(planted.users, minlength=pairs.n_users)
    if (wanted > room).any():
        user = int(np.argmax(wanted > room))
        raise DataError(f"user {user} has {wanted[user]} planted pairs beside {room[user]} labelled ones: too many")


def _places(users: Indices, planted: Indices, rng: np.random.Generator) -> Indices:
    """(P,) different places in (N,) `users`, at random, each of the user of its planted pair."""
    shuffled = rng.permutation(len(users))
    by_user = shuffled[np.argsort(users[shuffled], kind="stable")]
    starts = np.searchsorted(users[by_user], planted)
    order = np.argsort(planted, kind="stable")
    rank = np.empty(len(planted), dtype=np.int64)
    rank[order] = np.arange(len(planted)) - np.searchsorted(planted[order], planted[order])
    return np.asarray(by_user[starts + rank])
