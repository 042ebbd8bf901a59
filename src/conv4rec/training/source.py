"""Where the batches of a run come from: a seam between training and the place the interactions lie in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from conv4rec.data.interactions import Interactions
from conv4rec.model.batch import Batch, Resident, count
from conv4rec.training.world import World

Order = Callable[[int], Tensor]
"""Gives the order in which n users are taken, (n,), drawn from torch's generator."""


class Share(NamedTuple):
    """What one process has of a batch, and how much of the batch the others have before and after it."""

    batch: Batch
    n_users: int  # of the whole batch
    rows_before: int = 0
    rows_after: int = 0
    before: int = 0
    after: int = 0

    def hide(self, part: float) -> tuple[Tensor, int]:
        """(N,) whether each of our interactions is hidden, and how many are in the whole batch.

        Drawn for the whole batch, so that it does not matter who has which users.
        """
        n = len(self.batch.rows)
        hidden = chances(self.before + n + self.after, part, self.batch.rows.device)
        return hidden[self.before : self.before + n], count(hidden)

    def dropout(self, width: int, part: float) -> Tensor:
        """(B, width) factors of our users' bottlenecks: 0 in the given part, and more than 1 elsewhere."""
        n = self.batch.n_rows
        n_rows = self.rows_before + n + self.rows_after
        kept = chances(n_rows * width, 1 - part, self.batch.rows.device).view(n_rows, width)
        return kept[self.rows_before : self.rows_before + n] * (1 / (1 - part))


def chances(n: int, part: float, device: torch.device) -> Tensor:
    """(n,) true with the probability `part`, to 16 bits: four are made of one draw, the longest part of it."""
    draws = torch.empty((n + 3) // 4, dtype=torch.int64, device=device).random_(-(1 << 63), None)
    draws, least = draws.view(torch.int16)[:n], -(1 << 15)
    most = least + round(part * (1 << 16)) - 1  # compared as it is, not as a wider number
    return draws <= most if most >= least else torch.zeros_like(draws, dtype=torch.bool)


class Source(Protocol):
    """Interactions, grouped by user, wherever they lie."""

    @property
    def fingerprint(self) -> str:
        """Two sources with the same one hold the same interactions."""
        ...

    @property
    def n_users(self) -> int: ...

    @property
    def n_interactions(self) -> int: ...

    def shares(self, size: int, world: World) -> Iterator[Share]:
        """Every user once, `size` at a time, in an order drawn from torch's generator; ours of each batch."""
        ...


@dataclass(frozen=True)
class InMemory:
    """Interactions that lie on the device; by default every order of the users is as likely."""

    data: Resident
    order: Order = torch.randperm

    @classmethod
    def of(cls, interactions: Interactions, device: torch.device) -> "InMemory":
        return cls(Resident.of(interactions, device))

    @property
    def fingerprint(self) -> str:
        return self.data.fingerprint

    @property
    def n_users(self) -> int:
        return self.data.n_users

    @property
    def n_interactions(self) -> int:
        return len(self.data.items)

    def shares(self, size: int, world: World) -> Iterator[Share]:
        order = self.order(self.n_users).to(self.data.indptr.device)
        for users in order.split(size):  # type: ignore[no-untyped-call]
            own = world.part(len(users))
            share = Share(self.data.batch(users[own]), len(users))
            yield share if world.size == 1 else self._beside(share, users, own)

    def _beside(self, share: Share, users: Tensor, own: slice) -> Share:
        counts = self.data.indptr[users + 1] - self.data.indptr[users]
        before, after = int(counts[: own.start].sum()), int(counts[own.stop :].sum())
        return share._replace(rows_before=own.start, rows_after=len(users) - own.stop, before=before, after=after)
