"""Sums over table rows, and products at chosen pairs, whose gradients are sums over table rows too.

The gradient of an embedding bag is a scatter: the rows of the table are cleared, then added to in the order of the
batch. Sorted by row it is an embedding bag itself, which writes every row once. A third of the time. Source: ours.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional


def bag(table: Tensor, where: Tensor, rows: Tensor, n_rows: int) -> Tensor:
    """(n_rows, D) sums of rows of `table` (T, D): row b is the sum of table[where[n]] over the n with rows[n] = b.

    `where` (N,) and `rows` (N,) are indices, `rows` ascending. Sums are in the precision of the table.
    """
    summed: Tensor = _Bag.apply(table, where, rows, n_rows)
    return summed


def products_at(left: Tensor, right: Tensor, rows: Tensor, items: Tensor) -> Tensor:
    """(N, C) products of left (B, D) and right (I, C, D) at N pairs; `rows` ascending."""
    products: Tensor = _ProductsAt.apply(left, right, rows, items)
    return products


def rows_of(table: Tensor, which: Tensor, *, sparse: bool) -> Tensor:
    """(T, ...) rows of a table (I, ...); with `sparse` its gradient has those rows only, else all. No row twice."""
    if not sparse:
        return functional.embedding(which, table.flatten(1)).view(len(which), *table.shape[1:])
    found: Tensor = _SparseRows.apply(table, which)
    return found


class _SparseRows(Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, which: Tensor) -> Tensor:
        ctx.save_for_backward(which)
        ctx.shape = table.shape
        return table[which]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (which,) = ctx.saved_tensors
        return torch.sparse_coo_tensor(which[None], gradient, ctx.shape, check_invariants=False), None


class _Bag(Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, where: Tensor, rows: Tensor, n_rows: int) -> Tensor:
        ctx.save_for_backward(where, rows)
        ctx.n_table = len(table)
        return _sum(table, where, rows, n_rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        where, rows = ctx.saved_tensors
        ordered, order = torch.sort(where)
        return _sum(gradient.contiguous(), rows[order], ordered, ctx.n_table), None, None, None


class _ProductsAt(Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, rows: Tensor, items: Tensor) -> Tensor:
        ctx.save_for_backward(left, right, rows, items)
        found = functional.embedding(items, right.flatten(1)).view(len(items), *right.shape[1:])  # (N, C, D)
        return torch.bmm(found, functional.embedding(rows, left)[:, :, None])[:, :, 0]  # (N, C)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        left, right, rows, items = ctx.saved_tensors
        gradient = gradient.to(left.dtype)
        return (
            _of_left(gradient, right, rows, items, len(left)),
            _of_right(gradient, left, rows, items, right),
            None,
            None,
        )


def _of_left(gradient: Tensor, right: Tensor, rows: Tensor, items: Tensor, n_rows: int) -> Tensor:
    """(B, D)."""
    C = right.shape[1]
    places = items[:, None] * C + torch.arange(C, device=items.device)  # (N, C)
    return _sum(right.flatten(0, 1), places.flatten(), rows.repeat_interleave(C), n_rows, gradient.flatten())


def _of_right(gradient: Tensor, left: Tensor, rows: Tensor, items: Tensor, right: Tensor) -> Tensor:
    """(I, C, D)."""
    ordered, order = torch.sort(items)
    rows, gradient, total = rows[order], gradient[order], torch.empty_like(right)
    for channel in range(right.shape[1]):
        total[:, channel] = _sum(left, rows, ordered, len(right), gradient[:, channel].contiguous())
    return total


def _sum(table: Tensor, where: Tensor, rows: Tensor, n_rows: int, weights: Tensor | None = None) -> Tensor:
    """(n_rows, D) sums of rows of the table, weighted by `weights` (N,); `rows` ascending."""
    count = torch.bincount(rows, minlength=n_rows)
    offsets = torch.cumsum(count, 0) - count
    return functional.embedding_bag(where, table, offsets, mode="sum", per_sample_weights=weights)
