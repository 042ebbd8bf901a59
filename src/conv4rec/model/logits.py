"""Logits of the law of consumption by item, a block of items at a time: what lists are made from."""

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from conv4rec.data.interactions import Interactions
from conv4rec.model.batch import Batch
from conv4rec.model.experts import ConsumptionScalars
from conv4rec.model.network import ConsumptionPath, Network
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
        known: log2(floor + max(0, x W)), (b, B) for the items of a block; None without experts.
        unit: log 2 times the exponent of that, g: what a logit of one is worth, nats.
    """

    z: Tensor
    decoder: Tensor
    bias: Tensor
    repeat: Tensor
    history: Batch
    known: Callable[[int, int], Tensor] | None
    unit: float

    @classmethod
    def of(cls, network: Network, history: Batch, z: Tensor, *, sums: bool = True) -> "Logits":
        """Of users with these histories, whom the path of consumption encodes to (B, D); `known` only with `sums`."""
        path, experts = network.consumption, network.consumption_experts
        if experts is None:
            return cls(z, path.decoder, path.bias[:, None], path.repeat, history, None, 1.0)
        scalars = ConsumptionScalars(*experts.scalars)
        unit = LOG_2 * float(scalars.log_neighbours.exp())
        weight = float(scalars.log_network.exp()) / unit
        repeat, known = path.repeat * weight + scalars.repeat / unit, experts.begin(history) if sums else None
        return cls(z * weight, path.decoder, path.bias[:, None] * weight, repeat, history, known, unit)

    @property
    def bits(self) -> float:
        """What a logit of one is worth, in bits."""
        return self.unit / LOG_2

    def by_user(self) -> Tensor:
        """(B, I) of all items, without what is known of the history."""
        return product(self.z, self.decoder.T, self.bias[:, 0])

    def block(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """(b, B) of the items from `start` to `stop`, and the cells of the history among them, flattened."""
        logits = product(self.decoder[start:stop], self.z.T)
        logits.add_(self.bias[start:stop])
        if self.known is not None:
            logits.add_(self.known(start, stop))
        at = cells(self.history, start, logits)
        flat = logits.view(-1)
        flat.put_(at, flat.index_select(0, at) + self.repeat)  # a pair that is there twice is written twice, the same
        return logits, at


def encode(path: ConsumptionPath, histories: Interactions) -> Tensor:
    """(B, D) as the path encodes them, without gradient.

    With more interactions than pairs of a type and an item, the table of each type is mixed first: one row gathered an
    interaction in place of C.
    """
    K, (n_items, _, _), device = len(path.convolution), path.encoder.table.shape, path.decoder.device
    if len(histories) < K * n_items:
        return path.encode(Batch.of(histories, device))
    mixed = torch.einsum("kc,icd->kid", path.convolution, path.encoder.table).flatten(0, 1)  # (K I, D)
    rows = histories.channels.astype(np.int32) * n_items + histories.items
    where, starts, counts = (
        torch.from_numpy(each).to(device) for each in (rows, histories.indptr[:-1].astype(np.int32), histories.counts)
    )
    total = functional.embedding_bag(where, mixed, starts, mode="sum")  # (B, D)
    z: Tensor = path.encoder(total, counts)
    return z


def cells(pairs: Batch, start: int, block: Tensor) -> Tensor:
    """Where the pairs whose items are in the (b, B) block from `start` on lie in it, flattened."""
    places, n_rows = pairs.items - start, block.shape[1]
    at = places * n_rows + pairs.rows
    if start == 0 and len(block) > int(pairs.items.max() if len(at) else 0):
        return at
    return at[(places >= 0) & (places < len(block))]
