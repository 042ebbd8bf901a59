"""Logits of the law of consumption by item, a block of items at a time: what lists are made from."""

from dataclasses import dataclass
from math import log

import numpy as np
import torch
from torch import Tensor

from conv4rec.model.batch import Batch
from conv4rec.model.by_item import even_cuts
from conv4rec.model.experts import ConsumptionScalars, Known, KnownOfMany
from conv4rec.model.network import Network
from conv4rec.model.products import product

LOG_2 = log(2.0)


@dataclass(frozen=True)
class Logits:
    """Logits of B users, up to a constant a user, in units in which little is left to multiply.

    Attributes:
        z: (B, D) of the users, in these units.
        decoder: (I, D).
        bias: (I, 1), in these units.
        repeat: what an item has more for being in the history, in these units.
        history: the interactions.
        known: what adds log2(floor + max(0, x W)) and the bias to a block; None without experts.
        unit: log 2 times the exponent of that, g: what a logit of one is worth, nats.
        many: whether this is one of many batches, for which what is compiled is there.
    """

    z: Tensor
    decoder: Tensor
    bias: Tensor
    repeat: Tensor
    history: Batch
    known: Known | KnownOfMany | None
    unit: float
    many: bool

    @classmethod
    def of(cls, network: Network, history: Batch, z: Tensor, *, many: bool = False) -> "Logits":
        """Of users with these histories, whom the path encodes to (B, D); one of many batches, or not."""
        path, experts = network.consumption, network.consumption_experts
        if experts is None:
            return cls(z, path.decoder, path.bias[:, None], path.repeat, history, None, 1.0, many)
        scalars = ConsumptionScalars(*experts.scalars)
        unit = LOG_2 * float(scalars.log_neighbours.exp())
        weight = float(scalars.log_network.exp()) / unit
        repeat, known = path.repeat * weight + scalars.repeat / unit, experts.begin_many if many else experts.begin
        return cls(z * weight, path.decoder, path.bias[:, None] * weight, repeat, history, known(history), unit, many)

    def block(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """(b, B) of the items from `start` to `stop`, and the cells of the history among them, flattened."""
        logits = product(self.decoder[start:stop], self.z.T)
        if self.known is None:
            logits.add_(self.bias[start:stop])
        else:
            self.known.join(logits, self.bias[start:stop], start)
        at = cells(self.history, start, logits)
        flat = logits.view(-1)
        if self.many:
            from conv4rec.compiled import lists

            lists.raised(flat.numpy(), at.numpy(), self.repeat.numpy()[()], np.empty(len(at), np.float32))
        else:
            flat.put_(
                at, flat.index_select(0, at) + self.repeat
            )  # a pair that is there twice is written twice, the same
        return logits, at


def log_sums(block: Tensor, unit: float, *, many: bool) -> Tensor:
    """(B,) log-sum-exp of a (b, B) block of logits in a unit, in nats; of one of many batches by what is compiled."""
    bits = unit / LOG_2
    if not many:
        highest = block.amax(0)
        powers = torch.add(highest * -bits, block, alpha=bits).exp2_()  # several times as fast as exp
        return powers.sum(0).log_().add_(highest, alpha=unit)
    from conv4rec.compiled import lists

    parts, B = torch.get_num_threads(), block.shape[1]
    top, total = torch.empty(parts, B), torch.empty(parts, B)
    lists.columns_added(parts, B, even_cuts(len(block), parts), block, torch.tensor([bits]), top, total)
    return total[0] if parts == 1 else torch.logsumexp(total, 0)


def cells(pairs: Batch, start: int, block: Tensor) -> Tensor:
    """Where the pairs whose items are in the (b, B) block from `start` on lie in it, flattened."""
    places, n_rows = pairs.items - start, block.shape[1]
    at = places * n_rows + pairs.rows
    if start == 0 and len(block) > int(pairs.items.max() if len(at) else 0):
        return at
    return at[(places >= 0) & (places < len(block))]
