"""Discovery: numbers worked out by hand, and what it finds on real ratings."""

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from conv4rec.discovery import Discovery
from conv4rec.errors import QueryError
from conv4rec.recommender import Conv4Rec
from conv4rec.vocabulary import InteractionTypes

TWO = InteractionTypes.of([1, 5])


def test_the_score_by_hand() -> None:
    found = Discovery(np.array([1.0, 0.5]), p_like=0.4, horizon=2.0)
    p = np.array([[0.5, 0.1]])
    score = found.score(np.log(p), np.array([[0.9, 0.8]]))
    assert score == pytest.approx(np.array([[0.9 * 0.5**2, (0.4 + 0.5 * 0.4) * 0.9**2]]))


def test_what_is_sure_to_be_taken_is_no_discovery() -> None:
    found = Discovery(np.array([1.0]), p_like=0.5, horizon=10.0)
    assert found.score(np.array([[0.0]]), np.array([[1.0]])) == pytest.approx(0.0, abs=1e-6)


def test_items_that_differ_are_trusted_sooner() -> None:
    # ten ratings of each of forty items: all alike or none in one world, half of each item in the other
    apart = np.repeat([[10, 0, 0], [0, 10, 0]], 20, axis=0)
    alike = np.repeat([[5, 5, 0]], 40, axis=0)
    sure, unsure = (Discovery.of(counts, TWO, 5.0, 3.0) for counts in (apart, alike))
    assert sure.trust == pytest.approx(np.ones(40), abs=1e-4)
    assert unsure.trust == pytest.approx(np.zeros(40), abs=1e-4)
    assert sure.p_like == unsure.p_like == 0.5


def test_the_pseudo_count_of_a_known_world() -> None:
    """Like rates from a beta law of a + b = 6: n / (n + 6)."""
    rng = np.random.default_rng(0)
    n = rng.integers(1, 60, 20_000)
    k = rng.binomial(n, rng.beta(3.6, 2.4, len(n)))
    found = Discovery.of(np.stack([n - k, k, np.zeros_like(k)], axis=1), TWO, 5.0, 3.0)
    assert found.trust == pytest.approx(n / (n + 6), abs=0.02)
    assert found.p_like == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("counts", [np.zeros((3, 3)), np.array([[1, 0, 0], [0, 0, 0]]), np.array([[9, 0, 4]])])
def test_without_anything_to_compare_nothing_is_trusted(counts: NDArray[np.float64]) -> None:
    assert (Discovery.of(counts.astype(np.int64), TWO, 5.0, 1.0).trust < 1e-3).all()


def test_interactions_without_a_rating_are_no_evidence() -> None:
    rated = np.array([[3, 1, 0], [1, 5, 0], [0, 4, 0]])
    unrated = rated + np.array([[0, 0, 50]])
    assert Discovery.of(rated, TWO, 5.0, 1.0).trust == pytest.approx(Discovery.of(unrated, TWO, 5.0, 1.0).trust)


def test_the_lists_are_liked_and_off_the_beaten_track(films: Conv4Rec) -> None:
    users = films.vocabulary.users.values[:100]
    found = films.recommend(users, 10, rank_by="discover")
    usual = films.recommend(users, 10, rank_by="consume")
    assert found["score"].is_between(0, 1).all()
    assert found["p_like"].mean() > usual["p_like"].mean() + 0.1  # type: ignore[operator]
    assert found["p_consume"].mean() < usual["p_consume"].mean() / 4  # type: ignore[operator]
    joined = found.join(usual, on=["user_id", "item_id"])
    assert joined.height < 0.05 * found.height


def test_an_item_rated_by_hardly_anyone_is_held_back(films: Conv4Rec) -> None:
    counts = films.similar_items(50, len(films.vocabulary.items) - 1).select("item_id", "n_interactions")
    users = films.vocabulary.users.values[:100]
    found = films.recommend(users, 10, rank_by="discover").join(counts, on="item_id")
    assert found.select((pl.col("n_interactions") < 5).mean()).item() < 0.05


def test_a_model_without_histories_cannot_tell(fitted_without: Conv4Rec) -> None:
    with pytest.raises(QueryError, match="rank_by 'discover' needs to know how many ratings an item has: this model"):
        fitted_without.recommend_for(["i00"], 3, rank_by="discover")
