"""Lists and ranks: by hand, against sorting in plain Python, with ties and holes everywhere."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from conv4rec.errors import TrainingError
from conv4rec.metrics import ranking
from conv4rec.metrics.calibration import consumption_steps
from conv4rec.metrics.ranking import Order, top_k
from conv4rec.metrics.timed import NEVER, ranks_of
from conv4rec.predictions import Floats

Bools = NDArray[np.bool_]


@st.composite
def scored(draw: st.DrawFn, *, holes: bool = True) -> Floats:
    """Scores with many ties, of either precision."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 9)))
    values = [-np.inf, -1.0, 0.0, 0.5, 2.0] if holes else [-1.0, 0.0, 0.5, 2.0]
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return draw(hnp.arrays(dtype, shape, elements=st.sampled_from(values)))


@st.composite
def left_out(draw: st.DrawFn) -> tuple[Floats, Bools]:
    """Log-probabilities, some closer than a step and some the same, and what is left out."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 9)))
    values = st.sampled_from([-np.inf, -90.0, -3.0, -2.0, -2.00001, -1.99999, -1.0, 0.0])
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return draw(hnp.arrays(dtype, shape, elements=values)), draw(hnp.arrays(np.bool_, shape))


def naive_top(scores: Floats, k: int) -> list[list[int]]:
    lists = []
    for row in scores.tolist():
        items = sorted((i for i, score in enumerate(row) if score > -math.inf), key=lambda i: (-row[i], i))
        lists.append(items[:k])
    return lists


def listed(top: NDArray[np.int32]) -> list[list[int]]:
    """Without the places that are not filled, which come last."""
    rows = [[i for i in row if i >= 0] for row in top.tolist()]
    assert [row + [-1] * (top.shape[1] - len(row)) for row in rows] == top.tolist()
    return rows


def order_of(scores: Floats, out: Bools) -> Order:
    return Order.of(scores, consumption_steps(scores), *np.nonzero(out))


def test_top_k_lists_the_best_first() -> None:
    assert top_k(np.array([[0.1, 0.9, 0.5], [3.0, 1.0, 2.0]]), 2).tolist() == [[1, 2], [0, 2]]


def test_top_k_breaks_ties_by_lower_index() -> None:
    assert top_k(np.array([[1.0, 2.0, 1.0, 2.0, 1.0]]), 3).tolist() == [[1, 3, 0]]
    assert top_k(np.zeros((2, 6)), 3).tolist() == [[0, 1, 2], [0, 1, 2]]


def test_top_k_of_more_than_all_items_lists_them_all() -> None:
    assert top_k(np.array([[1.0, 2.0]]), 10).tolist() == [[1, 0]]


def test_top_k_ends_in_minus_one_where_items_run_out() -> None:
    scores = np.array([[-np.inf, 1.0, -np.inf], [-np.inf, -np.inf, -np.inf]])
    assert top_k(scores, 2).tolist() == [[1, -1], [-1, -1]]


def test_top_k_refuses_nan() -> None:
    with pytest.raises(TrainingError, match=r"^row 1: a score is NaN, expected numbers to rank$"):
        top_k(np.array([[1.0, 2.0], [np.nan, 0.0]]), 1)


def test_top_k_of_no_users_is_empty() -> None:
    assert top_k(np.empty((0, 4)), 2).shape == (0, 2)


def test_top_k_leaves_the_scores_alone() -> None:
    scores = np.array([[1.0, 3.0, 2.0]])
    top_k(scores, 2)
    assert scores.tolist() == [[1.0, 3.0, 2.0]]


@given(scored(), st.integers(1, 12))
def test_top_k_equals_sorting(scores: Floats, k: int) -> None:
    assert listed(top_k(scores, k)) == naive_top(scores, k)


def test_ranks_by_hand() -> None:
    scores = np.log(np.array([[0.4, 0.1, 0.3, 0.1, 0.1]]))
    order = order_of(scores, np.array([[False, False, True, False, False]]))
    ranks, midranks = order.ranks(np.zeros(4, dtype=np.int64), np.array([0, 1, 3, 4]))
    assert ranks.tolist() == [1, 2, 3, 4]
    assert midranks.tolist() == [1.0, 3.0, 3.0, 3.0]
    assert order.top(3).tolist() == [[0, 1, 3]]
    assert order.n_allowed.tolist() == [4]


def test_an_item_without_probability_comes_after_all_lists() -> None:
    order = order_of(np.array([[0.0, -np.inf, -np.inf, -np.inf]]), np.array([[False, False, True, False]]))
    ranks, midranks = order.ranks(np.zeros(3, dtype=np.int64), np.array([0, 1, 3]))
    assert ranks.tolist() == [1, NEVER, NEVER]
    assert midranks.tolist() == [1.0, 2.5, 2.5]
    assert order.top(4).tolist() == [[0, -1, -1, -1]]


def test_nothing_is_asked() -> None:
    order = order_of(np.zeros((2, 3)), np.zeros((2, 3), dtype=np.bool_))
    ranks, midranks = order.ranks(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    assert (ranks.shape, midranks.shape) == ((0,), (0,))


@given(left_out(), st.integers(1, 12))
def test_lists_equal_top_k(case: tuple[Floats, Bools], k: int) -> None:
    scores, out = case
    left = np.where(out, -np.inf, scores)
    assert order_of(scores, out).top(k).tolist() == top_k(left, k).tolist()


@given(left_out(), st.integers(1, 30))
def test_ranks_equal_the_naive_loop(case: tuple[Floats, Bools], per_tie: int) -> None:
    scores, out = case
    rows, items = np.nonzero(~out)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "PER_TIE", per_tie)
        ranks, midranks = order_of(scores, out).ranks(rows, items)
    for row, item, rank, midrank in zip(rows, items, ranks.tolist(), midranks.tolist(), strict=True):
        mine = scores[row, item]
        others = [i for i in range(scores.shape[1]) if i != item and not out[row, i]]
        greater = sum(scores[row, i] > mine for i in others)
        equal = sum(scores[row, i] == mine for i in others)
        before = sum(scores[row, i] == mine and i < item for i in others)
        assert rank == (NEVER if mine == -np.inf else 1 + greater + before)
        assert midrank == 1 + greater + equal / 2


@given(st.integers(0, 10_000))
def test_ranks_of_many_items_equal_counting(seed: int) -> None:
    """Real laws: most steps hold one item, some hold several."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(-8.0, 2.0, (4, 700)).astype(np.float32)
    scores[:, ::50] = scores[:, :1]
    out = generator.random(scores.shape) < 0.1
    rows, items = np.nonzero(~out)
    ranks, _ = order_of(scores, out).ranks(rows, items)
    assert (ranks == ranks_of(np.where(out, -np.inf, scores), rows, items)).all()
    assert order_of(scores, out).top(20).tolist() == top_k(np.where(out, -np.inf, scores), 20).tolist()
