"""Bounds grow where they must, fall where they must, and hold where everything is known."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv4rec.theory.bounds import (
    MIXED,
    Factors,
    Layer,
    Matrix,
    Offsets,
    count_bound,
    held_out_bound,
    norm_bound,
    samples_needed,
    total_variation,
)

Bound = Callable[..., float]
sizes = st.floats(1e-2, 50.0)
grown = st.floats(1.0, 30.0)


def factors(s: float = 2.0, b: float = 3.0, radius: float = 2.0, n_outcomes: int = 100, x: float = 1.0) -> Factors:
    """A chain like that of consumption, all its norms alike."""
    convolution = Matrix("convolution", 24, s, b, b, 24)
    encoder = Matrix("encoder", 5000, s, b, b, 5000, cap=4.0, constant=True)
    decoder = Matrix("decoder", 1600, s, b, b, 1600, n_outputs=n_outcomes)
    offsets = (Offsets("popularity", n_outcomes, radius), Offsets("repeat", 1, radius))
    return Factors("consumption", x, (convolution, encoder, decoder), (), offsets, n_outcomes)


BOUNDS = [pytest.param(norm_bound, id="norms"), pytest.param(count_bound, id="parameters")]


@pytest.mark.parametrize("bound", BOUNDS)
@settings(max_examples=25)
@given(sizes, sizes, sizes, st.floats(1.0, 12.0), grown)
def test_more_samples_never_raise_a_bound(
    bound: Bound, s: float, b: float, radius: float, log_n: float, more: float
) -> None:
    n, each = 10.0**log_n, factors(s, b, radius)
    assert bound(each, n * more) <= bound(each, n)


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("name", ["s", "b", "radius", "x"])
@settings(max_examples=25)
@given(st.data())
def test_larger_norms_never_lower_a_bound(bound: Bound, name: str, data: st.DataObject) -> None:
    norms = {each: data.draw(sizes) for each in ("s", "b", "radius", "x")}
    larger = norms | {name: norms[name] * data.draw(grown)}
    n = 10.0 ** data.draw(st.floats(1.0, 12.0))
    few, many = (factors(each["s"], each["b"], each["radius"], x=each["x"]) for each in (norms, larger))
    assert bound(few, n) <= bound(many, n) * (1 + 1e-12)


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_bound_falls_about_with_the_root_of_the_samples(bound: Bound) -> None:
    ratio = bound(factors(), 1e12) / bound(factors(), 1e14)
    assert 7 < ratio <= 10.0  # a logarithm of the number stays


@pytest.mark.parametrize("bound", BOUNDS)
def test_less_trust_asked_for_lowers_a_bound(bound: Bound) -> None:
    assert bound(factors(), 1e9, delta=0.5) < bound(factors(), 1e9, delta=0.001)


def test_items_enter_the_norm_bound_through_logarithms_alone() -> None:
    without = [replace(factors(n_outcomes=n), offsets=()) for n in (10**2, 10**8)]
    few, many = (norm_bound(each, 1e12) for each in without)
    assert few < many < 4 * few


def test_parameters_do_not_enter_the_norm_bound_but_through_logarithms() -> None:
    wide = replace(factors(), chain=tuple(replace(m, n_parameters=m.n_parameters * 10**6) for m in factors().chain))
    assert norm_bound(wide, 1e9) == norm_bound(factors(), 1e9)
    assert count_bound(wide, 1e9) > 500 * count_bound(factors(), 1e9)


def test_inputs_and_sensitivities_go_along_the_chain() -> None:
    first, second, last = (Matrix(name, 4, s, 1.0, 1.0, 4) for name, s in (("a", 2.0), ("b", 3.0), ("c", 5.0)))
    second = replace(second, lipschitz=0.5, cap=10.0, constant=True)
    aside = replace(last, name="d")
    found = Factors("p", 4.0, (first, second, last), ((aside, 7.0),), (), 10).layers
    assert [layer.input_norm for layer in found] == pytest.approx([4.0, math.hypot(8, 1), 10.0, 7.0])
    assert [layer.sensitivity for layer in found] == pytest.approx([2 * 5 * 0.5 * 3, 2 * 5 * 0.5, 2, 2])
    assert found[0].term == pytest.approx(15 * 1 * 4 * math.sqrt(2 * math.log(8)))


def test_the_leading_term_is_that_of_the_method() -> None:
    found = factors(s=2.0, b=16.0, x=3.0)
    assert found.leading_term == pytest.approx(3 * 2**3 * (3 * 8 ** (2 / 3)) ** 1.5)


def test_a_network_that_did_not_move_has_the_bound_of_its_offsets() -> None:
    still = factors(b=0.0)
    assert norm_bound(still, 1e8) < 0.1 * norm_bound(factors(), 1e8)
    assert Layer(still.chain[0], 1.0, 1.0).term == 0.0


@pytest.mark.parametrize("by_norm", [True, False])
def test_from_the_samples_needed_on_a_bound_is_not_vacuous(by_norm: bool) -> None:
    needed = samples_needed(factors(), by_norm=by_norm)
    bound = norm_bound if by_norm else count_bound
    assert bound(factors(), needed) <= math.log(100) < bound(factors(), needed / 10**0.1)


def test_a_held_out_bound_by_hand() -> None:
    largest, n = math.log(10 / MIXED), 1e6
    alone = held_out_bound(0, 10, n, choices=4)
    assert alone == pytest.approx(largest * math.sqrt(math.log(4 / 0.05) / (2 * n)), abs=1e-5)
    assert alone < held_out_bound(15, 10, n) < held_out_bound(15, 10, n / 4)


def test_pinsker() -> None:
    assert total_variation(0.08, 1.0, 1e30) == pytest.approx(0.2)
    assert total_variation(10.0, 1.0, 1e30) == 1.0


def test_the_bounds_hold_where_all_is_known() -> None:
    """Laws softmax(w) of three outcomes, w fitted on n draws: the gap is known, and no bound is below it."""
    rng, n, truth = np.random.default_rng(0), 50, np.array([0.5, 0.3, 0.2])
    counts = rng.multinomial(n, truth, size=300) + 0.5
    fitted = counts / counts.sum(1, keepdims=True)
    shares = (counts - 0.5) / n
    gaps = ((shares - truth) * np.log(fitted)).sum(1)
    w = np.log(fitted) - np.log(fitted).mean(1, keepdims=True)
    for gap, each in zip(gaps, w, strict=True):
        alone = Factors("p", 1.0, (), (), (Offsets("w", 3, float(np.abs(each).max())),), 3)
        assert gap <= min(norm_bound(alone, n), count_bound(alone, n))


def test_rows_name_every_factor() -> None:
    rows = factors().to_rows()
    assert [row["weights"] for row in rows] == ["convolution", "encoder", "decoder", "popularity", "repeat"]
    assert all(row.keys() == rows[0].keys() for row in rows)
    assert (rows[1]["s"], rows[1]["b"], rows[3]["b"]) == (2.0, 3.0, 2.0)
