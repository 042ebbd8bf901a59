"""Parquet folders become shards that hold what is read in memory, whatever the pieces."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv4rec.config import DataConfig, SplitConfig
from conv4rec.data import sharding
from conv4rec.data.interactions import Interactions
from conv4rec.data.sharding import shards_of
from conv4rec.data.shards import MANIFEST, Shards, stack
from conv4rec.data.sources import load_ratings
from conv4rec.errors import DataError, DatasetNotFoundError

DATA, SPLIT = DataConfig(), SplitConfig(validation=0.2, test=0.2)


def folder_of(frame: pl.DataFrame, folder: Path, rows: int) -> Path:
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, frame.height, rows)):
        frame.slice(start, rows).write_parquet(folder / f"part-{number:03d}.parquet")
    return folder


def events(n: int = 400, *, seed: int = 0, named: bool = False) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "user": rng.integers(0, 40, n) * 7,
            "item": [f"i{item}" for item in rng.integers(0, 25, n)],
            "rating": pl.Series(rng.integers(1, 6, n)).cast(pl.Float64).replace(3.0, None),
            "time": rng.integers(0, 50, n),
        }
    )
    return frame.with_columns(type=pl.Series(rng.choice(["buy", "view"], n))) if named else frame


def in_user_order(shards: Shards) -> Interactions:
    """Everything, train and held out, as one set of interactions with a row for every user."""
    held = shards.held_out()
    parts = [(shards.users_of(number), shard) for number, shard in enumerate(shards)]
    parts += [(held.users, held.validation), (held.users, held.test)]
    users = np.concatenate([np.repeat(rows, part.counts) for rows, part in parts])
    items, channels = (np.concatenate([getattr(part, name) for _, part in parts]) for name in ("items", "channels"))
    sizes = {"n_users": len(shards.read_vocabulary().users), "n_items": len(shards.read_vocabulary().items)}
    return Interactions.from_triples(users, items, channels, **sizes)


def same(a: Interactions, b: Interactions) -> bool:
    """The same triples, whatever the order within a user."""
    triples = [np.lexsort((x.channels, x.items, x.users)) for x in (a, b)]
    return all(
        np.array_equal(getattr(a, name)[triples[0]], getattr(b, name)[triples[1]])
        for name in ("users", "items", "channels")
    )


@settings(max_examples=30)
@given(
    seed=st.integers(0, 1000), rows=st.integers(30, 500), shard=st.integers(20, 500), named=st.booleans(),
    keep=st.sampled_from(["last", "all"]),
)  # fmt: skip
def test_shards_hold_what_is_read_in_memory(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rows: int, shard: int, named: bool, keep: str
) -> None:
    tmp, frame = tmp_path_factory.mktemp("shards"), events(seed=seed, named=named)
    config = DataConfig.model_validate({"keep": keep})
    shards = shards_of(folder_of(frame, tmp / "data", rows), tmp / "shards", config, SPLIT, shard=shard)
    ratings = load_ratings(frame, config=config)
    vocabulary = ratings.vocabulary()
    assert shards.types == vocabulary.types
    assert shards.read_vocabulary().users.values.to_list() == vocabulary.users.values.to_list()
    assert shards.read_vocabulary().items.values.to_list() == vocabulary.items.values.to_list()
    assert same(in_user_order(shards), Interactions.from_ratings(ratings, vocabulary))
    assert len(shards) == -(-frame.height // shard)
    users, histories = zip(*(shards.histories(number) for number in range(len(shards))), strict=True)
    assert sorted(np.concatenate(users).tolist()) == list(range(len(vocabulary.users)))
    assert sum(map(len, histories)) == shards.n_interactions + len(shards.held_out().validation) + len(
        shards.held_out().test
    )


@pytest.fixture
def made(tmp_path: Path) -> Shards:
    return shards_of(folder_of(events(), tmp_path / "data", 90), tmp_path / "shards", DATA, SPLIT, shard=100)


def test_a_part_is_held_out_of_every_user_who_is_asked(made: Shards) -> None:
    held = made.held_out()
    everything = [len(held.history), len(held.validation), len(held.test)]
    assert len(held.users) == len(set(held.users.tolist())) == held.test.n_users
    assert np.allclose(np.array(everything) / sum(everything), [0.6, 0.2, 0.2], atol=0.06)
    assert len(held.history) == made.n_interactions, "all users are asked where they are few"


def test_few_of_many_users_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "HELD_OUT", 5)
    shards = shards_of(folder_of(events(), tmp_path / "data", 90), tmp_path / "shards", DATA, SPLIT, shard=100)
    held = shards.held_out()
    assert len(held.users) == 5
    assert len(held.history) < shards.n_interactions
    assert "of 5 users" in shards.notes[-1]


def test_small_pieces_change_nothing(tmp_path: Path, made: Shards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "PIECE", 7)
    again = shards_of(tmp_path / "data", tmp_path / "again", DATA, SPLIT, shard=100)
    assert again.fingerprint == made.fingerprint
    assert again.sizes == made.sizes


def test_a_user_is_in_the_order_of_channels_and_then_of_rows(tmp_path: Path) -> None:
    frame = events().with_columns(user=pl.lit(1)).vstack(events(seed=1).with_columns(user=pl.lit(2)))
    folder = folder_of(frame, tmp_path / "data", 90)
    shards = shards_of(folder, tmp_path / "shards", DataConfig(keep="all"), SplitConfig(validation=1e-9, test=0.0))
    ratings = load_ratings(frame, config=DataConfig(keep="all"))
    known = Interactions.from_ratings(ratings, ratings.vocabulary())
    order = np.lexsort((np.arange(len(known)), known.channels, known.users))
    assert np.array_equal(stack(list(shards)).items, known.items[order])


def test_shards_are_made_once(tmp_path: Path, made: Shards) -> None:
    told: list[str] = []
    again = shards_of(tmp_path / "data", tmp_path / "shards", DATA, SPLIT, shard=100, tell=told.append)
    assert again.fingerprint == made.fingerprint
    assert told == [f"shards: {tmp_path / 'shards'}, made before"]
    with pytest.raises(DataError, match="shards of other data or settings: remove the folder, or name another"):
        shards_of(tmp_path / "data", tmp_path / "shards", DATA, SplitConfig(seed=1), shard=100)


def test_a_pass_that_fails_leaves_no_shards(tmp_path: Path) -> None:
    folder = folder_of(events(), tmp_path / "data", 90)
    with pytest.raises(DataError, match=r"user \d+, item 'i\d+' occurs again; expected no repeats \(data.keep=error\)"):
        shards_of(folder, tmp_path / "shards", DataConfig(keep="error"), SPLIT)
    assert not (tmp_path / "shards").exists()


@pytest.mark.parametrize(
    ("data", "split", "message"),
    [
        ({"bins": 3}, {}, "data.bins, data.min_user and data.min_item need all ratings in memory"),
        ({"min_user": 2}, {}, "data.bins, data.min_user and data.min_item need all ratings in memory"),
        ({}, {"recipe": "time"}, "split.recipe = time needs all ratings in memory"),
    ],
)
def test_what_needs_all_in_memory_is_refused(
    tmp_path: Path, data: dict[str, int], split: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        shards_of(tmp_path, tmp_path / "s", DataConfig.model_validate(data), SplitConfig.model_validate(split))


def test_folders_that_are_no_ratings(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="nowhere: no such folder"):
        shards_of(tmp_path / "nowhere", tmp_path / "s", DATA, SPLIT)
    with pytest.raises(DataError, match=r"no Parquet file \(.parquet, .pq\) in the folder"):
        shards_of(tmp_path, tmp_path / "s", DATA, SPLIT)
    folder = folder_of(events(), tmp_path / "data", 200)
    (folder / "part-000.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match=r"part-000.parquet: not a sound Parquet file"):
        shards_of(folder, tmp_path / "s", DATA, SPLIT)
    events().drop("item").write_parquet(folder / "part-000.parquet")
    with pytest.raises(DataError, match=r"part-000.parquet: no item column"):
        shards_of(folder, tmp_path / "s", DATA, SPLIT)
    events().write_parquet(folder / "part-000.parquet")
    events().rename({"time": "when"}).write_parquet(folder / "part-001.parquet")
    with pytest.raises(DataError, match=r"part-001.parquet: no column time, which part-000.parquet has"):
        shards_of(folder, tmp_path / "s", DATA, SPLIT)
    events().with_columns(pl.col("user").cast(pl.String)).write_parquet(folder / "part-001.parquet")
    with pytest.raises(DataError, match="user ids are integers in one file and strings in another"):
        shards_of(folder, tmp_path / "s", DATA, SPLIT)
    empty = folder_of(events().head(1), tmp_path / "empty", 1)
    events().head(0).write_parquet(empty / "part-000.parquet")
    with pytest.raises(DataError, match="no ratings; expected at least one row"):
        shards_of(empty, tmp_path / "s", DATA, SPLIT)


def test_a_fault_names_its_file_and_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "PIECE", 50)
    frame = events().with_columns(rating=pl.when(pl.int_range(pl.len()) == 371).then(float("inf")).otherwise("rating"))
    with pytest.raises(DataError, match=r"part-001.parquet, row 171: rating inf is not finite"):
        shards_of(folder_of(frame, tmp_path / "data", 200), tmp_path / "s", DATA, SPLIT)


def test_damaged_shards(tmp_path: Path, made: Shards) -> None:
    with pytest.raises(DataError, match="no shards: shards.json cannot be read"):
        Shards.open(tmp_path)
    np.save(made.folder / "shard-00000" / "items.npy", np.zeros(3, dtype=np.int32))
    with pytest.raises(DataError, match="the arrays do not fit together"):
        made.shard(0)
    (made.folder / "shard-00001" / "items.npy").write_bytes(b"no")
    with pytest.raises(DataError, match=r"items.npy: not a sound array"):
        made.shard(1)
    (made.folder / "users.parquet").unlink()
    with pytest.raises(DataError, match="the user ids cannot be read"):
        made.read_vocabulary()
    (made.folder / MANIFEST).write_text('{"schema": 1}')
    with pytest.raises(DataError, match="shards.json is damaged: 'outcomes'"):
        Shards.open(made.folder)
    (made.folder / MANIFEST).write_text('{"schema": 99}')
    with pytest.raises(DataError, match="shards of schema 99; this version reads 1: make them anew"):
        Shards.open(made.folder)


@pytest.mark.parametrize(("name", "message"), [("items", "expected 0 to 24"), ("channels", "expected 0 to 4")])
def test_indices_of_nothing(made: Shards, name: str, message: str) -> None:
    path = made.folder / "shard-00000" / f"{name}.npy"
    values = np.array(np.load(path))
    values[3] = 99
    np.save(path, values)
    with pytest.raises(DataError, match=rf"{name} from 0 to 99, {message}; remove the shards and make them anew"):
        made.shard(0)
