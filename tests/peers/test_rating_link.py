"""The rating link: the mean of the law is the expected rating, and the law is as likely as it can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr

from conv4rec.peers.rating_link import MAX_ANY, RatingLink, fit_rating_link

Array = NDArray[np.float64]
STARS = np.arange(1.0, 6.0)
HALVES = np.arange(0.5, 5.1, 0.5)


def given_ratings(values: Array, *, spread: float, n: int = 4000, seed: int = 0) -> tuple[Array, NDArray[np.int64]]:
    """Expected ratings, and the levels nearest to a normal draw around them."""
    generator = np.random.default_rng(seed)
    predicted = generator.uniform(values[0], values[-1], n)
    wanted = predicted + spread * generator.normal(size=n)
    return predicted, np.abs(wanted[:, None] - values).argmin(axis=1)


def nll(p: Array, levels: NDArray[np.int64]) -> float:
    return float(-np.log(p[np.arange(len(levels)), levels]).mean())


@settings(max_examples=25)
@given(
    values=st.sampled_from([STARS, HALVES, np.arange(11.0), np.array([0.0, 1.0]), np.array([1.0, 2.0, 5.0])]),
    spread=st.floats(0.05, 3.0),
    seed=st.integers(0, 10_000),
)
def test_the_mean_of_the_law_is_the_expected_rating(values: Array, spread: float, seed: int) -> None:
    link = fit_rating_link(*given_ratings(values, spread=spread, n=60, seed=seed), values)
    low, high = MAX_ANY * np.abs(values[[0, -1]] - values.mean()) + 1e-4
    asked = np.linspace(values[0] - 1, values[-1] + 1, 500)
    p = link(asked)
    inside = (asked > values[0] + low) & (asked < values[-1] - high)
    assert p.sum(axis=1) == pytest.approx(np.ones(500))
    assert (p > 0).all()
    assert p[inside] @ values == pytest.approx(asked[inside], abs=1e-9)
    assert np.abs(p @ values - asked.clip(values[0], values[-1])).max() <= max(low, high)
    assert (np.diff(p @ values) >= -1e-12).all()


def test_between_two_laws_it_goes_straight() -> None:
    link = RatingLink(1.0, 2.0, np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert link(np.array([[1.25, 3.0]])) == pytest.approx(np.array([[[0.75, 0.25], [0.0, 1.0]]]))
    assert link.n_bytes == 8 * 6


def test_a_normal_around_the_expected_rating_is_come_near() -> None:
    values = np.arange(0.0, 11.0)
    predicted, levels = given_ratings(values, spread=1.0, n=40_000)
    inside = (predicted > 3) & (predicted < 7)  # where the ends of the scale do not shift means
    link = fit_rating_link(predicted[inside], levels[inside], values)
    edges = np.concatenate([[-np.inf], (values[1:] + values[:-1]) / 2, [np.inf]])
    truth = np.diff(ndtr(edges - predicted[:, None]), axis=1)
    found, best = nll(link(predicted)[inside], levels[inside]), nll(truth[inside], levels[inside])
    assert best - 0.005 < found < best + 0.01


def test_ratings_that_are_rarely_given_are_rarely_predicted() -> None:
    """Half stars are given a tenth as often as whole ones: thresholds midway between the ratings cannot say so."""
    generator = np.random.default_rng(0)
    predicted = generator.uniform(1.0, 5.0, 8000)
    weight = np.where(HALVES % 1 == 0, 1.0, 0.1) * np.exp(-((HALVES - predicted[:, None]) ** 2))
    levels = (weight.cumsum(axis=1) / weight.sum(axis=1, keepdims=True) > generator.random((8000, 1))).argmax(axis=1)
    p = fit_rating_link(predicted, levels, HALVES)(np.array([3.0]))[0]
    assert p[HALVES == 2.5] < 0.4 * p[HALVES == 2.0]
    assert p[HALVES == 3.5] < 0.4 * p[HALVES == 4.0]


def test_sure_predictions_give_sharp_laws_and_poor_ones_flat_laws() -> None:
    sharp = fit_rating_link(STARS.repeat(50), np.arange(5).repeat(50), STARS)
    assert sharp(np.array([3.0]))[0, 2] > 0.97
    generator = np.random.default_rng(0)
    flat = fit_rating_link(np.full(500, 3.0), generator.integers(0, 5, 500), STARS)
    assert flat(np.array([3.0]))[0] == pytest.approx(np.full(5, 0.2), abs=0.06)


def test_two_ratings_leave_no_choice() -> None:
    link = fit_rating_link(np.array([0.2, 0.8, 0.9]), np.array([0, 1, 1]), np.array([0.0, 1.0]))
    assert link(np.array([0.25]))[0] == pytest.approx([0.75, 0.25])


def test_one_rating() -> None:
    link = fit_rating_link(np.array([3.0, 4.0]), np.array([0, 0]), np.array([3.0]))
    assert link(np.array([[1.0], [3.0]])) == pytest.approx(np.ones((2, 1, 1)))
