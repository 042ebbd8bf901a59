"""Views, carts and purchases, with ratings and without: every verb tells them apart."""

import json

import polars as pl
import pytest

from conv4rec.recommender import Conv4Rec

HISTORY = pl.DataFrame(
    {
        "item_id": [3, 3, 7, 9],
        "type": ["view", "purchase", "purchase", "cart"],
        "rating": [None, 5.0, None, None],
    }
)


def test_an_item_is_left_out_with_all_of_its_events(shop: Conv4Rec) -> None:
    table = shop.explain_for(HISTORY, [11], 10).filter(left_out="item").sort("history_item_id")
    assert table["history_item_id"].to_list() == [3, 7, 9]
    assert table["interactions"].to_list() == ["view, purchase:5", "purchase", "cart"]
    assert table["rating"].to_list() == [5.0, None, None]
    rest = shop.recommend_for(HISTORY.filter(pl.col("item_id") != 3), 1, candidates=[11])
    assert table["p_consume_without"][0] == pytest.approx(rest["p_consume"][0], rel=1e-4)


def test_a_profile_of_events(shop: Conv4Rec) -> None:
    profile = shop.profile_for(HISTORY)
    assert profile.n_interactions == 4
    assert profile.familiarity.n_items == 3
    assert profile.style is not None
    assert profile.style.n_ratings == 1
    assert profile.style.spread is None
    json.dumps(profile.to_dict(), allow_nan=False)


def test_every_type_is_on_the_map(shop: Conv4Rec) -> None:
    found = shop.interaction_types()
    labels = {kind.label for kind in shop.vocabulary.types.channels}
    assert set(found.strength["type"]) == labels
    assert {"view", "cart", "purchase", "purchase:5"} <= labels
    one = found.alike.filter(pl.col("type") == pl.col("other"))
    assert one["effect_cosine"].to_list() == pytest.approx([1.0] * len(one))


def test_every_order_has_an_answer(shop: Conv4Rec) -> None:
    worth = {value: value - 3 for value in shop.vocabulary.types.rating_values.tolist()}
    for rank_by in ("consume", "rating", "enjoy", "discover", "utility", "gain"):
        utility = worth if rank_by in ("utility", "gain") else None
        assert shop.recommend_for(HISTORY, 5, rank_by=rank_by, utility=utility, diversity=0.2).height == 5
