"""Which items' rows of the tables a process holds: all of them, or its part, where several share the tables.

Processes that share the tables run the program of one, on the same batch and with the same random numbers. What touches
the row of an item is done by the process that holds it, and sums over items are added up over the processes. So
activations of a batch travel between them, and never a table or its gradient; what is not of an item is the same in all
of them, and so are its gradients. Source: ours, after Shoeybi et al. 2019 (arXiv 1909.08053), who share layers so; the
placements, the collectives and their derivatives are those of torch.distributed.tensor.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Partial, Replicate

from conv4rec.model.batch import Batch

ITEM_TABLES = (
    "consumption.encoder.table",
    "consumption.decoder",
    "consumption.bias",
    "rating.encoder.table",
    "rating.decoder",
    "rating.bias",
)
"""Parameters of a network that have a row an item."""


class Held(Protocol):
    """What the network asks of those who hold the rows of the items."""

    def n_items(self, n_held: int) -> int:
        """The items of the catalogue, where the tables here have `n_held` rows."""
        ...

    def where(self, items: Tensor) -> slice | Tensor:
        """An index to those of (N,) items that are held here."""
        ...

    def shift(self, items: Tensor) -> Tensor:
        """Rows of items in the tables here; for those that are not held here a number that is no row."""
        ...

    def enter(self, value: Tensor) -> Tensor:
        """What is alike in all processes, on its way into what each makes of its items: gradients are added up."""
        ...

    def add_up(self, value: Tensor) -> Tensor:
        """The sum over all processes of what each made of its items, alike in all of them."""
        ...

    def log_add_up(self, value: Tensor) -> Tensor:
        """The logarithm of the sum of exponentials over all processes; -inf where a process has no item."""
        ...

    def put(self, values: Tensor, items: Tensor) -> Tensor:
        """(N, ...) what all processes made of N items, each of those at `where(items)`."""
        ...

    def join(self, block: Tensor) -> Tensor:
        """(B, I, ...) of all items from the (B, I held, ...) of each process."""
        ...


@dataclass(frozen=True)
class AllItems:
    """One process, or each of several, has all rows."""

    def n_items(self, n_held: int) -> int:
        return n_held

    def where(self, items: Tensor) -> slice | Tensor:  # noqa: ARG002
        return slice(None)

    def shift(self, items: Tensor) -> Tensor:
        return items

    def enter(self, value: Tensor) -> Tensor:
        return value

    def add_up(self, value: Tensor) -> Tensor:
        return value

    def log_add_up(self, value: Tensor) -> Tensor:
        return value

    def put(self, values: Tensor, items: Tensor) -> Tensor:  # noqa: ARG002
        return values

    def join(self, block: Tensor) -> Tensor:
        return block


@dataclass(frozen=True)
class OwnItems:
    """This process has the rows from `start` to `stop`, at least one, of `total`; others of the mesh have the rest."""

    start: int
    stop: int
    total: int
    mesh: DeviceMesh

    def n_items(self, n_held: int) -> int:  # noqa: ARG002
        return self.total

    def where(self, items: Tensor) -> slice | Tensor:
        return ((items >= self.start) & (items < self.stop)).nonzero()[:, 0]

    def shift(self, items: Tensor) -> Tensor:
        return items - self.start

    def enter(self, value: Tensor) -> Tensor:
        alike = DTensor.from_local(value, self.mesh, [Replicate()])
        return alike.to_local(grad_placements=[Partial()])

    def add_up(self, value: Tensor) -> Tensor:
        return self._reduced(value, "sum")

    def log_add_up(self, value: Tensor) -> Tensor:
        top = self._reduced(value.detach(), "max")
        return top + self.add_up(torch.exp(value - top)).log()

    def put(self, values: Tensor, items: Tensor) -> Tensor:
        ours = values.new_zeros(len(items), *values.shape[1:])
        return self.add_up(ours.index_copy(0, self.where(items), values))  # type: ignore[arg-type]

    def join(self, block: Tensor) -> Tensor:
        whole = block.new_zeros(len(block), self.total, *block.shape[2:])
        whole[:, self.start : self.stop] = block
        return self.add_up(whole)

    def _reduced(self, value: Tensor, how: str) -> Tensor:
        whole: Tensor = DTensor.from_local(value, self.mesh, [Partial(how)]).full_tensor()
        return whole


ALL = AllItems()


def own(held: Held, batch: Batch) -> Batch:
    """The interactions of a batch with items held here, which are the rows of these; the users stay."""
    where = held.where(batch.items)
    return Batch(batch.rows[where], held.shift(batch.items[where]), batch.channels[where], batch.n_rows)
