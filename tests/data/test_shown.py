"""Logs of what was shown: lists or items a row, from files and frames; what is missing is named."""

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from conv4rec.data.shown import Shown, load_shown, read_events
from conv4rec.errors import DataError, DatasetNotFoundError, QueryError

LISTS = pl.DataFrame(
    {"user_id": [1, 1, 2], "timestamp": [10, 10, 30], "item_id": [[5, 6], [7], []], "model": ["a", "b", "a"]},
    schema_overrides={"item_id": pl.List(pl.Int64)},
)
ROWS = pl.DataFrame(
    {"user_id": [1, 1, 1], "timestamp": [10, 10, 10], "item_id": [5, 7, 6], "model": ["a", "b", "a"]},
)

WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": lambda frame, path: frame.write_csv(path),
    ".jsonl": lambda frame, path: frame.write_ndjson(path),
    ".parquet": lambda frame, path: frame.write_parquet(path),
}


def contents(shown: Shown) -> list[tuple[object, ...]]:
    """User, time, groups and items of every list."""
    items = shown.items.group_by("list", maintain_order=True).agg("item_id")
    return shown.lists.join(items, on="list", how="left", maintain_order="left").drop("list").rows()


def test_a_row_may_be_a_list() -> None:
    shown = load_shown(LISTS)
    assert contents(shown) == [(1, 10, "a", [5, 6]), (1, 10, "b", [7]), (2, 30, "a", None)]
    assert shown.groups == ("model",)


def test_lists_of_one_length_are_lists() -> None:
    frame = LISTS.head(1).with_columns(pl.col("item_id").list.to_array(2))
    assert contents(load_shown(frame)) == [(1, 10, "a", [5, 6])]


def test_or_an_item() -> None:
    assert contents(load_shown(ROWS)) == [(1, 10, "a", [5, 6]), (1, 10, "b", [7])]
    assert contents(load_shown(ROWS, by=[])) == [(1, 10, [5, 7, 6])]


def test_list_ids_keep_lists_of_the_same_moment_apart() -> None:
    shown = load_shown(ROWS.with_columns(list_id=pl.Series(["x", "y", "z"])), by=[])
    assert contents(shown) == [(1, 10, [5]), (1, 10, [7]), (1, 10, [6])]


def test_an_item_that_is_twice_in_a_list_counts_once() -> None:
    assert load_shown(pl.concat([ROWS, ROWS])).items.height == 3


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    write = WRITERS[suffix]
    write(ROWS, path)
    assert contents(load_shown(path)) == contents(load_shown(ROWS))
    if suffix != ".csv":
        write(LISTS, path)
        assert contents(load_shown(path)) == contents(load_shown(LISTS))


def test_ids_in_text_files_are_numbers_only_where_all_are(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,timestamp,item_id\n1,10,007\n1,10,8\n")
    assert contents(load_shown(tmp_path / "log.csv")) == [(1, 10, ["007", "8"])]


def test_times_of_any_kind_in_whole_seconds() -> None:
    moment = dt.datetime(2024, 1, 1, 0, 0, 1, 900_000, tzinfo=dt.UTC)
    frame = pl.DataFrame({"user_id": [1], "timestamp": [moment], "item_id": [5]})
    assert load_shown(frame).lists["timestamp"].to_list() == [1_704_067_201]
    assert read_events(frame)["timestamp"].to_list() == [1_704_067_201]


def test_events_keep_repeats() -> None:
    frame = pl.DataFrame({"user_id": ["a", "a"], "item_id": [1, 1], "timestamp": [3, 3], "rating": [1.0, 2.0]})
    assert read_events(frame).rows() == [("a", 1, 3), ("a", 1, 3)]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (LISTS.drop("user_id"), "shown: no column 'user_id'; found timestamp, item_id, model"),
        (LISTS.clear(), "shown: no rows; expected at least one"),
        (
            LISTS.with_columns(timestamp=pl.Series([1, None, 3])),
            "shown, row 1: timestamp missing; expected one in every row",
        ),
        (
            LISTS.with_columns(item_id=pl.Series([[1], None, [2]])),
            "shown, row 1: item_id missing; expected a list of items, which may be empty",
        ),
        (
            LISTS.with_columns(item_id=pl.Series([[1], [2], [3, None]])),
            "shown, row 2: item id missing; expected an id in every row",
        ),
        (
            ROWS.with_columns(item_id=pl.Series([1, 2, None])),
            "shown, row 2: item id missing; expected an id in every row",
        ),
    ],
)
def test_what_is_missing_is_named(frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        load_shown(frame)


def test_groups_must_be_columns() -> None:
    with pytest.raises(DataError, match="^shown: no column 'place'; found user_id, timestamp, item_id, model$"):
        load_shown(LISTS, by=["place"])
    with pytest.raises(DataError, match="^log: no column 'timestamp'; found user_id, item_id$"):
        read_events(ROWS.select("user_id", "item_id"), "log")


@pytest.mark.parametrize("by", [["user_id"], ["ictr"], ["model", "model"]])
def test_groups_with_another_meaning_are_refused(by: list[str]) -> None:
    others = "user_id, item_id, timestamp, list, delay, within, shown, taken, ictr, low, high, unfinished"
    with pytest.raises(QueryError, match=f"^by '{by[-1]}': expected other columns than {others}, each once$"):
        load_shown(LISTS, by=by)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("user_id,timestamp,item_id\n")
    message = "log.txt: format is not known; expected .csv, .parquet, .pq, .jsonl, .ndjson, .json"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        load_shown(path)
    (tmp_path / "log.parquet").write_text("no")
    with pytest.raises(DataError, match="^log.parquet: "):
        load_shown(tmp_path / "log.parquet")
    with pytest.raises(DatasetNotFoundError, match="no such file"):
        load_shown(tmp_path / "none.csv")
