"""From a folder of Parquet files to shards, in three passes, with memory that does not grow with the interactions.

1. What occurs: ids of users and items, ratings, type names. 2. Every row to the file of its shard, as indices. 3. Shard
by shard: repeats settled, some interactions held out, the rest grouped by user.

Memory, bytes: 32 (n_users + n_items) for integer ids, and the larger of 200 x PIECE and 150 x the rows of a shard;
measured in docs/scale.md. Ids that are strings take their text as well.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.config import DataConfig, SplitConfig
from conv4rec.data.duplicates import repeated_rows, settle_repeats
from conv4rec.data.interactions import Interactions
from conv4rec.data.labels import TEST, TRAIN, VALIDATION, Labels
from conv4rec.data.occurring import find_vocabulary
from conv4rec.data.pieces import ParquetFolder
from conv4rec.data.shards import MANIFEST, Shards, Size, shard_name, shard_of, stack, write_interactions, write_manifest
from conv4rec.data.table import by_row
from conv4rec.errors import DataError
from conv4rec.vocabulary import InteractionTypes, Vocabulary

PIECE = 1 << 20
"""Rows read at a time."""
SHARD = 1 << 22
"""Rows of a shard, about; more where there would be more than MOST shards."""
MOST = 1024
"""Shards: each is a file that is added to for every piece."""
HELD_OUT = 20_000
"""Users some of whose interactions are held out; all of them where there are fewer."""
ROW = np.dtype([("user", "<i4"), ("item", "<i4"), ("channel", "u1"), ("time", "<i8")])
NO_TIME = np.iinfo(np.int64).min

Tell = Callable[[str], object]


def shards_of(
    source: Path, target: Path, data: DataConfig, split: SplitConfig, *, tell: Tell = str, shard: int = SHARD
) -> Shards:
    """The shards in `target`, made from the Parquet files below `source` unless they are there already.

    A user's interactions are in the order of channels, then of rows. Of HELD_OUT users drawn by `split.seed` every
    interaction goes to validation and to test with the probabilities of `split`.

    Args:
        source: a folder of Parquet files.
        target: a folder, which is written whole or not at all.
        data: how the files are read. Bins and k-cores need all ratings at once and are refused.
        split: `recipe` random, and shares.
        tell: hears of every pass.
        shard: rows of a shard, about.

    Raises:
        DataError: as for `load_ratings`; a setting that needs all data in memory; shards of something else in `target`.
    """
    _refuse(data, split)
    folder = ParquetFolder.open(source, data)
    origin = _origin(folder, data, split, shard)
    if (target / MANIFEST).exists():
        found = Shards.open(target)
        if found.origin != origin:
            raise DataError(f"{target}: shards of other data or settings: remove the folder, or name another")
        tell(f"shards: {target}, made before")
        return found
    return _Writer(folder, target, split, origin, tell, shard).write()


def _refuse(data: DataConfig, split: SplitConfig) -> None:
    if data.bins is not None or data.min_user > 1 or data.min_item > 1:
        raise DataError("data.bins, data.min_user and data.min_item need all ratings in memory; shards do without them")
    if split.recipe != "random":
        raise DataError(f"split.recipe = {split.recipe} needs all ratings in memory; shards are split by random")


def _origin(folder: ParquetFolder, data: DataConfig, split: SplitConfig, shard: int) -> str:
    """A hash of the names, sizes and times of the files, and of what decides how they are read."""
    facts = [
        (str(file.relative_to(folder.path)), file.stat().st_size, file.stat().st_mtime_ns) for file, _ in folder.files
    ]
    told = f"{folder.path.name} {facts} {data.model_dump_json()} {split.model_dump_json()} {shard}"
    return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True)
class _Writer:
    folder: ParquetFolder
    target: Path
    split: SplitConfig
    origin: str
    tell: Tell
    shard: int

    def write(self) -> Shards:
        partial = self.target.with_name(f"{self.target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        rows = f"{self.folder.n_rows:,} rows in {len(self.folder.files):,} files"
        self.tell(f"shards: pass 1 of 3, what occurs in {rows}")
        vocabulary = find_vocabulary(self.folder, PIECE)
        self.tell(f"shards: pass 2 of 3, {len(vocabulary.users):,} users and {len(vocabulary.items):,} items")
        n_shards = min(MOST, max(1, -(-self.folder.n_rows // self.shard)))
        self._spread(partial, vocabulary, n_shards)
        self.tell(f"shards: pass 3 of 3, {n_shards:,} shards")
        told = self._finish(partial, vocabulary, n_shards)
        write_manifest(partial, told, vocabulary)
        partial.replace(self.target)
        return Shards.open(self.target)

    def _spread(self, partial: Path, vocabulary: Vocabulary, n_shards: int) -> None:
        for frame in self.folder.pieces(PIECE):
            rows = _encode(frame, vocabulary)
            shard = shard_of(rows["user"], n_shards)
            order = np.argsort(shard, kind="stable")
            ends = np.cumsum(np.bincount(shard, minlength=n_shards))
            for number, part in enumerate(np.split(rows[order], ends[:-1])):
                if len(part):
                    with (partial / f"{number}.rows").open("ab") as file:
                        part.tofile(file)

    def _finish(self, partial: Path, vocabulary: Vocabulary, n_shards: int) -> dict[str, Any]:
        digest, sizes, held, dropped = hashlib.sha256(), [], [], 0
        asked = _asked(len(vocabulary.users), self.split.seed)
        for number in range(n_shards):
            path = partial / f"{number}.rows"
            rows = np.fromfile(path, dtype=ROW) if path.exists() else np.empty(0, dtype=ROW)
            path.unlink(missing_ok=True)
            kept = self._settled(rows, vocabulary)
            dropped += len(rows) - len(kept)
            labels = _draw(np.isin(kept["user"], asked), self.split, number)
            users, train = _grouped(kept[labels == TRAIN], len(vocabulary.items))
            folder = partial / shard_name(number)
            write_interactions(folder, train)
            np.save(folder / "users.npy", users, allow_pickle=False)
            digest.update(f"{number} {train.fingerprint()}".encode())
            sizes.append(Size(len(users), len(train)))
            held.append(_held_out(kept, labels, asked, len(vocabulary.items)))
        n_held = self._write_held_out(partial / "held-out", held)
        return {
            "name": str(self.folder.path),
            "sizes": sizes,
            "fingerprint": digest.hexdigest(),
            "origin": self.origin,
            "notes": [
                *self.folder.notes,
                self._note(dropped),
                self._recipe(n_held, sum(s.n_interactions for s in sizes)),
            ],
        }

    def _settled(self, rows: NDArray[Any], vocabulary: Vocabulary) -> NDArray[Any]:
        """Without the repeats that are not kept, the order of the rows as it was."""
        types = vocabulary.types
        names = np.array([_place(types, channel.name) for channel in types.channels], dtype=np.int64)
        times = pl.Series(rows["time"]).replace(NO_TIME, None)
        frame = pl.DataFrame(
            {
                "user_id": rows["user"].astype(np.int64),
                "item_id": rows["item"].astype(np.int64),
                "type": names[rows["channel"]],
                "rating": rows["channel"],
                "timestamp": times,
                "row": np.arange(len(rows)),
            }
        )
        repeats = repeated_rows(frame)
        if len(repeats) and self.folder.config.keep == "error":
            raise _repeat(rows[repeats[0]], vocabulary)
        kept, _ = settle_repeats(frame, repeats, self.folder.config, by_row(str(self.folder.path)))
        settled: NDArray[Any] = rows[kept["row"].to_numpy()]
        return settled

    def _write_held_out(
        self, folder: Path, held: list[tuple[NDArray[np.int32], list[Interactions]]]
    ) -> tuple[int, ...]:
        parts = [stack(list(each)) for each in zip(*(part for _, part in held), strict=True)]
        for name, part in zip(("history", "validation", "test"), parts, strict=True):
            write_interactions(folder / name, part)
        np.save(folder / "users.npy", np.concatenate([users for users, _ in held]), allow_pickle=False)
        return parts[0].n_users, len(parts[1]), len(parts[2])

    def _note(self, dropped: int) -> str:
        keep = self.folder.config.keep
        return (
            f"kept the last of repeated events (keep={keep}): dropped {dropped:,} rows"
            if dropped
            else (f"repeated events: none dropped (keep={keep})")
        )

    def _recipe(self, held: tuple[int, ...], n_train: int) -> str:
        return (
            f"random in shards, seed {self.split.seed}: {n_train:,} interactions to train on; of {held[0]:,} users, "
            f"{held[1]:,} held out for validation and {held[2]:,} for the test"
        )


def _encode(frame: pl.DataFrame, vocabulary: Vocabulary) -> NDArray[Any]:
    rows = np.empty(frame.height, dtype=ROW)
    rows["user"] = vocabulary.users.find(frame["user_id"])
    rows["item"] = vocabulary.items.find(frame["item_id"])
    rating, name = (frame[column] if column in frame.columns else None for column in ("rating", "type"))
    rows["channel"] = vocabulary.types.encode(rating, name, frame.height)
    timed = "timestamp" in frame.columns
    rows["time"] = frame["timestamp"].fill_null(NO_TIME).to_numpy() if timed else NO_TIME
    return rows


def _asked(n_users: int, seed: int) -> NDArray[np.int64]:
    """The users of whom something is held out."""
    n = min(n_users, HELD_OUT)
    return np.sort(np.random.default_rng([seed, 2]).choice(n_users, n, replace=False, shuffle=False))


def _draw(asked: NDArray[np.bool_], split: SplitConfig, number: int) -> Labels:
    """(N,) the part of every row, drawn for each by itself."""
    drawn = np.random.default_rng([split.seed, 3, number]).random(len(asked))
    labels = np.where(drawn < split.test, TEST, np.where(drawn < split.test + split.validation, VALIDATION, TRAIN))
    return np.where(asked, labels, TRAIN).astype(np.int8)


def _grouped(rows: NDArray[Any], n_items: int) -> tuple[NDArray[np.int32], Interactions]:
    """The users who occur, ascending, and the interactions of each, by channel, which is quicker to train on."""
    rows = rows[np.argsort(rows["channel"], kind="stable")]
    users, places = np.unique(rows["user"], return_inverse=True)
    return users, _of(rows, places, len(users), n_items)


def _held_out(
    rows: NDArray[Any], labels: Labels, asked: NDArray[np.int64], n_items: int
) -> tuple[NDArray[np.int32], list[Interactions]]:
    """Of the users asked about in these rows: history, validation and test."""
    theirs = np.isin(rows["user"], asked)
    rows, labels = rows[theirs], labels[theirs]
    users, places = np.unique(rows["user"], return_inverse=True)
    parts = [
        _of(rows[labels == part], places[labels == part], len(users), n_items) for part in (TRAIN, VALIDATION, TEST)
    ]
    return users, parts


def _of(rows: NDArray[Any], places: NDArray[np.intp], n_users: int, n_items: int) -> Interactions:
    return Interactions.from_triples(
        places.astype(np.int32),
        np.ascontiguousarray(rows["item"]),
        np.ascontiguousarray(rows["channel"]),
        n_users=n_users,
        n_items=n_items,
    )


def _repeat(row: NDArray[Any], vocabulary: Vocabulary) -> DataError:
    user, item = vocabulary.users.values[int(row["user"])], vocabulary.items.values[int(row["item"])]
    return DataError(f"user {user!r}, item {item!r} occurs again; expected no repeats (data.keep=error)")


def _place(types: InteractionTypes, name: str | None) -> int:
    """A number for the name of a type."""
    return [channel.name for channel in types.channels].index(name)
