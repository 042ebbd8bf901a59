"""The consumption loss at the output layer, with memory that does not grow with the catalogue.

The logits of B users are made for a block of items at a time. A first pass keeps a running log-sum-exp; the backward
pass makes the logits of each block again. One block is held instead of made again. Memory beyond weights and their
gradients: 4 bytes x B x (block) x 2, whatever the number of items. Source: ours; Milakov and Gimelshein 2018 (arXiv
1805.02867) for the running normaliser.

For catalogues where even the time is too long, `sampled_loss` puts S items drawn from q in the place of all:

    log sum_j exp l_j  ~  log (1/S) sum_s exp(l_s - log q_s)

The sum under the logarithm is unbiased whatever q is (log-Q correction: Bengio and Senecal 2008).
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from conv4rec.model.bags import lean_rows, products_at
from conv4rec.model.held import ALL, Held
from conv4rec.model.products import product

CELLS = 1 << 24
"""Logits in a block: users x items."""


class Pairs(NamedTuple):
    """Rows of a batch of users and items, (N,) each."""

    rows: Tensor
    items: Tensor


class Output(NamedTuple):
    """What logits are made of: z decoder^T + bias, plus repeat where the pair is in the history."""

    z: Tensor  # (B, D)
    decoder: Tensor  # (I, D)
    bias: Tensor  # (I,)
    repeat: Tensor  # ()


def exact_loss(output: Output, seen: Pairs, targets: Pairs, *, cells: int = CELLS, held: Held = ALL) -> Tensor:
    """Sum over the targets of -log p_consume.

    Args:
        output: what the logits are made of.
        seen: the history; a pair that is there twice counts once.
        targets: what is predicted; a pair that is there twice counts twice.
        cells: most logits that are held at once; at least one item is.
        held: whose rows decoder and bias have.
    """
    n_rows = len(output.z)
    block = max(1, cells // max(1, n_rows))
    z, decoder, bias, repeat = output
    pairs = (*_shifted(seen, held), *_shifted(targets, held))
    of_all = held.enter(z), decoder, bias, held.enter(repeat)
    loss: Tensor = _ExactLoss.apply(*of_all, *pairs, block, held)  # type: ignore[no-untyped-call]
    return loss


class _ExactLoss(Function):
    """By blocks of items; keeps the exponentials where there is but one."""

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        decoder: Tensor,
        bias: Tensor,
        repeat: Tensor,
        seen_rows: Tensor,
        seen_items: Tensor,
        rows: Tensor,
        items: Tensor,
        block: int,
        held: Held,
    ) -> Tensor:
        output, seen, targets = Output(z, decoder, bias, repeat), Pairs(seen_rows, seen_items), Pairs(rows, items)
        ctx.dtype = _product_type(z)
        n_items = len(decoder)
        top = z.new_full((len(z),), -torch.inf, dtype=torch.float32)
        total, picked = torch.zeros_like(top), top.new_zeros((), dtype=torch.float64)
        for start in range(0, n_items, block):
            found = block_of_logits(output, seen, start, min(start + block, n_items), ctx.dtype)  # (B, b)
            picked += found.view(-1).index_select(0, _cells(targets, start, found)).sum(dtype=torch.float64)
            before, top = top, torch.maximum(top, found.amax(1))
            exponentials = found.sub_(top[:, None]).exp_()
            total = total * torch.exp(before - top) + exponentials.sum(1)
        per_row = torch.bincount(rows, minlength=len(z)).float()
        normaliser = held.log_add_up(top + total.log())  # (B,)
        picked = held.add_up(picked)
        ctx.save_for_backward(*output, *seen, *targets, normaliser, per_row)
        ctx.held, ctx.top, ctx.block = (exponentials, top, block) if block >= n_items else (None, None, block)
        return ((normaliser * per_row).sum(dtype=torch.float64) - picked).float()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        z, decoder, bias, repeat, *where, normaliser, per_row = ctx.saved_tensors
        output, seen, targets = Output(z, decoder, bias, repeat), Pairs(*where[:2]), Pairs(*where[2:])
        of_z, of_decoder, of_bias = torch.zeros_like(z), torch.empty_like(decoder), torch.empty_like(bias)
        of_repeat, weight = torch.zeros_like(repeat), (per_row * gradient)[:, None]  # (B, 1)
        for start in range(0, len(decoder), ctx.block):
            stop = min(start + ctx.block, len(decoder))
            if ctx.held is None:
                spread = (
                    block_of_logits(output, seen, start, stop, ctx.dtype).sub_(normaliser[:, None]).exp_().mul_(weight)
                )
            else:
                spread, ctx.held = ctx.held.mul_(weight * (ctx.top - normaliser).exp_()[:, None]), None
            at = _cells(targets, start, spread)
            spread.view(-1).index_add_(0, at, (-gradient).expand(len(at)))  # (B, b) d loss / d logits
            of_repeat += _sum_once(spread, _cells(seen, start, spread))
            of_bias[start:stop] = spread.sum(0)
            spread = spread.to(ctx.dtype)
            of_z += product(spread, decoder[start:stop].to(ctx.dtype))
            of_decoder[start:stop] = product(spread.T, z.to(ctx.dtype))
        return of_z, of_decoder, of_bias, of_repeat, None, None, None, None, None, None


def block_of_logits(output: Output, seen: Pairs, start: int, stop: int, dtype: torch.dtype | None = None) -> Tensor:
    """(B, b) logits of the items from `start` to `stop`, float32; products in the precision of now, or as told."""
    dtype = _product_type(output.z) if dtype is None else dtype
    z, decoder, bias, repeat = output
    found = product(z.to(dtype), decoder[start:stop].to(dtype).T, bias[start:stop].to(dtype)).float()
    return add_once(found, seen, start, repeat)


def add_once(block: Tensor, pairs: Pairs, start: int, value: Tensor) -> Tensor:
    """The (B, b) block of the items from `start` on, with a value added at the pairs, in place; once at each."""
    flat, at = block.view(-1), _cells(pairs, start, block)
    flat.put_(at, flat.index_select(0, at) + value)  # a pair that is there twice is written twice, the same
    return block


def _sum_once(block: Tensor, at: Tensor) -> Tensor:
    """The sum of the cells, one that is named twice counted once."""
    times = torch.zeros(block.numel(), dtype=torch.int32, device=block.device)
    times.index_add_(0, at, torch.ones_like(at, dtype=torch.int32))
    return (block.view(-1).index_select(0, at) / times.index_select(0, at)).sum()


def _cells(pairs: Pairs, start: int, block: Tensor) -> Tensor:
    """Where the pairs whose items are in the block lie in it, flattened."""
    rows, places, width = pairs.rows, pairs.items - start, block.shape[1]
    inside = (places >= 0) & (places < width)
    if bool(inside.all()):
        return rows * width + places
    return rows[inside] * width + places[inside]


def _product_type(z: Tensor) -> torch.dtype:
    """The precision of products under the autocast of now, which the backward pass does not see."""
    device = z.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else z.dtype


class Drawn(NamedTuple):
    """Items drawn with replacement in the place of all: each that was drawn, once."""

    items: Tensor  # (S,) ascending
    log_weight: Tensor  # (S,) log of how often it was drawn over how often that is expected


class Proposal:
    """Half of the draws are from the popularity, half from all items alike. Source: ours."""

    def __init__(self, counts: Tensor, n_draws: int) -> None:
        """Take the (I,) number of interactions of every item, and how often to draw, 1 or more."""
        q = 0.5 * counts.double() / counts.sum().clamp(min=1) + 0.5 / len(counts)  # (I,)
        self.n_draws, self.log_q, self.cumulative = n_draws, torch.log(q).float(), torch.cumsum(q, 0)

    def draw(self) -> Drawn:
        """Draw anew, with the generator of torch."""
        chance = torch.rand(self.n_draws, dtype=torch.float64, device=self.cumulative.device)
        found = torch.searchsorted(self.cumulative, chance * self.cumulative[-1]).clamp(max=len(self.log_q) - 1)
        items, times = torch.unique(found, return_counts=True)
        return Drawn(items, torch.log(times / self.n_draws) - self.log_q[items])


def sampled_loss(output: Output, seen: Pairs, targets: Pairs, drawn: Drawn, *, held: Held = ALL) -> Tensor:
    """The same sum as `exact_loss`, estimated; the gradient of the decoder has the rows of drawn items and targets."""
    z, decoder, bias, repeat = held.enter(output.z), output.decoder, output.bias, held.enter(output.repeat)
    where = held.where(drawn.items)
    items, log_weight = held.shift(drawn.items[where]), drawn.log_weight[where]  # (S,)
    logits = torch.addmm(bias[items] + log_weight, z, lean_rows(decoder, items).T).float()  # (B, S)
    known = repeat * _indicator(_shifted(seen, held), items, logits)
    log_total = held.log_add_up(torch.logsumexp(logits + known, dim=1))  # (B,)
    where = held.where(targets.items)
    asked, place = torch.unique(held.shift(targets.items[where]), return_inverse=True)
    products = products_at(z, lean_rows(decoder, asked)[:, None], targets.rows[where], place)[:, 0]
    found = held.add_up((products + bias[asked[place]]).float().sum())
    per_row = torch.bincount(targets.rows, minlength=len(z))
    repeated = output.repeat * _n_repeated(seen, targets, held.n_items(len(decoder)))
    return (log_total * per_row).sum() - found - repeated


def _indicator(seen: Pairs, items: Tensor, like: Tensor) -> Tensor:
    """(B, S) 1 where the row has the item in its history; `items` (S,) ascending."""
    if not len(items):
        return torch.zeros_like(like)
    place = torch.searchsorted(items, seen.items).clamp(max=len(items) - 1)
    there = items[place] == seen.items
    indicator = torch.zeros_like(like)
    indicator[seen.rows[there], place[there]] = 1.0
    return indicator


def _shifted(pairs: Pairs, held: Held) -> Pairs:
    """With rows of the tables in the place of items."""
    return Pairs(pairs.rows, held.shift(pairs.items))


def _n_repeated(seen: Pairs, targets: Pairs, n_items: int) -> Tensor:
    """How many targets are in the history."""
    return torch.isin(targets.rows * n_items + targets.items, seen.rows * n_items + seen.items).sum()
