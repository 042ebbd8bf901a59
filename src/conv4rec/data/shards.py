"""Interactions on disk, in index space: shards of users, memory-mapped, for data larger than memory."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.data.table import Notes
from conv4rec.errors import DataError
from conv4rec.ids import Ids
from conv4rec.vocabulary import InteractionType, InteractionTypes, Vocabulary

MANIFEST = "shards.json"
SCHEMA = 1
ARRAYS = ("indptr", "items", "channels")
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio."""


class Size(NamedTuple):
    """How much a shard holds."""

    n_users: int
    n_interactions: int


class HeldOut(NamedTuple):
    """Interactions that training does not see, of some users, row by row: what is known of them and what is asked."""

    users: NDArray[np.int32]  # (B,)
    history: Interactions
    validation: Interactions
    test: Interactions


@dataclass(frozen=True)
class Shards:
    """A folder of shards, each the interactions of some of the users; iterated, every shard once, in order.

    A shard is four arrays: the indices of its users, and their interactions as in `Interactions`. Users are dealt out
    by a hash of their index, so that any shard is a sample of them.

    Attributes:
        folder: where they lie.
        name: of the source, for messages.
        types: interaction types.
        n_items: the size of the catalogue.
        sizes: of every shard.
        fingerprint: of all interactions for training.
        origin: what they were made from; the same source and settings give the same.
        notes: what was done on the way, one line each.
    """

    folder: Path
    name: str
    types: InteractionTypes
    n_items: int
    sizes: tuple[Size, ...]
    fingerprint: str
    origin: str
    notes: Notes

    @classmethod
    def open(cls, folder: Path) -> "Shards":
        """Open what `write_shards` wrote; DataError for anything else."""
        told = _manifest(folder)
        try:
            types = InteractionTypes(*(_types(told[name]) for name in ("outcomes", "partial")))
            sizes = tuple(Size(*size) for size in told["sizes"])
            texts = told["fingerprint"], told["origin"], tuple(told["notes"])
            return cls(folder, told["name"], types, told["n_items"], sizes, *texts)
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(f"{folder}: {MANIFEST} is damaged: {error}; remove the folder and make it anew") from None

    def __len__(self) -> int:
        return len(self.sizes)

    def __iter__(self) -> Iterator[Interactions]:
        return map(self.shard, range(len(self)))

    @property
    def n_users(self) -> int:
        """Those who have interactions for training."""
        return sum(size.n_users for size in self.sizes)

    @property
    def n_interactions(self) -> int:
        """Those for training."""
        return sum(size.n_interactions for size in self.sizes)

    def read_vocabulary(self) -> Vocabulary:
        """The ids of users and items, which are in memory from then on, and the interaction types."""
        users, items = (_ids(self.folder, kind) for kind in ("user", "item"))
        return Vocabulary(users, items, self.types)

    def sample(self, n_interactions: int) -> Interactions:
        """The first shards, which are as good as any, that together hold so many interactions, or all; in memory."""
        held = np.cumsum([size.n_interactions for size in self.sizes])
        n = int(np.searchsorted(held, n_interactions)) + 1
        return stack([self.shard(number) for number in range(len(self))[:n]])

    def shard(self, number: int) -> Interactions:
        """The interactions of a shard, whose users are rows 0, 1, ...; memory-mapped, and gone through once."""
        return read_interactions(self.folder / shard_name(number), self.n_items, self.types.n_channels)

    def users_of(self, number: int) -> NDArray[np.int32]:
        """(B,) the user index of every row of a shard."""
        return _array(self.folder / shard_name(number) / "users.npy")

    def histories(self, number: int) -> tuple[NDArray[np.int32], Interactions]:
        """All that is known of the users of a shard, held out or not: their indices, ascending, and a row for each."""
        held = self.held_out()
        ours = np.flatnonzero(shard_of(held.users, len(self)) == number)
        parts = [(self.users_of(number), self.shard(number))]
        parts += [(held.users[ours], part.select(ours)) for part in (held.validation, held.test)]
        of, items, channels = (
            np.concatenate([np.repeat(users, part.counts) for users, part in parts]),
            *(np.concatenate([getattr(part, name) for _, part in parts]) for name in ("items", "channels")),
        )
        users, rows = np.unique(of, return_inverse=True)
        sizes = {"n_users": len(users), "n_items": self.n_items}
        return users, Interactions.from_triples(rows.astype(np.int32), items, channels, **sizes)

    def held_out(self) -> HeldOut:
        """What training does not see, in memory."""
        folder, sizes = self.folder / "held-out", (self.n_items, self.types.n_channels)
        parts = [read_interactions(folder / name, *sizes) for name in ("history", "validation", "test")]
        return HeldOut(np.array(_array(folder / "users.npy")), *map(in_memory, parts))


def shard_of(users: NDArray[np.integer], n_shards: int) -> NDArray[np.int64]:
    """(N,) the shard of every user: by the upper bits of a multiple of the index, which leave no pattern."""
    mixed = (users.astype(np.uint64) * GOLDEN) >> np.uint64(40)
    return (mixed % np.uint64(n_shards)).astype(np.int64)


def shard_name(number: int) -> str:
    """The folder of a shard."""
    return f"shard-{number:05d}"


def read_interactions(folder: Path, n_items: int, n_channels: int) -> Interactions:
    """Memory-mapped arrays of a folder, with items and channels that there are."""
    indptr, items, channels = (_array(folder / f"{name}.npy") for name in ARRAYS)
    if not len(indptr) or indptr[-1] != len(items) or len(items) != len(channels):
        raise DataError(f"{folder}: the arrays do not fit together; remove the shards and make them anew")
    for name, values, n in (("items", items, n_items), ("channels", channels, n_channels)):
        if len(values) and not 0 <= values.min() <= values.max() < n:
            raise DataError(
                f"{folder}: {name} from {values.min()} to {values.max()}, expected 0 to {n - 1}; "
                "remove the shards and make them anew"
            )
    return Interactions(indptr, items, channels, n_items)


def write_interactions(folder: Path, interactions: Interactions) -> None:
    """The arrays as files of a new folder."""
    folder.mkdir(parents=True)
    for name in ARRAYS:
        np.save(folder / f"{name}.npy", getattr(interactions, name), allow_pickle=False)


def in_memory(interactions: Interactions) -> Interactions:
    """A copy that does not lie on disk."""
    indptr, items, channels = (np.array(getattr(interactions, name)) for name in ARRAYS)
    return Interactions(indptr, items, channels, interactions.n_items)


def stack(parts: list[Interactions]) -> Interactions:
    """The users of all parts, one part after the other, in memory."""
    counts = np.concatenate([part.counts for part in parts])
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    items, channels = (np.concatenate([getattr(part, name) for part in parts]) for name in ("items", "channels"))
    return Interactions(indptr, items, channels, parts[0].n_items)


def write_manifest(folder: Path, told: dict[str, Any], vocabulary: Vocabulary) -> None:
    """What `Shards.open` reads beside the arrays."""
    types = vocabulary.types
    for ids in (vocabulary.users, vocabulary.items):
        ids.values.to_frame().write_parquet(folder / f"{ids.kind}s.parquet")
    listed = {name: [(t.name, t.rating) for t in getattr(types, name)] for name in ("outcomes", "partial")}
    (folder / MANIFEST).write_text(
        json.dumps({"schema": SCHEMA, "n_items": len(vocabulary.items), **told, **listed}, indent=1)
    )


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: no shards: {MANIFEST} cannot be read: {error}") from None
    if told.get("schema") != SCHEMA:
        raise DataError(f"{folder}: shards of schema {told.get('schema')}; this version reads {SCHEMA}: make them anew")
    return told


def _ids(folder: Path, kind: str) -> Ids:
    try:
        return Ids(pl.read_parquet(folder / f"{kind}s.parquet").to_series(), kind)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{folder}: the {kind} ids cannot be read: {error}; make the shards anew") from None


def _types(listed: list[tuple[str | None, float | None]]) -> tuple[InteractionType, ...]:
    return tuple(InteractionType(name, rating) for name, rating in listed)


def _array(path: Path) -> NDArray[Any]:
    try:
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a sound array: {error}; remove the shards and make them anew") from None
    return mapped
