"""Ranks by counting, and the weights and sums of recall@K^beta."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.errors import TrainingError
from conv4rec.metrics import timed
from conv4rec.metrics.ranking import top_k
from conv4rec.metrics.timed import NEVER, inverse_popularity, ranks_of, weighted_hits


def test_ranks_by_hand() -> None:
    scores = np.array([[0.1, 0.4, 0.4, -np.inf], [1.0, 1.0, 1.0, 1.0]])
    rows, items = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 2, 3, 0, 3])
    assert ranks_of(scores, rows, items).tolist() == [3, 1, 2, NEVER, 1, 4]


@given(st.integers(0, 10_000))
def test_a_rank_is_the_place_in_the_list(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n_rows, n_items = (int(n) for n in generator.integers(1, 7, 2))
    scores = generator.choice([-np.inf, 0.0, 1.0, 2.0], (n_rows, n_items)).astype(np.float32)
    rows, items = (generator.integers(0, n, 9) for n in (n_rows, n_items))
    lists = top_k(scores, n_items)
    found = ranks_of(scores, rows, items)
    for rank, row, item in zip(found.tolist(), rows, items, strict=True):
        listed = lists[row].tolist()
        assert rank == (listed.index(item) + 1 if item in listed else NEVER)


def test_ranks_do_not_depend_on_how_many_are_compared_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 5, (6, 9)).astype(np.float64)
    rows, items = generator.integers(0, 6, 50), generator.integers(0, 9, 50)
    at_once = ranks_of(scores, rows, items)
    monkeypatch.setattr(timed, "PER_COMPARISON", 20)
    assert (ranks_of(scores, rows, items) == at_once).all()


def test_a_score_that_is_no_number_is_refused_wherever_it_stands() -> None:
    scores = np.array([[1.0, 2.0], [np.nan, 3.0]])
    message = "row 1: a score is NaN, expected numbers to rank"
    with pytest.raises(TrainingError, match=f"^{re.escape(message)}$"):
        ranks_of(scores, np.array([0]), np.array([0]))


def test_weights_by_hand() -> None:
    weights = inverse_popularity(np.array([6, 2, 0]), (0.0, 0.5, 1.0))
    assert weights == pytest.approx(np.array([[1, (8 / 6) ** 0.5, 8 / 6], [1, 2, 4], [1, 8**0.5, 8]]))


def test_without_reference_interactions_all_items_weigh_the_same() -> None:
    assert (inverse_popularity(np.zeros(3, dtype=np.int64), (0.0, 1.0)) == 1.0).all()


def test_sums_by_hand() -> None:
    ranks = np.array([1, 3, NEVER, 2])
    weights = np.array([[1.0, 5.0], [1.0, 2.0], [1.0, 9.0], [1.0, 4.0]])
    hits = weighted_hits(ranks, weights, np.array([0, 3]), (1, 3))
    assert hits.tolist() == [[[1, 5], [2, 7]], [[0, 0], [1, 4]]]
