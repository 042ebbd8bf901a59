"""The best items by p_consume of many users on the CPU: a row of logits is gone through while it is in the cache.

What the neighbours of a history say is added up from the items of the history, each of which adds to the items whose
neighbour it is: for histories of a hundred items in a catalogue of thousands a twentieth of the sums of `taken.py`,
which are faster for large histories and other catalogues. Source: ours, measured in docs/performance.md.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conv4rec.data.interactions import Interactions
from conv4rec.errors import TrainingError
from conv4rec.model.batch import Batch
from conv4rec.model.experts import ConsumptionScalars, Explained
from conv4rec.model.logits import Logits
from conv4rec.model.network import Network
from conv4rec.predictions import Best

LEAST_USERS = 64
"""Fewer users are not worth the second that it takes to load what is compiled."""
MOST_ITEMS = 1 << 16
"""A row of more is not in the cache."""
LEAST_LANES = 64
"""Parts of a row, or twice as many as a list is long, whose largest logits tell what the list will not go below."""


def suits(network: Network, n_users: int) -> bool:
    """Whether lists of so many users are sooner made this way."""
    decoder = network.consumption.decoder
    on_cpu = decoder.device.type == "cpu" and decoder.dtype == torch.float32
    return on_cpu and n_users >= LEAST_USERS and len(decoder) <= MOST_ITEMS


class Reversed(NamedTuple):
    """Of every item, whose neighbour it is."""

    starts: Tensor  # (I + 1,)
    says: Tensor  # (I M,) the item in the high 32 bits, in the others those of what is added to it

    @classmethod
    def of(cls, explained: Explained | None, n_items: int) -> "Reversed":
        """The first view; of None, nothing."""
        if explained is None:
            return cls(torch.zeros(n_items + 1, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
        items, weights = (each.numpy() for each in explained.of_view(0))
        order = np.argsort(items.astype(np.uint16), axis=None, kind="stable")  # counted, not compared
        starts = np.concatenate([[0], np.bincount(items.ravel(), minlength=n_items).cumsum()])
        says = (order // items.shape[1]) << 32 | weights.view(np.uint32).ravel()[order]
        return cls(torch.from_numpy(starts), torch.from_numpy(says))


class ByUser(NamedTuple):
    """The search for the K best of those that may be listed."""

    network: Network
    k: int
    reversed: Reversed
    allowed: Tensor  # (I,) 1 or 0, or (0,) for all

    @classmethod
    def of(cls, network: Network, k: int, allowed: NDArray[np.bool_] | None) -> "ByUser":
        experts, n_items = network.consumption_experts, len(network.consumption.bias)
        reversed_ = Reversed.of(None if experts is None else experts.explained, n_items)
        listable = torch.zeros(0) if allowed is None else torch.from_numpy(allowed.astype(np.float32))
        return cls(network, k, reversed_, listable)

    @torch.inference_mode()
    def best(self, histories: Interactions, z: Tensor, without: Interactions | None) -> Best:
        """Of users with these histories, encoded to (B, D)."""
        from conv4rec.compiled import loops

        history = Batch.of(histories, z.device)
        left = history if without is histories else None if without is None else Batch.of(without, z.device)
        made, (B, I) = Logits.of(self.network, history, z, sums=False), (len(z), len(self.network.consumption.bias))
        logits, parts = made.by_user(), min(B, 4 * torch.get_num_threads())
        cuts, none = torch.arange(parts + 1) * B // parts, torch.zeros(0, dtype=torch.int64)
        experts, floor = self.network.consumption_experts, torch.zeros(0)
        if experts is not None:
            floor = ConsumptionScalars(*experts.scalars).floor(history.counts)
        known = torch.empty(parts, I if len(floor) else 0)
        seen = history.ends, history.items, torch.as_tensor(made.repeat), torch.zeros(parts, I, dtype=torch.int64)
        left_out = (torch.zeros(B + 1, dtype=torch.int64), none) if left is None else (left.ends, left.items)
        keys, total, bits = torch.empty(B, self.k, dtype=torch.int64), torch.empty(B), torch.tensor([made.bits])
        lanes = max(LEAST_LANES, 2 * self.k)
        highest, where = torch.empty(parts, lanes), torch.empty(parts, lanes, dtype=torch.int64)
        given = cuts, logits, bits, *seen, *self.reversed, floor, known, *left_out, self.allowed
        loops.best(parts, I, self.k, *given, keys, total, highest, where)
        return _read(keys.numpy(), total.numpy(), made.unit)


def _read(keys: NDArray[np.int64], total: NDArray[np.float32], unit: float) -> Best:
    """From keys of `loops.best` and the (B,) logarithms of the sums."""
    if np.isnan(total).any():
        raise TrainingError(f"row {int(np.isnan(total).argmax())}: a score is NaN, expected numbers to rank")
    high = (keys >> 32).astype(np.int32)
    scores = (high ^ ((high >> 31) & np.int32(0x7FFFFFFF))).view(np.float32)
    items = (np.int64((1 << 32) - 1) - (keys & np.int64((1 << 32) - 1))).astype(np.int32)
    items[scores == -np.inf] = -1
    return Best(items, scores * np.float32(unit) - total[:, None])
