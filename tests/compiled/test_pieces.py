"""The functions that loops are made of against NumPy, to the last digits of float32."""

import numpy as np
import pytest
from numpy.typing import NDArray

from conv4rec.compiled import pieces
from conv4rec.compiled.parallel import compiled


@compiled
def powers_of(values: NDArray[np.float32], into: NDArray[np.float32]) -> None:
    for n in range(len(values)):
        into[n] = pieces.power(values[n])


@compiled
def exponents_of(values: NDArray[np.float32], into: NDArray[np.float32]) -> None:
    for n in range(len(values)):
        into[n] = pieces.exponent(values[n])


@compiled
def tangents_of(values: NDArray[np.float32], into: NDArray[np.float32]) -> None:
    for n in range(len(values)):
        into[n] = pieces.tangent(values[n])


@compiled
def largest_of(values: NDArray[np.float32], into: NDArray[np.float32]) -> None:
    into[0] = pieces.largest_of(values, np.uintp(0), np.uintp(len(values)))


def test_powers_of_two() -> None:
    values, found = np.linspace(-126, 127.4, 99_999, dtype=np.float32), np.empty(99_999, np.float32)
    powers_of(values, found)
    assert found == pytest.approx(np.exp2(values.astype(np.float64)), rel=2e-7)
    rest = np.array([-127, -1e30, -np.inf, 0.0, -0.0, np.nan], np.float32)
    found = np.empty(6, np.float32)
    powers_of(rest, found)
    assert found[:3] == pytest.approx(2.0**-126, rel=1e-6)
    assert found[3:5].tolist() == [1.0, 1.0]
    assert np.isnan(found[5])


def test_logarithms_to_the_base_two() -> None:
    values = np.concatenate([np.geomspace(1e-37, 1e37, 99_999), np.linspace(0.5, 2.0, 99_999)]).astype(np.float32)
    found = np.empty_like(values)
    exponents_of(values, found)
    expected = np.log2(values.astype(np.float64))
    assert np.abs(found - expected).max() < 8e-6  # half of the last digit of 126
    assert found[99_999:] == pytest.approx(expected[99_999:], rel=3e-7, abs=1e-9)
    none = np.empty(1, np.float32)
    exponents_of(np.array([np.nan], np.float32), none)
    assert np.isnan(none[0])


def test_hyperbolic_tangents() -> None:
    values = np.concatenate(
        [np.linspace(-12, 12, 99_999), np.geomspace(1e-30, 0.3, 99_999), [0.0, 88.0, -1e20, np.nan]]
    )
    found = np.empty(len(values), np.float32)
    tangents_of(values.astype(np.float32), found)
    expected = np.tanh(values.astype(np.float32).astype(np.float64))
    assert found[:-1] == pytest.approx(expected[:-1], rel=6e-7, abs=0)
    assert np.isnan(found[-1])


@pytest.mark.parametrize("values", [[-3.0, -1.5, -2.0], [0.0, 7.5, 3.0], [-np.inf, -1e30], [-0.0, -5.0]])
def test_the_largest(values: list[float]) -> None:
    found = np.empty(1, np.float32)
    largest_of(np.array(values, np.float32), found)
    assert found[0] == max(values)


def test_what_is_no_number_is_the_largest() -> None:
    found = np.empty(1, np.float32)
    largest_of(np.array([1.0, np.nan, np.inf], np.float32), found)
    assert np.isnan(found[0])
