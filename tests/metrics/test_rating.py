"""Rating errors and log-likelihood, on laws small enough to compute by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.metrics.rating import rating_errors, type_nll
from conv4rec.vocabulary import InteractionTypes

STARS = InteractionTypes.of([1.0, 2.0, 3.0])  # channels 0, 1, 2 rated, 3 unrated
SHOP = InteractionTypes.of([1.0, 2.0], rated=["purchase"], unrated=["view"])  # buy:1, buy:2, view | buy unrated
LAW = np.log(np.array([[0.2, 0.3, 0.5]]))


def channels(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint8)


def test_error_is_expected_minus_given() -> None:
    assert rating_errors(LAW, channels(0), STARS) == pytest.approx([0.2 + 0.6 + 1.5 - 1.0])


def test_unrated_interactions_have_no_error() -> None:
    law = np.repeat(LAW, 3, axis=0)
    assert rating_errors(law, channels(3, 2, 3), STARS) == pytest.approx([2.3 - 3.0])
    assert rating_errors(law, channels(3, 3, 3), STARS).shape == (0,)


def test_expected_rating_leaves_named_types_without_rating_aside() -> None:
    # p(purchase:1) = .2, p(purchase:2) = .3, p(view) = .5: a purchase is rated 1.6 on average
    assert rating_errors(LAW, channels(0), SHOP) == pytest.approx([0.6])
    assert rating_errors(LAW, channels(2), SHOP).shape == (0,)


def test_nll_of_a_known_type_is_its_log_probability() -> None:
    law = np.repeat(LAW, 2, axis=0)
    assert type_nll(law, channels(0, 2), STARS) == pytest.approx([-math.log(0.2), -math.log(0.5)])


def test_nll_of_a_type_of_unknown_rating_sums_what_it_covers() -> None:
    assert type_nll(LAW, channels(3), SHOP) == pytest.approx([-math.log(0.2 + 0.3)])


def test_nll_of_an_interaction_that_may_be_anything_is_zero() -> None:
    assert type_nll(LAW, channels(3), STARS).tolist() == [0.0]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.integers(0, 1000), st.sampled_from([STARS, SHOP]))
def test_nll_equals_the_naive_loop(chosen: list[int], seed: int, types: InteractionTypes) -> None:
    probability = np.random.default_rng(seed).dirichlet(np.ones(3), size=len(chosen))
    expected = [
        -math.log(sum(p for p, covered in zip(row, types.covers[c], strict=True) if covered))
        for row, c in zip(probability.tolist(), chosen, strict=True)
    ]
    assert type_nll(np.log(probability), channels(*chosen), types) == pytest.approx(expected, abs=1e-9)
