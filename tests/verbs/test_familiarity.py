"""Familiarity: what is flagged, and what is not."""

import numpy as np
import polars as pl
import pytest

from conv4rec.recommender import Conv4Rec
from conv4rec.verbs.population import ITEMS, USERS


def test_a_history_of_the_population_is_usual(films: Conv4Rec) -> None:
    found = [films.profile(user).familiarity for user in films.vocabulary.users.values[:80]]
    verdicts = [one.verdict for one in found]
    assert verdicts.count("usual") / 80 > 0.85
    assert np.mean([one.percentile for one in found]) == pytest.approx(50, abs=12)


def test_items_thrown_together_are_odd(films: Conv4Rec) -> None:
    rng, ids = np.random.default_rng(0), films.vocabulary.items.values.to_numpy()
    found = [films.profile_for(rng.choice(ids, 60, replace=False).tolist()).familiarity for _ in range(20)]
    assert [one.verdict for one in found].count("odd") >= 18
    assert np.mean([one.percentile for one in found]) < 3


def test_a_short_history_is_thin(films: Conv4Rec) -> None:
    found = films.profile_for({50: 5.0, 181: 5.0}).familiarity
    assert found.verdict == "thin"
    assert found.n_items == 2
    assert "thin: fewer than 21 items, the 5th percentile of the histories in the model; odd: mean lift" in found.rule


def test_lift_is_the_log_of_what_the_rest_tells_over_popularity(films: Conv4Rec) -> None:
    user = films.vocabulary.users.values[10]
    profile, known = films.profile(user), films.history_of(user)
    row = profile.history.row(3, named=True)
    rest = known.filter(pl.col("item_id") != row["item_id"]).select("item_id", "rating")
    left_out = films.recommend_for(rest, 1, candidates=[row["item_id"]]).row(0, named=True)
    assert row["p_consume"] == pytest.approx(left_out["p_consume"], rel=1e-3)
    assert row["expected_rating"] == pytest.approx(left_out["expected_rating"], abs=1e-3)
    n = films._known_histories()
    share = (np.bincount(n.items, minlength=n.n_items) + 1) / (len(n) + n.n_items)
    place = films.vocabulary.items.indices([row["item_id"]])[0]
    assert row["popularity"] == pytest.approx(share[place])
    assert row["lift"] == pytest.approx(np.log(row["p_consume"] / row["popularity"]), abs=1e-5)
    assert profile.familiarity.lift == pytest.approx(profile.history["lift"].mean())
    assert profile.history["lift"].is_sorted(descending=True)


def test_what_is_unusual_stands_out(films: Conv4Rec) -> None:
    """Of twenty well known science fiction films and one romance, the romance is what does not belong."""
    assert films.items is not None
    n = films.similar_items(1, 1681).select("item_id", "n_interactions")
    known = films.items.join(n, on="item_id").filter(pl.col("n_interactions") > 100).sort("n_interactions")
    fiction = known.filter(pl.col("tags").list.contains("Sci-Fi"))["item_id"].to_list()[-25:]
    romance = known.filter(pl.col("tags") == ["Comedy", "Romance"])["item_id"].to_list()[-1]
    history = films.profile_for(dict.fromkeys([*fiction, romance], 4.0)).history
    assert romance in history.tail(6)["item_id"].to_list()


def test_the_reference_is_drawn_once_and_the_same(films: Conv4Rec) -> None:
    population = films._answers.population
    assert population.reference is films._answers.population.reference
    assert len(population.reference.means) == USERS
    assert len(population.reference.lifts) <= USERS * ITEMS
    again = type(population)(population.predictor, population.embeddings, population.histories, 64).reference
    assert again.means == pytest.approx(population.reference.means, abs=1e-4)
