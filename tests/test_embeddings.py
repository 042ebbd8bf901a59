"""Where items and users lie."""

import numpy as np
import pytest

from conv4rec.embeddings import Embeddings, highest, unit
from conv4rec.recommender import Conv4Rec


def test_items_have_length_one_and_the_nearest_are_of_their_colour(fitted: Conv4Rec) -> None:
    vectors = Embeddings(fitted.predictor.network).items
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(24), abs=1e-5)
    likeness = vectors @ vectors.T
    same = (np.arange(24)[:, None] + np.arange(24)) % 2 == 0
    assert likeness[same].mean() > 0.3 > 0 > likeness[~same].mean()


def test_users_do_not_depend_on_the_batch(fitted: Conv4Rec, monkeypatch: pytest.MonkeyPatch) -> None:
    histories = fitted._known_histories()
    embeddings = Embeddings(fitted.predictor.network)
    whole = embeddings.users(histories)
    assert whole.shape == (60, fitted.config.model.embedding_dim)
    monkeypatch.setattr("conv4rec.embeddings.PER_BATCH", 50)
    assert embeddings.users(histories) == pytest.approx(whole, abs=1e-5)


def test_a_zero_vector_has_no_direction() -> None:
    assert unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0.0, 0.0]]


def test_the_highest_of_those_that_are_not_left_out() -> None:
    found, scores = highest(np.array([0.1, 0.9, 0.5, 0.3]), 2, without=np.array([False, True, False, False]))
    assert found.tolist() == [2, 3]
    assert scores.tolist() == [0.5, 0.3]
    assert highest(np.array([0.1, 0.9]), 2, without=np.array([True, False]))[0].tolist() == [1]
