"""Interactions with their times, in index space, and the profiles that a moment allows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.errors import DataError
from conv4rec.vocabulary import Vocabulary

PER_ITEM, PER_EVENT = 24, 32
"""Bytes a profile takes while it is predicted: for the scores of an item, with copies, and for an event it holds."""


@dataclass(frozen=True)
class Timeline:
    """Interactions, and when each of them happened.

    Attributes:
        interactions: grouped by user.
        times: (N,) in the order of `interactions.items`; seconds since 1970, or any other count.
    """

    interactions: Interactions
    times: NDArray[np.int64]

    @classmethod
    def from_ratings(cls, ratings: Ratings, vocabulary: Vocabulary) -> "Timeline":
        """Cross the id border. Raises DataError for a time stamp that is missing, UnknownIdError for an unknown id."""
        if not ratings.has_timestamps:
            raise DataError(f"{ratings.name}: no time stamps; expected one for every interaction")
        times = ratings.frame["timestamp"]
        if times.null_count():
            missing = f"{times.null_count():,} of {len(times):,} interactions have no time stamp"
            raise DataError(f"{ratings.name}: {missing}, the first in row {times.is_null().arg_max()}; expected all to")
        order = np.argsort(vocabulary.users.indices(ratings.frame["user_id"]), kind="stable")
        return cls(Interactions.from_ratings(ratings, vocabulary), times.to_numpy()[order])

    def __post_init__(self) -> None:
        if len(self.times) != len(self.interactions):
            raise DataError(
                f"{len(self.times)} times for {len(self.interactions)} interactions: expected one for each of them"
            )

    def __len__(self) -> int:
        return len(self.times)

    def keep(self, chosen: NDArray[np.bool_]) -> "Timeline":
        """The interactions marked in (N,), of the same users and items."""
        return Timeline(self.interactions.keep(chosen), self.times[chosen])


@dataclass(frozen=True)
class Line:
    """Events of all users, by user and then by time, some of them asked about.

    Attributes:
        events: the interactions; those of a user are in the order of time.
        times: (N,) when they happened.
        asked: (T,) places of the events that are asked about, ascending.
    """

    events: Interactions
    times: NDArray[np.int64]
    asked: NDArray[np.int64]

    @classmethod
    def of(cls, history: Timeline, targets: Timeline) -> "Line":
        """Events of both, of which the targets are asked about; equal times are taken in this order."""
        parts = (history.interactions, targets.interactions)
        users = np.concatenate([part.users for part in parts])
        times = np.concatenate([history.times, targets.times])
        order = np.lexsort((times, users))
        events = Interactions(
            parts[0].indptr + parts[1].indptr,
            np.concatenate([part.items for part in parts])[order],
            np.concatenate([part.channels for part in parts])[order],
            parts[0].n_items,
        )
        return cls(events, times[order], np.flatnonzero(order >= len(history)))

    @cached_property
    def users(self) -> NDArray[np.int64]:
        """(T,) the user of every event asked about, ascending."""
        return self.events.users[self.asked]

    @cached_property
    def items(self) -> NDArray[np.int32]:
        """(T,) the item of every event asked about."""
        return self.events.items[self.asked]

    def earlier(self) -> "Profiles":
        """For every event asked about the user's strictly earlier events; events of equal time share a profile."""
        users = self.events.users
        new = np.diff(users, prepend=-1).astype(bool) | np.diff(self.times, prepend=0).astype(bool)
        first = np.flatnonzero(new)  # where a time of a user begins
        ends, profile_of = np.unique(first[np.cumsum(new)[self.asked] - 1], return_inverse=True)
        owners = users[ends]
        return Profiles(self, owners, self.events.indptr[owners], ends, np.full(len(ends), -1), profile_of)

    def others(self) -> "Profiles":
        """For every event asked about all events of the user with other items, whenever they happened."""
        n_items = self.events.n_items
        pairs, profile_of = np.unique(self.users * n_items + self.items, return_inverse=True)
        owners, items = np.divmod(pairs, n_items)
        indptr = self.events.indptr
        return Profiles(self, owners, indptr[owners], indptr[owners + 1], items, profile_of)


@dataclass(frozen=True)
class ProfileBatch:
    """B profiles and the Q questions to them.

    Attributes:
        users: (B,) whose profiles they are; a user may occur several times.
        histories: what they hold, row for row.
        asked: (Q,) which of the events asked about, as places in `Line.asked`.
        rows: (Q,) the row of the batch that answers.
    """

    users: NDArray[np.int64]
    histories: Interactions
    asked: NDArray[np.int64]
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Profiles:
    """R profiles, each a slice of a line without one item, for T events asked about. Nothing is copied before its turn.

    Attributes:
        line: the events.
        users: (R,) whose.
        starts: (R,) where the slice starts.
        ends: (R,) where it ends.
        without: (R,) the item that is left out; -1 for none.
        profile_of: (T,) the profile of every event asked about.
    """

    line: Line
    users: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    without: NDArray[np.int64]
    profile_of: NDArray[np.int64]

    def batches(self, memory_mb: int) -> Iterator[ProfileBatch]:
        """Every profile once; as many together as `memory_mb` holds, at least one."""
        costs = np.cumsum(PER_ITEM * self.line.events.n_items + PER_EVENT * (self.ends - self.starts))
        order = np.argsort(self.profile_of, kind="stable")
        questions = np.searchsorted(self.profile_of[order], np.arange(len(costs) + 1))
        start = 0
        while start < len(costs):
            before = costs[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(costs, before + memory_mb * 2**20, side="right")))
            asked = order[questions[start] : questions[stop]]
            yield ProfileBatch(self.users[start:stop], self._gather(start, stop), asked, self.profile_of[asked] - start)
            start = stop

    def _gather(self, start: int, stop: int) -> Interactions:
        starts, counts = self.starts[start:stop], self.ends[start:stop] - self.starts[start:stop]
        indptr = np.concatenate([[0], np.cumsum(counts)])
        places = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], counts)
        events = self.line.events
        found = Interactions(indptr, events.items[places], events.channels[places], events.n_items)
        if (self.without[start:stop] < 0).all():
            return found
        return found.keep(found.items != np.repeat(self.without[start:stop], counts))
