"""What `check` finds, and what `describe` counts."""

import time
from typing import Any

import polars as pl
import pytest

from conv4rec.config import DataConfig
from conv4rec.data.checks import check
from conv4rec.data.describe import describe
from conv4rec.data.ratings import Ratings
from conv4rec.data.sources import load_ratings
from conv4rec.vocabulary import InteractionTypes

DAY = 86_400
START = 15_000 * DAY + 10_000


def table(items: pl.DataFrame | None = None, **columns: Any) -> Ratings:
    """Ten users with ten items each, rated 1 to 5 in turn, an hour apart; columns given replace or join these."""
    frame = pl.DataFrame({"user": [n // 10 for n in range(100)], "item": [n % 10 for n in range(100)]})
    frame = frame.with_columns(rating=pl.Series([float(n % 5 + 1) for n in range(100)]))
    frame = frame.with_columns(timestamp=pl.Series([START + 3607 * n for n in range(100)]))
    values = {name: pl.Series(value) if isinstance(value, list) else value for name, value in columns.items()}
    return load_ratings(frame.with_columns(**values), config=DataConfig(keep="all"), items=items)


def texts(ratings: Ratings, test: Ratings | None = None) -> list[str]:
    return [finding.text for finding in check(ratings, test)]


def test_nothing_odd() -> None:
    assert texts(table()) == []


def test_repeats_and_copies() -> None:
    ratings = table()
    doubled = Ratings(pl.concat([ratings.frame, ratings.frame.head(3)]), ratings.types)
    assert texts(doubled) == ["6 events of the same user, item and type, 3 of them exact copies of another"]


def test_cold_users_and_items() -> None:
    ratings = table(item=[n % 10 if n else 99 for n in range(100)])
    assert texts(ratings) == ["1 of 11 items have fewer than 5 interactions, 1 have one"]


def test_ids_that_look_alike() -> None:
    ratings = table(user=[f"u{n // 10}" if n else "U0 " for n in range(100)])
    assert "1 user ids differ from another in case or outer blanks only" in texts(ratings)


@pytest.mark.parametrize(
    ("ratings", "text"),
    [
        ([4.0] * 100, "every rating is 4: there is nothing to learn about ratings"),
        ([None] * 25 + [1.0, 2.0, 3.0] * 25, "25 interactions (25.0%) have no rating"),
        ([1.0, 2.0, 4.0, 5.0] * 25, "no rating between 2 and 4: the scale has a gap"),
    ],
)
def test_ratings(ratings: list[float | None], text: str) -> None:
    assert texts(table(rating=ratings)) == [text]


def test_rare_ratings() -> None:
    ratings = table()
    rare = Ratings(ratings.frame, InteractionTypes.of([1, 2, 3, 4, 5, 6]))
    assert texts(rare) == ["rating 6 is rare: 0 of 100"]


NOW = int(time.time())


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (
            [START * 1000 + n for n in range(100)],
            "100 time stamps lie centuries ahead: probably milliseconds, not seconds",
        ),
        ([START + n for n in range(99)] + [NOW + 10 * DAY], "1 time stamps lie in the future"),
        ([START // 1000 + n for n in range(100)], "100 time stamps lie before 1990: another unit, or not known"),
        (
            [DAY * (15_000 + n) for n in range(100)],
            "all time stamps are at 00:00 UTC: the order within a day is not known",
        ),
        (
            [DAY * (15_000 + n) + 5 * 3600 for n in range(100)],
            "all time stamps are at 05:00 UTC, so they were dates in another time zone: "
            "the order within a day is not known",
        ),
        ([None] * 10 + [START + n for n in range(90)], "time stamps in 90% of the rows"),
        (
            [None if n % 5 < 3 else START + n for n in range(100)],
            "time stamps in 40% of the rows, from 0% at rating 1 to 100% at 5: a split by time would be biased",
        ),
    ],
)
def test_times(timestamp: list[int | None], text: str) -> None:
    ratings = table()
    odd = Ratings(ratings.frame.with_columns(timestamp=pl.Series(timestamp)), ratings.types)
    assert texts(odd) == [text]


def test_missing_times_without_ratings() -> None:
    frame = table().frame.with_columns(timestamp=pl.Series([None] * 50 + [START] * 50))
    for unrated in (frame.drop("rating"), frame.with_columns(rating=pl.lit(None, pl.Float64))):
        ratings = Ratings(unrated, InteractionTypes.of((), rated=(), unrated=(None,)))
        assert "time stamps in 50% of the rows" in texts(ratings)


def test_leaks() -> None:
    ratings = table()
    columns = {"user_id": [0, 77], "item_id": [0, 5], "rating": [1.0, 2.0], "timestamp": [START, START]}
    test = Ratings(pl.DataFrame(columns), ratings.types)
    assert texts(ratings, test) == [
        "1 of 2 test rows are of a user and item that the train part has too",
        "1 of 2 users of the test part are not in the train part, 1 of 2 rows",
        "1 of 1 users have train interactions after their first test one: not a split by time",
    ]


def test_items_without_a_row_in_the_side_table() -> None:
    assert texts(table(items=pl.DataFrame({"item": range(9)}))) == ["1 items are not in the side table"]


@pytest.mark.usefixtures("data_folder")
def test_the_time_stamps_of_ml_1m_are_biased(monkeypatch: pytest.MonkeyPatch, data_folder: Any) -> None:
    monkeypatch.setenv("CONV4REC_DATA", str(data_folder))
    assert "time stamps in 39% of the rows, from 1% at rating 3 to 68% at 5: a split by time would be biased" in texts(
        load_ratings("ml-1m", config=DataConfig(keep="all"))
    )


def test_describe() -> None:
    told = describe(table(items=pl.DataFrame({"item": range(10), "title": "x"})))
    notes = told.pop("notes")
    assert notes == ["no repeated events (keep=all)", "items: 10 of 10 items are in the side table"]
    assert told == {
        "name": "data frame",
        "interactions": 100,
        "users": 10,
        "items": 10,
        "density": 1.0,
        "per_user": {"min": 10.0, "median": 10.0, "max": 10.0},
        "per_item": {"min": 10.0, "median": 10.0, "max": 10.0},
        "types": ["1", "2", "3", "4", "5"],
        "ratings": {"1": 20, "2": 20, "3": 20, "4": 20, "5": 20},
        "mean_rating": 3.0,
        "names": {},
        "time": {"first": "2011-01-26", "last": "2011-01-30", "share": 1.0},
        "titles": True,
    }


def test_describe_events_without_ratings() -> None:
    told = describe(load_ratings(pl.DataFrame({"user": [1, 1], "item": [1, 2], "type": ["view", None]})))
    assert told["ratings"] == {"unrated": 2}
    assert told["names"] == {"view": 1, "unnamed": 1}
    assert told["mean_rating"] is None
    assert told["time"] is None
