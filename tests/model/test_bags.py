"""Bags and products at pairs against plain indexing, values and gradients."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from conv4rec.model.bags import Cells, _sorted, bag, ends_of, lean_rows, mixed_bag, products_at

I, B, D = 7, 4, 3
PLACES = st.lists(st.tuples(st.integers(0, I - 1), st.integers(0, B - 1)), max_size=30)


def made(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def split(places: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    where, rows = (torch.tensor([place[side] for place in places], dtype=torch.int64) for side in (0, 1))
    return where, rows


def plain_sums(table: Tensor, where: Tensor, rows: Tensor, of_each: Tensor) -> Tensor:
    """(B, D) sums over rows of (N, C) mixtures of the table."""
    return torch.zeros(B, D).index_add(0, rows, torch.einsum("nc,ncd->nd", of_each, table[where]))


def gradients(value: Tensor, *of: Tensor) -> list[Tensor]:
    factor = torch.randn(value.shape, generator=torch.Generator().manual_seed(9))
    found = torch.autograd.grad((value * factor).sum(), of)
    return [each.to_dense() if each.is_sparse else each for each in found]


@given(PLACES, st.integers(0, 2), st.booleans())
def test_a_bag_is_a_sum_of_mixtures_of_rows(places: list[tuple[int, int]], extra_channels: int, lean: bool) -> None:
    K, C, J = 3, 2, extra_channels
    table, (where, rows), kinds = made(I, C, D), split(places), torch.arange(len(places)) % K
    mixing, extra = made(K + J, C, seed=1), torch.randn(len(places), J, generator=torch.Generator().manual_seed(2))
    expected = plain_sums(table, where, rows, mixing[kinds] + extra @ mixing[K:])
    found = bag(table, Cells(where, rows, kinds, B), mixing, extra if J else None, lean=lean)
    assert torch.allclose(found, expected, atol=1e-5)
    for one, other in zip(gradients(found, table, mixing), gradients(expected, table, mixing), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@given(PLACES, st.integers(0, 2))
def test_a_bag_of_mixed_tables_is_the_same(places: list[tuple[int, int]], extra_channels: int) -> None:
    K, C, J = 3, 2, extra_channels
    where, rows = split(sorted(places, key=lambda place: place[1]))
    kinds, extra = torch.arange(len(places)) % K, torch.randn(len(places), J)
    table, mixing = made(I, C, D).detach(), made(K + J, C, seed=1).detach()
    found = mixed_bag(table, where, kinds, ends_of(rows, B)[:-1], mixing, extra if J else None)
    assert torch.allclose(found, plain_sums(table, where, rows, mixing[kinds] + extra @ mixing[K:]), atol=1e-5)


@given(PLACES)
def test_cells_are_ordered_and_counted(places: list[tuple[int, int]]) -> None:
    K, (where, rows), kinds = 3, split(places), torch.arange(len(places)) % 3
    found = Cells(where, rows, kinds, B)
    assert found.cells.tolist() == sorted(found.cells.tolist())
    assert found.rows.tolist() == sorted(rows.tolist())
    counts = torch.zeros(B, K, dtype=torch.int64)
    counts.index_put_((rows, kinds), torch.ones_like(rows), accumulate=True)
    assert torch.equal(found.counts, counts[:, : found.n_kinds])
    assert not counts[:, found.n_kinds :].any()
    assert sorted(zip(found.where.tolist(), found.rows.tolist(), strict=True)) == sorted(places)


@given(st.lists(st.integers(0, (1 << 34) - 1), max_size=40))
def test_keys_of_any_size_are_sorted_as_numpy_does(keys: list[int]) -> None:
    assert (_sorted(np.array(keys, np.int64), 1 << 34) == np.argsort(np.array(keys, np.int64), kind="stable")).all()


@given(PLACES)
def test_products_at_pairs(places: list[tuple[int, int]]) -> None:
    items, rows = split(sorted(places, key=lambda place: place[1]))
    left, right = made(B, D), made(I, 2, D, seed=1)
    expected = torch.einsum("ncd,nd->nc", right[items], left[rows])
    found = products_at(left, right, rows, items)
    assert torch.allclose(found, expected, atol=1e-5)
    for one, other in zip(gradients(found, left, right), gradients(expected, left, right), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_a_lean_gradient_has_the_rows_met_and_no_other() -> None:
    table, met = made(I, 2, D), torch.tensor([1, 5])
    rows = lean_rows(table, met)
    assert torch.equal(rows, table[met])
    (found,) = torch.autograd.grad(rows.sum(), table)
    assert found.is_sparse
    assert found.coalesce().indices().tolist() == [[1, 5]]
    rows = torch.tensor([0, 0, 1])
    cells = Cells(torch.tensor([5, 1, 5]), rows, torch.zeros_like(rows), 2)
    summed = bag(table, cells, torch.ones(1, 2), lean=True)
    (found,) = torch.autograd.grad(summed.sum(), table)
    assert found.coalesce().values().flatten(1).sum(1).tolist() == [6.0, 12.0]


def test_products_at_more_pairs_than_there_are_cells() -> None:
    rows, items = torch.arange(4).repeat_interleave(9) // 2, torch.arange(36) % 2
    left, right = made(2, D), made(2, 3, D, seed=1)
    expected = torch.einsum("ncd,nd->nc", right[items], left[rows])
    assert torch.allclose(products_at(left, right, rows, items), expected, atol=1e-5)


def test_products_at_pairs_in_any_order() -> None:
    rows, items = torch.tensor([1, 0, 2, 0]), torch.tensor([3, 1, 0, 0])
    left, right = made(3, D), made(4, 2, D, seed=1)
    expected = torch.einsum("ncd,nd->nc", right[items], left[rows])
    assert torch.allclose(products_at(left, right, rows, items), expected, atol=1e-5)
