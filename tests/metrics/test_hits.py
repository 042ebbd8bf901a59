"""Metrics of a list: by hand, against loops, and against ranx and LensKit where these define the same thing."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from conv4rec.metrics.hits import (
    RANKING,
    Hits,
    auc,
    hit_rate_at,
    hits_at,
    map_at,
    mrr_at,
    ndcg_at,
    precision_at,
    recall_at,
)
from conv4rec.metrics.timed import NEVER
from tests.metrics.naive import list_metrics, pair_share

N_ITEMS = 12
Array = NDArray[np.float64]


def hits_of(ranks: list[list[int]], *, within: int = N_ITEMS) -> Hits:
    """From the ranks of the relevant items of every user."""
    rows = np.repeat(np.arange(len(ranks)), [len(each) for each in ranks])
    return Hits.of(rows, np.array([rank for each in ranks for rank in each]), len(ranks), within=within)


@st.composite
def rank_lists(draw: st.DrawFn) -> list[list[int]]:
    """Different ranks of every user, in any order, at least one."""
    some = st.lists(st.integers(1, N_ITEMS), min_size=1, max_size=N_ITEMS, unique=True)
    return draw(st.lists(some, min_size=1, max_size=5))


def test_by_hand() -> None:
    hits = hits_of([[3, 1], [2, 7, 8, 9, 11], [5]])
    second, third, fourth = (1 / math.log2(rank + 1) for rank in (2, 3, 4))
    assert hits_at(4, hits).tolist() == [2.0, 1.0, 0.0]
    assert recall_at(4, hits).tolist() == [1.0, 0.25, 0.0]
    assert recall_at(2, hits).tolist() == [0.5, 0.5, 0.0]
    assert precision_at(4, hits).tolist() == [0.5, 0.25, 0.0]
    assert hit_rate_at(4, hits).tolist() == [1.0, 1.0, 0.0]
    assert mrr_at(4, hits).tolist() == [1.0, 0.5, 0.0]
    assert map_at(4, hits) == pytest.approx([(1 + 2 / 3) / 2, 0.5 / 4, 0.0])
    assert ndcg_at(4, hits) == pytest.approx([(1 + third) / (1 + second), second / (1 + second + third + fourth), 0.0])


def test_a_user_whose_items_are_all_behind_the_list_has_zeros() -> None:
    hits = hits_of([[9, 10], [NEVER]], within=5)
    assert len(hits.rows) == 0
    assert hits.n_relevant.tolist() == [2, 1]
    for metric in RANKING.values():
        assert metric(5, hits).tolist() == [0.0, 0.0]


@given(rank_lists(), st.integers(1, 15))
def test_equal_the_naive_loops(ranks: list[list[int]], k: int) -> None:
    hits = hits_of(ranks, within=max(k, 3))
    expected = [list_metrics(list(range(1, N_ITEMS + 1))[:k], set(each), k) for each in ranks]
    for name, metric in RANKING.items():
        assert metric(k, hits) == pytest.approx([each[name] for each in expected], abs=1e-12), name


@given(rank_lists(), st.integers(1, 15))
def test_are_bounded_and_best_for_the_best_list(ranks: list[list[int]], k: int) -> None:
    best = hits_of([list(range(1, len(each) + 1)) for each in ranks])
    for name, metric in RANKING.items():
        values = metric(k, hits_of(ranks))
        assert ((values >= 0) & (values <= metric(k, best) + 1e-12)).all()
        if name != "precision":
            assert metric(k, best) == pytest.approx(np.ones(len(ranks)))


def test_auc_by_hand() -> None:
    rows = np.array([0, 0, 1, 2])
    midranks = np.array([1.0, 3.0, 2.5, 1.0])  # of 4, 4 and 1 items
    area = auc(midranks, rows, np.array([4, 4, 1]))
    assert area[:2].tolist() == [0.75, 0.5]
    assert np.isnan(area[2])


@given(st.integers(0, 10_000))
def test_auc_equals_counting_pairs(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 4, (4, 7))
    relevant = generator.random((4, 7)) < 0.4
    rows, items = np.nonzero(relevant)
    midranks = np.array(
        [
            (scores[r] > scores[r, i]).sum() + ((scores[r] == scores[r, i]).sum() + 1) / 2
            for r, i in zip(rows, items, strict=True)
        ]
    )
    area = auc(midranks, rows, np.full(4, 7))
    for row in range(4):
        expected = pair_share(scores[row][relevant[row]].tolist(), scores[row][~relevant[row]].tolist())
        assert area[row] == (pytest.approx(expected) if expected is not None else pytest.approx(np.nan, nan_ok=True))


def random_lists(seed: int) -> tuple[Array, NDArray[np.bool_], list[list[int]]]:
    """Scores without ties, relevant items, and the ranks of these."""
    generator = np.random.default_rng(seed)
    scores = generator.permutation(30 * 50).reshape(30, 50).astype(np.float64)
    relevant = generator.random((30, 50)) < generator.uniform(0.02, 0.3, size=(30, 1))
    relevant[:, 7] = True
    ranks = np.argsort(np.argsort(-scores, axis=1), axis=1) + 1
    return scores, relevant, [row[flags].tolist() for row, flags in zip(ranks, relevant, strict=True)]


@pytest.mark.filterwarnings("ignore")  # ranx compiles with numba, which warns of its own future
@pytest.mark.parametrize("k", [1, 5, 20])
def test_agree_with_ranx(k: int) -> None:
    from ranx import Qrels, Run
    from ranx import evaluate as ranx_evaluate

    scores, relevant, ranks = random_lists(k)
    qrels = Qrels({f"u{u:02}": {f"i{i}": 1 for i in np.flatnonzero(row)} for u, row in enumerate(relevant)})
    run = Run({f"u{u:02}": {f"i{i}": float(s) for i, s in enumerate(row)} for u, row in enumerate(scores)})
    names = [f"{name}@{k}" for name in ("ndcg", "mrr", "recall", "precision", "map", "hit_rate")]
    oracle = ranx_evaluate(qrels, run, names, return_mean=False)

    hits = hits_of(ranks, within=50)
    for name in ("ndcg", "mrr", "precision", "hit_rate"):
        assert RANKING[name](k, hits) == pytest.approx(oracle[f"{name}@{k}"], abs=1e-6), name
    of_all = np.minimum(k, hits.n_relevant) / hits.n_relevant  # ranx divides these by all relevant items
    for name in ("recall", "map"):
        assert RANKING[name](k, hits) * of_all == pytest.approx(oracle[f"{name}@{k}"], abs=1e-6), name


def lenskit_metrics(k: int) -> dict[str, Callable[..., float]]:
    metrics = pytest.importorskip("lenskit.metrics")
    from lenskit.metrics.ranking._weighting import LogRankWeight

    found = {
        "ndcg": metrics.NDCG(k, weight=LogRankWeight(offset=1)),
        "recall": metrics.Recall(k),
        "precision": metrics.Precision(k),
        "map": metrics.ranking.AveragePrecision(k),
        "mrr": metrics.RecipRank(k),
        "hit_rate": metrics.Hit(k),
    }
    return {name: metric.measure_list for name, metric in found.items()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("k", [1, 5, 20])
def test_agree_with_lenskit(k: int) -> None:
    metrics = lenskit_metrics(k)
    from lenskit.data import ItemList

    scores, relevant, ranks = random_lists(k + 100)
    hits = hits_of(ranks, within=50)
    lists = [ItemList(item_ids=np.argsort(-row), ordered=True) for row in scores]
    asked = [ItemList(item_ids=np.flatnonzero(row)) for row in relevant]
    for name, metric in metrics.items():
        oracle = [metric(listed, test) for listed, test in zip(lists, asked, strict=True)]
        assert RANKING[name](k, hits) == pytest.approx(oracle, abs=1e-9), name


@pytest.mark.filterwarnings("ignore")
def test_differ_from_lenskit_where_the_docstrings_say_so() -> None:
    """Short lists, and the discount of the second rank."""
    metrics = lenskit_metrics(5)
    from lenskit.data import ItemList
    from lenskit.metrics import NDCG

    listed, asked = ItemList(item_ids=[4, 2], ordered=True), ItemList(item_ids=[2, 7, 8])
    hits = hits_of([[2, NEVER, NEVER]], within=5)
    assert (metrics["precision"](listed, asked), precision_at(5, hits)[0]) == (0.5, 0.2)
    assert (metrics["map"](listed, asked), map_at(5, hits)[0]) == (0.25, pytest.approx(1 / 6))
    assert NDCG(1).measure_list(listed, ItemList(item_ids=[4])) == 1.0
    assert NDCG(2).measure_list(listed, ItemList(item_ids=[2])) == 1.0
    assert ndcg_at(2, hits_of([[2]]))[0] == pytest.approx(1 / math.log2(3))
