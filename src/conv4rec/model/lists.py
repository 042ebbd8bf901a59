"""The best items by p_consume: logits of some users for some items at a time, and the best so far.

What is held does not grow with the catalogue but for one number a user and item: who has taken it. A block that fits
the cache is gone through several times at the speed of the cache, and the batches of users go to as many threads as
torch has. After the first block an item matters only if it reaches the worst of a full list, which few do; in the first
block only if it reaches a score that about twice as many items as wanted reach, judging by a sample of them. Source:
ours, measured in docs/performance.md.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conv4rec.compiled import pays
from conv4rec.data.interactions import Interactions
from conv4rec.errors import TrainingError
from conv4rec.model.batch import Batch
from conv4rec.model.logits import Logits, cells, log_sums
from conv4rec.model.network import Network
from conv4rec.predictions import Best

Keys = NDArray[np.uint64]
Scores = NDArray[np.float32]

USERS = 256
"""Users of a batch."""
MANY = 64
"""Users whose lists are sooner made by what is compiled, once it is loaded."""
CACHED = 1 << 20
"""Logits of a block: 4 MiB."""
EVERY = 8
"""Of so many items one is in the sample."""
LOWEST = np.finfo(np.float32).min


class Size(NamedTuple):
    """Users and items whose logits are made at a time; lists do not depend on it."""

    users: int
    items: int

    @classmethod
    def within(cls, memory_mb: int, network: Network) -> "Size":
        """The size that fits the memory, in every thread.

        A user takes 16 bytes for every item of the block and, where there are neighbours, a byte for every item at all.
        """
        memory, n_items = memory_mb * 2**20 // 2 // torch.get_num_threads(), len(network.consumption.bias)
        users = USERS if network.consumption_experts is None else min(USERS, max(1, memory // n_items))
        return cls(users, max(1, min(n_items, CACHED // users, memory // (16 * users))))


def best_items(
    network: Network,
    histories: Interactions,
    k: int,
    size: Size,
    *,
    without: Interactions | None = None,
    allowed: NDArray[np.bool_] | None = None,
) -> Best:
    """The K = min(k, I) items of highest p_consume of every row of `histories`; ties go to the lower index.

    Args:
        network: fitted.
        histories: (B, I) what the users have taken.
        k: length of the lists, 1 or more.
        size: users and items at a time.
        without: (B, I) what must not be listed.
        allowed: (I,) the items that may be listed; None for all.

    Raises TrainingError for a score that is not a number.
    """
    network.eval()
    device = network.consumption.decoder.device
    with torch.inference_mode():
        z = network.consumption.encode(Batch.of(histories, device))  # (B, D)
    users = min(size.users, 1 << (32 - _bits(histories.n_items)))
    here = device.type == "cpu" and z.dtype == torch.float32 and histories.n_users >= MANY
    many = here and pays(histories.n_users * histories.n_items)
    search = _Search(network, min(k, histories.n_items), size.items, allowed, many)

    def listed(start: int) -> Best:
        rows = start, min(start + users, histories.n_users)
        history = Batch.of(histories.rows(*rows), device)
        if without is None or without is histories:
            return search.best(history, z[slice(*rows)], None if without is None else history)
        return search.best(history, z[slice(*rows)], Batch.of(without.rows(*rows), device))

    found = _in_threads(listed, range(0, histories.n_users, users))
    return Best(*map(np.concatenate, zip(*found, strict=True))) if found else _none(search.k)


@dataclass(frozen=True)
class _Search:
    """For the K best among the items that may be listed, in blocks of `block` items."""

    network: Network
    k: int
    block: int
    allowed: NDArray[np.bool_] | None
    many: bool

    @torch.inference_mode()
    def best(self, history: Batch, z: Tensor, without: Batch | None) -> Best:
        """Of users with these histories."""
        logits, n_items = Logits.of(self.network, history, z, many=self.many), len(self.network.consumption.bias)
        running, totals = _Running.empty(len(z), self.k, n_items, many=self.many), []
        for start in range(0, n_items, self.block):
            block, taken = logits.block(start, min(start + self.block, n_items))
            totals.append(log_sums(block, logits.unit, many=self.many))
            if without is not None:
                at = taken if without is history else cells(without, start, block)
                block.view(-1).index_fill_(0, at, -torch.inf)
            running = running.joined(self._listable(block, start), start)
        total = (totals[0] if len(totals) == 1 else torch.logsumexp(torch.stack(totals), dim=0)).cpu().numpy()  # (B,)
        if np.isnan(total).any():
            raise TrainingError(f"row {int(np.isnan(total).argmax())}: a score is NaN, expected numbers to rank")
        items, scores = running.best()
        return Best(items, scores * np.float32(logits.unit) - total[:, None])

    def _listable(self, block: Tensor, start: int) -> Scores:
        """The (b, B) block with -inf where no item may be listed."""
        scores: Scores = block.cpu().numpy()
        if self.allowed is not None:
            scores[~self.allowed[start : start + len(scores)]] = -np.inf
        return scores


@dataclass(frozen=True)
class _Running:
    """The best so far, as numbers whose order is that of user, falling score, item."""

    keys: Keys  # (B, K)
    bits: int  # of an item
    many: bool  # whether they are brought in order by what is compiled

    @classmethod
    def empty(cls, n_rows: int, k: int, n_items: int, *, many: bool) -> "_Running":
        bits, rows = _bits(n_items), np.arange(n_rows)
        nothing = _keys(rows, np.full(n_rows, -np.inf, np.float32), np.zeros_like(rows), bits)
        return cls(nothing[:, None].repeat(k, axis=1), bits, many)

    def best(self) -> tuple[NDArray[np.int32], Scores]:
        """(B, K) items and scores, descending; -1 and -inf where a list runs out."""
        items, scores = (self.keys & np.uint64((1 << self.bits) - 1)).astype(np.int32), self._scores(self.keys)
        items[scores == -np.inf] = -1
        return items, scores

    def joined(self, scores: Scores, start: int) -> "_Running":
        """With the (b, B) scores of the items from `start` on."""
        k = self.keys.shape[1]
        worst = np.maximum(self._scores(self.keys[:, -1]), LOWEST)  # (B,)
        least = _guess(scores, k) if start == 0 else worst
        keys, counts = self._reached(scores, least, start)
        few = (counts < k) & (least > worst)
        if few.any():
            keys, counts = self._reached(scores, np.where(few, worst, least), start)
        if start > 0 or (counts < k).any():
            keys, counts = np.concatenate([self.keys.reshape(-1), keys]), counts + k
        first = np.cumsum(counts) - counts
        return replace(self, keys=self._in_order(keys, first)[first[:, None] + np.arange(k)])

    def _reached(self, scores: Scores, least: Scores, start: int) -> tuple[Keys, NDArray[np.int64]]:
        """By item, the keys of the scores that reach (B,) those of their user; and (B,) how many of each do."""
        if not self.many:
            at, rows, counts = _reaching(scores, least)
            return _keys(rows, scores.reshape(-1)[at], at // len(counts) + start, self.bits), counts
        from conv4rec.compiled import lists

        keys, counts = np.empty(scores.size, np.uint64), np.zeros(scores.shape[1], np.int64)
        return keys[: lists.reached(scores, least, start, self.bits, keys, counts)], counts

    def _in_order(self, keys: Keys, first: NDArray[np.int64]) -> Keys:
        """The keys in order; of each user come first those that were the best so far, then other items, ascending."""
        if not self.many:
            keys.sort()
            return keys
        from conv4rec.compiled import lists

        found = np.empty_like(keys)
        lists.by_score(keys, first, self.bits, found)
        return found

    def _scores(self, keys: Keys) -> Scores:
        return _turned((keys >> np.uint64(self.bits)).astype(np.uint32)).view(np.float32)


def _reaching(scores: Scores, least: Scores) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where in (b, B) scores, flattened, those of a user reach (B,) theirs; the users; and (B,) how often."""
    n_rows, reached = scores.shape[1], scores >= least
    if reached.size % 8:
        at = np.flatnonzero(reached)
    else:  # most are not, and are passed by eight at a time
        words = reached.reshape(-1).view(np.uint64)
        some = np.flatnonzero(words != 0)  # of booleans NumPy finds them in a quarter of the time
        found = np.flatnonzero(words[some].view(np.bool_))
        at = some[found >> 3] * 8 + (found & 7)
    rows = at - at // n_rows * n_rows
    return at, rows, np.bincount(rows, minlength=n_rows)


def _guess(scores: Scores, k: int) -> Scores:
    """(B,) of (b, B) a score that more than k items of a user reach, but for one user in many thousands."""
    by_item = torch.from_numpy(np.ascontiguousarray(scores[::EVERY]))  # (S, B)
    sample = by_item.T.contiguous().numpy()
    expected = k * sample.shape[1] / len(scores)
    place = int(expected + 4 * expected**0.5) + 1
    if place > sample.shape[1]:
        return np.full(len(sample), LOWEST)
    sample.sort(axis=1)  # rows so short are sorted sooner than parted
    least: Scores = np.maximum(sample[:, -place], LOWEST)
    return least


def _keys(rows: NDArray[np.int64], scores: Scores, items: NDArray[np.int64], bits: int) -> Keys:
    falling = _turned((scores + np.float32(0.0)).view(np.uint32))  # -0.0 is 0.0
    high = (rows << 32).view(np.uint64) | falling
    return (high << np.uint64(bits)) | items.view(np.uint64)


def _turned(raw: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The bits of floats to whole numbers that fall where these rise, and back."""
    return raw ^ np.where(raw >> 31, np.uint32(0), np.uint32(0x7FFFFFFF))


def _bits(n_items: int) -> int:
    return max(1, (n_items - 1).bit_length())


def _none(k: int) -> Best:
    return Best(np.empty((0, k), np.int32), np.empty((0, k), np.float32))


def _in_threads(job: Callable[[int], Best], starts: Iterable[int]) -> list[Best]:
    """What the job makes of every start, in as many threads as torch has, in each of which torch has one."""
    starts, threads = list(starts), torch.get_num_threads()
    if threads == 1 or len(starts) < 2:
        return [job(start) for start in starts]
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(job, starts))
    finally:
        torch.set_num_threads(threads)  # threads that begin later start from what was told last
