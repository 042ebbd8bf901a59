"""Sums over table rows, and products at chosen pairs, whose gradients are sums over table rows too.

The gradient of an embedding bag is usually a scatter: the table is cleared, then added to in the order of the batch.
Grouped by row of the table it is an embedding bag itself, which writes every row once, in a third of the time.
Source: ours, measured in docs/performance.md.
"""

import warnings
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

DENSE = 100
"""A product of all rows with all items costs a pair this much less than products of pairs: docs/performance.md."""


def bag(
    table: Tensor, where: Tensor, rows: Tensor, n_rows: int, *, weights: Tensor | None = None, lean: bool = False
) -> Tensor:
    """(n_rows, ...) sums over a table: row b is the sum over the n with rows[n] = b of table[where[n]].

    Args:
        table: (I, ...).
        where: (N,) indices into it.
        rows: (N,) 0 to n_rows - 1, in any order; ascending is faster.
        n_rows: how many sums.
        weights: (N,) factors, which get no gradient; None for ones.
        lean: give the gradient of the table only where it was met, as a sparse tensor.
    """
    if not _ascend(rows):
        order = _grouped(rows, n_rows)[0]
        where, rows = where.index_select(0, order), rows.index_select(0, order)
        weights = None if weights is None else weights.index_select(0, order)
    summed: Tensor = _Bag.apply(table, where, rows, n_rows, weights, lean)  # type: ignore[no-untyped-call]
    return summed


def lean_rows(table: Tensor, which: Tensor) -> Tensor:
    """(T, ...) rows of a table (I, ...), no row twice; the gradient of the table is lean, as in `bag`."""
    found: Tensor = _LeanRows.apply(table, which)  # type: ignore[no-untyped-call]
    return found


def products_at(left: Tensor, right: Tensor, rows: Tensor, items: Tensor) -> Tensor:
    """(N, C) products of left (B, D) and right (I, C, D) at N pairs; sooner where `rows` ascend."""
    if not _ascend(rows):
        order = torch.argsort(rows, stable=True)
        return products_at(left, right, rows[order], items[order])[torch.argsort(order)]
    products: Tensor = _ProductsAt.apply(left, right, rows, items)  # type: ignore[no-untyped-call]
    return products


def dots_at(left: Tensor, right: Tensor, rows: Tensor, items: Tensor) -> Tensor:
    """(N,) products of rows of left (B, D) and right (I, D) at N pairs, by way of all pairs where many are asked."""
    if is_dense(len(rows), len(left), len(right)):
        return (left @ right.T)[rows, items]
    return torch.bmm(left[rows, None], right[items, :, None])[:, 0, 0]


def is_dense(n_pairs: int, n_rows: int, n_items: int) -> bool:
    """Whether what is asked of pairs is sooner done for all pairs of a row and an item."""
    return n_pairs * DENSE > n_rows * n_items


class _Bag(Function):
    @staticmethod
    def forward(
        ctx: Any, table: Tensor, where: Tensor, rows: Tensor, n_rows: int, weights: Tensor | None, lean: bool
    ) -> Tensor:
        ctx.save_for_backward(where, rows, weights)
        ctx.shape, ctx.lean = tuple(table.shape), lean
        return _sums(table.flatten(1), where, _offsets(rows, n_rows), weights).view(n_rows, *ctx.shape[1:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        where, rows, weights = ctx.saved_tensors
        met, where = torch.unique(where, return_inverse=True) if ctx.lean else (None, where)
        order, offsets = _grouped(where, ctx.shape[0] if met is None else len(met))
        weights = None if weights is None else weights.index_select(0, order)
        rows, gradient = rows.index_select(0, order), gradient.flatten(1).contiguous()
        of_rows = _sums(gradient, rows, offsets, weights).view(-1, *ctx.shape[1:])
        return of_rows if met is None else _lean(met, of_rows, ctx.shape), None, None, None, None, None


class _LeanRows(Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, which: Tensor) -> Tensor:
        ctx.save_for_backward(which)
        ctx.shape = tuple(table.shape)
        return table[which]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (which,) = ctx.saved_tensors
        return _lean(which, gradient, ctx.shape), None


class _ProductsAt(Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        ctx.save_for_backward(left, right, rows, items)
        fit = len(items) <= len(left) * len(right)  # no sparse matrix has more cells; repeated pairs may be more
        if fit and left.device.type == "cpu" and left.dtype == right.dtype == torch.float32:
            return _sampled_products(left, right, rows, items)
        found = functional.embedding(items, right.flatten(1)).view(len(items), *right.shape[1:])  # (N, C, D)
        return torch.bmm(found, functional.embedding(rows, left)[:, :, None])[:, :, 0]  # (N, C)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        left, right, rows, items = ctx.saved_tensors
        gradient = gradient.to(left.dtype)
        of_left = _of_left(gradient, right, rows, items, len(left))
        return of_left, _of_right(gradient, left, rows, items, right), None, None


def _sampled_products(left: Tensor, right: Tensor, rows: Tensor, items: Tensor) -> Tensor:
    """(N, C) without copies of the rows that are multiplied."""
    n_rows, C = len(left), right.shape[1]
    ends = functional.pad(torch.cumsum(torch.bincount(rows, minlength=n_rows), 0), (1, 0))
    columns, shape = _channels_of(items, C), (n_rows, len(right) * C)
    _hear_of_csr()
    cells = torch.sparse_csr_tensor(ends * C, columns, left.new_zeros(len(columns)), shape, check_invariants=False)
    products: Tensor = torch.sparse.sampled_addmm(cells, left, right.flatten(0, 1).T).values()
    return products.view(-1, C)


@cache
def _hear_of_csr() -> None:
    """Let torch say once that its CSR tensors are new, to nobody."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.zeros(1, 1).to_sparse_csr()


def _of_left(gradient: Tensor, right: Tensor, rows: Tensor, items: Tensor, n_rows: int) -> Tensor:
    """(B, D)."""
    C = right.shape[1]
    return _sums(right.flatten(0, 1), _channels_of(items, C), _offsets(rows, n_rows) * C, gradient.flatten())


def _channels_of(items: Tensor, C: int) -> Tensor:
    """(N C,) the rows of all channels of the items, in a table of channels of items."""
    return (items[:, None] * C + torch.arange(C, device=items.device)).flatten()


def _of_right(gradient: Tensor, left: Tensor, rows: Tensor, items: Tensor, right: Tensor) -> Tensor:
    """(I, C, D)."""
    order, offsets = _grouped(items, len(right))
    rows, gradient, total = rows.index_select(0, order), gradient.index_select(0, order), torch.empty_like(right)
    for channel in range(right.shape[1]):
        total[:, channel] = _sums(left, rows, offsets, gradient[:, channel].contiguous())
    return total


def _sums(table: Tensor, where: Tensor, offsets: Tensor, weights: Tensor | None) -> Tensor:
    """One sum for every offset, over the rows of the table from there to the next."""
    return functional.embedding_bag(where, table, offsets, mode="sum", per_sample_weights=weights)


def _ascend(rows: Tensor) -> bool:
    return bool((rows[1:] >= rows[:-1]).all())


def _offsets(rows: Tensor, n_rows: int) -> Tensor:
    """(n_rows,) where each row begins; `rows` ascending."""
    count = torch.bincount(rows, minlength=n_rows)
    return torch.cumsum(count, 0) - count


def _grouped(keys: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """(N,) the order that brings equal keys together, and (n,) where those of each begin."""
    if keys.device.type != "cpu":
        ordered, order = torch.sort(keys, stable=True)
        return order, _offsets(ordered, n)
    places = np.arange(len(keys))
    cells = sparse.coo_array((places, (keys.numpy(), places)), shape=(n, max(1, len(keys))))
    cells.has_canonical_format = True
    rows = cells.tocsr()  # a counting sort
    return torch.from_numpy(rows.data), torch.from_numpy(rows.indptr[:-1].astype(np.int64))


def _lean(which: Tensor, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    found = torch.sparse_coo_tensor(which[None], rows, shape, check_invariants=False)
    return found._coalesced_(True)
