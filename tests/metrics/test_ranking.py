"""Ranking metrics: hand-computed lists, naive loops, and ranx as an independent oracle."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from ranx import Qrels, Run
from ranx import evaluate as ranx_evaluate

from conv4rec.errors import TrainingError
from conv4rec.metrics.ranking import find_hits, mark_listed, mrr_at, ndcg_at, recall_at, top_k

Bools = NDArray[np.bool_]


@st.composite
def scored(draw: st.DrawFn) -> tuple[NDArray[np.float32], Bools]:
    """Scores with many ties and holes, and relevant items, at least one for each user."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 9)))
    values = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0])
    scores = draw(hnp.arrays(np.float32, shape, elements=values))
    relevant = draw(hnp.arrays(np.bool_, shape))
    relevant[np.arange(shape[0]), draw(hnp.arrays(np.intp, shape[0], elements=st.integers(0, shape[1] - 1)))] = True
    return scores, relevant


def naive_top(scores: NDArray[np.float32], k: int) -> list[list[int]]:
    lists = []
    for row in scores.tolist():
        items = sorted((i for i, score in enumerate(row) if score > -math.inf), key=lambda i: (-row[i], i))
        lists.append(items[:k])
    return lists


def naive_metrics(listed: list[int], relevant: set[int], k: int) -> tuple[float, float, float]:
    recall = ndcg = mrr = 0.0
    for rank, item in enumerate(listed[:k], start=1):
        if item in relevant:
            recall += 1 / min(k, len(relevant))
            ndcg += 1 / math.log2(rank + 1)
            mrr = mrr if mrr > 0 else 1 / rank
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return recall, ndcg / ideal, mrr


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


@given(scored(), st.integers(1, 12))
def test_top_k_equals_sorting(case: tuple[NDArray[np.float32], Bools], k: int) -> None:
    scores, _ = case
    assert [[i for i in row if i >= 0] for row in top_k(scores, k).tolist()] == naive_top(scores, k)


def test_metrics_by_hand() -> None:
    hits = np.array([[True, False, True, False], [False, True, False, False], [False, False, False, False]])
    n_relevant = np.array([2, 5, 1])
    assert recall_at(4, hits, n_relevant).tolist() == [1.0, 0.25, 0.0]
    assert recall_at(2, hits, n_relevant).tolist() == [0.5, 0.5, 0.0]
    assert mrr_at(4, hits).tolist() == [1.0, 0.5, 0.0]
    third, second = 1 / math.log2(4), 1 / math.log2(3)
    ideal_four = 1 + second + third + 1 / math.log2(5)
    assert ndcg_at(4, hits, n_relevant) == pytest.approx([(1 + third) / (1 + second), second / ideal_four, 0.0])


def test_hits_do_not_wrap_around_at_the_end_of_a_short_list() -> None:
    relevant = np.array([[False, False, True]])
    assert find_hits(np.array([[0, -1]], dtype=np.int32), relevant).tolist() == [[False, False]]


def test_mark_listed_counts_an_item_once() -> None:
    listed = np.zeros(5, dtype=bool)
    mark_listed(listed, np.array([[0, 3], [0, -1]], dtype=np.int32), 2)
    assert listed.tolist() == [True, False, False, True, False]
    mark_listed(listed, np.array([[4, 2]], dtype=np.int32), 1)
    assert listed.mean() == pytest.approx(0.6)


@given(scored(), st.integers(1, 12))
def test_metrics_equal_the_naive_loops(case: tuple[NDArray[np.float32], Bools], k: int) -> None:
    scores, relevant = case
    hits, n_relevant = find_hits(top_k(scores, k), relevant), relevant.sum(axis=1)
    expected = [
        naive_metrics(listed, set(np.flatnonzero(row).tolist()), k)
        for listed, row in zip(naive_top(scores, k), relevant, strict=True)
    ]
    recall, ndcg, mrr = zip(*expected, strict=True)
    assert recall_at(k, hits, n_relevant) == pytest.approx(recall, abs=1e-9)
    assert ndcg_at(k, hits, n_relevant) == pytest.approx(ndcg, abs=1e-9)
    assert mrr_at(k, hits) == pytest.approx(mrr, abs=1e-9)


@given(scored(), st.integers(1, 12))
def test_metrics_are_bounded_and_perfect_for_the_truth(case: tuple[NDArray[np.float32], Bools], k: int) -> None:
    scores, relevant = case
    n_relevant = relevant.sum(axis=1)
    hits = find_hits(top_k(scores, k), relevant)
    ideal = find_hits(top_k(relevant.astype(np.float32), k), relevant)
    for values in (recall_at(k, hits, n_relevant), ndcg_at(k, hits, n_relevant), mrr_at(k, hits)):
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()
    for values in (recall_at(k, ideal, n_relevant), ndcg_at(k, ideal, n_relevant), mrr_at(k, ideal)):
        assert values == pytest.approx(np.ones(len(scores)))


@given(st.integers(0, 10_000), st.integers(1, 12))
def test_metrics_do_not_depend_on_the_numbering_of_items(seed: int, k: int) -> None:
    generator = np.random.default_rng(seed)
    scores, order = generator.permutation(40).reshape(4, 10) * 1.0, generator.permutation(10)
    relevant = generator.random((4, 10)) < 0.4
    relevant[:, 0] = True
    before = find_hits(top_k(scores, k), relevant)
    after = find_hits(top_k(scores[:, order], k), relevant[:, order])
    assert (before == after).all()


@pytest.mark.filterwarnings("ignore")  # ranx compiles with numba, which warns of its own future
@pytest.mark.parametrize("k", [1, 5, 20])
def test_agrees_with_ranx(k: int) -> None:
    generator = np.random.default_rng(k)
    scores = generator.normal(size=(30, 50))
    relevant = generator.random((30, 50)) < generator.uniform(0.02, 0.3, size=(30, 1))
    relevant[:, 7] = True
    qrels = Qrels({f"u{u:02}": {f"i{i}": 1 for i in np.flatnonzero(row)} for u, row in enumerate(relevant)})
    run = Run({f"u{u:02}": {f"i{i}": float(s) for i, s in enumerate(row)} for u, row in enumerate(scores)})
    oracle = ranx_evaluate(qrels, run, [f"ndcg@{k}", f"mrr@{k}", f"recall@{k}"], return_mean=False)

    hits, n_relevant = find_hits(top_k(scores, k), relevant), relevant.sum(axis=1)
    assert ndcg_at(k, hits, n_relevant) == pytest.approx(oracle[f"ndcg@{k}"], abs=1e-6)
    assert mrr_at(k, hits) == pytest.approx(oracle[f"mrr@{k}"], abs=1e-6)
    ours = recall_at(k, hits, n_relevant) * np.minimum(k, n_relevant) / n_relevant  # ranx divides by all of them
    assert ours == pytest.approx(oracle[f"recall@{k}"], abs=1e-6)
