"""What lists look like: by hand, against loops over pairs, and how good the estimate of diversity is."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.metrics.catalogue import (
    REPLICATES,
    SKETCH,
    Catalogue,
    Exposure,
    coverage,
    diversity,
    gini,
    lists_as_rows,
    means_listed,
    segments,
)
from tests.metrics.naive import cosine
from tests.metrics.naive import gini as naive_gini
from tests.triples import make_interactions


def random_interactions(seed: int, n_users: int, n_items: int, n: int) -> Interactions:
    generator = np.random.default_rng(seed)
    users, items = generator.integers(0, n_users, n), (n_items * generator.random(n) ** 2).astype(np.int64)
    triples = [(int(u), int(i), 0) for u, i in zip(users, items, strict=True)]
    return make_interactions(triples, n_users=n_users, n_items=n_items)


def owners_of(reference: Interactions) -> list[set[int]]:
    owners: list[set[int]] = [set() for _ in range(reference.n_items)]
    for user, item in zip(reference.users.tolist(), reference.items.tolist(), strict=True):
        owners[item].add(user)
    return owners


def test_by_hand() -> None:
    reference = make_interactions([(0, 0, 0), (1, 0, 1), (1, 0, 0), (1, 2, 0)], n_users=4, n_items=3)
    catalogue = Catalogue.of(reference)
    assert catalogue.popularity.tolist() == [0.5, 0.0, 0.25]
    assert catalogue.novelty.tolist() == [1.0, 2.0, 2.0]
    assert catalogue.has_vector.tolist() == [True, False, True]
    assert catalogue.vectors @ catalogue.vectors.T == pytest.approx(
        np.array([[1.0, 0.0, math.sqrt(0.5)], [0.0, 0.0, 0.0], [math.sqrt(0.5), 0.0, 1.0]])
    )
    assert not catalogue.is_estimate


def test_a_reference_without_interactions_or_users() -> None:
    for n_users in (0, 3):
        catalogue = Catalogue.of(make_interactions([], n_users=n_users, n_items=2))
        assert catalogue.popularity.tolist() == [0.0, 0.0]
        assert catalogue.novelty == pytest.approx([math.log2(max(1, n_users))] * 2)
        assert not catalogue.has_vector.any()


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_cosines_are_exact_with_few_users(seed: int, n_users: int) -> None:
    reference = random_interactions(seed, n_users, 6, 60)
    catalogue, owners = Catalogue.of(reference), owners_of(reference)
    cosines = catalogue.vectors @ catalogue.vectors.T
    for one, other in combinations(range(6), 2):
        assert cosines[one, other] == pytest.approx(cosine(owners[one], owners[other]), abs=1e-6)


def test_cosines_are_estimated_with_many_users() -> None:
    reference = random_interactions(1, 8 * SKETCH, 60, 40_000)
    catalogue, owners = Catalogue.of(reference), owners_of(reference)
    assert catalogue.is_estimate
    assert catalogue.vectors.shape == (60, SKETCH + 3)
    cosines = catalogue.vectors @ catalogue.vectors.T
    assert np.diag(cosines) == pytest.approx(np.ones(60), abs=1e-5)
    errors = np.array([cosines[i, j] - cosine(owners[i], owners[j]) for i, j in combinations(range(60), 2)])
    assert np.sqrt((errors**2).mean()) < 1 / math.sqrt(SKETCH)
    assert abs(errors.mean()) < 0.003


def test_what_all_items_have_in_common_is_not_estimated() -> None:
    """Half the users have everything, the others nothing: all directions coincide, and nothing is left."""
    triples = [(user, item, 0) for user in range(0, 4 * SKETCH, 2) for item in range(5)]
    catalogue = Catalogue.of(make_interactions(triples, n_users=4 * SKETCH, n_items=6))
    cosines = catalogue.vectors @ catalogue.vectors.T
    assert cosines[:5, :5] == pytest.approx(np.ones((5, 5)), abs=1e-5)
    assert (cosines[5] == 0).all()


def test_vectors_take_no_more_than_a_quarter_of_the_memory() -> None:
    reference = random_interactions(0, 100, 4000, 500)
    catalogue = Catalogue.of(reference, memory_mb=2)
    assert catalogue.vectors.nbytes <= 2**19
    assert catalogue.is_estimate
    assert Catalogue.of(reference, memory_mb=1).vectors.shape[1] == 16 + 3


@pytest.mark.parametrize("memory_mb", [1, 2, 8])
def test_counting_in_blocks_changes_nothing(memory_mb: int) -> None:
    """With 1 MiB some 2000 interactions are counted at a time."""
    reference = random_interactions(2, 3000, 16, 9000)
    whole, parts = Catalogue.of(reference), Catalogue.of(reference, memory_mb=memory_mb)
    for name in ("popularity", "novelty", "vectors"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-6)


def test_segments_are_what_a_longer_list_adds() -> None:
    assert segments((5, 10, 20)) == [(0, 5), (5, 10), (10, 20)]
    assert segments((3,)) == [(0, 3)]


def test_means_of_what_is_listed() -> None:
    top = np.array([[2, 0, -1], [1, 2, 0], [-1, -1, -1]], dtype=np.int32)
    means = means_listed(np.array([1.0, 2.0, 4.0]), top)
    assert means == pytest.approx(np.array([[4.0, 2.5, 2.5], [2.0, 3.0, 7 / 3], [0.0, 0.0, 0.0]]))


def test_lists_as_rows() -> None:
    top = np.array([[2, 0, -1], [1, -1, -1]], dtype=np.int32)
    assert lists_as_rows(top, 0, 2, 4).toarray().tolist() == [[1, 0, 1, 0], [0, 1, 0, 0]]
    assert lists_as_rows(top, 2, 9, 4).toarray().tolist() == [[0, 0, 0, 0], [0, 0, 0, 0]]


@given(st.integers(0, 10_000))
def test_diversity_equals_the_mean_over_pairs(seed: int) -> None:
    generator = np.random.default_rng(seed)
    reference = random_interactions(seed, 12, 8, 25)
    catalogue, owners = Catalogue.of(reference), owners_of(reference)
    items = generator.permutation(8)[: generator.integers(0, 8)]
    sums = catalogue.vectors[items].sum(axis=0, keepdims=True)
    n_listed, n_known = np.array([len(items)]), np.array([catalogue.has_vector[items].sum()])
    found = diversity(sums, n_listed, n_known)[0]
    distances = [1 - cosine(owners[i], owners[j]) for i, j in combinations(items.tolist(), 2)]
    assert found == pytest.approx(np.mean(distances) if distances else np.nan, abs=1e-5, nan_ok=True)


def test_coverage_and_gini_by_hand() -> None:
    counts = np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 9.0], [0.0, 1.0, 1.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    assert coverage(counts).tolist() == [1.0, 0.25, 0.75, 0.0]
    assert gini(counts)[:3] == pytest.approx([0.0, 0.75, 0.375])
    assert np.isnan(gini(counts)[3])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9).filter(any))
def test_gini_equals_the_mean_difference(counts: list[int]) -> None:
    assert float(gini(np.array(counts, dtype=np.float64))) == pytest.approx(naive_gini(counts))


@pytest.mark.filterwarnings("ignore")
def test_gini_agrees_with_lenskit() -> None:
    pytest.importorskip("lenskit.data")
    from lenskit.stats import gini as oracle

    counts = np.random.default_rng(0).integers(0, 50, 200).astype(np.float64)
    assert float(gini(counts)) == pytest.approx(oracle(counts))


@given(st.integers(0, 10_000))
def test_exposure_equals_counting(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n_items, ks = 9, (1, 2, 4)
    lists = [generator.permutation(n_items)[: generator.integers(1, 6)].tolist() for _ in range(7)]
    top = np.array([(each + [-1] * 4)[:4] for each in lists], dtype=np.int32)
    weights = generator.poisson(1.0, (7, 5)).astype(np.float32)
    exposure = Exposure.of(ks, n_items, EvaluateConfig(bootstrap=5))
    exposure.add(top[:3], weights[:3])
    exposure.add(top[3:], weights[3:])
    metrics, replicates = exposure.metrics(), exposure.replicates()
    for k in ks:
        counts = np.zeros((6, n_items))  # as they are, then every replicate
        for row, each in enumerate(top[:, :k].tolist()):
            for item in each:
                if item >= 0:
                    counts[:, item] += [1.0, *weights[row]]
        assert metrics[f"coverage@{k}"] == (counts[0] > 0).mean()
        assert metrics[f"gini@{k}"] == pytest.approx(naive_gini(counts[0].astype(int).tolist()))
        assert replicates[f"coverage@{k}"] == pytest.approx((counts[1:] > 0).mean(axis=1))
        expected = [naive_gini(c.astype(int).tolist()) if c.any() else np.nan for c in counts[1:]]
        assert replicates[f"gini@{k}"] == pytest.approx(np.array(expected), nan_ok=True)


def test_exposure_keeps_a_hundred_replicates_or_none() -> None:
    assert Exposure.of((5,), 10, EvaluateConfig()).drawn.shape == (1, 10, REPLICATES)
    assert Exposure.of((5,), 10, EvaluateConfig(bootstrap=7)).drawn.shape == (1, 10, 7)
    too_much = Exposure.of((5, 10), 40_000, EvaluateConfig(memory_mb=100))
    assert not too_much.has_replicates
    assert too_much.replicates() == {}
