"""Factors by hand."""

import numpy as np
import pytest

from conv4rec.peers.factors import Factors
from tests.triples import make_interactions

FACTORS = Factors(
    users=np.array([[1.0, 2.0], [3.0, 4.0]]),
    items=np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
    user_biases=np.array([10.0, 20.0]),
    item_biases=np.array([100.0, 200.0, 300.0]),
    mean=0.5,
)


def test_scores() -> None:
    nothing = make_interactions([], n_users=2, n_items=3)
    found = FACTORS.scores(np.array([1, 0]), nothing)
    assert found == pytest.approx(np.array([[123.5, 224.5, 327.5], [111.5, 212.5, 313.5]]))
    assert FACTORS.n_bytes == 8 * (4 + 6 + 2 + 3 + 1)


def test_who_and_what_was_never_met_has_nothing_of_its_own() -> None:
    met = FACTORS.of_those_met(np.array([1, 1]), np.array([0, 2]))
    nothing = make_interactions([], n_users=2, n_items=3)
    assert met.scores(np.array([0, 1]), nothing) == pytest.approx(np.array([[100.5, 0.5, 300.5], [123.5, 20.5, 327.5]]))
