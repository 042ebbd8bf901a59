"""Bins, errors and curves: by hand, and against loops over single predictions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.metrics import calibration
from conv4rec.metrics.calibration import (
    CONSUME_BINS,
    FINE,
    LIKE_BINS,
    bin_likes,
    consumption_bins,
    consumption_mass,
    consumption_steps,
    count_likes,
    expected_calibration_error,
    pooled_auc,
    reliability,
)
from conv4rec.predictions import Floats
from tests.metrics.naive import octave, pair_share


def test_error_is_the_mean_distance_in_the_bins() -> None:
    predicted, observed = np.array([1.0, 2.5, 0.0]), np.array([0.0, 3.0, 0.0])
    assert expected_calibration_error(predicted, observed, np.array(6.0)) == pytest.approx(0.25)


def test_errors_of_replicates_are_found_at_once() -> None:
    predicted, observed = np.array([[1.0, 2.0], [1.0, 1.0]]), np.array([[1.0, 1.0], [0.0, 0.0]])
    assert expected_calibration_error(predicted, observed, np.array([2.0, 4.0])).tolist() == [0.5, 0.5]


def test_bins_of_likes() -> None:
    assert bin_likes(np.array([0.0, 0.049, 0.051, 0.5, 0.999, 1.0])).tolist() == [0, 0, 1, 10, 19, 19]
    assert bin_likes(np.linspace(0, 1, 101)).max() == LIKE_BINS - 1


def test_bins_of_consumption_double() -> None:
    ratios = np.array([[0.0, 2**-9.5, 2**-7.5, 0.75, 1.5, 3.0, 2**11.5, 2**12.5, 2**30]])
    with np.errstate(divide="ignore"):
        steps = consumption_steps(np.log(ratios / ratios.shape[1]))
    assert consumption_bins(steps).tolist() == [[0, 0, 1, 8, 9, 10, 20, 21, 21]]
    assert consumption_bins(steps).max() == CONSUME_BINS - 1


@given(st.integers(0, 10_000), st.sampled_from([np.float32, np.float64]))
def test_steps_never_fall_where_the_law_rises(seed: int, dtype: type) -> None:
    log_p: Floats = np.sort(np.random.default_rng(seed).normal(-8, 8, (3, 200)), axis=1).astype(dtype)
    log_p[0, :3] = -np.inf
    steps = consumption_steps(log_p)
    assert steps.dtype == np.uint16
    assert steps.min() >= 1
    assert (np.diff(steps.astype(np.int64), axis=1) >= 0).all()


def test_steps_leave_the_law_alone() -> None:
    log_p = np.log(np.array([[0.25, 0.75]]))
    before = log_p.copy()
    consumption_steps(log_p)
    assert (log_p == before).all()


@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 200))
def test_mass_equals_the_naive_loop(seed: int, n_items: int, per_block: int) -> None:
    generator = np.random.default_rng(seed)
    p = 0.97 * generator.dirichlet(np.full(n_items, 0.3), 5).clip(1e-30)  # no ratio on the edge of a bin
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "PER_BLOCK", per_block)
        mass, counts, squares = consumption_mass(np.log(p), consumption_steps(np.log(p)))
    for row in range(5):
        expected, numbers = np.zeros(CONSUME_BINS), np.zeros(CONSUME_BINS)
        for each in p[row].tolist():
            expected[octave(each * n_items) + 9] += each
            numbers[octave(each * n_items) + 9] += 1
        assert mass[row] == pytest.approx(expected, abs=1e-8)
        assert counts[row].tolist() == numbers.tolist()
    assert squares == pytest.approx((p**2).sum(axis=1))


@given(st.integers(0, 10_000))
def test_pooled_auc_equals_counting_pairs(seed: int) -> None:
    generator = np.random.default_rng(seed)
    p, liked = generator.choice([0.0, 0.2, 0.25, 0.9, 1.0], 12), generator.random(12) < 0.5
    disliked_counts, liked_counts = count_likes(p, liked)
    area = float(pooled_auc(liked_counts, disliked_counts))
    expected = pair_share(p[liked].tolist(), p[~liked].tolist())
    assert area == pytest.approx(math.nan if expected is None else expected, nan_ok=True)


def test_pooled_auc_takes_less_than_a_step_for_a_tie() -> None:
    step = 1 / FINE
    apart, close = (count_likes(np.array([0.5, 0.5 + d]), np.array([False, True])) for d in (step, step / 2))
    assert float(pooled_auc(apart[1], apart[0])) == 1.0
    assert float(pooled_auc(close[1], close[0])) == 0.5


def test_pooled_auc_of_one_class_is_not_defined() -> None:
    counts = np.array([[1.0, 2.0], [1.0, 1.0]])
    areas = pooled_auc(counts, np.array([[0.0, 0.0], [1.0, 0.0]]))
    assert np.isnan(areas[0])
    assert areas[1] == pytest.approx(0.75)


def test_reliability_leaves_empty_bins_out() -> None:
    rows = reliability(
        np.array([0.5, 0.0, 3.0]), np.array([1.0, 0.0, 2.0]), np.array([1.0, 0.0, 4.0]), np.array([1.0, 0.0, 3.0])
    )
    assert rows == [
        {"predicted": 0.5, "observed": 1.0, "weight": 0.25},
        {"predicted": 0.75, "observed": 0.5, "weight": 0.75},
    ]
