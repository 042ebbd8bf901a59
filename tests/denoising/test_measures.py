"""Measures of pairs against loops, and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.denoising.measures import chance_bound, measure_pairs, pooled_auc

Rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.integers(0, 5).map(float)), min_size=1, max_size=40)


def slow_auc(labels: list[float], scores: list[float]) -> float:
    positive = [s for y, s in zip(labels, scores, strict=True) if y]
    negative = [s for y, s in zip(labels, scores, strict=True) if not y]
    wins = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    return sum(wins) / len(wins) if wins else math.nan


def slow(rows: list[tuple[int, int, float]], k: int) -> dict[str, float]:
    told: dict[str, list[float]] = {"auc_by_user": [], f"ndcg@{k}": [], "mrr": []}
    for user in {row[0] for row in rows}:
        mine = [row for row in rows if row[0] == user]
        if len({row[1] for row in mine}) < 2:
            continue
        ranked = [row[1] for row in sorted(mine, key=lambda row: -row[2])]
        gains = [y / math.log2(place + 2) for place, y in enumerate(ranked[:k])]
        ideal = [1 / math.log2(place + 2) for place in range(min(k, sum(ranked)))]
        told[f"ndcg@{k}"].append(sum(gains) / sum(ideal))
        told["mrr"].append(1 / (1 + ranked.index(1)))
        told["auc_by_user"].append(slow_auc([row[1] for row in mine], [row[2] for row in mine]))
    means = {name: float(np.mean(values)) if values else math.nan for name, values in told.items()}
    return {"auc": slow_auc([row[1] for row in rows], [row[2] for row in rows])} | means


@given(Rows, st.integers(1, 6))
def test_figures_are_those_of_loops(rows: list[tuple[int, int, float]], k: int) -> None:
    users, labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    found = measure_pairs(users.astype(np.int64), labels.astype(np.float64), scores, k=k)
    assert found == pytest.approx(slow(rows, k), nan_ok=True)


def test_by_hand() -> None:
    """One user, scores 3, 2, 1, 0 with labels 0, 1, 0, 1: AUC 1/4, first hit at rank 2."""
    found = measure_pairs(np.zeros(4, dtype=np.int64), np.array([0.0, 1, 0, 1]), np.array([3.0, 2, 1, 0]), k=2)
    ideal = 1 + 1 / math.log2(3)
    assert found == pytest.approx({"auc": 0.25, "auc_by_user": 0.25, "mrr": 0.5, "ndcg@2": 1 / math.log2(3) / ideal})


def test_the_reciprocal_rank_is_that_of_the_scores() -> None:
    """Not of the labels, by which it would always be 1."""
    users, labels = np.zeros(10, dtype=np.int64), np.array([1.0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    assert measure_pairs(users, labels, -labels)["mrr"] == pytest.approx(0.1)


def test_chance() -> None:
    """The mean of random scores is 1/2; three standard deviations of 1,000 draws bound nearly all of them."""
    rng, labels = np.random.default_rng(0), np.repeat([0.0, 1.0], [150, 50])
    found = np.array([pooled_auc(labels, rng.random(200)) for _ in range(1000)])
    assert found.std() == pytest.approx((chance_bound(labels) - 0.5) / 3, rel=0.05)
    assert math.isnan(chance_bound(np.ones(3)))
