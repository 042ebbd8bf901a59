"""The consumption loss at the output layer, with memory that does not grow with the catalogue.

The logits of B users are made for a block of items at a time. A first pass adds up exponentials; the backward pass
makes the logits of each block again. One block is held instead of made again. Memory beyond weights and gradients: 4
bytes x B x (block) x 2, whatever the number of items. Exponentials are those of the logits themselves, which saves two
passes over a block. Only where their sum leaves the range in which float32 loses nothing, the largest logit of a user
is sought, and taken away from all of them first. Source: ours.

For catalogues where even the time is too long, `sampled_loss` puts S items drawn from q in the place of all:

    log sum_j exp l_j  ~  log (1/S) sum_s exp(l_s - log q_s)

The sum under the logarithm is unbiased whatever q is (log-Q correction: Bengio and Senecal 2008).
"""

import math
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from conv4rec.model.bags import lean_rows, products_at
from conv4rec.model.batch import Batch
from conv4rec.model.held import ALL, Held
from conv4rec.model.products import product

CELLS = 1 << 24
"""Logits in a block: users x items."""
LARGE = 2.0**64
"""A sum of exponentials between its inverse and it has lost nothing: float32 goes from 2^-126 to 2^128."""
TINY = 2.0**-96
"""Times a sum of exponentials it is no probability worth a number."""
BITS = 1 / math.log(2)
"""To a nat. Powers of 2 take half of the time of powers of e."""


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

    def in_bits(self) -> "Output":
        """The one whose logits are to the base 2."""
        return Output(self.z * BITS, self.decoder, self.bias * BITS, self.repeat * BITS)


def exact_loss(
    output: Output, seen: Batch, targets: Batch, *, cells: int = CELLS, distinct: bool = False, held: Held = ALL
) -> Tensor:
    """Sum over the targets of -log p_consume.

    Args:
        output: what the logits are made of.
        seen: the history; a pair that is there twice counts once.
        targets: what is predicted; a pair that is there twice counts twice.
        cells: most logits that are held at once; at least one item is.
        distinct: no pair is in the history twice, which need then not be looked for.
        held: whose rows decoder and bias have.
    """
    n_rows = len(output.z)
    block = max(1, cells // max(1, n_rows))
    z, decoder, bias, repeat = output
    pairs, per_row = (*_shifted(seen, held), *_shifted(targets, held)), targets.counts.float()
    of_all = held.enter(z), decoder, bias, held.enter(repeat)
    loss: Tensor = _ExactLoss.apply(*of_all, *pairs, per_row, block, distinct, held)  # type: ignore[no-untyped-call]
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
        per_row: Tensor,
        block: int,
        distinct: bool,
        held: Held,
    ) -> Tensor:
        output, seen, targets = Output(z, decoder, bias, repeat), Pairs(seen_rows, seen_items), Pairs(rows, items)
        ctx.dtype, in_bits, add = _product_type(z), output.in_bits(), _add if distinct else _add_once
        blocks = [(start, min(start + block, len(decoder))) for start in range(0, len(decoder), block)]

        def logits() -> Iterator[tuple[Tensor, Places]]:
            for start, stop in blocks:
                at = Places.of(seen, targets, start, stop)
                yield add(_logits(in_bits, start, stop, ctx.dtype), at.seen, in_bits.repeat), at  # (B, b)

        sums = _Sums.of(logits())
        if not sums.exact:
            sums = _Sums.of(logits(), _largest(found for found, _ in logits()))
        normaliser = held.log_add_up(sums.log())  # (B,)
        picked = held.add_up(sums.picked / BITS)
        ctx.save_for_backward(*output, *seen, *targets, normaliser, per_row)
        ctx.block, ctx.distinct, ctx.whole = block, distinct, sums if len(blocks) == 1 else None
        return ((normaliser * per_row).sum(dtype=torch.float64) - picked).float()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        z, decoder, bias, repeat, *where, normaliser, per_row = ctx.saved_tensors
        output, add = Output(z, decoder, bias, repeat), _add if ctx.distinct else _add_once
        if ctx.whole is not None:
            sums, ctx.whole = ctx.whole, None
            weight = sums.share(normaliser) * per_row
            return *_of_block(ctx, sums.powers, output, sums.at, 0, weight, gradient), *[None] * 8
        in_bits, of_z, of_repeat = output.in_bits(), torch.zeros_like(z), torch.zeros_like(repeat)
        of_decoder, of_bias = torch.empty_like(decoder), torch.empty_like(bias)
        for start in range(0, len(decoder), ctx.block):
            stop = min(start + ctx.block, len(decoder))
            at = Places.of(Pairs(*where[:2]), Pairs(*where[2:]), start, stop)
            logits = add(_logits(in_bits, start, stop, ctx.dtype), at.seen, in_bits.repeat)
            powers = logits.sub_(normaliser[:, None] * BITS).exp2_()
            found = _of_block(ctx, powers, output, at, start, per_row, gradient)
            of_z += found.z
            of_decoder[start:stop], of_bias[start:stop] = found.decoder, found.bias
            of_repeat += found.repeat
        return of_z, of_decoder, of_bias, of_repeat, *[None] * 8


class _Sums(NamedTuple):
    """What a pass over blocks of logits to the base 2 adds up, and what it leaves of the last block."""

    top: Tensor | None  # (B,) what was taken away from the logits
    total: Tensor  # (B,) of the powers
    picked: Tensor  # () of the logits of the targets
    powers: Tensor  # (B, b)
    at: "Places"

    @classmethod
    def of(cls, blocks: Iterable[tuple[Tensor, "Places"]], top: Tensor | None = None) -> "_Sums":
        """Add up at least one block, whose logits become powers in place."""
        return reduce(cls._with, (cls._of_one(found, at, top) for found, at in blocks))

    @classmethod
    def _of_one(cls, block: Tensor, at: "Places", top: Tensor | None) -> "_Sums":
        picked = block.view(-1).index_select(0, at.targets).sum(dtype=torch.float64)
        powers = (block if top is None else block.sub_(top[:, None])).exp2_()
        return cls(top, powers.sum(1), picked, powers, at)

    def _with(self, last: "_Sums") -> "_Sums":
        return last._replace(total=self.total + last.total, picked=self.picked + last.picked)

    @property
    def exact(self) -> bool:
        """Whether no sum is too large or too small for what it is made of; false of one that is no number."""
        if not len(self.total):
            return True
        least, most = map(float, self.total.aminmax())
        return least > 1 / LARGE and most < LARGE

    def log(self) -> Tensor:
        """(B,) log-sum-exp of the logits, in nats."""
        return self.total.log() if self.top is None else self.total.log() + self.top / BITS

    def share(self, normaliser: Tensor) -> Tensor:
        """(B,) what makes probabilities of the powers, given the (B,) log-sum-exp over all items in nats.

        Where another process has what is likely it may be too small for a number whose inverse is one; then it is TINY.
        """
        bits = -BITS * normaliser if self.top is None else self.top - BITS * normaliser
        return torch.exp2(bits).clamp(min=TINY)


def _largest(blocks: Iterable[Tensor]) -> Tensor:
    """(B,) the largest of every row of at least one (B, b) block."""
    return reduce(torch.maximum, (each.amax(1) for each in blocks))


class Places(NamedTuple):
    """Where pairs lie in a (B, b) block of items, flattened."""

    seen: Tensor
    targets: Tensor

    @classmethod
    def of(cls, seen: Pairs, targets: Pairs, start: int, stop: int) -> "Places":
        """Those with items from `start` to `stop`."""
        return cls(_cells(seen, start, stop), _cells(targets, start, stop))


def _of_block(
    ctx: Any, powers: Tensor, output: Output, at: Places, start: int, weight: Tensor, gradient: Tensor
) -> Output:
    """The gradients of a block: those of logits are (B, b) weight * powers, less 1 for each target, times `gradient`.

    They are made without the weights (B,), which go into the small factors of the products.
    """
    block = powers.shape[1]
    rows, weights = torch.div(at.targets, block, rounding_mode="floor"), weight * gradient
    powers.view(-1).index_add_(0, at.targets, -weight.reciprocal().index_select(0, rows))
    of_repeat = torch.zeros_like(output.repeat)
    if ctx.needs_input_grad[3]:
        of_repeat = (_sum if ctx.distinct else _sum_once)(powers, at.seen, weights)
    powers, decoder = powers.to(ctx.dtype), output.decoder[start : start + block].to(ctx.dtype)
    of_z = product(powers, decoder) * weights[:, None]
    z = torch.cat((output.z * weights[:, None], weights[:, None]), 1).to(ctx.dtype)  # (B, D + 1), of the bias the last
    as_it_lies = product(powers.T, z) if decoder.is_contiguous() else product(z.T, powers).T  # (b, D + 1)
    return Output(of_z, as_it_lies[:, :-1], as_it_lies[:, -1], of_repeat)


def block_of_logits(output: Output, seen: Pairs, start: int, stop: int) -> Tensor:
    """(B, b) logits of the items from `start` to `stop`, float32; products in the precision of now."""
    found = _logits(output, start, stop, _product_type(output.z))
    return _add_once(found, _cells(seen, start, stop), output.repeat)


def add_once(logits: Tensor, pairs: Pairs, value: Tensor) -> Tensor:
    """The (B, I) logits with a value added at the pairs, in place; once at each."""
    return _add_once(logits, _cells(pairs, 0, logits.shape[1]), value)


def _logits(output: Output, start: int, stop: int, dtype: torch.dtype) -> Tensor:
    """(B, b) of the items from `start` to `stop`, without what is added at the history."""
    z, decoder, bias, _ = output
    return product(z.to(dtype), decoder[start:stop].to(dtype).T, bias[start:stop].to(dtype)).float()


def _add_once(block: Tensor, at: Tensor, value: Tensor) -> Tensor:
    """With a value added at the cells, in place; once at one that is named twice."""
    flat = block.view(-1)
    flat.put_(at, flat.index_select(0, at) + value)  # what is named twice is written twice, the same
    return block


def _add(block: Tensor, at: Tensor, value: Tensor) -> Tensor:
    """The same where no cell is named twice."""
    block.view(-1).index_add_(0, at, value.to(block.dtype).expand(len(at)))
    return block


def _sum_once(block: Tensor, at: Tensor, weights: Tensor) -> Tensor:
    """The sum of the cells times the weights (B,) of their rows, one that is named twice counted once."""
    times = torch.zeros(block.numel(), dtype=torch.int32, device=block.device)
    times.index_add_(0, at, torch.ones_like(at, dtype=torch.int32))
    return _sum(block, at, weights, times.index_select(0, at))


def _sum(block: Tensor, at: Tensor, weights: Tensor, times: Tensor | float = 1.0) -> Tensor:
    """The same where no cell is named more than `times`."""
    rows = torch.div(at, block.shape[1], rounding_mode="floor")
    return torch.dot(block.view(-1).index_select(0, at), weights.index_select(0, rows) / times)


def _cells(pairs: Pairs, start: int, stop: int) -> Tensor:
    """Where the pairs with items from `start` to `stop` lie among these, flattened."""
    if not len(pairs.items):
        return pairs.items
    least, most = map(int, pairs.items.aminmax())
    at = pairs.rows * (stop - start) + (pairs.items - start if start else pairs.items)
    return at if start <= least and most < stop else at[(pairs.items >= start) & (pairs.items < stop)]


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


def sampled_loss(output: Output, seen: Batch, targets: Batch, drawn: Drawn, *, held: Held = ALL) -> Tensor:
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
    repeated = output.repeat * _n_repeated(seen, targets, held.n_items(len(decoder)))
    return (log_total * targets.counts).sum() - found - repeated


def _indicator(seen: Pairs, items: Tensor, like: Tensor) -> Tensor:
    """(B, S) 1 where the row has the item in its history; `items` (S,) ascending."""
    if not len(items):
        return torch.zeros_like(like)
    place = torch.searchsorted(items, seen.items).clamp(max=len(items) - 1)
    there = items[place] == seen.items
    indicator = torch.zeros_like(like)
    indicator[seen.rows[there], place[there]] = 1.0
    return indicator


def _shifted(pairs: Batch, held: Held) -> Pairs:
    """With rows of the tables in the place of items."""
    return Pairs(pairs.rows, held.shift(pairs.items))


def _n_repeated(seen: Batch, targets: Batch, n_items: int) -> Tensor:
    """How many targets are in the history."""
    return torch.isin(targets.rows * n_items + targets.items, seen.rows * n_items + seen.items).sum()
