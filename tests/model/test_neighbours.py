"""Local regressions against EASE, against regressions spelled out, and against themselves in blocks."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from conv4rec.model import neighbours
from conv4rec.model.neighbours import fit_neighbours

U, I = 40, 9


def random_view(seed: int, *, binary: bool = False) -> sp.csr_array:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((U, I)) < 0.4, 1.0 if binary else rng.normal(size=(U, I)), 0.0)
    return sp.csr_array(values.astype(np.float32))


def dense(found: neighbours.Neighbours, view: int) -> NDArray[np.float32]:
    """(I, I) weights; column j explains item j."""
    W = np.zeros((I, I), dtype=np.float32)
    W[found.items, np.arange(I)[:, None]] = found.weights[:, :, view]
    return W


def test_with_all_items_as_neighbours_it_is_ease() -> None:
    X = random_view(0, binary=True)
    P = np.linalg.inv((X.T @ X).toarray() + 3.0 * np.eye(I))
    ease = -P / np.diag(P)
    np.fill_diagonal(ease, 0.0)
    assert dense(fit_neighbours([X], [3.0], 100), 0) == pytest.approx(ease, abs=1e-4)


def test_two_views_are_one_regression_an_item() -> None:
    deviation, rated, penalties = random_view(1), random_view(2, binary=True), (2.0, 5.0)
    found = fit_neighbours([deviation, rated], penalties, 3)
    assert found.weights.shape == (I, 3, 2)
    for j in range(I):
        near = found.items[j]
        A = np.hstack([deviation.toarray()[:, near], rated.toarray()[:, near]])
        ridge = np.diag(np.repeat(penalties, 3))
        expected = np.linalg.solve(A.T @ A + ridge, A.T @ deviation.toarray()[:, j])
        assert found.weights[j].T.ravel() == pytest.approx(expected, abs=1e-4)


def test_neighbours_are_the_closest_by_the_last_view() -> None:
    rated = random_view(3, binary=True)
    found = fit_neighbours([random_view(4), rated], (1.0, 1.0), 3)
    X = rated.toarray()
    cosine = (X.T @ X) / np.sqrt(np.outer((X**2).sum(0), (X**2).sum(0)))
    np.fill_diagonal(cosine, -np.inf)
    for j in range(I):
        assert j not in found.items[j]
        assert (np.diff(found.items[j]) > 0).all()
        assert cosine[found.items[j], j].min() >= np.sort(cosine[:, j])[-3] - 1e-6


def test_products_held_or_made_by_block_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    views = [random_view(5), random_view(6, binary=True)]
    held = fit_neighbours(views, (1.0, 2.0), 4)
    for name, size in (("BLOCK", 2), ("STRIP", 4)):
        monkeypatch.setattr(neighbours, name, size)
    made = fit_neighbours(views, (1.0, 2.0), 4, memory_mb=0)
    assert (held.items == made.items).all()
    assert held.weights == pytest.approx(made.weights, abs=1e-5)


def test_an_item_nobody_has_is_explained_by_nothing() -> None:
    X = random_view(7, binary=True).toarray()
    X[:, 4] = 0.0
    found = fit_neighbours([sp.csr_array(X)], [1.0], 3)
    assert not found.weights[4].any()
    assert not dense(found, 0)[4].any()


def test_one_item_has_no_neighbours() -> None:
    assert fit_neighbours([sp.csr_array(np.ones((3, 1)))], [1.0], 5).items.shape == (1, 0)
