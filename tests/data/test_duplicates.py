"""Repeated events, and the k-core."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.config import DataConfig
from conv4rec.data import duplicates
from conv4rec.data.duplicates import repeated_rows
from conv4rec.data.sources import load_ratings
from conv4rec.errors import DataError

EVENTS = pl.DataFrame(
    {
        "user": [1, 1, 1, 2, 1, 2],
        "item": [7, 7, 8, 7, 7, 7],
        "rating": [1, 2, 3, 4, 5, 4],
        "timestamp": [30, 10, 20, 5, None, 5],
    },
    schema_overrides={"rating": pl.Float64},
)


def load(frame: pl.DataFrame = EVENTS, **settings: Any) -> tuple[list[Any], tuple[str, ...]]:
    ratings = load_ratings(frame, config=DataConfig(**settings))
    return ratings.frame["rating"].to_list(), ratings.notes


def test_the_last_by_time_then_by_row_is_kept_in_its_place() -> None:
    kept, notes = load()
    assert kept == [1, 3, 4]
    assert notes == ("kept the last of 5 repeated events (keep=last): dropped 3 rows, 1 of them exact copies",)
    assert load_ratings(EVENTS).frame["user_id"].to_list() == [1, 1, 2]


def test_without_times_the_last_row_is_kept() -> None:
    assert load(EVENTS.drop("timestamp"))[0] == [3, 5, 4]


def test_all_and_error() -> None:
    assert load(keep="all") == ([1, 2, 3, 4, 5, 4], ("kept all of 5 repeated events (keep=all)",))
    message = "data frame, row 1: user 1, item 7 occurs again, first in data frame, row 0; expected no repeats"
    with pytest.raises(DataError, match=message):
        load(keep="error")


def test_nothing_repeated() -> None:
    for keep in ("last", "all", "error"):
        assert load(EVENTS[[0, 2, 3]], keep=keep) == ([1, 3, 4], (f"no repeated events (keep={keep})",))


def test_an_event_of_another_type_is_no_repeat() -> None:
    frame = pl.DataFrame({"user": 1, "item": 1, "type": ["view", "buy", "view", None, None]})
    ratings = load_ratings(frame)
    assert ratings.frame["type"].to_list() == ["buy", "view", None]
    with pytest.raises(DataError, match="row 4: user 1, item 1, type None occurs again, first in data frame, row 3"):
        load_ratings(
            frame[[0, 1, 1, 3, 4]].with_columns(item=pl.Series([1, 1, 2, 1, 1])), config=DataConfig(keep="error")
        )


IDS = st.one_of(
    st.lists(st.integers(0, 5), min_size=1),
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2), min_size=1),
    st.lists(st.sampled_from(["", "a", "b"]), min_size=1),
)


@given(IDS, IDS, st.lists(st.sampled_from([None, "x", "y"]), min_size=1))
def test_repeats_are_found_as_a_dictionary_finds_them(users: list[Any], items: list[Any], names: list[Any]) -> None:
    rows = list(zip(users, items, names, strict=False))
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "type"], orient="row").cast({"type": pl.String})
    assert repeated_rows(frame).tolist() == [n for n, row in enumerate(rows) if rows.count(row) > 1]


def test_events_that_share_a_key_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"user_id": [1, 2, 2, 3], "item_id": [2, 1, 1, 3]})
    monkeypatch.setattr(duplicates, "event_keys", lambda frame: np.zeros(frame.height, dtype=np.uint64))
    assert repeated_rows(frame).tolist() == [1, 2]


def test_k_core() -> None:
    frame = pl.DataFrame({"user": [1, 1, 1, 2, 2, 3], "item": [1, 2, 3, 1, 2, 3], "rating": 1.0})
    ratings = load_ratings(frame, config=DataConfig(min_user=2, min_item=2))
    assert ratings.frame.select("user_id", "item_id").rows() == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert ratings.notes[-1] == "k-core (data.min_user=2, data.min_item=2): dropped 1 users, 1 items and 2 rows"
    with pytest.raises(DataError, match=r"k-core .* leaves nothing of 3 users and 3 items; expected smaller minima"):
        load_ratings(frame, config=DataConfig(min_user=4))


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, unique=True), st.integers(2, 3))
def test_a_core_has_enough_of_everyone(pairs: list[tuple[int, int]], k: int) -> None:
    frame = pl.DataFrame(pairs, schema=["user", "item"], orient="row")
    try:
        core = load_ratings(frame, config=DataConfig(min_user=k, min_item=k)).frame
    except DataError:
        return
    assert core["user_id"].value_counts()["count"].to_numpy().min() >= k
    assert core["item_id"].value_counts()["count"].to_numpy().min() >= k
