"""Kernels are the same when channels are exchanged and scaled, and say what was planted in the data."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.config import Config, override
from conv4rec.data.simulator import SimulatorConfig, simulate
from conv4rec.errors import TheoryError
from conv4rec.recommender import Conv4Rec
from conv4rec.theory.kernels import align, distances, kernel, leaning, nearest, stability, type_matrix
from conv4rec.verbs.type_map import TypeMap


def typed(matrix: list[list[float]], strength: list[float], seed: int = 0) -> TypeMap:
    """A map of types a, b, ... with these likenesses, and random channels."""
    names = [chr(ord("a") + k) for k in range(len(matrix))]
    n = len(names)
    weights = np.random.default_rng(seed).normal(size=(n, 2))
    alike = {"type": np.repeat(names, n).tolist(), "other": names * n, "effect_cosine": np.ravel(matrix).tolist()}
    channels = {
        "channel": [0] * n + [1] * n,
        "type": names * 2,
        "weight": weights.T.ravel(),
        "size": [1.0] * n + [2.0] * n,
    }
    path = pl.lit("consumption").alias("path")
    tables = (alike, channels, {"type": names, "strength": strength})
    return TypeMap(*(pl.DataFrame(each).select(path, pl.all()) for each in tables))


@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(2, 6))
def test_exchanged_and_scaled_channels_are_put_back(seed: int, n_types: int, n_channels: int) -> None:
    rng = np.random.default_rng(seed)
    reference = rng.normal(size=(max(n_types, 2), n_channels))
    order, scale = rng.permutation(n_channels), rng.choice([-1, 1], n_channels) * rng.uniform(0.1, 10, n_channels)
    found = align(reference[:, order] * scale, reference)
    assert found.similarity == pytest.approx(1.0)
    if n_types > 2:  # in a plane, two channels may be alike by chance
        assert found.kernel == pytest.approx(reference)
        assert order[found.order].tolist() == list(range(n_channels))


def test_unlike_kernels_are_unlike() -> None:
    rng = np.random.default_rng(0)
    found = [align(*rng.normal(size=(2, 20, 3))).similarity for _ in range(50)]
    assert np.mean(found) < 0.5


def test_kernels_of_other_shapes_have_no_place() -> None:
    with pytest.raises(TheoryError, match=r"a kernel of shape \(2, 3\) has no place in one of shape \(2, 2\)"):
        align(np.zeros((2, 3)), np.zeros((2, 2)))


def test_distances_by_hand() -> None:
    found = typed([[1.0, 0.0, -1.0], [0.0, 1.0, 0.5], [-1.0, 0.5, 1.0]], [1.0, 2.0, 3.0])
    table = distances(found)["distance"].to_numpy().reshape(3, 3) * 2  # the mean strength is 2
    assert table == pytest.approx(np.array([[0, 5**0.5, 4], [5**0.5, 0, 7**0.5], [4, 7**0.5, 0]]))
    assert nearest(found)["nearest"].to_list() == ["b", "a", "b"]
    assert leaning(found, "a", "b", "c") == {"consumption": pytest.approx(5**0.5 / (5**0.5 + 7**0.5))}
    with pytest.raises(TheoryError, match="interaction type z: not met by the model"):
        leaning(found, "a", "b", "z")


def test_matrices_in_the_order_of_the_types() -> None:
    found = typed([[1.0, 0.2], [0.2, 1.0]], [1.0, 1.0])
    assert type_matrix(found, "consumption").tolist() == [[1.0, 0.2], [0.2, 1.0]]
    weights = np.random.default_rng(0).normal(size=(2, 2))
    assert kernel(found, "consumption") == pytest.approx(weights * [1.0, 2.0])


def test_stability_over_seeds() -> None:
    likeness = [[1.0, 0.2, 0.4], [0.2, 1.0, 0.6], [0.4, 0.6, 1.0]]
    maps = [typed(likeness, [1.0, 1.0, 1.0]) for _ in range(3)]
    before = [typed(likeness, [1.0, 1.0, 1.0], seed) for seed in range(3)]
    (found,) = stability(maps, before)
    assert found.path == "consumption"
    assert [found.kernels, found.effects] == pytest.approx([1.0, 1.0])
    assert found.spread == pytest.approx(0.0)
    assert found.kernels_by_chance < 1.0
    with pytest.raises(TheoryError, match="1 model: expected at least two seeds to compare"):
        stability(maps[:1], before[:1])


@pytest.mark.parametrize(
    ("relation", "alike"), [((0.1, 0.9, 0.3), {"purchase", "cart"}), ((0.1, 0.2, 0.9), {"view", "cart"})]
)
def test_the_planted_relation_of_named_types_is_recovered(
    small_config: Config, relation: tuple[float, float, float], alike: set[str]
) -> None:
    """By the path of types; draws are independent, or that an event happened would rule it out."""
    size: dict[str, Any] = {"n_users": 400, "n_items": 40, "n_interactions": 60}
    world = simulate(SimulatorConfig(types="related", relation=relation, replace=True, **size))
    settings = ["train.epochs=12", "train.batch_size=64", "experts.neighbours=0", "experts.factors=[]"]
    config = override(small_config, [*settings, "train.rating_weight_decay=0.01"])
    found = Conv4Rec(config).fit(world.ratings).interaction_types()
    pairs = found.alike.filter(pl.col("path") == "rating", pl.col("type") < pl.col("other"))
    best, second, _ = pairs.sort("effect_cosine", descending=True).select("type", "other", "effect_cosine").rows()
    assert {best[0], best[1]} == alike
    assert best[2] > 0.7 > 0.2 > second[2]
    assert set(nearest(found).filter(pl.col("path") == "rating", pl.col("type").is_in(alike))["nearest"]) == alike
