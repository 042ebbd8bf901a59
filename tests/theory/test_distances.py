"""Total variation and divergence of laws, and the inequalities between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conv4rec.theory.distances import kullback_leibler, pinsker, total_variation

Array = np.ndarray
POSITIVE = st.floats(1e-6, 1.0)


@st.composite
def laws(draw: st.DrawFn, count: int) -> list[Array]:
    """Laws on the same outcomes, without zeros."""
    n = draw(st.integers(2, 8))
    drawn = [draw(arrays(np.float64, n, elements=POSITIVE)) for _ in range(count)]
    return [weights / weights.sum() for weights in drawn]


def kl(p: Array, q: Array) -> float:
    return float(kullback_leibler(np.log(p), np.log(q)))


def test_by_hand() -> None:
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25])
    assert total_variation(p, q) == pytest.approx(0.25)
    with np.errstate(divide="ignore"):
        log_p, log_q = np.log(p), np.log(q)
    assert kullback_leibler(log_p, log_q) == pytest.approx(0.5 * np.log(2))
    assert kullback_leibler(log_q, log_p) == np.inf
    assert kullback_leibler(log_p, log_p) == 0.0
    assert pinsker(0.5) == pytest.approx(0.5)
    assert pinsker(-1e-18) == 0.0


def test_axes_in_front_stay() -> None:
    p, q = np.full((4, 3, 2), 0.5), np.broadcast_to([0.25, 0.75], (4, 3, 2))
    assert total_variation(p, q) == pytest.approx(np.full((4, 3), 0.25))
    assert kullback_leibler(np.log(p), np.log(q)).shape == (4, 3)


@given(laws(2))
def test_pinsker_holds(pair: list[Array]) -> None:
    p, q = pair
    assert total_variation(p, q) <= pinsker(kl(p, q)) + 1e-9


@given(laws(3))
def test_total_variation_is_a_distance(three: list[Array]) -> None:
    p, q, r = three
    assert 0 <= total_variation(p, q) <= 1
    assert total_variation(p, q) == total_variation(q, p)
    assert total_variation(p, p) == 0
    assert total_variation(p, r) <= total_variation(p, q) + total_variation(q, r) + 1e-12


@given(laws(2))
def test_divergence_is_zero_for_equal_laws_alone(pair: list[Array]) -> None:
    p, q = pair
    assert kl(p, p) == 0
    assert kl(p, q) >= 2 * float(total_variation(p, q)) ** 2 - 1e-9


@given(laws(2), st.data())
def test_joint_laws_follow_the_chain_rule(items: list[Array], data: st.DataObject) -> None:
    """KL adds up along log p(i, r) = log p(i) + log p(r | i); TV of a marginal is at most that of the joint law."""
    p, q = items
    shape = (len(p), 3)
    types = [data.draw(arrays(np.float64, shape, elements=POSITIVE)) for _ in range(2)]
    a, b = (t / t.sum(axis=1, keepdims=True) for t in types)
    joint_p, joint_q = (p[:, None] * a).ravel(), (q[:, None] * b).ravel()
    of_types = float(p @ kullback_leibler(np.log(a), np.log(b)))
    assert kl(joint_p, joint_q) == pytest.approx(kl(p, q) + of_types, abs=1e-9)
    joint = float(total_variation(joint_p, joint_q))
    assert total_variation(p, q) <= joint + 1e-12
    assert joint <= total_variation(p, q) + p @ total_variation(a, b) + 1e-12


@given(laws(4))
def test_pinsker_of_the_mean_bounds_the_mean(four: list[Array]) -> None:
    p, q, r, s = four
    mean = (total_variation(p, q) + total_variation(r, s)) / 2
    assert mean <= pinsker((kl(p, q) + kl(r, s)) / 2) + 1e-9
