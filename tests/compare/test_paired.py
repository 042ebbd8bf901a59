"""Tests between models, by hand and by property."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.compare.paired import compare_paired, holm, two_sided_p

PS = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def test_p_by_hand() -> None:
    assert two_sided_p(np.array([-1.0, 2.0, 3.0, 4.0])) == pytest.approx(2 * (1 + 1) / (4 + 1))
    assert two_sided_p(np.array([1.0, 2.0, 3.0])) == pytest.approx(2 * (0 + 1) / (3 + 1))
    assert two_sided_p(np.array([0.0, 0.0])) == 1.0
    assert two_sided_p(np.array([np.nan, 1.0, 2.0, 3.0])) == two_sided_p(np.array([1.0, 2.0, 3.0]))
    assert two_sided_p(np.array([np.nan])) == 1.0


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30))
def test_p_does_not_depend_on_which_model_is_first(values: list[float]) -> None:
    replicates = np.array(values)
    assert two_sided_p(replicates) == two_sided_p(-replicates)
    assert 0 < two_sided_p(replicates) <= 1


def test_holm_by_hand() -> None:
    """0.01 x 3, 0.03 x 2, 0.04 x 1, the last raised to the one before."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.6]) == (1.0, 1.0)
    assert holm([0.2]) == (0.2,)
    assert holm([]) == ()


@given(PS)
def test_holm_raises_and_keeps_the_order(ps: list[float]) -> None:
    corrected = holm(ps)
    assert all(p <= c <= 1 for p, c in zip(ps, corrected, strict=True))
    assert all(c <= min(1, p * len(ps)) + 1e-12 for p, c in zip(ps, corrected, strict=True))
    order = np.argsort(ps, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


def test_a_family_of_comparisons() -> None:
    replicates = np.array([-0.3, -0.2, -0.1, 0.1])
    first, second = compare_paired([(-0.15, replicates), (-1.0, replicates - 1)])
    assert first.difference == -0.15
    assert first.interval == pytest.approx(tuple(np.quantile(replicates, [0.025, 0.975])))
    assert (first.p, second.p) == pytest.approx((0.8, 0.4))
    assert (first.p_holm, second.p_holm) == pytest.approx((0.8, 0.8))
