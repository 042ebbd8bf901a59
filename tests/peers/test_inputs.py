"""Interactions as others take them, by hand."""

import numpy as np
import pytest

from conv4rec.errors import DataError
from conv4rec.peers.inputs import binary_matrix, rated_pairs, rated_to_learn
from conv4rec.vocabulary import InteractionTypes
from tests.triples import make_interactions

SHOP = InteractionTypes.of([1.0, 2.0], rated=["purchase"], unrated=["view"])  # channels: 1, 2, view, unrated purchase


def test_a_pair_counts_once_in_the_matrix() -> None:
    known = make_interactions([(0, 1, 0), (0, 1, 2), (2, 0, 3)], n_users=3, n_items=2)
    matrix = binary_matrix(known)
    assert matrix.dtype == np.float32
    assert matrix.toarray().tolist() == [[0, 1], [0, 0], [1, 0]]


def test_a_pair_rated_twice_has_the_mean_and_what_is_not_rated_is_left_out() -> None:
    known = make_interactions([(0, 1, 0), (0, 1, 1), (0, 0, 2), (2, 0, 1), (2, 1, 3)], n_users=3, n_items=2)
    rated = rated_pairs(known, SHOP)
    assert rated.users.tolist() == [0, 2]
    assert rated.items.tolist() == [1, 0]
    assert rated.ratings.tolist() == [1.5, 2.0]


def test_ratings_of_every_user_in_turn() -> None:
    known = make_interactions([(0, 1, 0), (0, 0, 1), (2, 0, 1)], n_users=4, n_items=2)
    found = [(items.tolist(), ratings.tolist()) for items, ratings in rated_pairs(known, SHOP).per_user(4)]
    assert found == [([0, 1], [2.0, 1.0]), ([], []), ([0], [2.0]), ([], [])]


def test_a_model_of_ratings_needs_ratings() -> None:
    views = make_interactions([(0, 1, 2), (1, 1, 3)], n_users=2, n_items=2)
    with pytest.raises(DataError, match="some-svd predicts ratings, and none of 2 interactions has one"):
        rated_to_learn("some-svd", views, SHOP)
