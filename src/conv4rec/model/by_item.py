"""Sums over histories and ratings of pairs, from item to item: what a step of training asks of tables on the CPU.

A row of a table is read once, however many users have the item, and its gradient is written once. `bags.py` has the
same sums, user by user, for other devices and for predictions. The loops are in `conv4rec.compiled`, which is loaded
when a network is trained or lists of many users are made, and not before. Source: ours, measured in
docs/performance.md.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

EACH = 4
"""What an item costs beside its interactions, in interactions."""


class ByItem(NamedTuple):
    """N interactions of B users by item, and the items in parts of about the same work."""

    order: Tensor  # (N,) of those that were by user
    starts: Tensor  # (I + 1,) where each item begins, and where the last one ends
    rows: Tensor  # (N,) 0 to B - 1
    kinds: Tensor  # (N,)
    cuts: Tensor  # (parts + 1,) items
    n_rows: int
    n_kinds: int  # those up to the last that is met

    @classmethod
    def of(cls, rows: Tensor, items: Tensor, kinds: Tensor, n_rows: int, n_items: int) -> "ByItem":
        """Take (N,) interactions in any order; IndexError for an item that is none, which a loop would not notice."""
        from conv4rec.compiled import histories

        starts, ordered = torch.zeros(n_items + 1, dtype=torch.int64), torch.empty(3, len(items), dtype=torch.int64)
        order, of_rows, of_kinds = ordered
        most = histories.grouped(*(each.numpy() for each in (rows, items, kinds, starts, order, of_rows, of_kinds)))
        if most < -1:
            raise IndexError(f"items from {items.min()} to {items.max()}, expected 0 to {n_items - 1}")
        return cls(order, starts, of_rows, of_kinds, parts_of(starts, EACH), n_rows, most + 1)

    @property
    def n_parts(self) -> int:
        return len(self.cuts) - 1


def parts_of(starts: Tensor, each: int) -> Tensor:
    """(parts + 1,) keys to cut (n + 1,) sorted ones at: about the same work in each part, two parts a thread."""
    from conv4rec.compiled import histories

    cuts = torch.empty(2 * torch.get_num_threads() + 1, dtype=torch.int64)
    histories.cut(starts.numpy(), each, cuts.numpy())
    return cuts


def even_cuts(n: int, parts: int) -> Tensor:
    """(parts + 1,) rows to cut n at."""
    return torch.arange(parts + 1) * n // parts


def trains_here(table: Tensor) -> bool:
    """Whether what is asked of a table is for a step of training, in single precision, on the CPU."""
    here = table.device.type == "cpu" and table.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return here and table.requires_grad and torch.is_grad_enabled()


class Moments(NamedTuple):
    """What Adam knows of a parameter, and (6,) how it moves it: see `training.adam.Adam.moments`."""

    mean: Tensor
    square: Tensor
    rates: Tensor


Mover = Callable[[Tensor], Moments]
"""Gives the moments by which a parameter is moved as soon as its gradient is known; once a step."""


def sums_by_item(
    table: Tensor, by_item: ByItem, mixing: Tensor, extra: Tensor | None = None, mover: Mover | None = None
) -> Tensor:
    """(B, D) sums over histories: of mixing[kinds[n]] @ table[item], plus those of the extra channels, as in `bag`.

    With a mover the backward pass moves the table, and leaves no gradient: half of what goes through memory otherwise.
    """
    extra = table.new_empty(len(by_item.rows), 0) if extra is None else extra
    _check_kinds(by_item, len(mixing) - extra.shape[1])
    arguments = table, mixing.contiguous(), extra.contiguous(), by_item, mover
    summed: Tensor = _Sums.apply(*arguments)  # type: ignore[no-untyped-call]
    return summed


def type_loss(
    z: Tensor, decoder: Tensor, output: Tensor, bias: Tensor, of_rows: Tensor, by_item: ByItem, covers: Tensor
) -> Tensor:
    """Sum of -log p_type over N pairs of a user and an item, as `law.type_loss` of their logits, ().

    Args:
        z: (B, D).
        decoder: (I, C, D), whose products with z are mixed by `output`.
        output: (C, L).
        bias: (I, L) logits of an item.
        of_rows: (B, L) logits of a user.
        by_item: the pairs, and their kinds.
        covers: (K, L) which types each kind may be.
    """
    _check_kinds(by_item, len(covers))
    arguments = z, decoder, output, bias, of_rows, by_item, covers.float()
    loss: Tensor = _Types.apply(*arguments)  # type: ignore[no-untyped-call]
    return loss


def _check_kinds(by_item: ByItem, n_kinds: int) -> None:
    if by_item.n_kinds > n_kinds:
        raise IndexError(f"kinds up to {by_item.n_kinds - 1}, expected 0 to {n_kinds - 1}")


class _Sums(Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, mixing: Tensor, extra: Tensor, by_item: ByItem, mover: Mover | None) -> Tensor:
        from conv4rec.compiled import histories

        parts, D = by_item.n_parts, table.shape[2]
        total = table.new_empty(parts, by_item.n_rows, D)
        histories.sums(parts, *_given(table, mixing, extra, by_item), total, *_scratch(mixing, extra, parts, D))
        ctx.save_for_backward(table, mixing, extra)
        ctx.by_item, ctx.mover = by_item, mover
        return total.sum(0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        from conv4rec.compiled import histories

        (table, mixing, extra), by_item = ctx.saved_tensors, ctx.by_item
        parts, D, none = by_item.n_parts, table.shape[2], table.new_empty(0)
        of_mixing, given = mixing.new_zeros(parts, *mixing.shape), _given(table, mixing, extra, by_item)
        moments = Moments(none, none, none) if ctx.mover is None else ctx.mover(table)
        of_table = torch.empty_like(table) if ctx.mover is None else table.new_empty(parts, D)
        scratch = _scratch(mixing, extra, parts, D)
        histories.sums_back(parts, *given, gradient.contiguous(), *scratch, of_mixing, of_table, *moments)
        return of_table if ctx.mover is None else None, of_mixing.sum(0), None, None, None


def _given(table: Tensor, mixing: Tensor, extra: Tensor, by_item: ByItem) -> tuple[Tensor | int, ...]:
    (_, C, D), J = table.shape, extra.shape[1]
    numbers = C, D, by_item.n_rows, len(mixing) - J, J
    return *numbers, by_item.order, by_item.cuts, by_item.starts, by_item.rows, by_item.kinds, extra, table, mixing


def _scratch(mixing: Tensor, extra: Tensor, parts: int, D: int) -> tuple[Tensor, Tensor]:
    made = torch.zeros(parts, len(mixing) - extra.shape[1], dtype=torch.int64)
    return mixing.new_empty(parts, len(mixing), D), made


class _Types(Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        decoder: Tensor,
        output: Tensor,
        bias: Tensor,
        of_rows: Tensor,
        by_item: ByItem,
        covers: Tensor,
    ) -> Tensor:
        from conv4rec.compiled import ratings

        (_, C, D), (B, L), N, parts = decoder.shape, of_rows.shape, len(by_item.rows), by_item.n_parts
        products, slope, loss = z.new_empty(N, C), z.new_empty(N, L), z.new_empty(parts)
        given = decoder, z, output, bias, of_rows.contiguous(), covers
        pairs = by_item.cuts, by_item.starts, by_item.rows, by_item.kinds
        ratings.types(parts, C, D, L, B, *pairs, *given, products, slope, loss, z.new_empty(parts, L))
        ctx.save_for_backward(z, decoder, output, products, slope)
        ctx.by_item = by_item
        return loss.sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        from conv4rec.compiled import ratings

        (z, decoder, output, products, slope), by_item = ctx.saved_tensors, ctx.by_item
        (I, C, D), (B, L), parts = decoder.shape, (len(z), output.shape[1]), by_item.n_parts
        of_decoder, of_z, of_output = torch.empty_like(decoder), z.new_empty(parts, B, D), z.new_empty(parts, C, L)
        of_bias, of_rows = z.new_empty(I, L), z.new_empty(parts, B, L)
        given = by_item.cuts, by_item.starts, by_item.rows, decoder, z, output, products, slope, gradient
        ratings.types_back(parts, C, D, L, B, *given, of_decoder, of_z, of_output, of_bias, of_rows)
        return of_z.sum(0), of_decoder, of_output.sum(0), of_bias, of_rows.sum(0), None, None
