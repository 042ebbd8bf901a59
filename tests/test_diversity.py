"""Maximal marginal relevance, by hand and against its definition in loops."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from conv4rec.diversity import diverse_top_k
from conv4rec.embeddings import unit
from conv4rec.errors import QueryError
from conv4rec.metrics.ranking import top_k
from conv4rec.queries import QueryEngine
from conv4rec.recommender import Conv4Rec

Array = NDArray[np.float64]


def by_definition(scores: Array, vectors: Array, k: int, d: float) -> list[int]:
    pool = [int(item) for item in np.argsort(-scores, kind="stable")[: 10 * k] if scores[item] > -np.inf]
    low, high = scores[pool[-1]], scores[pool[0]]
    relevance = {item: (scores[item] - low) / (high - low) if high > low else 1.0 for item in pool}
    pairs = {(a, b): float(vectors[a] @ vectors[b]) for a in pool for b in pool if a != b}
    least, most = min(pairs.values(), default=0.0), max(pairs.values(), default=0.0)
    alike = {pair: (value - least) / (most - least) if most > least else 0.0 for pair, value in pairs.items()}
    chosen: list[int] = []
    while len(chosen) < min(k, len(pool)):
        worth = {
            item: (1 - d) * relevance[item] - d * max((alike[item, other] for other in chosen), default=0.0)
            for item in pool
            if item not in chosen
        }
        best = max(worth.values())
        chosen.append(
            next(item for item in pool if item in worth and worth[item] >= best - 1e-12) if chosen else pool[0]
        )
    return chosen


def _directions(rng: np.random.Generator, n: int) -> Array:
    return np.asarray(unit(rng.normal(size=(n, 4))), dtype=np.float64)


def test_two_of_a_kind_and_one_of_another() -> None:
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    scores = np.array([[3.0, 2.9, 2.0]])
    assert diverse_top_k(scores, vectors, 2, 0.0).tolist() == [[0, 1]]
    assert diverse_top_k(scores, vectors, 2, 0.5).tolist() == [[0, 2]]


@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([0.0, 0.2, 0.5, 1.0]))
def test_the_definition(seed: int, k: int, d: float) -> None:
    rng = np.random.default_rng(seed)
    scores, vectors = rng.normal(size=(3, 80)), _directions(rng, 80)
    scores[rng.random(scores.shape) < 0.3] = -np.inf
    found = diverse_top_k(scores, vectors, k, d)
    assert found.tolist() == [by_definition(row, vectors, k, d) for row in scores]


def test_no_diversity_is_the_order_of_the_scores() -> None:
    rng = np.random.default_rng(1)
    scores, vectors = rng.normal(size=(5, 40)), _directions(rng, 40)
    assert diverse_top_k(scores, vectors, 7, 0.0).tolist() == top_k(scores, 7).tolist()


def test_a_list_that_runs_out_ends() -> None:
    scores = np.full((1, 5), -np.inf)
    assert diverse_top_k(scores, np.eye(5), 3, 0.5).tolist() == [[-1, -1, -1]]
    scores[0, 2] = 1.0
    assert diverse_top_k(scores, np.eye(5), 3, 0.5).tolist() == [[2, -1, -1]]
    assert diverse_top_k(scores, np.eye(5), 9, 0.5).shape == (1, 5)


def likeness_within(model: Conv4Rec, diversity: float) -> float:
    vectors = model._answers.embeddings.items
    table = model.recommend(model.vocabulary.users.values[:60], 10, diversity=diversity)
    lists = model.vocabulary.items.indices(table["item_id"]).reshape(60, 10)
    return float(np.mean([(vectors[row] @ vectors[row].T)[np.triu_indices(10, 1)].mean() for row in lists]))


def test_more_diversity_is_less_alike(films: Conv4Rec) -> None:
    steps = [likeness_within(films, d) for d in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert steps == sorted(steps, reverse=True)
    assert steps[3] < 0.7 * steps[0]


def test_the_score_of_an_item_stays_its_score(simulated: Conv4Rec) -> None:
    table = simulated.recommend([7], 10, diversity=0.5)
    plain = simulated.recommend([7], len(simulated.vocabulary.items))
    joined = table.join(plain, on="item_id", suffix="_plain")
    assert joined["score"].to_list() == pytest.approx(joined["score_plain"].to_list())
    assert not table["score"].is_sorted(descending=True)
    assert table["rank"].to_list() == list(range(1, 11))


@pytest.mark.parametrize("diversity", [-0.1, 1.5, float("nan"), True, "much"])
def test_no_such_diversity(fitted: Conv4Rec, diversity: Any) -> None:
    with pytest.raises(QueryError, match="diversity = .*: expected 0 .by score alone. to 1"):
        fitted.recommend([101], 3, diversity=diversity)


def test_a_predictor_without_embeddings(fitted: Conv4Rec) -> None:
    from conv4rec.history import read_history
    from conv4rec.queries import Query

    engine = QueryEngine(fitted.predictor, fitted.vocabulary, None, 64)
    with pytest.raises(QueryError, match="diversity = 0.5: this model has no embeddings to tell items apart by"):
        engine.rank(*read_history(["i00"], fitted.vocabulary), Query(k=2, diversity=0.5))
