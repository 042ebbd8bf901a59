"""The best items of large catalogues: logits for a block of items at a time, and the best so far.

Memory is 12 bytes x users x (items in a block), and does not depend on the catalogue but for one item a user in the
history. After the first block an item matters only if it is above the worst of a full list, which few are.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conv4rec.data.interactions import Interactions
from conv4rec.metrics.ranking import top_k
from conv4rec.model.batch import Batch
from conv4rec.model.network import Network
from conv4rec.model.softmax import Output, Pairs, block_of_logits


class Best(NamedTuple):
    """The K best items of B users, best first; -1 and -inf where a list runs out."""

    items: NDArray[np.int32]  # (B, K)
    log_p: NDArray[np.float32]  # (B, K) log p_consume


@torch.inference_mode()
def best_items(
    network: Network,
    histories: Interactions,
    k: int,
    *,
    block: int,
    without: Interactions | None = None,
    allowed: NDArray[np.bool_] | None = None,
) -> Best:
    """The K = min(k, I) items of highest p_consume of every row of `histories`.

    Args:
        network: fitted.
        histories: (B, I) what the users have taken.
        k: length of the lists, 1 or more.
        block: items whose logits are made at a time; lists do not depend on it.
        without: (B, I) what must not be listed.
        allowed: (I,) the items that may be listed; None for all.
    """
    network.eval()
    batch = Batch.of(histories, network.consumption.decoder.device)
    running, total = _Running.empty(batch.n_rows, min(k, histories.n_items)), None
    for start, logits in _blocks(network, batch, block):
        normaliser = torch.logsumexp(logits, dim=1)  # (B,)
        total = normaliser if total is None else torch.logaddexp(total, normaliser)
        scores = logits.cpu().numpy()
        _leave_out(scores, start, without, allowed)
        running = running.joined(scores, start)
    assert total is not None  # noqa: S101 - there is at least one item
    return Best(running.items, running.scores - total.cpu().numpy()[:, None])


def _blocks(network: Network, batch: Batch, block: int) -> Iterator[tuple[int, Tensor]]:
    """Where each block begins and its (B, b) logits."""
    path, experts = network.consumption, network.consumption_experts
    output, seen = Output(path.encode(batch), path.decoder, path.bias, path.repeat), Pairs(batch.rows, batch.items)
    n_items = len(path.bias)
    joined = None if experts is None else experts.begin(batch)
    for start in range(0, n_items, block):
        stop = min(start + block, n_items)
        logits = block_of_logits(output, seen, start, stop)
        yield start, logits if joined is None else joined(logits, start, stop)


def _leave_out(
    scores: NDArray[np.float32], start: int, without: Interactions | None, allowed: NDArray[np.bool_] | None
) -> None:
    stop = start + scores.shape[1]
    if allowed is not None:
        scores[:, ~allowed[start:stop]] = -np.inf
    if without is not None:
        inside = (without.items >= start) & (without.items < stop)
        scores[without.users[inside], without.items[inside] - start] = -np.inf


class _Running(NamedTuple):
    """The best so far; ties go to the item that came first."""

    items: NDArray[np.int32]  # (B, K)
    scores: NDArray[np.float32]  # (B, K) descending

    @classmethod
    def empty(cls, n_rows: int, k: int) -> "_Running":
        return cls(np.full((n_rows, k), -1, np.int32), np.full((n_rows, k), -np.inf, np.float32))

    def joined(self, scores: NDArray[np.float32], start: int) -> "_Running":
        """With the (B, b) scores of the items from `start` on."""
        k = self.items.shape[1]
        rows, places = np.nonzero(scores > self.scores[:, -1:])
        counts = np.bincount(rows, minlength=len(scores))
        width = int(counts.max(initial=0))
        if width == 0:
            return self
        column = k + np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        items = np.concatenate([self.items, np.full((len(scores), width), -1, np.int32)], axis=1)
        found = np.concatenate([self.scores, np.full((len(scores), width), -np.inf, np.float32)], axis=1)
        items[rows, column], found[rows, column] = places + start, scores[rows, places]
        best = top_k(found, k)  # -1 where a list runs out
        return _Running(
            np.where(best < 0, -1, np.take_along_axis(items, best, axis=1)).astype(np.int32),
            np.where(best < 0, -np.inf, np.take_along_axis(found, best, axis=1)).astype(np.float32),
        )
