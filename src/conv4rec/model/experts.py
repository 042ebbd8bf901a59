"""Products of experts: what closed forms know of a user joins what the network says, in one law for each of the two.

    log p_consume(i) = g log(floor_n + max(0, (x W)_i)) + b log p_network(i) + s [i in history]                + const
    log p_type(r | i) = a log p_network(r | i) - c (v_r - f)^2 / (2 var f) + v_r (d . means) + e_r             + const

x W is the item-item path (`neighbours`), whose floor grows with the length n of the history, f and its variance come
from the factors (`factors`), v_r is the standardised rating of an outcome, and the means are four guesses of it. The
scalars are fitted on validation likelihood (`blending`), are part of the saved model, and make the law calibrated.
Source: METHOD.md section 3; the terms beyond it, ours.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from conv4rec.model.bags import is_dense
from conv4rec.model.batch import Batch
from conv4rec.model.by_item import even_cuts
from conv4rec.model.factors import Factors, Posterior
from conv4rec.model.neighbours import Neighbours
from conv4rec.model.products import log2_
from conv4rec.model.softmax import Pairs, add_once
from conv4rec.model.taken import looks_up, suits, taken_bytes, taken_words, weighted_sums

N_MEANS = 4
"""Guesses of the rating: factors, biases alone, biases and neighbours, network."""
USUAL = 40
"""Length of a history whose floor is the first scalar of it."""


class Explained(nn.Module):
    """Neighbours as tensors: sums over what a user has of an item's M neighbours."""

    items: Tensor
    weights: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        n_items, M, V = shape
        self.register_buffer("items", torch.zeros(n_items, M, dtype=torch.int32))  # (I, M)
        self.register_buffer("weights", torch.zeros(n_items, M, V))  # (I, M, V)

    @classmethod
    def of(cls, neighbours: Neighbours) -> "Explained":
        explained = cls(neighbours.weights.shape)
        explained.items = torch.from_numpy(neighbours.items)
        explained.weights = torch.from_numpy(neighbours.weights)
        return explained

    def check(self, n_views: int) -> None:
        """Raise ValueError for another number of views, or for neighbours that are not among the items."""
        if self.weights.shape[2] != n_views:
            raise ValueError(f"neighbours say {self.weights.shape[2]} things of an item, expected {n_views}")
        if self.items.numel() and not 0 <= int(self.items.min()) <= int(self.items.max()) < len(self.items):
            raise ValueError(f"a neighbour is not one of {len(self.items)} items")

    def of_view(self, v: int) -> tuple[Tensor, Tensor]:
        """(I, M) neighbours, and (I, M) what each says in a view."""
        return self.items, self.weights[:, :, v].contiguous()

    def grid(self, views: list[Tensor], start: int = 0, stop: int | None = None) -> Tensor:
        """V views of the users' histories, (B, I) each, to the sums for the items from `start` to `stop`, (B, b).

        Views are read sooner if they are stored by item, as the sums are. For one user rows of one number would be
        summed, which is slow.
        """
        if len(views[0]) == 1:
            return self._of_one(views, start, stop)
        total = torch.zeros(())
        for v, view in enumerate(views):
            weights, items = self.weights[start:stop, :, v].contiguous(), self.items[start:stop]
            summed = functional.embedding_bag(items, view.T.contiguous(), mode="sum", per_sample_weights=weights)
            total = summed if v == 0 else total.add_(summed)  # (b, B)
        return total.T

    def _of_one(self, views: list[Tensor], start: int, stop: int | None) -> Tensor:
        items, weights = self.items[start:stop], self.weights[start:stop]  # (b, M), (b, M, V)
        found = [view[0].index_select(0, items.flatten()).view(items.shape) for view in views]
        return sum((each * weights[:, :, v] for v, each in enumerate(found)), torch.zeros(())).sum(1)[None]

    def pairs(self, views: list[Tensor], rows: Tensor, items: Tensor) -> Tensor:
        """The sums for N pairs, (N,)."""
        if self.items.numel() and is_dense(len(rows), len(views[0]), len(self.items)):
            return self.grid(views)[rows, items]
        neighbours = self.items[items].long()  # (N, M)
        found = torch.stack([view[rows[:, None], neighbours] for view in views], dim=-1)  # (N, M, V)
        return torch.einsum("nmv,nmv->n", found, self.weights[items])


class ConsumptionScalars(NamedTuple):
    """The product of `consumption_logits`."""

    log_neighbours: Tensor  # () log g
    log_floor: Tensor  # () of a history of usual length
    log_network: Tensor  # () log b
    repeat: Tensor  # () s
    growth: Tensor  # () exponent of the length in the floor: long histories add up more that says little

    def floor(self, counts: Tensor) -> Tensor:
        """(B,) lengths of histories to floors."""
        return (self.log_floor + self.growth * torch.log(counts.clamp(min=1) / USUAL)).exp()

    def logits(self, log_p_network: Tensor, explained: Tensor, seen: Tensor, counts: Tensor) -> Tensor:
        """(B, I) log-law of the network, sums over neighbours, 1 at the history, and its length, to logits."""
        known = torch.log(self.floor(counts)[:, None] + torch.relu(explained))  # (B, I)
        return self.log_neighbours.exp() * known + self.log_network.exp() * log_p_network + self.repeat * seen


class Known(NamedTuple):
    """What the neighbours in the histories of B users say of items."""

    sums: Callable[[int, int], Tensor]  # gives x W, (b, B) for the items from one to another
    floor: Tensor  # (B,)

    def block(self, start: int, stop: int) -> Tensor:
        """log2(floor + max(0, x W)), (b, B) for the items from `start` to `stop`."""
        return log2_(self.sums(start, stop).clamp_(min=0.0).add_(self.floor))

    def join(self, logits: Tensor, bias: Tensor, start: int) -> None:
        """Add that, and the (b, 1) bias, to (b, B) logits of the items from `start` on."""
        logits.add_(bias).add_(self.block(start, start + len(logits)))


class KnownOfMany(NamedTuple):
    """The same for batches of which there are many, by a compiled loop: see `conv4rec.compiled.look_up`."""

    histories: Tensor  # (I, W)
    items: Tensor  # (I, M)
    weights: Tensor  # (I, M)
    floor: Tensor  # (B,)

    def join(self, logits: Tensor, bias: Tensor, start: int) -> None:
        """As `Known.join`."""
        from conv4rec.compiled import lists
        from conv4rec.compiled.look_up import GROUP, IN_BLOCK, LANES

        (b, B), M, W, parts = logits.shape, self.items.shape[1], self.histories.shape[1], torch.get_num_threads()
        items, weights = (each[start : start + b] for each in (self.items, self.weights))
        n_groups, n_blocks = -(-M // GROUP), W // LANES
        sizes = n_groups * GROUP, n_groups * LANES, n_blocks * IN_BLOCK
        room = torch.empty(parts * sizes[0], dtype=torch.int32), *(torch.empty(parts * each) for each in sizes)
        cuts, bias, given = even_cuts(b, parts), bias.contiguous(), (items, weights, self.floor)
        lists.known_joined(parts, B, M, cuts, logits, bias, self.histories, W, *given, *room)


class ConsumptionExperts(nn.Module):
    """The item-item path and the scalars that join it to the network."""

    scalars: Tensor

    def __init__(self, explained: Explained) -> None:
        super().__init__()
        self.explained = explained
        self.register_buffer("scalars", torch.zeros(len(ConsumptionScalars._fields)))

    def views(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """(B, I) sums over neighbours, (B, I) 1 at the history, and (B,) its length."""
        taken = self._taken(batch)
        return self.explained.grid([taken.T]), taken.T, batch.counts

    def begin(self, batch: Batch) -> Known:
        """What the neighbours say of the items, block by block."""
        return Known(self._sums(batch), ConsumptionScalars(*self.scalars).floor(batch.counts))

    def begin_many(self, batch: Batch) -> Known | KnownOfMany:
        """The same for one of many batches, for which what is compiled is worth loading."""
        if not looks_up(batch):
            return self.begin(batch)
        floor = ConsumptionScalars(*self.scalars).floor(batch.counts)
        return KnownOfMany(taken_words(batch, len(self.explained.items)), *self.explained.of_view(0), floor)

    def forward(self, log_p_network: Tensor, batch: Batch) -> Tensor:
        """Logits of consumption, (B, I): `ConsumptionScalars.logits`, with less memory."""
        scalars, known = ConsumptionScalars(*self.scalars), self.begin(batch).block(0, log_p_network.shape[1])
        logits = log_p_network * scalars.log_network.exp()
        logits.add_(known.T, alpha=log(2.0) * float(scalars.log_neighbours.exp()))
        return add_once(logits, Pairs(batch.rows, batch.items), scalars.repeat)

    def _sums(self, batch: Batch) -> Callable[[int, int], Tensor]:
        """What gives x W, (b, B) for the items from `start` to `stop`."""
        if not suits(batch):
            taken = self._taken(batch)
            return lambda start, stop: self.explained.grid([taken.T], start, stop).T
        (items, weights), table = self.explained.of_view(0), taken_bytes(batch, len(self.explained.items))
        return lambda start, stop: weighted_sums(table, items[start:stop], weights[start:stop])

    def _taken(self, batch: Batch) -> Tensor:
        """(I, B) 1 at the history."""
        taken = torch.zeros(len(self.explained.items), batch.n_rows, device=batch.items.device)
        taken[batch.items, batch.rows] = 1.0
        return taken


class RatingExpert(NamedTuple):
    """What is known of ratings before the network is asked; N pairs, or (B, I) in place of (N,)."""

    mean: Tensor  # (N,) of the factors
    variance: Tensor  # (N,)
    biases: Tensor  # (N,)
    neighbours: Tensor  # (N,) beyond the biases


class RatingScalars(NamedTuple):
    """The product of `rating_logits`: L + 6 numbers."""

    network: Tensor  # () a
    factors: Tensor  # () c
    means: Tensor  # (4,) d
    outcomes: Tensor  # (L,) e

    @classmethod
    def unpack(cls, scalars: Tensor) -> "RatingScalars":
        return cls(scalars[0], scalars[1], scalars[2 : 2 + N_MEANS], scalars[2 + N_MEANS :])

    def logits(self, log_p_network: Tensor, expert: RatingExpert, value: Tensor, rated: Tensor) -> Tensor:
        """(N, L) log-law of the network to logits of the law; `value` and `rated` (L,) are those of the outcomes."""
        guess = (log_p_network.exp() * value).sum(-1)  # (N,)
        means = (expert.mean, expert.biases, expert.neighbours, guess)
        slope = torch.stack(means, dim=-1) @ self.means  # (N,)
        distance = (value - expert.mean[..., None]) ** 2 * rated / (2 * expert.variance[..., None])  # (N, L)
        return self.network * log_p_network - self.factors * distance + slope[..., None] * value + self.outcomes


@dataclass(frozen=True, eq=False)
class RatingState:
    """What the experts know of a batch of users."""

    rated: Batch
    values: Tensor  # (N,) standardised ratings
    users: Posterior
    biases: tuple[Tensor, Tensor]  # (B,) and (I,)

    @cached_property
    def views(self) -> list[Tensor]:
        """(B, I) mean deviation from the biases, and 1 at what is rated."""
        return deviations(self.rated, self.values, *self.biases)


class RatingExperts(nn.Module):
    """Factors, neighbours, and the scalars that join them to the rating path."""

    value: Tensor
    rated: Tensor
    scalars: Tensor

    def __init__(self, factors: Factors, explained: Explained, value: Tensor, rated: Tensor, n_types: int) -> None:
        super().__init__()
        self.factors, self.explained, self.n_types = factors, explained, n_types
        self.register_buffer("value", value.clone())  # (K,) standardised rating of a channel, 0 if none
        self.register_buffer("rated", rated.clone())  # (K,) 1 where the channel has a rating
        self.register_buffer("scalars", torch.zeros(2 + N_MEANS + n_types))

    def encode(self, batch: Batch) -> RatingState:
        """Ask the histories; a channel without a rating tells nothing here."""
        rated = self.rated.index_select(0, batch.channels) > 0
        if not rated.all():
            batch = batch.keep(rated)
        values = self.value.index_select(0, batch.channels)
        users = self.factors.encode(batch, values)
        return RatingState(batch, values, users, self.factors.biases(users))

    def expert_pairs(self, state: RatingState, rows: Tensor, items: Tensor) -> RatingExpert:
        """(N,) each."""
        user, item = state.biases
        mean, variance = self.factors.pairs(state.users, rows, items)
        return RatingExpert(mean, variance, user[rows] + item[items], self.explained.pairs(state.views, rows, items))

    def pairs(self, state: RatingState, rows: Tensor, items: Tensor, log_p_network: Tensor) -> Tensor:
        """Logits of the types of N pairs, (N, L)."""
        return self._logits(log_p_network, self.expert_pairs(state, rows, items))

    def grid(self, state: RatingState, log_p_network: Tensor) -> Tensor:
        """Logits of the types of all items, (B, I, L)."""
        user, item = state.biases
        mean, variance = self.factors.grid(state.users)
        biases = user[:, None] + item
        return self._logits(log_p_network, RatingExpert(mean, variance, biases, self.explained.grid(state.views)))

    def _logits(self, log_p_network: Tensor, expert: RatingExpert) -> Tensor:
        value, rated = self.value[: self.n_types], self.rated[: self.n_types]
        return RatingScalars.unpack(self.scalars).logits(log_p_network, expert, value, rated)


def deviations(batch: Batch, values: Tensor, user_bias: Tensor, item_bias: Tensor) -> list[Tensor]:
    """(B, I) mean deviation of a pair's ratings from the biases, and (B, I) 1 where there is one."""
    beyond = values - user_bias[batch.rows] - item_bias[batch.items]  # (N,)
    total = torch.zeros(len(item_bias), batch.n_rows, device=beyond.device)  # by item, as `Explained` reads it
    count = torch.zeros_like(total)
    where = batch.items * batch.n_rows + batch.rows
    total.view(-1).index_add_(0, where, beyond)
    count.view(-1).index_add_(0, where, torch.ones_like(beyond))
    return [(total / count.clamp(min=1.0)).T, count.clamp_(max=1.0).T]
