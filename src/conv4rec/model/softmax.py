"""The consumption loss at the output layer, with memory that does not grow with the catalogue.

The logits of B users are made for a block of items at a time, and turned into powers of 2 in place, above the largest
that each user has met: a running log-sum-exp. The backward pass makes them again, and turns them into the gradient in
place. One block is held instead of made again. Memory beyond weights and gradients: 4 bytes x B x (block) x 2, whatever
the number of items. On the CPU a row of a block is taken through all of this while it is in the cache (`_Rows`).
Source: ours.

For catalogues where even the time is too long, `sampled_loss` puts S items drawn from q in the place of all:

    log sum_j exp l_j  ~  log (1/S) sum_s exp(l_s - log q_s)

The sum under the logarithm is unbiased whatever q is (log-Q correction: Bengio and Senecal 2008).
"""

import math
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd import Function

from conv4rec.model.bags import lean_rows, products_at
from conv4rec.model.batch import Batch
from conv4rec.model.by_item import even_cuts
from conv4rec.model.held import ALL, Held
from conv4rec.model.products import product

CELLS = 1 << 24
"""Logits in a block: users x items."""
BY_ROW = ("cpu",)
"""Devices on which a user is taken after the other; on others all of a block are."""
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
    block = max(1, cells // max(1, len(output.z)))
    z, decoder, bias, repeat = output
    of_all = held.enter(z), decoder, bias, held.enter(repeat)
    known, asked = _shifted(seen, held), _shifted(targets, held)
    by_row = z.device.type in BY_ROW
    pairs = _Rows(known, seen.ends, asked, targets.ends, distinct) if by_row else _Blocks(known, asked, distinct)
    loss: Tensor = _ExactLoss.apply(*of_all, pairs, targets.counts.float(), block, held)  # type: ignore[no-untyped-call]
    return loss


class _ExactLoss(Function):
    """By blocks of items; keeps the powers where there is but one."""

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        decoder: Tensor,
        bias: Tensor,
        repeat: Tensor,
        pairs: "_Marked",
        per_row: Tensor,
        block: int,
        held: Held,
    ) -> Tensor:
        output, sums = Output(z, decoder, bias, repeat), _Sums.none(len(z), z.device)
        ctx.dtype, in_bits = _product_type(z), output.in_bits()
        for start in range(0, len(decoder), block):
            powers = _logits(in_bits, start, start + block, ctx.dtype)  # (B, b)
            pairs.raise_(powers, start, in_bits.repeat, sums)
        normaliser = held.log_add_up(sums.log())  # (B,)
        picked = held.add_up(sums.picked.sum(dtype=torch.float64) / BITS)
        ctx.save_for_backward(*output, sums.top, normaliser, per_row)
        ctx.pairs, ctx.block, ctx.whole = pairs, block, powers if len(decoder) <= block else None
        return ((normaliser * per_row).sum(dtype=torch.float64) - picked).float()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        *output, top, normaliser, per_row = ctx.saved_tensors
        output, whole = Output(*output), ctx.whole
        weight = per_row * torch.exp2(top - BITS * normaliser).clamp(min=TINY)  # (B,) of powers, to be probabilities
        if whole is not None:
            ctx.whole = None
            return *_of_block(ctx, whole, output, 0, weight, gradient), *[None] * 4
        in_bits, (of_z, of_decoder, of_bias, of_repeat) = output.in_bits(), map(torch.zeros_like, output)
        for start in range(0, len(output.decoder), ctx.block):
            powers = _logits(in_bits, start, start + ctx.block, ctx.dtype)
            ctx.pairs.raise_(powers, start, in_bits.repeat, top)
            found, stop = _of_block(ctx, powers, output, start, weight, gradient), start + ctx.block
            of_z += found.z
            of_decoder[start:stop], of_bias[start:stop] = found.decoder, found.bias
            of_repeat += found.repeat
        return of_z, of_decoder, of_bias, of_repeat, *[None] * 4


class _Sums(NamedTuple):
    """What blocks of logits to the base 2 have added up to, for each of B users."""

    top: Tensor  # (B,) the largest logit, above which the powers are
    total: Tensor  # (B,) of the powers
    picked: Tensor  # (B,) of the logits of the targets

    @classmethod
    def none(cls, n_rows: int, device: torch.device) -> "_Sums":
        """Of no block."""
        top = torch.full((n_rows,), -torch.inf, device=device)
        return cls(top, torch.zeros_like(top), torch.zeros_like(top))

    def log(self) -> Tensor:
        """(B,) log-sum-exp of the logits, in nats."""
        return self.total.log() + self.top / BITS


class _Marked(Protocol):
    """What is particular about some cells of a block: histories and targets. Changes blocks (B, b) in place."""

    def raise_(self, block: Tensor, start: int, repeat: Tensor, sums: "_Sums | Tensor") -> None:
        """Add `repeat` at the histories, and turn logits in bits to powers, which join `sums`; or above a top (B,)."""
        ...

    def slopes(self, powers: Tensor, start: int, weight: Tensor, *, of_repeat: bool) -> Tensor | None:
        """Leave the gradient of logits over the weight (B,); (B,) what it adds up to at the histories, if asked for."""
        ...


class _Rows(NamedTuple):
    """By compiled loops, from user to user; `ends` (B + 1,) where those of each user begin, and the last one's end."""

    seen: Pairs
    seen_ends: Tensor
    targets: Pairs
    target_ends: Tensor
    distinct: bool

    def raise_(self, block: Tensor, start: int, repeat: Tensor, sums: "_Sums | Tensor") -> None:
        from conv4rec.compiled import softmax

        cuts, known = self._cuts(len(block)), isinstance(sums, Tensor)
        seen, targets = (self.seen_ends, self.seen.items, repeat), (self.target_ends, self.targets.items)
        into = _Sums(sums, *(torch.zeros_like(sums) for _ in range(2))) if isinstance(sums, Tensor) else sums
        numbers = block.shape[1], start, int(not self.distinct), int(known)
        softmax.powers(len(cuts) - 1, *numbers, cuts, block, self._marks(block, cuts), *seen, *targets, *into)

    def slopes(self, powers: Tensor, start: int, weight: Tensor, *, of_repeat: bool) -> Tensor | None:
        from conv4rec.compiled import softmax

        cuts, at_seen = self._cuts(len(powers)), torch.zeros_like(weight)
        pairs = self.seen_ends, self.seen.items, self.target_ends, self.targets.items
        numbers = powers.shape[1], start, int(not self.distinct), int(of_repeat)
        softmax.slopes(len(cuts) - 1, *numbers, cuts, powers, self._marks(powers, cuts), *pairs, weight, at_seen)
        return at_seen if of_repeat else None

    def _cuts(self, n_rows: int) -> Tensor:
        return even_cuts(n_rows, min(max(1, n_rows), 4 * torch.get_num_threads()))

    def _marks(self, block: Tensor, cuts: Tensor) -> Tensor:
        return torch.zeros(0 if self.distinct else (len(cuts) - 1) * block.shape[1], dtype=torch.int64)


class _Blocks(NamedTuple):
    """By operations of torch on whole blocks."""

    seen: Pairs
    targets: Pairs
    distinct: bool

    def raise_(self, block: Tensor, start: int, repeat: Tensor, sums: "_Sums | Tensor") -> None:
        stop = start + block.shape[1]
        (_add if self.distinct else _add_once)(block, _cells(self.seen, start, stop), repeat)
        if isinstance(sums, Tensor):
            block.sub_(sums[:, None]).exp2_()
            return
        at = _cells(self.targets, start, stop)
        sums.picked.index_add_(0, _rows_of(block, at), block.view(-1).index_select(0, at))
        top = torch.maximum(sums.top, block.amax(1))
        sums.total.mul_(torch.exp2(sums.top - top))
        sums.total.add_(block.sub_(top[:, None]).exp2_().sum(1))
        sums.top.copy_(top)

    def slopes(self, powers: Tensor, start: int, weight: Tensor, *, of_repeat: bool) -> Tensor | None:
        stop = start + powers.shape[1]
        at = _cells(self.targets, start, stop)
        powers.view(-1).index_add_(0, at, -weight.reciprocal().index_select(0, _rows_of(powers, at)))
        if not of_repeat:
            return None
        at = _cells(self.seen, start, stop)
        at = at if self.distinct else torch.unique(at)
        found = powers.view(-1).index_select(0, at)
        return torch.zeros_like(weight).index_add_(0, _rows_of(powers, at), found) * weight


def _of_block(ctx: Any, powers: Tensor, output: Output, start: int, weight: Tensor, gradient: Tensor) -> Output:
    """The gradients of a block: those of logits are (B, b) weight * powers, less 1 for each target, times `gradient`.

    They are made without the weights (B,), which go into the small factors of the products.
    """
    at_seen = ctx.pairs.slopes(powers, start, weight, of_repeat=ctx.needs_input_grad[3])
    of_repeat = torch.zeros_like(output.repeat) if at_seen is None else at_seen.sum() * gradient
    weights, powers = weight * gradient, powers.to(ctx.dtype)
    decoder = output.decoder[start : start + powers.shape[1]].to(ctx.dtype)
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


def _rows_of(block: Tensor, at: Tensor) -> Tensor:
    """(N,) the rows of cells."""
    return torch.div(at, block.shape[1], rounding_mode="floor")


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
