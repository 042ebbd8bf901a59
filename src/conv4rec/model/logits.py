"""Logits of the law of consumption by item, a block of items at a time: what lists are made from."""

from collections.abc import Callable
from dataclasses import dataclass
from math import log

from torch import Tensor

from conv4rec.model.batch import Batch
from conv4rec.model.experts import ConsumptionScalars
from conv4rec.model.network import Network
from conv4rec.model.products import product

LOG_2 = log(2.0)


@dataclass(frozen=True)
class Logits:
    """Logits of B users, up to a constant a user, in units of log 2: a base for which both directions are fast.

    Attributes:
        z: (B, D) of the users, in these units.
        decoder: (I, D).
        bias: (I, 1), in these units.
        repeat: what an item has more for being in the history, in these units.
        history: the interactions.
        known: g log2(floor + max(0, x W)), (b, B) for the items of a block; None without experts.
    """

    z: Tensor
    decoder: Tensor
    bias: Tensor
    repeat: Tensor
    history: Batch
    known: Callable[[int, int], Tensor] | None

    @classmethod
    def of(cls, network: Network, history: Batch, z: Tensor) -> "Logits":
        """Of users with these histories, whom the path of consumption encodes to (B, D)."""
        path, experts = network.consumption, network.consumption_experts
        if experts is None:
            bias, repeat = path.bias[:, None] / LOG_2, path.repeat / LOG_2
            return cls(z / LOG_2, path.decoder, bias, repeat, history, None)
        scalars = ConsumptionScalars(*experts.scalars)
        weight = scalars.log_network.exp() / LOG_2
        repeat = path.repeat * weight + scalars.repeat / LOG_2
        return cls(z * weight, path.decoder, path.bias[:, None] * weight, repeat, history, experts.begin(history))

    def block(self, start: int, stop: int) -> Tensor:
        """(b, B) of the items from `start` to `stop`."""
        logits = product(self.decoder[start:stop], self.z.T)
        logits.add_(self.bias[start:stop])
        if self.known is not None:
            logits.add_(self.known(start, stop))
        at = cells(self.history, start, logits)
        flat = logits.view(-1)
        flat.put_(at, flat.index_select(0, at) + self.repeat)  # a pair that is there twice is written twice, the same
        return logits


def cells(pairs: Batch, start: int, block: Tensor) -> Tensor:
    """Where the pairs whose items are in the (b, B) block from `start` on lie in it, flattened."""
    places, n_rows = pairs.items - start, block.shape[1]
    at = places * n_rows + pairs.rows
    if start == 0 and len(block) > int(pairs.items.max() if len(at) else 0):
        return at
    return at[(places >= 0) & (places < len(block))]
