"""The processes that train one model together: one, alone, or several that torch.distributed joins."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class World:
    """`size` processes that take the same steps, each with its part of every batch; this one is number `rank`.

    Every process draws the random numbers of the whole batch and uses its own, so that their generators stay in step
    and the model is that of one process, but for the order in which gradients are summed.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> "World":
        """The process group of torch.distributed where there is one, else this process alone."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    def part(self, n: int) -> slice:
        """Which of n things are ours; the parts of all processes are n in all, and differ by one at most."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def add_up(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            distributed.all_reduce(tensor)
        return tensor

    def add_up_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sum the gradients over all processes; a parameter that has no part in the loss has none in any of them."""
        if self.size > 1:
            gradients = (parameter.grad for parameter in parameters)
            sums = [distributed.all_reduce(each, async_op=True) for each in gradients if each is not None]
            for each in sums:
                each.wait()

    def collect(self, ours: Tensor, n: int) -> Iterator[Tensor]:
        """On the first process the parts of n rows that all have, one after the other; the others give theirs away."""
        if self.rank:
            distributed.send(ours.contiguous(), 0)
            return
        yield ours
        for rank in range(1, self.size):
            part = World(rank, self.size).part(n)
            theirs = ours.new_empty(part.stop - part.start, *ours.shape[1:])
            distributed.recv(theirs, rank)
            yield theirs

    def agree(self, figures: dict[str, float]) -> dict[str, float]:
        """What the first process measured: on another machine the last bit may differ, and with it a decision."""
        if self.size == 1 or not figures:
            return figures
        device = "cuda" if "nccl" in distributed.get_backend() else "cpu"
        values = torch.tensor(list(figures.values()), dtype=torch.float64, device=device)
        distributed.broadcast(values, src=0)
        return dict(zip(figures, values.tolist(), strict=True))
