"""The id border."""

import numpy as np
import polars as pl
import pytest

from conv4rec.errors import DataError
from conv4rec.vocabulary import InteractionType, InteractionTypes

STARS = InteractionTypes.of([1, 2, 3])
SHOP = InteractionTypes.of([1, 2], rated=["purchase"], unrated=["view"])


def test_labels() -> None:
    types = [InteractionType(), InteractionType(None, 4.5), InteractionType("buy"), InteractionType("buy", 4.0)]
    assert [t.label for t in types] == ["unrated", "4.5", "buy", "buy:4"]


def test_channels_are_the_outcomes_then_the_partial_types() -> None:
    assert (STARS.n_types, STARS.n_channels, STARS.n_levels) == (3, 4, 3)
    assert (SHOP.n_types, SHOP.n_channels, SHOP.n_levels) == (3, 4, 2)
    assert [t.label for t in (*SHOP.outcomes, *SHOP.partial)] == ["purchase:1", "purchase:2", "view", "purchase"]


def test_a_partial_type_covers_what_it_may_have_been() -> None:
    assert SHOP.covers.astype(int).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]


def test_level_members() -> None:
    assert SHOP.level_members.astype(int).tolist() == [[1, 0], [0, 1], [0, 0]]


def test_encode_ratings() -> None:
    ratings = pl.Series([3.0, None, 1.0])
    assert STARS.encode(ratings, None, 3).tolist() == [2, 3, 0]
    assert STARS.encode(None, None, 2).tolist() == [3, 3]


def test_encode_names_and_ratings() -> None:
    ratings, names = pl.Series([2.0, None, None]), pl.Series(["purchase", "purchase", "view"])
    assert SHOP.encode(ratings, names, 3).tolist() == [1, 3, 2]


def test_encode_without_a_scale() -> None:
    events = InteractionTypes.of((), rated=(), unrated=(None,))
    assert events.encode(None, None, 2).tolist() == [0, 0]
    assert events.encode(pl.Series([None, None], dtype=pl.Float64), None, 2).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("types", "ratings", "names", "message"),
    [
        (STARS, [1.0, 7.0], None, "row 1: rating 7 is none of the interaction types 1, 2, 3, unrated"),
        (STARS, [1.0, 0.5], None, "row 1: rating 0.5 is none of"),
        (SHOP, [1.0], ["view"], "row 0: type 'view' with rating 1 is none of"),
        (SHOP, [None], ["click"], "row 0: type 'click' with rating missing is none of"),
        (InteractionTypes.of((), rated=(), unrated=(None,)), [4.0], None, "row 0: rating 4 is none of"),
    ],
)
def test_a_combination_that_does_not_exist(
    types: InteractionTypes, ratings: list[float | None], names: list[str] | None, message: str
) -> None:
    series = pl.Series(ratings, dtype=pl.Float64)
    with pytest.raises(DataError, match=message):
        types.encode(series, None if names is None else pl.Series(names), len(ratings))


def test_types_that_cannot_be() -> None:
    with pytest.raises(DataError, match="are rated, but the rating scale is empty"):
        InteractionTypes.of(())
    with pytest.raises(DataError, match="300 interaction types: expected 1 to 250; bin the ratings"):
        InteractionTypes.of(np.arange(300).tolist())
