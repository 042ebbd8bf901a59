"""The profile: its parts fit together, and it is plain JSON."""

import json

import numpy as np
import pytest

from conv4rec.errors import QueryError
from conv4rec.recommender import Conv4Rec
from conv4rec.verbs.profile import Uncertainty


def test_a_profile_is_plain_json(films: Conv4Rec, clicks: Conv4Rec) -> None:
    for profile in (films.profile(196), films.profile_for([50]), clicks.profile(100), clicks.profile_for(["i00"])):
        told = profile.to_dict()
        assert json.loads(json.dumps(told, allow_nan=False)) == told
        assert set(told) == {
            "user_id", "n_interactions", "embedding", "style", "segments", "neighbours", "history", "uncertainty",
            "blank", "familiarity",
        }  # fmt: skip
    assert clicks.profile(100).style is None
    assert films.profile_for([50]).style is None
    assert films.profile_for({50: 4}).style is not None


def test_a_known_user_is_profiled_like_their_history(films: Conv4Rec) -> None:
    known = films.profile(196)
    posted = films.profile_for(films.history_of(196).select("item_id", "rating"))
    assert known.user_id == 196
    assert posted.user_id == 0
    assert posted.embedding == pytest.approx(known.embedding, abs=1e-5)
    assert posted.style == known.style
    assert posted.familiarity == known.familiarity
    assert posted.segments.equals(known.segments)
    assert posted.neighbours["user_id"][0] == 196
    assert 196 not in known.neighbours["user_id"]
    assert posted.neighbours["user_id"].to_list()[1:] == known.neighbours["user_id"].to_list()[:9]


def test_the_history_is_told_item_by_item(films: Conv4Rec) -> None:
    table = films.profile(196).history
    known = films.history_of(196)
    assert set(table["item_id"]) == set(known["item_id"])
    assert table.columns == [
        "item_id", "interactions", "rating", "p_consume", "popularity", "lift", "unusual", "expected_rating", "title",
    ]  # fmt: skip
    ratings = dict(known.select("item_id", "rating").iter_rows())
    assert dict(table.select("item_id", "rating").iter_rows()) == ratings


def test_uncertainty_by_hand(fitted: Conv4Rec) -> None:
    law = fitted.predictor.predict(fitted._known_histories())
    p = np.exp(law.log_p_consume[0].astype(float))
    r = law.p_rating_grid()[0].astype(float)
    found = Uncertainty.of(law)
    assert found.consume_entropy == pytest.approx(-(p * np.log(p)).sum(), abs=1e-5)
    assert found.effective_items == pytest.approx(np.exp(found.consume_entropy))
    assert found.rating_entropy == pytest.approx((p * -(r * np.log(r)).sum(1)).sum(), abs=1e-5)


def test_who_is_known_is_less_uncertain_than_who_is_not(films: Conv4Rec) -> None:
    profiles = [films.profile(user) for user in films.vocabulary.users.values[:30]]
    assert np.mean([one.uncertainty.consume_entropy for one in profiles]) < profiles[0].blank.consume_entropy - 0.2


def test_a_profile_needs_others_to_compare_with(fitted_without: Conv4Rec) -> None:
    with pytest.raises(QueryError, match="saved without histories: it knows of no users to find a population in"):
        fitted_without.profile_for(["i00"])


def test_a_new_fit_is_a_new_population(small_config, checkerboard) -> None:  # type: ignore[no-untyped-def]
    model = Conv4Rec(small_config).fit(checkerboard)
    first = model._answers
    assert model._answers is first
    model.fit(checkerboard)
    assert model._answers is not first
