"""Rating scales and interaction types."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.config import DataConfig
from conv4rec.data.ratings import Ratings
from conv4rec.data.scale import bin_ratings, distinct
from conv4rec.data.sources import load_ratings
from conv4rec.errors import ConfigError, DataError


def load(ratings: list[float | None], types: list[str | None] | None = None, **settings: object) -> Ratings:
    frame = pl.DataFrame({"user": 1, "item": range(len(ratings))}).with_columns(
        rating=pl.Series(ratings, dtype=pl.Float64)
    )
    if types is not None:
        frame = frame.with_columns(event=pl.Series(types, dtype=pl.String))
    return load_ratings(frame, config=DataConfig(**settings))  # type: ignore[arg-type]


def labels(ratings: Ratings) -> tuple[list[str], list[str]]:
    return [t.label for t in ratings.types.outcomes], [t.label for t in ratings.types.partial]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([5, 1, 3, 5], ["1", "3", "5"]),
        ([0.5, 5.0], ["0.5", "5"]),
        ([0, 10], ["0", "10"]),
        ([-10, 2.25], ["-10", "2.25"]),
        ([100, 60], ["60", "100"]),
        ([1, None], ["1"]),
    ],
)
def test_the_scale_is_what_occurs(values: list[float | None], scale: list[str]) -> None:
    assert labels(load(values)) == (scale, ["unrated"])


def test_a_declared_scale_may_hold_more() -> None:
    assert labels(load([5, 3], scale=(5, 1, 2, 3, 4)))[0] == ["1", "2", "3", "4", "5"]


@given(st.lists(st.one_of(st.floats(-60, 60), st.integers(-120, 120).map(lambda n: n / 2))))
def test_distinct_is_a_sorted_set(values: list[float]) -> None:
    assert list(distinct(pl.Series(values, dtype=pl.Float64))) == sorted(set(values))


def test_without_ratings_there_is_one_type() -> None:
    only = load_ratings(pl.DataFrame({"user": [1], "item": [2]}))
    assert labels(only) == (["unrated"], [])
    assert labels(load([None, None])) == (["unrated"], [])


def test_named_types() -> None:
    found = load([4, None, None, 5], ["purchase", "view", "purchase", "purchase"])
    assert labels(found) == (["purchase:4", "purchase:5", "view"], ["purchase"])
    assert labels(load([None, None], ["view", "cart"])) == (["cart", "view"], [])
    assert labels(load([3, None], [None, "view"])) == (["3", "view"], ["unrated"])
    frame = pl.DataFrame({"user": [1, 1], "item": [1, 2], "action": [7, 8]})
    assert labels(load_ratings(frame)) == (["7", "8"], [])


def test_every_row_of_named_types_has_a_channel() -> None:
    found = load([4, None, None, None], ["purchase", "view", "purchase", None])
    assert found.types.encode(found.frame["rating"], found.frame["type"], 4).tolist() == [0, 2, 3, 1]


def test_continuous_ratings_are_binned_on_request() -> None:
    ratings = load([0.0, 2.4, 2.5, 7.5, 10.0, None], bins=4)
    assert ratings.frame["rating"].to_list() == [1.25, 1.25, 3.75, 8.75, 8.75, None]
    assert "ratings from 0 to 10 cut into 4 bins of width 2.5, each rated by its centre" in ratings.notes


def test_too_many_values() -> None:
    message = "data frame: 60 distinct ratings from 0 to 0.59; expected at most 50: cut them into bins with data.bins"
    with pytest.raises(DataError, match=message):
        load([n / 100 for n in range(60)])


def test_settings_that_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match=r"data\.bins and data\.scale are both set"):
        load([1.0], bins=3, scale=(1.0, 2.0))


def test_one_value_cannot_be_binned() -> None:
    assert bin_ratings(pl.Series([2.0, 2.0]), 3)[1] == ("data.bins is not used: fewer than two distinct ratings",)
