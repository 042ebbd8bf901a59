"""Interactions as tensors: the input of the network, sparse and sorted by user."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conv4rec.data.interactions import Interactions
from conv4rec.model.bags import Cells, ends_of
from conv4rec.model.by_item import ByItem


@dataclass(frozen=True, eq=False)
class Batch:
    """Interactions of B users as tensors, sorted by row; a network is faster where a row is sorted by channel.

    Attributes:
        rows: (N,) 0 to B - 1.
        items: (N,).
        channels: (N,).
        n_rows: B.
    """

    rows: Tensor
    items: Tensor
    channels: Tensor
    n_rows: int
    _by_item: ByItem | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, interactions: Interactions, device: torch.device) -> "Batch":
        def tensor(values: object) -> Tensor:
            return torch.tensor(values, dtype=torch.int64, device=device)

        rows, items, channels = map(tensor, (interactions.users, interactions.items, interactions.channels))
        batch = cls(rows, items, channels, interactions.n_users)
        batch.__dict__["ends"] = tensor(interactions.indptr)  # as the cached property keeps it
        return batch

    def keep(self, mask: Tensor) -> "Batch":
        """The interactions where `mask` (N,) is true; the users stay."""
        where = _places(mask)
        rows, items, channels = (column.index_select(0, where) for column in self.columns)
        return Batch(rows, items, channels, self.n_rows)

    def part(self, mask: Tensor, n_true: int) -> "tuple[Batch, Batch]":
        """The interactions where `mask` (N,) is false, and those where it is true, of which there are so many."""
        if mask.device.type != "cpu":
            return self.keep(~mask), self.keep(mask)
        from conv4rec.compiled import histories

        columns = tuple(column.numpy() for column in self.columns)
        (kept, kept_parts), (hidden, hidden_parts) = map(self._room, (len(mask) - n_true, n_true))
        histories.parted(mask.numpy(), columns, self.n_rows, kept_parts, hidden_parts)
        return kept, hidden

    def _room(self, n: int) -> "tuple[Batch, tuple[NDArray[np.int64], NDArray[np.int64]]]":
        """For n interactions of these users, and its columns and ends as arrays, to be filled."""
        columns, ends = torch.empty(3, n, dtype=torch.int64), torch.empty(self.n_rows + 1, dtype=torch.int64)
        rows, items, channels = columns
        batch = Batch(rows, items, channels, self.n_rows)
        batch.__dict__["ends"] = ends  # as the cached property keeps it
        return batch, (columns.numpy(), ends.numpy())

    def only(self, users: Tensor) -> "Batch":
        """The users where `users` (B,) is true, renumbered 0, 1, ... in their order."""
        places = torch.cumsum(users, 0) - 1  # (B,)
        kept = self.keep(users[self.rows])
        return replace(kept, rows=places[kept.rows], n_rows=int(users.sum()))

    @property
    def columns(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.rows, self.items, self.channels

    @cached_property
    def counts(self) -> Tensor:
        """(B,) the number of interactions of every user."""
        return self.ends.diff()

    @cached_property
    def cells(self) -> Cells:
        """Interactions by user and channel, as sums over the rows of a table need them."""
        return Cells(self.items, self.rows, self.channels, self.n_rows)

    @cached_property
    def ends(self) -> Tensor:
        """(B + 1,) where each user begins, and where the last one ends."""
        return ends_of(self.rows, self.n_rows)

    def by_item(self, n_items: int) -> ByItem:
        """Interactions by item, as a step on the CPU needs them; found once."""
        if self._by_item is None or len(self._by_item.starts) != n_items + 1:
            found = ByItem.of(self.rows, self.items, self.channels, self.n_rows, n_items)
            object.__setattr__(self, "_by_item", found)
            return found
        return self._by_item

    def channel_counts(self, n_channels: int) -> Tensor:
        """(B, n_channels) the number of interactions of every user in every channel."""
        cells = self.rows * n_channels + self.channels
        return torch.bincount(cells, minlength=self.n_rows * n_channels).view(self.n_rows, n_channels)


@dataclass(frozen=True)
class Resident:
    """The training interactions on the device, gathered by user without a trip to the host."""

    indptr: Tensor
    items: Tensor
    channels: Tensor
    fingerprint: str

    @classmethod
    def of(cls, interactions: Interactions, device: torch.device) -> "Resident":
        def resident(values: NDArray[Any]) -> Tensor:
            return torch.tensor(values, device=device)

        x = interactions.by_channel
        return cls(resident(x.indptr), resident(x.items), resident(x.channels), interactions.fingerprint())

    @property
    def n_users(self) -> int:
        return len(self.indptr) - 1

    def batch(self, users: Tensor) -> Batch:
        starts = self.indptr[users]
        counts = self.indptr[users + 1] - starts  # (B,)
        ends = torch.cumsum(counts, 0)
        rows = torch.repeat_interleave(torch.arange(len(users), device=users.device), counts)  # (N,)
        places = torch.arange(len(rows), device=users.device) + (starts - ends + counts)[rows]
        return Batch(rows, self.items[places].long(), self.channels[places].long(), len(users))


def count(mask: Tensor) -> int:
    """How many of (N,) are true; on the CPU NumPy is faster at it."""
    return int(np.count_nonzero(mask.numpy()) if mask.device.type == "cpu" else mask.sum())


def _places(mask: Tensor) -> Tensor:
    """Where (N,) is true; on the CPU NumPy is faster at it."""
    return torch.from_numpy(np.flatnonzero(mask.numpy())) if mask.device.type == "cpu" else mask.nonzero()[:, 0]
