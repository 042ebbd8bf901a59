"""Index space: sparse (user, item, channel) triples, and nothing of size users x items."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from conv4rec.data.ratings import Ratings
from conv4rec.vocabulary import Vocabulary

DENSE = 32
"""Cells of users x items for every interaction up to which pairs are told apart in a table of all cells."""


@dataclass(frozen=True)
class Interactions:
    """Interactions grouped by user, as in compressed sparse rows.

    Attributes:
        indptr: (n_users + 1,); the interactions of user u lie at indptr[u]:indptr[u + 1].
        items: (N,) item index of every interaction.
        channels: (N,) interaction type of every interaction, as an index into the channels of InteractionTypes.
        n_items: the size of the catalogue.
    """

    indptr: NDArray[np.int64]
    items: NDArray[np.int32]
    channels: NDArray[np.uint8]
    n_items: int

    @classmethod
    def from_triples(
        cls,
        users: NDArray[np.int32],
        items: NDArray[np.int32],
        channels: NDArray[np.uint8],
        *,
        n_users: int,
        n_items: int,
    ) -> "Interactions":
        """Group triples by user, in time linear in their number; the order within a user is kept."""
        triples = sparse.coo_array((channels, (users, items)), shape=(n_users, n_items))
        triples.has_canonical_format = True  # keeps repeated pairs apart
        rows = triples.tocsr()  # a counting sort
        return cls(rows.indptr.astype(np.int64), rows.indices.astype(np.int32, copy=False), rows.data, n_items)

    @classmethod
    def from_ratings(cls, ratings: Ratings, vocabulary: Vocabulary) -> "Interactions":
        """Cross the id border. An id that the vocabulary does not have raises UnknownIdError."""
        frame = ratings.frame
        users = vocabulary.users.indices(frame["user_id"])
        items = vocabulary.items.indices(frame["item_id"])
        channels = vocabulary.types.encode(_column(frame, "rating"), _column(frame, "type"), frame.height)
        n_users, n_items = len(vocabulary.users), len(vocabulary.items)
        return cls.from_triples(users, items, channels, n_users=n_users, n_items=n_items)

    @property
    def n_users(self) -> int:
        return len(self.indptr) - 1

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def users(self) -> NDArray[np.int64]:
        """(N,) the user index, or row of the batch, of every interaction."""
        return np.repeat(np.arange(self.n_users), self.counts)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """(n_users,) the number of interactions of every user."""
        return np.diff(self.indptr)

    @property
    def by_channel(self) -> "Interactions":
        """The same interactions, those of every user in ascending order of their channel, else as they were."""
        order = np.lexsort((self.channels, self.users))
        return Interactions(self.indptr, self.items[order], self.channels[order], self.n_items)

    @cached_property
    def distinct_pairs(self) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Users and items of the interactions, every pair once; in the order of the rows where none is repeated."""
        cells = self.users * self.n_items + self.items
        if self.n_users * self.n_items <= DENSE * len(self):  # marking is faster than sorting
            marked = np.zeros(self.n_users * self.n_items, dtype=np.bool_)
            marked[cells] = True
            distinct = cells if np.count_nonzero(marked) == len(self) else np.flatnonzero(marked)
        else:
            ordered = np.sort(cells)
            distinct = ordered[np.diff(ordered, prepend=-1) > 0]
        if len(distinct) == len(self):
            return self.users, self.items
        users, items = np.divmod(distinct, self.n_items)
        return users, items

    def fingerprint(self) -> str:
        """A hash of everything here: two sets of interactions with the same one are the same."""
        digest = hashlib.sha256(str((self.n_users, self.n_items)).encode())
        for array in (self.indptr, self.items, self.channels):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def select(self, users: NDArray[np.integer]) -> "Interactions":
        """The interactions of these users, who become rows 0, 1, ... in the order given."""
        if len(users) == self.n_users and (users == np.arange(self.n_users)).all():
            return self
        counts = self.counts[users]
        indptr = np.zeros(len(users) + 1, dtype=np.int64)
        np.cumsum(counts, out=indptr[1:])
        places = np.arange(indptr[-1]) + np.repeat(self.indptr[users] - indptr[:-1], counts)
        return Interactions(indptr, self.items[places], self.channels[places], self.n_items)

    def rows(self, start: int, stop: int) -> "Interactions":
        """The interactions of the users from `start` to `stop`, who become rows 0, 1, ...; nothing is copied."""
        where = slice(self.indptr[start], self.indptr[stop])
        indptr = self.indptr[start : stop + 1] - self.indptr[start]
        return Interactions(indptr, self.items[where], self.channels[where], self.n_items)

    def keep(self, chosen: NDArray[np.bool_]) -> "Interactions":
        """The interactions marked in (N,), of the same users and items."""
        indptr = np.concatenate([[0], np.cumsum(chosen)])[self.indptr]
        return Interactions(indptr, self.items[chosen], self.channels[chosen], self.n_items)

    def join(self, other: "Interactions") -> "Interactions":
        """Both, of the same users and items; those of the other come after a user's own."""
        users = np.concatenate([self.users, other.users]).astype(np.int32)
        items = np.concatenate([self.items, other.items]).astype(np.int32, copy=False)
        channels = np.concatenate([self.channels, other.channels]).astype(np.uint8, copy=False)
        return Interactions.from_triples(users, items, channels, n_users=self.n_users, n_items=self.n_items)

    def batches(self, batch_size: int) -> Iterator[tuple[NDArray[np.int64], "Interactions"]]:
        """Every user once, in order: their indices and their interactions, `batch_size` users at a time."""
        for start in range(0, self.n_users, batch_size):
            stop = min(start + batch_size, self.n_users)
            yield np.arange(start, stop), self.rows(start, stop)


def _column(frame: pl.DataFrame, name: str) -> pl.Series | None:
    return frame[name] if name in frame.columns else None
