"""Batches from shards on disk: shards in an order drawn anew, users shuffled across several, read ahead of the step."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Full, Queue
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.data.shards import Shards, in_memory, stack
from conv4rec.model.batch import Batch
from conv4rec.training.source import Share
from conv4rec.training.world import World

HELD = 1 << 24
"""Interactions among which users are shuffled, at least one shard: 5 bytes each, and as much again while loading."""
AHEAD = 4
"""Batches that wait for the step."""

CPU = torch.device("cpu")
T = TypeVar("T")


@dataclass(frozen=True)
class Streamed:
    """A source of batches that holds no more than some shards.

    The order follows from torch's generator, the sizes of the shards and `held` alone: `order_of` gives it.

    Attributes:
        shards: where the interactions lie.
        device: where batches go.
        held: interactions held at once, about.
    """

    shards: Shards
    device: torch.device
    held: int = HELD

    @property
    def fingerprint(self) -> str:
        return f"{self.shards.fingerprint} in {len(self.shards)} shards, {self.held} held"

    @property
    def n_users(self) -> int:
        return self.shards.n_users

    @property
    def n_interactions(self) -> int:
        return self.shards.n_interactions

    def shares(self, size: int, world: World) -> Iterator[Share]:
        seed = int(torch.randint(1 << 62, ()))  # the thread must not draw from the generator of the step
        return ahead((self._share(batch, world) for batch in self._batches(size, seed)), AHEAD)

    def order_of(self, seed: int) -> NDArray[np.int64]:
        """(n_users,) places of the users, counted through the shards, in the order of a pass."""
        starts = np.concatenate([[0], np.cumsum([size.n_users for size in self.shards.sizes])])
        groups = [
            np.concatenate([np.arange(starts[shard], starts[shard + 1]) for shard in group])[order]
            for group, order in self._groups(seed)
        ]
        return np.concatenate(groups)

    def _groups(self, seed: int) -> Iterator[tuple[list[int], NDArray[np.int64]]]:
        """Shards that are held together, and the order of their users."""
        rng, group, held = np.random.default_rng(seed), list[int](), 0
        for number in rng.permutation(len(self.shards)).tolist():
            group.append(number)
            held += self.shards.sizes[number].n_interactions
            if held >= self.held:
                yield group, rng.permutation(self._n_users(group))
                group, held = [], 0
        if group:
            yield group, rng.permutation(self._n_users(group))

    def _n_users(self, group: list[int]) -> int:
        return sum(self.shards.sizes[number].n_users for number in group)

    def _batches(self, size: int, seed: int) -> Iterator[Interactions]:
        """Users `size` at a time; what a group leaves over comes first in the next."""
        rest: list[Interactions] = []
        for group, order in self._groups(seed):
            before = sum(part.n_users for part in rest)
            held = stack([*rest, *(in_memory(self.shards.shard(number)) for number in group)])
            order = np.concatenate([np.arange(before), before + order])
            full = len(order) // size * size
            for start in range(0, full, size):
                yield held.select(order[start : start + size])
            rest = [held.select(order[full:])]
        if rest and rest[0].n_users:
            yield rest[0]

    def _share(self, batch: Interactions, world: World) -> Share:
        n, own = batch.n_users, world.part(batch.n_users)
        before, after = int(batch.indptr[own.start]), len(batch) - int(batch.indptr[own.stop])
        ours = batch if world.size == 1 else batch.select(np.arange(own.start, own.stop))
        return Share(_on(self.device, Batch.of(ours, CPU)), n, own.start, n - own.stop, before, after)


def ahead(items: Iterator[T], n: int) -> Iterator[T]:
    """The same items, up to n of them made before they are asked for, by a thread; an error comes out in its place."""
    made, over = Queue[Iterator[T]](n), threading.Event()

    def put(item: Iterator[T]) -> None:
        while not over.is_set():
            try:
                made.put(item, timeout=0.1)
            except Full:  # nobody may be waiting any more
                continue
            return

    def make() -> None:
        try:
            for item in items:
                if over.is_set():
                    return
                put(iter([item]))
            put(iter([]))
        except Exception as error:  # noqa: BLE001  raised where the item is asked for
            put(_fail(error))

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            one = list(made.get())
            if not one:
                return
            yield one[0]
    finally:
        over.set()
        thread.join()


def _fail(error: Exception) -> Iterator[Any]:
    raise error
    yield


def _on(device: torch.device, batch: Batch) -> Batch:
    """On CUDA by way of pinned memory, so that nobody waits for the copy."""
    if device.type != "cuda":
        return batch
    rows, items, channels = (part.pin_memory().to(device, non_blocking=True) for part in batch.columns)
    return Batch(rows, items, channels, batch.n_rows)
