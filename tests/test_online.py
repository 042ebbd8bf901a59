"""iCTR: by hand, against a loop, and its refusals."""

import re
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec import online
from conv4rec.config import EvaluateConfig
from conv4rec.errors import DataError, QueryError
from conv4rec.online import ictr

PLAIN = EvaluateConfig(bootstrap=0)


def log(rows: list[tuple[int, int, list[int]]], **columns: list[Any]) -> pl.DataFrame:
    frame = pl.DataFrame(
        rows, schema={"user_id": pl.Int64, "timestamp": pl.Int64, "item_id": pl.List(pl.Int64)}, orient="row"
    )
    return frame.with_columns(pl.Series(name, values) for name, values in columns.items())


def events(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


SHOWN = log(
    [(1, 100, [5, 6]), (1, 200, [5]), (2, 100, [5, 7]), (2, 300, []), (3, 100, [8])], model=["a", "b", "a", "b", "b"]
)
EVENTS = events([(1, 6, 110), (1, 5, 99), (2, 7, 100), (2, 5, 50), (2, 8, 310), (3, 8, 161), (1, 5, 500)])


def test_by_hand() -> None:
    """User 1 takes 6 ten seconds after the first list; 2 takes 7 at once; 3 takes 8 after 61 seconds."""
    table = ictr(SHOWN, EVENTS, (60, 0, 61), PLAIN)
    assert table.select("model", "within", "shown", "taken", "ictr", "unfinished").rows() == [
        ("a", 0.0, 2, 1, 0.5, 0),
        ("a", 60.0, 2, 2, 1.0, 0),
        ("a", 61.0, 2, 2, 1.0, 0),
        ("b", 0.0, 3, 0, 0.0, 0),
        ("b", 60.0, 3, 0, 0.0, 0),
        ("b", 61.0, 3, 1, 1 / 3, 0),
    ]
    assert table.select("low", "high").rows() == [(None, None)] * 6
    assert table.schema["low"] == pl.Float64


def test_both_ends_of_the_window_count() -> None:
    shown = log([(1, 100, [5])])
    for time, taken in ((99, 0), (100, 1), (110, 1), (111, 0)):
        assert ictr(shown, events([(1, 5, time)]), [10], PLAIN)["taken"].to_list() == [taken]


def test_an_earlier_event_does_not_hide_a_later_one_nor_the_other_way_round() -> None:
    shown = log([(1, 100, [5])])
    assert ictr(shown, events([(1, 5, 90), (1, 5, 105), (1, 5, 999)]), [10], PLAIN)["taken"].to_list() == [1]


def test_one_event_may_count_for_several_lists() -> None:
    shown = log([(1, 100, [5]), (1, 103, [5, 6])])
    assert ictr(shown, events([(1, 5, 105)]), [10], PLAIN)["ictr"].to_list() == [1.0]


def test_groups_are_those_asked_for() -> None:
    assert ictr(SHOWN, EVENTS, [60], PLAIN, by=[]).select("within", "shown", "taken").rows() == [(60.0, 5, 2)]
    shown = SHOWN.with_columns(place=pl.Series(["top", "top", None, "top", "end"]))
    table = ictr(shown, EVENTS, [60], PLAIN, by=["place", "model"])
    assert table.columns[:3] == ["place", "model", "within"]
    assert table.select("place", "model", "shown", "taken").rows() == [
        (None, "a", 1, 1),
        ("end", "b", 1, 0),
        ("top", "a", 1, 1),
        ("top", "b", 2, 0),
    ]


def test_lists_whose_window_is_not_over_are_told() -> None:
    table = ictr(log([(1, 100, [5]), (1, 450, [5])]), EVENTS, [50, 51], PLAIN)
    assert table["unfinished"].to_list() == [0, 1]


def test_only_empty_lists() -> None:
    assert ictr(log([(1, 100, [])]), EVENTS, [50], PLAIN).select("shown", "taken").rows() == [(1, 0)]


@given(st.integers(0, 100_000))
def test_against_a_loop(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n = int(generator.integers(1, 15))
    shown = [
        (int(u), int(t), generator.integers(0, 6, generator.integers(0, 4)).tolist())
        for u, t in generator.integers(0, (3, 20), (n, 2))
    ]
    models = generator.choice(["a", "b"], n).tolist()
    done = [(int(u), int(i), int(t)) for u, i, t in generator.integers(0, (4, 6, 20), (12, 3))]
    table = ictr(log(shown, model=models), events(done), (0, 3), PLAIN)
    for row in table.iter_rows(named=True):
        mine = [entry for entry, model in zip(shown, models, strict=True) if model == row["model"]]
        taken = [any(v == u and i in items and t <= s <= t + row["within"] for v, i, s in done) for u, t, items in mine]
        assert (row["shown"], row["taken"]) == (len(mine), sum(taken))
        assert row["ictr"] == pytest.approx(sum(taken) / len(mine))


def test_intervals_are_over_users_not_lists() -> None:
    """Ten lists each of 100 users of whom half take all: as uncertain as 100 lists, not 1000."""
    shown = log([(user, time, [5]) for user in range(100) for time in range(10)])
    done = events([(user, 5, 10) for user in range(0, 100, 2)])
    row = ictr(shown, done, [100], EvaluateConfig(bootstrap=4000)).row(0, named=True)
    assert row["ictr"] == 0.5
    assert (row["low"], row["high"]) == pytest.approx((0.5 - 1.96 * 0.05, 0.5 + 1.96 * 0.05), abs=0.01)


def test_intervals_depend_neither_on_the_order_of_rows_nor_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    config = EvaluateConfig(bootstrap=200)
    table = ictr(SHOWN, EVENTS, [60, 61], config)
    monkeypatch.setattr(online, "PER_DRAW", 1)
    assert ictr(SHOWN.reverse(), EVENTS.reverse(), [60, 61], config).equals(table)


@pytest.mark.parametrize("within", [(), (-1.0,), (float("nan"),), (float("inf"),)])
def test_windows_are_checked(within: tuple[float, ...]) -> None:
    message = f"within {within}: expected one or more numbers of seconds from 0 up"
    with pytest.raises(QueryError, match=f"^{re.escape(message)}$"):
        ictr(SHOWN, EVENTS, within)


@pytest.mark.parametrize(("column", "shown"), [("user_id", SHOWN), ("item_id", SHOWN)])
def test_ids_must_be_of_one_kind(column: str, shown: pl.DataFrame) -> None:
    message = f"{column} is Int64 in what was shown and String in the interactions: expected the same kind of id"
    with pytest.raises(DataError, match=f"^{message}$"):
        ictr(shown, EVENTS.with_columns(pl.col(column).cast(pl.String)), [60])
