"""A part of the items, where several processes share the tables because whole ones do not fit.

Processes that share the tables run the program of one, on the same batch and with the same random numbers. What touches
the row of an item is done by the process that holds it, and sums over items are added up over the processes. So
activations of a batch travel between them, and never a table or its gradient; what is not of an item is the same in all
of them, and so are its gradients. Source: ours, after Shoeybi et al. 2019 (arXiv 1909.08053), who share layers so; the
placements, the collectives and their derivatives are those of torch.distributed.tensor.

Not imported by one process alone: torch's distributed tensors take a second or more to load.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Partial, Replicate

from conv4rec.model.batch import Batch


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

    def own(self, batch: Batch) -> Batch:
        where = self.where(batch.items)
        return Batch(batch.rows[where], self.shift(batch.items[where]), batch.channels[where], batch.n_rows)

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
