"""Time stamps."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest

from conv4rec.config import DataConfig
from conv4rec.data.sources import load_ratings
from conv4rec.errors import DataError

NOON = 1_577_966_400
"""2020-01-02 12:00 UTC."""
NAIVE = "time stamps without a time zone taken as UTC"


def frame(*times: Any) -> pl.DataFrame:
    return pl.DataFrame({"user": 1, "item": range(len(times)), "timestamp": list(times)})


@pytest.mark.parametrize(
    ("time", "note"),
    [
        (NOON, None),
        (float(NOON), None),
        (NOON + 0.5, "fractions of a second cut off 1 time stamps"),
        (str(NOON), None),
        (datetime(2020, 1, 2, 12), NAIVE),
        (datetime(2020, 1, 2, 12, tzinfo=UTC), None),
        (datetime(2020, 1, 2, 14, tzinfo=timezone(timedelta(hours=2))), None),
        ("2020-01-02 12:00:00", NAIVE),
        ("2020-01-02T12:00:00", NAIVE),
        ("2020-01-02T12:00:00.250", NAIVE),
        ("2020-01-02T12:00:00Z", None),
        ("2020-01-02T14:00:00+02:00", None),
    ],
)
def test_one_moment_in_many_forms(time: Any, note: str | None) -> None:
    ratings = load_ratings(frame(time, None))
    assert ratings.frame["timestamp"].to_list() == [NOON, None]
    assert ratings.frame["timestamp"].dtype == pl.Int64
    assert [n for n in ratings.notes if "time stamps" in n] == ([] if note is None else [note])


def test_dates_are_midnight() -> None:
    for day in ("2020-01-02", date(2020, 1, 2)):
        assert load_ratings(frame(day)).frame["timestamp"].to_list() == [NOON - 43_200]


@pytest.mark.parametrize(("unit", "ticks"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_units_are_told_not_guessed(unit: str, ticks: int) -> None:
    config = DataConfig(timestamp_unit=unit)  # type: ignore[arg-type]
    assert load_ratings(frame(NOON * ticks), config=config).frame["timestamp"].to_list() == [NOON]
    assert load_ratings(frame(float(NOON * ticks)), config=config).frame["timestamp"].to_list() == [NOON]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([1, -5], "row 1: timestamp -5 is negative; expected seconds since 1970"),
        ([1, NOON * 10**3], "row 1: timestamp 1577966400000 lies after the year 2100; expected .*timestamp_unit=ms"),
        ([1, NOON * 10**6], "row 1: .* or data.timestamp_unit=us"),
        ([1, NOON * 10**9], "row 1: .* or data.timestamp_unit=ns"),
        (["2020-01-02", "yesterday"], "row 1: timestamp 'yesterday' is neither a number nor an ISO date and time"),
        (["1", "x"], "row 1: timestamp 'x' is not a number"),
        ([1.0, float("nan")], "row 1: timestamp nan is not finite; leave it empty if it is not known"),
        ([1.0, 1e30], r"row 1: timestamp 1e\+30 is too large; expected seconds since 1970"),
        ([datetime(1960, 1, 1, tzinfo=UTC)], "row 0: timestamp -315619200 is negative"),
        ([True], "row 0: timestamp True is Boolean; expected a number"),
    ],
)
def test_times_that_cannot_be(times: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_ratings(frame(*times))


def test_a_mixture_of_zones() -> None:
    ratings = load_ratings(frame("2020-01-02T12:00:00", "2020-01-02T12:00:00Z", "", None))
    assert ratings.frame["timestamp"].to_list() == [NOON, NOON, None, None]
