"""What follows from a law."""

import numpy as np
import pytest

from conv4rec.predictions import default_like, expected_rating, p_like, rating_marginal, users_per_batch
from conv4rec.vocabulary import InteractionTypes

STARS = InteractionTypes.of([1, 2, 3])
SHOP = InteractionTypes.of([1, 2], rated=["purchase", None], unrated=["view"])


def test_ratings_alone_are_their_own_marginal() -> None:
    p = np.array([[0.2, 0.3, 0.5]])
    assert rating_marginal(np.log(p), STARS) == pytest.approx(p)


def test_the_marginal_adds_names_and_leaves_out_what_has_no_rating() -> None:
    p = np.array([0.1, 0.2, 0.1, 0.2, 0.4])  # purchase:1, purchase:2, 1, 2, view
    assert rating_marginal(np.log(p), SHOP) == pytest.approx(np.array([0.2, 0.4]) / 0.6)


def test_the_marginal_of_a_rare_rating_is_not_lost() -> None:
    log_p = np.array([-200.0, -201.0, -300.0, -300.0, 0.0])
    assert rating_marginal(log_p, SHOP)[0] == pytest.approx(1 / (1 + np.exp(-1)))


def test_expected_rating_and_p_like() -> None:
    p = np.array([[0.2, 0.3, 0.5]])
    assert expected_rating(p, STARS) == pytest.approx([2.3])
    assert p_like(p, STARS, 2) == pytest.approx([0.8])
    assert p_like(p, STARS, 2.5) == pytest.approx([0.5])


@pytest.mark.parametrize(
    ("scale", "like"),
    [([1, 2, 3, 4, 5], 4), (np.arange(0.5, 5.1, 0.5).tolist(), 4), (list(range(11)), 8), ([0, 1], 1), ([3], 3)],
)
def test_liked_is_the_upper_quarter_of_the_scale(scale: list[float], like: float) -> None:
    assert default_like(InteractionTypes.of(scale)) == like


def test_users_per_batch_keeps_to_the_budget() -> None:
    assert users_per_batch(1000, 5, memory_mb=1) == 2**20 // (4 * 1000 * 30)
    assert users_per_batch(10**9, 5, memory_mb=1) == 1
