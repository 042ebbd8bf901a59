"""Candidates, exclusions and tags."""

from typing import Any

import polars as pl
import pytest

from conv4rec.errors import QueryError, UnknownIdError
from conv4rec.filters import item_tags
from conv4rec.recommender import Conv4Rec


def tags_of(model: Conv4Rec, items: pl.Series) -> list[set[str]]:
    assert model.items is not None
    table = items.to_frame().join(model.items, on="item_id", how="left", maintain_order="left")
    return [set(tags) for tags in table["tags"]]


def test_any_of_some_tags_and_none_of_others(simulated: Conv4Rec) -> None:
    found = simulated.recommend([0, 1], 20, tags=["Comedy", "Thriller"], without_tags=["Drama"])
    for tags in tags_of(simulated, found["item_id"]):
        assert tags & {"Comedy", "Thriller"}
        assert "Drama" not in tags


def test_filters_hold_together(simulated: Conv4Rec) -> None:
    comedies = simulated.recommend([3], 20, tags=["Comedy"], exclude_seen=False)["item_id"].to_list()
    few = {"tags": ["Comedy"], "candidates": comedies[:5], "exclude": comedies[1:3], "exclude_seen": False}
    found = simulated.recommend([3], 20, **few)  # type: ignore[arg-type]
    assert found["item_id"].to_list() == [comedies[0], *comedies[3:5]]


def test_a_list_is_what_is_left_of_the_list_without_filters(simulated: Conv4Rec) -> None:
    n_items = len(simulated.vocabulary.items)
    for rank_by in ("consume", "enjoy", "rating", "discover"):
        everything = simulated.recommend([5], n_items, rank_by=rank_by)
        left = everything.filter(pl.Series(["Comedy" in tags for tags in tags_of(simulated, everything["item_id"])]))
        found = simulated.recommend([5], n_items, rank_by=rank_by, tags=["Comedy"])
        assert found["item_id"].to_list() == left["item_id"].to_list()
        assert found["rank"].to_list() == list(range(1, left.height + 1))


def test_tags_of_the_catalogue(simulated: Conv4Rec) -> None:
    pairs = item_tags(simulated.vocabulary, simulated.items)
    assert pairs is not None
    assert simulated.items is not None
    assert pairs.height == simulated.items["tags"].list.len().sum()
    assert item_tags(simulated.vocabulary, simulated.items.drop("tags")) is None
    assert item_tags(simulated.vocabulary, simulated.items.clear()) is None


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"tags": ["Comdy"]}, QueryError, "tag 'Comdy' is of no item; expected one of Adventure, Comedy, Drama"),
        ({"without_tags": ["x"]}, QueryError, "tag 'x' is of no item"),
        ({"tags": "Comedy"}, QueryError, r"got the single tag 'Comedy'; write \['Comedy'\]"),
        ({"exclude": [99999]}, UnknownIdError, "item 99999 not known"),
        ({"exclude": 3}, QueryError, r"got the single id 3; write \[3\]"),
        ({"tags": []}, QueryError, "no item is left: candidates, exclude, tags and without_tags together allow none"),
        ({"candidates": [3], "exclude": [3]}, QueryError, "no item is left"),
    ],
)
def test_filters_that_have_no_answer(simulated: Conv4Rec, choices: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        simulated.recommend([1], 3, **choices)


def test_tags_where_there_are_none(fitted: Conv4Rec) -> None:
    with pytest.raises(QueryError, match="this model knows no tags of its items: train it on data with a side table"):
        fitted.recommend([101], 3, tags=["Comedy"])


def test_many_tags_are_not_all_named() -> None:
    from conv4rec.filters import _some

    names = pl.Series([f"t{place:03d}" for place in range(100)])
    assert _some(names).endswith("t029 and 70 more")
