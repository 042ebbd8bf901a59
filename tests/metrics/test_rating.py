"""Errors, scores and log-likelihood of ratings, on laws small enough to compute by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.metrics.rating import is_most_likely, ranked_probability_score, rating_errors, type_nll
from conv4rec.vocabulary import InteractionTypes

STARS = InteractionTypes.of([1.0, 2.0, 3.0])  # channels 0, 1, 2 rated, 3 unrated
HALVES = InteractionTypes.of([0.5, 1.0, 1.5])
SHOP = InteractionTypes.of([1.0, 2.0], rated=["purchase"], unrated=["view"])  # buy:1, buy:2, view | buy unrated
LAW = np.array([[0.2, 0.3, 0.5]])


def channels(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint8)


def test_error_is_expected_minus_given() -> None:
    assert rating_errors(LAW, np.array([1.0]), STARS) == pytest.approx([0.2 + 0.6 + 1.5 - 1.0])
    assert rating_errors(LAW, np.array([1.5]), HALVES) == pytest.approx([0.1 + 0.3 + 0.75 - 1.5])


def test_nothing_rated_has_no_error() -> None:
    nothing = np.empty((0, 3))
    assert rating_errors(nothing, np.empty(0), STARS).shape == (0,)
    assert ranked_probability_score(nothing, np.empty(0, dtype=np.int64)).shape == (0,)
    assert is_most_likely(nothing, np.empty(0, dtype=np.int64)).shape == (0,)


@pytest.mark.filterwarnings("ignore")
def test_errors_agree_with_lenskit() -> None:
    metrics = pytest.importorskip("lenskit.metrics")
    from lenskit.data import ItemList

    generator = np.random.default_rng(0)
    laws, given_ratings = generator.dirichlet(np.ones(3), 40), generator.integers(1, 4, 40).astype(np.float64)
    errors = rating_errors(laws, given_ratings, STARS)
    said = ItemList(item_ids=np.arange(40), scores=laws @ [1.0, 2.0, 3.0])
    truth = ItemList(item_ids=np.arange(40), rating=given_ratings)
    assert math.sqrt((errors**2).mean()) == pytest.approx(metrics.RMSE().measure_list(said, truth))
    assert np.abs(errors).mean() == pytest.approx(metrics.MAE().measure_list(said, truth))


def test_ranked_probability_score_by_hand() -> None:
    laws = np.repeat(LAW, 3, axis=0)
    expected = [(0.8**2 + 0.5**2) / 2, (0.2**2 + 0.5**2) / 2, (0.2**2 + 0.5**2) / 2]
    assert ranked_probability_score(laws, np.array([0, 1, 2])) == pytest.approx(expected)


def test_ranked_probability_score_goes_from_sure_and_right_to_the_other_end() -> None:
    laws = np.eye(3)[[0, 0, 0]]
    assert ranked_probability_score(laws, np.array([0, 1, 2])).tolist() == [0.0, 0.5, 1.0]


def test_one_rating_value_is_always_right() -> None:
    law, level = np.ones((2, 1)), np.zeros(2, dtype=np.int64)
    assert ranked_probability_score(law, level).tolist() == [0.0, 0.0]
    assert is_most_likely(law, level).tolist() == [1.0, 1.0]


@given(st.integers(0, 1000), st.integers(2, 8))
def test_ranked_probability_score_equals_the_naive_loop(seed: int, n_levels: int) -> None:
    generator = np.random.default_rng(seed)
    laws, levels = generator.dirichlet(np.ones(n_levels), 5), generator.integers(0, n_levels, 5)
    for law, level, score in zip(laws, levels, ranked_probability_score(laws, levels), strict=True):
        steps = [(law[: upper + 1].sum() - (level <= upper)) ** 2 for upper in range(n_levels - 1)]
        assert score == pytest.approx(sum(steps) / (n_levels - 1))


def test_the_most_likely_rating_is_the_lower_of_equal_ones() -> None:
    laws = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])
    assert is_most_likely(laws, np.array([0, 1, 2])).tolist() == [1.0, 0.0, 1.0]


def test_nll_of_a_known_type_is_its_log_probability() -> None:
    law = np.log(np.repeat(LAW, 2, axis=0))
    assert type_nll(law, channels(0, 2), STARS) == pytest.approx([-math.log(0.2), -math.log(0.5)])


def test_nll_of_a_type_of_unknown_rating_sums_what_it_covers() -> None:
    assert type_nll(np.log(LAW), channels(3), SHOP) == pytest.approx([-math.log(0.2 + 0.3)])


def test_nll_of_an_interaction_that_may_be_anything_is_zero() -> None:
    assert type_nll(np.log(LAW), channels(3), STARS).tolist() == [0.0]


def test_nll_of_what_has_no_probability_is_infinite() -> None:
    law = np.array([[-np.inf, -np.inf, 0.0]])
    assert type_nll(law, channels(0), SHOP).tolist() == [np.inf]
    assert type_nll(law, channels(3), SHOP).tolist() == [np.inf]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.integers(0, 1000), st.sampled_from([STARS, SHOP]))
def test_nll_equals_the_naive_loop(chosen: list[int], seed: int, types: InteractionTypes) -> None:
    probability = np.random.default_rng(seed).dirichlet(np.ones(3), size=len(chosen))
    expected = [
        -math.log(sum(p for p, covered in zip(row, types.covers[c], strict=True) if covered))
        for row, c in zip(probability.tolist(), chosen, strict=True)
    ]
    assert type_nll(np.log(probability), channels(*chosen), types) == pytest.approx(expected, abs=1e-9)
