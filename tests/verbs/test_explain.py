"""Reasons: faithful to the model, on a world the eye knows and on real ratings."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from conv4rec.data.interactions import Interactions
from conv4rec.errors import QueryError, UnknownIdError
from conv4rec.predictions import Predictor
from conv4rec.recommender import Conv4Rec
from conv4rec.verbs.explain import explain
from conv4rec.verbs.leave_out import nothing

MIXED = {"i00": 5.0, "i02": 5.0, "i04": 5.0, "i01": 5.0}
"""Three items of the even colour and one of the odd."""


def of(table: pl.DataFrame, item: str) -> dict[str, Any]:
    return table.row(by_predicate=pl.col("item_id") == item, named=True)


def test_an_effect_is_the_difference_of_two_answers(fitted: Conv4Rec) -> None:
    table = fitted.explain_for(MIXED, ["i06", "i14"], 4)
    whole = fitted.recommend_for(MIXED, 24, exclude_seen=False)
    for row in table.filter(left_out="item").iter_rows(named=True):
        rest = {item: rating for item, rating in MIXED.items() if item != row["history_item_id"]}
        left = fitted.recommend_for(rest, 24, exclude_seen=False)
        before, after = (of(claims, row["item_id"]) for claims in (whole, left))
        assert row["p_consume"] == pytest.approx(before["p_consume"], rel=1e-4)
        assert row["p_consume_without"] == pytest.approx(after["p_consume"], rel=1e-4)
        assert row["effect_consume"] == pytest.approx(np.log(before["p_consume"] / after["p_consume"]), abs=1e-4)
        assert row["effect_rating"] == pytest.approx(before["expected_rating"] - after["expected_rating"], abs=1e-4)
        assert row["effect_like"] == pytest.approx(before["p_like"] - after["p_like"], abs=1e-4)


def test_the_same_colour_speaks_for_an_item_more_than_the_other(fitted: Conv4Rec) -> None:
    even = [f"i{item:02d}" for item in range(6, 24, 2)]
    table = fitted.explain_for(MIXED, even).filter(left_out="item")
    means = dict(table.group_by("history_item_id").agg(pl.col("effect_consume").mean()).iter_rows())
    assert min(means, key=lambda item: means[item]) == "i01"
    assert sum(means[item] for item in ("i00", "i02", "i04")) > 0


def test_all_of_the_history_comes_first_and_the_largest_effect_next(fitted: Conv4Rec) -> None:
    for by in ("consume", "rating", "like"):
        table = fitted.explain(100, ["i02", "i05"], 3, by=by)
        assert table["user_id"].to_list() == [100] * 8
        assert table["item_id"].to_list() == ["i02"] * 4 + ["i05"] * 4
        assert table["rank"].to_list() == [0, 1, 2, 3] * 2
        assert table["left_out"].to_list() == ["all", "item", "item", "item"] * 2
        assert table["history_item_id"].is_null().to_list() == [True, False, False, False] * 2
        sizes = table[f"effect_{by}"].abs()
        assert sizes[1] >= sizes[2] >= sizes[3]
        assert sizes[5] >= sizes[6] >= sizes[7]


def test_without_a_history_the_law_is_that_of_somebody_unknown(fitted: Conv4Rec) -> None:
    law = fitted.predictor.predict(nothing(24))
    row = fitted.explain_for(MIXED, ["i06"]).row(0, named=True)
    assert row["p_consume_without"] == pytest.approx(float(np.exp(law.log_p_consume[0, 6])), rel=1e-4)


def test_what_the_history_says_is_told_beside(fitted: Conv4Rec) -> None:
    table = fitted.explain_for({"i00": 5.0, "i02": None}, ["i06"]).sort("history_item_id", nulls_last=True)
    assert table["interactions"].to_list() == ["5", "unrated", None]
    assert table["rating"].to_list() == [5.0, None, None]
    assert table["history_title"].to_list() == ["Item 0", "Item 2", None]
    assert table["title"].to_list() == ["Item 6"] * 3


def test_a_known_user_is_explained_like_their_history(fitted: Conv4Rec) -> None:
    posted = fitted.explain_for(fitted.history_of(105).select("item_id", "rating"), ["i03"], 24)
    known = fitted.explain(105, ["i03"], 24)
    assert_frame_equal(known.drop("user_id"), posted.drop("user_id"), abs_tol=1e-5)


def claim(predictor: Predictor, history: Interactions, item: int) -> float:
    return float(predictor.predict(history).log_p_consume[0, item])


def test_removing_what_moved_a_prediction_moves_it_more_than_removing_anything_else(films: Conv4Rec) -> None:
    """Fidelity, ML-100K: without the five best reasons the first recommendation falls further than without any five."""
    rng, falls, by_chance = np.random.default_rng(0), [], []
    known, vocabulary = films._known_histories(), films.vocabulary
    for user in rng.choice(known.n_users, 40, replace=False):
        history = known.select(np.array([user]))
        name = vocabulary.users.values[int(user)]
        asked = vocabulary.items.indices(films.recommend([name], 1)["item_id"])
        found = explain(films.predictor, history, asked, like=4.0, memory_mb=256)
        reasons = found.items[np.argsort(-found.effects("consume")[:, 0])[:5]]
        chance = rng.permutation(found.items)[:5]
        rests = (history.keep(~np.isin(history.items, out)) for out in (reasons, chance))
        before = claim(films.predictor, history, asked[0])
        without_reasons, without_chance = (before - claim(films.predictor, rest, asked[0]) for rest in rests)
        falls.append(without_reasons)
        by_chance.append(without_chance)
    wins = np.array(falls) > np.array(by_chance)
    assert wins.mean() > 0.95
    assert np.mean(falls) > 2 * np.mean(np.abs(by_chance))


def test_the_same_for_ratings(films: Conv4Rec) -> None:
    rng, wins = np.random.default_rng(1), []
    known = films._known_histories()
    for user in rng.choice(known.n_users, 25, replace=False):
        history, asked = known.select(np.array([user])), rng.choice(known.n_items, 1)
        found = explain(films.predictor, history, asked, like=4.0, memory_mb=256)
        reasons = found.items[np.argsort(-found.effects("rating")[:, 0])[:5]]
        rests = [reasons, *(rng.permutation(found.items)[:5] for _ in range(4))]
        left = [history.keep(~np.isin(history.items, out)) for out in rests]
        stars = [films.predictor.predict(rest).expected_rating(np.array([0]), asked)[0] for rest in left]
        wins.append(stars[0] < np.mean(stars[1:]))
    assert np.mean(wins) > 0.9


def test_without_ratings_only_consumption_is_explained(clicks: Conv4Rec) -> None:
    table = clicks.explain_for(["i00", "i01"], ["i04"])
    assert {"effect_consume"} == {name for name in table.columns if name.startswith("effect_")}
    with pytest.raises(QueryError, match="by 'rating' needs ratings, and this model was trained without"):
        clicks.explain_for(["i00"], ["i04"], by="rating")


def test_a_model_without_histories_explains_what_is_posted(fitted: Conv4Rec, fitted_without: Conv4Rec) -> None:
    assert_frame_equal(fitted_without.explain_for(MIXED, ["i06"]), fitted.explain_for(MIXED, ["i06"]), abs_tol=1e-5)
    with pytest.raises(QueryError, match="saved without histories"):
        fitted_without.explain(100, ["i06"])


TWO_USERS = pl.DataFrame({"user_id": [1, 2], "item_id": ["i00", "i01"]})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.explain(100, ["zz"]), UnknownIdError, "item 'zz' not known"),
        (lambda m: m.explain(7, ["i00"]), UnknownIdError, "user 7 not known"),
        (lambda m: m.explain(100, "i00"), QueryError, r"got the single id 'i00'; write \['i00'\]"),
        (lambda m: m.explain(100, []), QueryError, "no item to explain: expected at least one item id"),
        (lambda m: m.explain(100, ["i00"], 0), QueryError, "k = 0: expected 1 to 24, the number of items"),
        (lambda m: m.explain(100, ["i00"], by="luck"), QueryError, "by 'luck': expected one of consume, rating, like"),
        (lambda m: m.explain(100, ["i00"], like=9), QueryError, "like = 9: expected at most 5"),
        (
            lambda m: m.explain_for(TWO_USERS, ["i00"]),
            QueryError,
            "the history is of 2 users: expected one, with items",
        ),
    ],
)
def test_what_cannot_be_explained(fitted: Conv4Rec, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(fitted)


def test_a_user_without_a_history(fitted: Conv4Rec) -> None:
    import dataclasses

    emptied = Conv4Rec(fitted.config)
    histories = fitted._known_histories()
    kept = histories.keep(histories.users != 0)
    emptied._state = dataclasses.replace(fitted._fitted, histories=kept)
    with pytest.raises(QueryError, match="user 100 has no history: nothing is known to answer from"):
        emptied.explain(100, ["i00"])
    assert emptied.recommend([100], 3).height == 3
