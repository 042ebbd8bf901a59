"""Replicates: weights that are Poisson(1), the same for the same user, and intervals that cover."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from conv4rec.metrics.bootstrap import Totals, Weights, interval


def test_weights_are_poisson_with_mean_one() -> None:
    weights = Weights(1000, seed=7).draw(2000)
    assert weights.shape == (2000, 1000)
    n = weights.size
    assert weights.mean() == pytest.approx(1.0, abs=4 / math.sqrt(n) + 1e-4)  # and the step of 16 bits
    assert weights.var() == pytest.approx(1.0, abs=4 * math.sqrt(3 / n) + 1e-3)
    observed = np.bincount(weights.astype(np.int64).ravel(), minlength=7)
    expected = n * stats.poisson.pmf(np.arange(6), 1.0)
    found = np.append(observed[:6], observed[6:].sum())
    chi_square = (
        (found - np.append(expected, n - expected.sum())) ** 2 / np.append(expected, n - expected.sum())
    ).sum()
    assert chi_square < stats.chi2.ppf(0.9999, df=6)


def test_weights_of_users_and_of_replicates_are_independent() -> None:
    weights = Weights(64, seed=3).draw(4000).astype(np.float64) - 1.0
    by_replicate, by_user = weights.T @ weights / 4000, weights[:300] @ weights[:300].T / 64
    others = by_replicate[np.triu_indices(64, 1)]
    assert np.abs(others).max() < 6 / math.sqrt(4000)
    assert others.mean() == pytest.approx(0.0, abs=0.01)
    assert by_user[np.triu_indices(300, 1)].mean() == pytest.approx(0.0, abs=0.01)


@given(st.integers(1, 9), st.lists(st.integers(0, 7), min_size=1, max_size=6))
def test_batches_do_not_matter(n_replicates: int, sizes: list[int]) -> None:
    whole = Weights(n_replicates, seed=1).draw(sum(sizes))
    drawn = Weights(n_replicates, seed=1)
    np.testing.assert_array_equal(np.concatenate([drawn.draw(size) for size in sizes]), whole)
    assert whole.shape == (sum(sizes), n_replicates)


def test_seeds_differ() -> None:
    assert (Weights(50, seed=0).draw(50) != Weights(50, seed=1).draw(50)).any()


def test_no_replicates() -> None:
    weights = Weights(0, seed=0).draw(3)
    assert weights.shape == (3, 0)
    totals = Totals(0)
    totals.add({"x": np.array([1.0, 2.0, 3.0])}, weights)
    assert totals.plain["x"] == 6.0
    assert totals.replicates == {}


@given(st.integers(0, 1000), st.integers(1, 5))
def test_sums_equal_the_naive_loop(seed: int, n_batches: int) -> None:
    generator = np.random.default_rng(seed)
    totals, plain, drawn = Totals(4), np.zeros(4), np.zeros((4, 4))
    for _ in range(n_batches):
        n = int(generator.integers(1, 5))
        one, three, weights = generator.random(n), generator.random((n, 3)), generator.integers(0, 4, (n, 4))
        totals.add({"one": one, "three": three}, weights.astype(np.float32))
        for user in range(n):
            values = np.array([one[user], *three[user]])
            plain += values
            for replicate in range(4):
                drawn[replicate] += weights[user, replicate] * values
    assert totals.plain["one"] == pytest.approx(plain[0])
    assert totals.plain["three"] == pytest.approx(plain[1:])
    assert totals.replicates["one"] == pytest.approx(drawn[:, 0], rel=1e-5, abs=1e-6)
    assert totals.replicates["three"] == pytest.approx(drawn[:, 1:], rel=1e-5, abs=1e-6)


def test_an_infinite_value_leaves_the_other_columns_alone() -> None:
    totals = Totals(50)
    weights = Weights(50, seed=0).draw(3)
    totals.add({"bad": np.array([1.0, np.inf, 2.0]), "good": np.ones(3)}, weights)
    assert totals.plain["bad"] == np.inf
    assert totals.replicates["good"] == pytest.approx(weights.sum(axis=0))
    assert not np.isfinite(totals.replicates["bad"]).all()


def test_interval_by_hand() -> None:
    assert interval(np.arange(101.0), 0.9) == pytest.approx((5.0, 95.0))


def test_interval_leaves_out_what_is_not_defined() -> None:
    values = np.array([np.nan, 1.0, np.inf, 3.0])
    assert interval(values, 0.5) == pytest.approx((1.5, 2.5))
    assert interval(np.array([np.nan, 1.0]), 0.5) is None
    assert interval(np.empty(0), 0.5) is None


def test_interval_of_a_mean_is_that_of_normal_theory() -> None:
    values = np.random.default_rng(0).exponential(2.0, 4000)
    totals, weights = Totals(4000), Weights(4000, seed=5)
    for part in np.split(values, 8):
        totals.add({"sum": part, "n": np.ones(len(part))}, weights.draw(len(part)))
    found = interval(totals.replicates["sum"] / totals.replicates["n"], 0.95)
    assert found is not None
    error = values.std() / math.sqrt(len(values))
    assert found[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found[1] == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    generator, n_worlds = np.random.default_rng(1), 400
    covered = 0
    for world in range(n_worlds):
        values = generator.exponential(1.0, 200)
        totals = Totals(300)
        totals.add({"sum": values, "n": np.ones(200)}, Weights(300, seed=world).draw(200))
        found = interval(totals.replicates["sum"] / totals.replicates["n"], 0.9)
        assert found is not None
        covered += found[0] <= 1.0 <= found[1]
    assert covered / n_worlds == pytest.approx(0.9, abs=0.05)
