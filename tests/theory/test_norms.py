"""Norms against numpy's SVD and against loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.errors import TheoryError
from conv4rec.theory import norms
from conv4rec.theory.norms import TOLERANCE, largest_block, longest_row, spectral_norm, sum_of_columns

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(shapes, st.integers(0, 2**32 - 1), st.sampled_from([1e-6, 1.0, 1e6]))
def test_the_spectral_norm_is_the_largest_singular_value(shape: tuple[int, int], seed: int, scale: float) -> None:
    matrix = np.random.default_rng(seed).normal(size=shape) * scale
    expected = np.linalg.svd(matrix, compute_uv=False)[0]
    assert spectral_norm(matrix) == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("gap", [0.5, 1e-3, 1e-5, 0.0])
def test_close_singular_values_do_not_stop_the_iteration(gap: float) -> None:
    rng = np.random.default_rng(0)
    left, _ = np.linalg.qr(rng.normal(size=(40, 20)))
    right, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    values = np.linspace(0.1, 0.9, 20)
    values[-2:] = 1 - gap, 1.0
    assert spectral_norm((left * values) @ right) == pytest.approx(1.0, rel=TOLERANCE)


def test_a_tighter_tolerance_is_kept() -> None:
    matrix = np.random.default_rng(1).normal(size=(50, 30))
    expected = np.linalg.svd(matrix, compute_uv=False)[0]
    assert spectral_norm(matrix, tolerance=1e-9) == pytest.approx(expected, rel=1e-9)


def test_zeros_have_norm_zero() -> None:
    assert spectral_norm(np.zeros((3, 2))) == 0.0
    assert longest_row(np.zeros((0, 2))) == largest_block(np.zeros((0, 2, 3))) == 0.0


def test_a_weight_that_is_not_finite_is_refused() -> None:
    with pytest.raises(TheoryError, match="a weight is not finite: there is no norm"):
        spectral_norm(np.array([[1.0, np.nan]]))


def test_too_few_steps_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(norms, "STEPS", 2)
    with pytest.raises(TheoryError, match="power iteration: 2 steps did not reach a relative error of 1e-12"):
        spectral_norm(np.random.default_rng(0).normal(size=(9, 9)), tolerance=1e-12)


def test_sums_and_maxima_of_lengths() -> None:
    matrix = np.array([[3.0, 0.0], [4.0, 2.0]])
    assert sum_of_columns(matrix) == pytest.approx(5 + 2)
    assert longest_row(matrix) == pytest.approx(np.sqrt(20))


@given(st.integers(1, 5), shapes, st.integers(0, 1000))
def test_the_largest_block(n: int, shape: tuple[int, int], seed: int) -> None:
    blocks = np.random.default_rng(seed).normal(size=(n, *shape))
    assert largest_block(blocks) == pytest.approx(max(np.linalg.norm(block, 2) for block in blocks))
