"""Similar items and users."""

import dataclasses
from typing import Any

import numpy as np
import polars as pl
import pytest

from conv4rec.errors import QueryError, UnknownIdError
from conv4rec.recommender import Conv4Rec


def test_similar_items_have_the_colour(fitted: Conv4Rec) -> None:
    table = fitted.similar_items("i04", 5)
    assert table.columns == ["item_id", "rank", "similarity", "n_interactions", "title"]
    assert all(int(item[1:]) % 2 == 0 for item in table["item_id"])
    assert "i04" not in table["item_id"]
    assert table["rank"].to_list() == [1, 2, 3, 4, 5]
    assert table["similarity"].is_sorted(descending=True)


def test_similar_users_have_the_colour_and_share_items(fitted: Conv4Rec) -> None:
    table = fitted.similar_users(101, 8)
    assert (table["user_id"] % 2 == 1).all()
    assert 101 not in table["user_id"]
    mine = set(fitted.history_of(101)["item_id"])
    for user, n, shared in table.select("user_id", "n_interactions", "n_shared").iter_rows():
        theirs = set(fitted.history_of(user)["item_id"])
        assert (n, shared) == (len(theirs), len(mine & theirs))


def test_a_history_is_most_like_the_user_who_has_it(fitted: Conv4Rec) -> None:
    history = fitted.history_of(107).select("item_id", "rating")
    table = fitted.similar_users_for(history, 60)
    assert table["user_id"][0] == 107
    assert table["similarity"][0] == pytest.approx(1.0, abs=1e-4)
    assert table.height == 60


def test_neighbours_of_films_share_tags(films: Conv4Rec) -> None:
    """ML-100K: of items with a hundred ratings or more, the nearest have more tags in common than any two."""
    assert films.items is not None
    tags = {item: set(names) for item, names in films.items.select("item_id", "tags").iter_rows()}
    n = films.similar_items(1, 1681).filter(pl.col("n_interactions") >= 100)["item_id"].to_list()[:150]

    def alike(a: int, b: int) -> float:
        return len(tags[a] & tags[b]) / max(1, len(tags[a] | tags[b]))

    near = [alike(item, other) for item in n for other in films.similar_items(item, 5)["item_id"]]
    chance = [alike(a, b) for a in n for b in n if a != b]
    assert np.mean(near) > 1.4 * np.mean(chance)


def test_an_item_with_few_interactions_is_not_sure_to_be_alike(films: Conv4Rec) -> None:
    popular = films.similar_items(1, 300)["item_id"].to_list()
    rare = [films.similar_items(item, 10).filter(pl.col("n_interactions") < 5).height for item in popular]
    assert np.mean(rare) < 0.05


def test_without_histories_items_are_alike_and_users_are_not_known(fitted: Conv4Rec, fitted_without: Conv4Rec) -> None:
    table = fitted_without.similar_items("i04", 5)
    assert table.columns == ["item_id", "rank", "similarity", "title"]
    assert set(table["item_id"]) <= set(fitted.similar_items("i04", 11)["item_id"])
    with pytest.raises(QueryError, match="saved without histories: it knows of no users to find similar users in"):
        fitted_without.similar_users_for(["i00"])


def test_who_has_no_history_is_nobodys_neighbour(fitted: Conv4Rec) -> None:
    emptied = Conv4Rec(fitted.config)
    histories = fitted._known_histories()
    kept = histories.keep(np.isin(histories.users, [1, 3]))
    emptied._state = dataclasses.replace(fitted._fitted, histories=kept)
    assert emptied.similar_users(101, 1)["user_id"].to_list() == [103]
    assert emptied.profile(101).neighbours["user_id"].to_list() == [103]
    assert emptied.similar_users_for(["i01"], 2).height == 2
    with pytest.raises(QueryError, match="k = 2: expected 1 to 1, the number of other users"):
        emptied.similar_users(101, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.similar_items("zz"), UnknownIdError, "item 'zz' not known"),
        (lambda m: m.similar_items("i00", 24), QueryError, "k = 24: expected 1 to 23, the number of other items"),
        (lambda m: m.similar_users(100, 60), QueryError, "k = 60: expected 1 to 59, the number of other users"),
        (lambda m: m.similar_users(7), UnknownIdError, "user 7 not known"),
        (lambda m: m.similar_users_for({"zz": 1.0}), QueryError, "none of the 1 items of the history is known"),
    ],
)
def test_what_is_like_nothing(fitted: Conv4Rec, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(fitted)
