"""Sums over table rows, and products at chosen pairs, whose gradients are sums over table rows too.

The gradient of an embedding bag is usually a scatter: the table is cleared, then added to in the order of the batch.
Grouped by row of the table it is an embedding bag itself, which writes every row once, in a third of the time.
Source: ours, measured in docs/performance.md.
"""

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

DENSE = 100
"""A product of all rows with all items costs a pair this much less than products of pairs: docs/performance.md."""


class Cells:
    """N interactions by the cell, a row and a kind, that each lies in: what sums over them need, found once.

    Attributes:
        where: (N,) rows of a table, in the order of the cells.
        rows: (N,) 0 to B - 1, ascending.
        cells: (N,) row * K + kind, ascending, for the K kinds up to the last that is met.
        ends: (B K + 1,) where each cell begins, and where the last one ends.
    """

    def __init__(self, where: Tensor, rows: Tensor, kinds: Tensor, n_rows: int) -> None:
        """Take them in any order; faster is that of rows, and within a row of kinds."""
        self.n_rows, self.n_kinds = n_rows, max(1, 1 + largest(kinds))
        self.where, self.rows, self.cells = where, rows, torch.add(kinds, rows, alpha=self.n_kinds)
        self.order: Tensor | None = None
        self._by_place: Grouped | None = None
        if not _ascend(self.cells):
            self.order = _grouped(self.cells, n_rows * self.n_kinds)[0]
            self.where, self.rows, self.cells = map(self.in_order, (where, rows, self.cells))
        self.ends = ends_of(self.cells, n_rows * self.n_kinds)

    def in_order(self, values: Tensor) -> Tensor:
        """(N,) of the interactions as they were given, in the order of their cells."""
        return values if self.order is None else values.index_select(0, self.order)

    @cached_property
    def counts(self) -> Tensor:
        """(B, K) interactions in each cell."""
        return self.ends.diff().view(self.n_rows, self.n_kinds)

    def by_place(self, n: int) -> "Grouped":
        """The same interactions by row of the table, which has n of them."""
        if self._by_place is None or len(self._by_place.starts) != n:
            self._by_place = Grouped.of(self.where, self.cells, n)
        return self._by_place

    @cached_property
    def met(self) -> "tuple[Tensor, Grouped]":
        """(T,) the rows of the table that are met, and the interactions by these."""
        met, where = torch.unique(self.where, return_inverse=True)
        return met, Grouped.of(where, self.cells, len(met))


class Grouped(NamedTuple):
    """Interactions by row of the table."""

    order: Tensor  # (N,) of those that were by cell
    starts: Tensor  # (I,) where each row begins
    cells: Tensor  # (N,)

    @classmethod
    def of(cls, where: Tensor, cells: Tensor, n: int) -> "Grouped":
        """(N,) rows of the table, of which there are n, and the cells that ask for them."""
        order, starts = _grouped(where, n)
        return cls(order, starts, cells.index_select(0, order))


def bag(table: Tensor, cells: Cells, mixing: Tensor, extra: Tensor | None = None, *, lean: bool = False) -> Tensor:
    """(B, D) sums of table rows: of (mixing[kinds[n]] + extra[n] @ rest) @ table[where[n]] over the n in row b.

    Here `rest` are the last J rows of `mixing`. A row of the table is read once for all of its channels.

    Args:
        table: (I, C, D).
        cells: what is summed; `where` has indices into the table.
        mixing: (K + J, C) for each of K kinds; the rest for the extra channels.
        extra: (N, J) values of further input channels; no gradient.
        lean: give the gradient of the table only where it was met, as a sparse tensor.
    """
    extra = table.new_empty(len(cells.where), 0) if extra is None else cells.in_order(extra)
    device, given = table.device.type, (table, mixing, extra, cells, lean)
    with torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext():
        summed: Tensor = _Bag.apply(*given)  # type: ignore[no-untyped-call]
    return summed  # sums in single precision: bfloat16 has no time to gain


def mixed_bag(
    table: Tensor, where: Tensor, kinds: Tensor, starts: Tensor, mixing: Tensor, extra: Tensor | None = None
) -> Tensor:
    """The sums of `bag` without gradient, (B, D): the table of each kind is mixed first.

    One row of D is read an interaction and extra channel in place of C, which pays where interactions are more than
    pairs of a kind and an item.

    Args:
        table: (I, C, D).
        where: (N,) indices into the table, by row.
        kinds: (N,).
        starts: (B,) where each row begins.
        mixing: (K + J, C), as in `bag`.
        extra: (N, J).
    """
    n, extras = len(table), [] if extra is None else list(extra.T)
    mixed = torch.einsum("kc,icd->kid", mixing, table).flatten(0, 1)  # (K I, D)
    total = _sums(mixed, kinds * n + where, starts, None)
    for kind, weights in enumerate(extras, start=len(mixing) - len(extras)):
        total += _sums(mixed[kind * n : (kind + 1) * n], where, starts, weights.contiguous())
    return total


def lean_rows(table: Tensor, which: Tensor) -> Tensor:
    """(T, ...) rows of a table (I, ...), no row twice; the gradient of the table is lean, as in `bag`."""
    found: Tensor = _LeanRows.apply(table, which)  # type: ignore[no-untyped-call]
    return found


def products_at(left: Tensor, right: Tensor, rows: Tensor, items: Tensor) -> Tensor:
    """(N, C) products of left (B, D) and right (I, C, D) at N pairs; sooner where `rows` ascend."""

    def by_row(rows: Tensor, items: Tensor) -> Tensor:
        products: Tensor = _ProductsAt.apply(left, right, rows, items)  # type: ignore[no-untyped-call]
        return products

    return asked_by_row(by_row, rows, items)


def asked_by_row(answer: Callable[[Tensor, Tensor], Tensor], rows: Tensor, items: Tensor) -> Tensor:
    """(N, ...) what is answered of N pairs in any order, by what wants the rows to ascend."""
    if _ascend(rows):
        return answer(rows, items)
    order = torch.argsort(rows, stable=True)
    return answer(rows[order], items[order])[torch.argsort(order)]


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
    def forward(ctx: Any, table: Tensor, mixing: Tensor, extra: Tensor, cells: Cells, lean: bool) -> Tensor:
        (_, C, D), B, K, J, flat = table.shape, cells.n_rows, cells.n_kinds, extra.shape[1], table.flatten(1)
        of_kinds = _sums(flat, cells.where, cells.ends[:-1], None).view(B, K, C, D)
        starts = cells.ends[:-1:K].contiguous()
        of_extra = [_sums(flat, cells.where, starts, each.contiguous()).view(B, 1, C, D) for each in extra.T]
        summed = torch.cat([of_kinds, *of_extra], 1)  # (B, K + J, C, D)
        ctx.save_for_backward(mixing, extra, summed)
        ctx.shape, ctx.cells, ctx.lean = tuple(table.shape), cells, lean
        return torch.bmm(_met(mixing, K, J).reshape(1, 1, -1).expand(B, 1, -1), summed.flatten(1, 2))[:, 0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        mixing, extra, summed = ctx.saved_tensors
        cells, gradient, J = ctx.cells, gradient.contiguous(), extra.shape[1]
        met, grouped = cells.met if ctx.lean else (None, cells.by_place(ctx.shape[0]))
        used = _met(mixing, cells.n_kinds, J)  # (K + J, C)
        spread = (used[: cells.n_kinds, :, None] * gradient[:, None, None]).flatten(2).flatten(0, 1)  # (B K, C D)
        of_table = _sums(spread, grouped.cells, grouped.starts, None).view(-1, *ctx.shape[1:])
        rows = cells.rows.index_select(0, grouped.order)
        for weights, mixture in zip(extra.index_select(0, grouped.order).T, used[cells.n_kinds :], strict=True):
            of_channel = _sums(gradient, rows, grouped.starts, weights.contiguous())
            of_table.addcmul_(mixture[:, None], of_channel[:, None])
        of_table = of_table if met is None else _lean(met, of_table, ctx.shape)
        of_used = torch.einsum("bd,bkcd->kc", gradient, summed)
        of_mixing = torch.zeros_like(mixing)
        of_mixing[: cells.n_kinds], of_mixing[len(mixing) - J :] = of_used[: cells.n_kinds], of_used[cells.n_kinds :]
        return of_table, of_mixing, None, None, None


def _met(mixing: Tensor, K: int, J: int) -> Tensor:
    """(K + J, C) of the kinds that are met, and of the extra channels."""
    return torch.cat((mixing[:K], mixing[len(mixing) - J :]))


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
        C = right.shape[1]
        columns = (items[:, None] * C + torch.arange(C, device=items.device)).flatten()  # (N C,) rows of (I C, D)
        ends = ends_of(rows, len(left)) * C
        ctx.save_for_backward(left, right, rows, columns, ends)
        fit = len(items) <= len(left) * len(right)  # no sparse matrix has more cells; repeated pairs may be more
        if fit and left.device.type == "cpu" and left.dtype == right.dtype == torch.float32:
            return _sampled_products(left, right.flatten(0, 1), ends, columns).view(-1, C)
        found = functional.embedding(items, right.flatten(1)).view(len(items), *right.shape[1:])  # (N, C, D)
        return torch.bmm(found, functional.embedding(rows, left)[:, :, None])[:, :, 0]  # (N, C)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        left, right, rows, columns, ends = ctx.saved_tensors
        gradient, flat = gradient.to(left.dtype).flatten(), right.flatten(0, 1)
        of_left = _sums(flat, columns, ends[:-1], gradient)
        order, offsets = _grouped(columns, len(flat))
        rows = rows.index_select(0, torch.div(order, right.shape[1], rounding_mode="floor"))
        return of_left, _sums(left, rows, offsets, gradient.index_select(0, order)).view(right.shape), None, None


def _sampled_products(left: Tensor, right: Tensor, ends: Tensor, columns: Tensor) -> Tensor:
    """(M,) products of rows of left (B, D) and right (J, D), without copies of them, where a CSR matrix has cells."""
    _hear_of_csr()
    values, shape = left.new_zeros(len(columns)), (len(left), len(right))
    cells = torch.sparse_csr_tensor(ends, columns, values, shape, check_invariants=False)
    products: Tensor = torch.sparse.sampled_addmm(cells, left, right.T).values()
    return products


@cache
def _hear_of_csr() -> None:
    """Let torch say once that its CSR tensors are new, to nobody."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.zeros(1, 1).to_sparse_csr()


def _sums(table: Tensor, where: Tensor, offsets: Tensor, weights: Tensor | None) -> Tensor:
    """One sum for every offset, over the rows of the table from there to the next."""
    return torch.embedding_bag(table, where, offsets, False, 0, False, weights)[0]  # mode 0 is a sum


def largest(values: Tensor) -> int:
    """The largest of (N,) values, 0 or more; -1 of none."""
    if not len(values):
        return -1
    return int(values.numpy().max() if values.device.type == "cpu" else values.max())


def _ascend(rows: Tensor) -> bool:
    """Whether no row is below the one before."""
    values: Any = rows.numpy() if rows.device.type == "cpu" else rows  # a third of the time of torch
    return bool((values[1:] >= values[:-1]).all())


def ends_of(rows: Tensor, n_rows: int) -> Tensor:
    """(n_rows + 1,) where each row begins, and where the last one ends; `rows` ascending."""
    return torch.searchsorted(rows, torch.arange(n_rows + 1, device=rows.device))


def _grouped(keys: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """(N,) the order that brings equal keys together, and (n,) where those of each begin."""
    if keys.device.type != "cpu":
        ordered, order = torch.sort(keys, stable=True)
        return order, ends_of(ordered, n)[:-1]
    count = torch.bincount(keys, minlength=n)
    return torch.from_numpy(_sorted(keys.numpy(), n)), torch.cumsum(count, 0) - count


def _sorted(keys: NDArray[np.int64], n: int) -> NDArray[np.intp]:
    """The stable order of keys below n, 16 bits at a time: NumPy counts those instead of comparing them."""
    order = np.argsort(keys.astype(np.uint16), kind="stable")
    for bits in range(16, n.bit_length(), 16):
        digits = (keys >> bits).astype(np.uint16)
        order = order.take(np.argsort(digits.take(order), kind="stable"))
    return order


def _lean(which: Tensor, rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    found = torch.sparse_coo_tensor(which[None], rows, shape, check_invariants=False)
    return found._coalesced_(True)
