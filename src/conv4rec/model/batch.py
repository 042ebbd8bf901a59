"""Interactions as tensors: the input of the network, sparse and sorted by user."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from conv4rec.data.interactions import Interactions
from conv4rec.model.bags import Cells, ends_of


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

    @classmethod
    def of(cls, interactions: Interactions, device: torch.device) -> "Batch":
        def tensor(values: object) -> Tensor:
            return torch.tensor(values, dtype=torch.int64, device=device)

        rows, items, channels = map(tensor, (interactions.users, interactions.items, interactions.channels))
        return cls(rows, items, channels, interactions.n_users)

    def keep(self, mask: Tensor) -> "Batch":
        """The interactions where `mask` (N,) is true; the users stay."""
        where = _places(mask)
        rows, items, channels = (column.index_select(0, where) for column in self.columns)
        return Batch(rows, items, channels, self.n_rows)

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
        return ends_of(self.rows, self.n_rows).diff()

    @cached_property
    def cells(self) -> Cells:
        """Interactions by user and channel, as sums over the rows of a table need them."""
        return Cells(self.items, self.rows, self.channels, self.n_rows)

    def channel_counts(self, n_channels: int) -> Tensor:
        """(B, n_channels) the number of interactions of every user in every channel."""
        counts = self.cells.counts
        return functional.pad(counts, (0, n_channels - counts.shape[1]))


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
