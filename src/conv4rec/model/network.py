"""The network of METHOD.md section 1: 1x1 convolutions, two bottlenecks, logits of consumption and of the type.

Shapes: B users in a batch, N interactions of the batch, I items, K input channels (interaction types), L outcomes of
the law, C channels, D embedding. The input is sparse and one-hot, so a 1x1 convolution of it is a table look-up, and
the encoder behind it an embedding bag.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from conv4rec.config import ModelConfig
from conv4rec.model import law
from conv4rec.model.bags import bag, largest, lean_rows, mixed_bag, products_at
from conv4rec.model.batch import Batch
from conv4rec.model.bottleneck import bottleneck
from conv4rec.model.by_item import Mover, sums_by_item, trains_here, type_loss
from conv4rec.model.experts import ConsumptionExperts, Explained, RatingExperts
from conv4rec.model.factors import Factors
from conv4rec.model.held import ALL, ITEM_TABLES, AllItems, Held
from conv4rec.model.softmax import Drawn, Output, Pairs, block_of_logits, exact_loss, sampled_loss
from conv4rec.model.statistics import Statistics

if TYPE_CHECKING:
    from conv4rec.model.own_items import OwnItems


class Encoder(nn.Module):
    """A dense layer from (I, C) channels to D, over the few items of a user: sum_i E_i^T h_i / sqrt(count) + b, bent.

    A 1x1 convolution is the same at every item, so that the rows of the table can be summed first, for every
    interaction type of a user, and the convolution applied to the sums.
    """

    def __init__(self, n_items: int, channels: int, width: int, activation: str) -> None:
        super().__init__()
        self.activation = activation
        self.lean = False  # whether the gradient of the table has only the rows of the items met
        self.mover: Mover | None = None  # moves the table while its gradient is made, as `Network.move_by` says
        self.table = nn.Parameter(torch.randn(n_items, channels, width) * (0.5 / width**0.5))  # E
        self.bias = nn.Parameter(torch.zeros(width))

    def sums(self, batch: Batch, mixing: Tensor, extra: Tensor | None = None) -> Tensor:
        """(B, D) sums of mixtures of E_i over the items of a user: of its type, and of extra channels, as in `bag`."""
        if trains_here(self.table) and not self.lean:
            return sums_by_item(self.table, batch.by_item(len(self.table)), mixing, extra, self.mover)
        if not torch.is_grad_enabled() and len(batch.rows) >= len(mixing) * len(self.table):
            return mixed_bag(self.table, batch.items, batch.channels, batch.ends[:-1], mixing, extra)
        return bag(self.table, batch.cells, mixing, extra, lean=self.lean)

    def forward(self, total: Tensor, counts: Tensor, kept: Tensor | None = None) -> Tensor:
        """(B, D) from (B, D) sums over histories of (B,) interactions; (B, D) what dropout leaves."""
        return bottleneck(total, counts, self.bias, self.activation, kept)


class ConsumptionPath(nn.Module):
    """Which item is next: x A, encoder, activation, decoder to one logit an item.

    One more scalar is learned: how much likelier an item becomes for being in the history already. Where no pair occurs
    twice there is nothing to learn: it is far below zero, and the law leaves the history out. Source: ours.
    """

    def __init__(self, config: ModelConfig, statistics: Statistics) -> None:
        super().__init__()
        self.held: Held = ALL
        n_items, width = statistics.n_items, config.embedding_dim
        self.dropout = config.dropout
        self.convolution = nn.Parameter(0.5 + 0.5 * torch.randn(statistics.n_channels, config.channels))  # A
        self.encoder = Encoder(n_items, config.channels, width, config.activation)  # E
        self.decoder = nn.Parameter(torch.randn(n_items, width) * (0.5 / width**0.5))  # D
        self.bias = nn.Parameter(statistics.log_popularity.clone())  # c
        self.distinct = not statistics.any_repeated  # no history of the training data has an item twice
        self.repeat = nn.Parameter(statistics.log_repeat.clone(), requires_grad=statistics.any_repeated)  # ()

    def encode(self, batch: Batch, kept: Tensor | None = None) -> Tensor:
        """(B, D); in training, times what dropout keeps (B, D): 0, or 1 over the share that is kept."""
        total = self.held.add_up(self.encoder.sums(self.held.own(batch), self.held.enter(self.convolution)))  # (B, D)
        z: Tensor = self.encoder(total, batch.counts, kept)
        return z

    def loss(self, history: Batch, targets: Batch, drawn: Drawn | None = None, kept: Tensor | None = None) -> Tensor:
        """Sum over the targets of -log p_consume, given the histories; estimated from the items drawn, if there are."""
        output = Output(self.encode(history, kept), self.decoder, self.bias, self.repeat)
        if drawn is None:
            return exact_loss(output, history, targets, distinct=self.distinct, held=self.held)
        return sampled_loss(output, history, targets, drawn, held=self.held)

    def forward(self, batch: Batch) -> Tensor:
        """Logits of consumption, (B, I)."""
        output = Output(self.encode(batch), self.decoder, self.bias, self.repeat)
        seen = Pairs(batch.rows, self.held.shift(batch.items))
        return self.held.join(block_of_logits(output, seen, 0, len(self.bias)))


class Style(NamedTuple):
    """What the rating path knows of a batch of users: their bottleneck and their rating histogram."""

    z: Tensor  # (B, D)
    shift: Tensor  # (B, L) log-ratio of the user's histogram of types to that of all users


class RatingPath(nn.Module):
    """Of which type an interaction is, given its item: a bottleneck of its own and the user's histogram.

    The input channels are the interaction type and two deviations of the rating: from the item's mean, and from the
    item's and the user's. At the start each deviation has a channel of its own, and the mere fact of the interaction a
    third. The histogram enters through an L x L matrix: a 1x1 convolution after pooling over the user's items.
    Source: METHOD.md section 3.
    """

    shrinkage = 5.0
    """Pseudo-count of a user's mean and histogram."""
    value: Tensor
    rated: Tensor
    item_value: Tensor
    log_histogram: Tensor

    def __init__(self, config: ModelConfig, statistics: Statistics) -> None:
        super().__init__()
        self.held: Held = ALL
        C, width, L = config.rating_channels, config.rating_embedding_dim, statistics.n_types
        self.register_buffer("value", statistics.value.clone())  # (K,) standardised rating of a channel, 0 if none
        self.register_buffer("rated", statistics.rated.clone())  # (K,) 1 where the channel has a rating
        self.register_buffer("item_value", statistics.item_value.clone())  # (I,) shrunken mean of `value`
        self.register_buffer("log_histogram", statistics.log_histogram.clone())  # (L,) of all users
        self.convolution = nn.Parameter(0.1 * torch.randn(statistics.n_channels, C) + torch.eye(3, C)[2])
        self.deviation = nn.Parameter(torch.eye(2, C))
        self.encoder = Encoder(statistics.n_items, C, width, config.activation)
        self.decoder = nn.Parameter(0.05 * torch.randn(statistics.n_items, C, width))
        self.output = nn.Parameter(0.3 * torch.randn(C, L))  # B
        self.bias = nn.Parameter(statistics.log_item_histogram.clone())  # (I, L)
        self.histogram = nn.Parameter(0.8 * torch.eye(L))

    def encode(self, batch: Batch) -> Style:
        extra, shift = self._described(batch)  # (N, 2), (B, L)
        mixing = self.held.enter(torch.cat((self.convolution, self.deviation)))  # (K + 2, C)
        sums = self.encoder.sums(self.held.own(batch), mixing, extra[self.held.where(batch.items)])
        return Style(self.encoder(self.held.add_up(sums), batch.counts), shift)

    def deviations(self, batch: Batch) -> Tensor:
        """(N, 2) of a rating from the item's and the user's mean, and from the item's; 0 where there is no rating."""
        return self._deviations(batch, batch.channel_counts(len(self.value)))

    def loss(self, style: Style, targets: Batch, covers: Tensor) -> Tensor:
        """Sum over the targets of -log p_type; `covers` (K, L) which types an interaction of each channel may be."""
        if trains_here(self.decoder) and not self.encoder.lean and isinstance(self.held, AllItems):
            of_rows, pairs = style.shift @ self.histogram, targets.by_item(len(self.decoder))
            return type_loss(style.z, self.decoder, self.output, self.bias, of_rows, pairs, covers)
        logits = self.pairs(style, targets.rows, targets.items).float()  # (N, L)
        if largest(targets.channels) < logits.shape[1]:  # the first L channels are outcomes, the others sets of them
            return law.known_type_loss(logits, targets.channels)
        return law.type_loss(logits, covers[targets.channels])

    def pairs(self, style: Style, rows: Tensor, items: Tensor) -> Tensor:
        """Logits of the types of N pairs, (N, L); `rows` ascending."""
        where = self.held.where(items)
        decoder, bias, places = self._of_items(self.held.shift(items[where]))
        products = products_at(self.held.enter(style.z), decoder, rows[where], places)
        O = self.held.put(products, items)  # (N, C)
        of_items = self.held.put(bias.index_select(0, places), items)
        of_rows = (style.shift @ self.histogram).index_select(0, rows)
        return torch.addmm(of_items + of_rows, O, self.output)  # (N, L)

    def grid(self, style: Style) -> Tensor:
        """Logits of the types of all items, (B, I, L)."""
        O = torch.einsum("icd,bd->bic", self.decoder, style.z)  # (B, I, C)
        return self.held.join(O @ self.output + self.bias) + (style.shift @ self.histogram)[:, None, :]  # (B, I, L)

    def _of_items(self, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(T, C, D) and (T, L) the decoder and the bias of the T items met, and (N,) places of `items` among them."""
        if not self.encoder.lean:
            return self.decoder, self.bias, items
        met, places = torch.unique(items, return_inverse=True)
        return lean_rows(self.decoder, met), lean_rows(self.bias, met), places

    def _described(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(N, 2) deviations, and (B, L) log-ratios of histograms."""
        if not trains_here(self.encoder.table):
            counts = batch.channel_counts(len(self.value))  # (B, K)
            return self._deviations(batch, counts), self._shift(counts)
        from conv4rec.compiled import histories

        statistics = self.value, self.rated, self.item_value, self.log_histogram
        extra, shift = self.value.new_empty(len(batch.rows), 2), self.value.new_empty(batch.n_rows, len(self.output.T))
        of_all = tuple(each.numpy() for each in statistics)
        ends, items, channels = (each.numpy() for each in (batch.ends, batch.items, batch.channels))
        histories.described(ends, items, channels, of_all, np.float32(self.shrinkage), extra.numpy(), shift.numpy())
        return extra, shift

    def _deviations(self, batch: Batch, counts: Tensor) -> Tensor:
        from_item = self._from_item(batch)  # (N,)
        mean = self._user_value(batch, from_item, counts)
        from_both = from_item - mean.index_select(0, batch.rows) * self.rated.index_select(0, batch.channels)
        return torch.stack([from_both, from_item], dim=-1)

    def _from_item(self, batch: Batch) -> Tensor:
        """(N,) deviation of a rating from the item's mean."""
        value = self.value.index_select(0, batch.channels) - self.item_value.index_select(0, batch.items)
        return value * self.rated.index_select(0, batch.channels)

    def _user_value(self, batch: Batch, from_item: Tensor, counts: Tensor) -> Tensor:
        """(B,) the mean of them, shrunken."""
        total = torch.segment_reduce(from_item, "sum", lengths=batch.counts, unsafe=True)
        return total / ((counts * self.rated).sum(1) + self.shrinkage)

    def _shift(self, counts: Tensor) -> Tensor:
        """(B, L) for (B, K) numbers of interactions."""
        counts = counts[:, : len(self.log_histogram)]  # (B, L)
        prior = self.log_histogram.exp()
        smoothed = (counts + self.shrinkage * prior) / (counts.sum(-1, keepdim=True) + self.shrinkage)
        return smoothed.log() - self.log_histogram  # (B, L)


class Network(nn.Module):
    """Both paths. A data set with one interaction type has no rating path: there is nothing to tell apart.

    The experts join after training; without them the law is that of the paths alone.
    """

    def __init__(self, config: ModelConfig, statistics: Statistics) -> None:
        super().__init__()
        self.config = config
        self.consumption = ConsumptionPath(config, statistics)
        self.rating = RatingPath(config, statistics) if statistics.n_types > 1 else None
        self.consumption_experts: ConsumptionExperts | None = None
        self.rating_experts: RatingExperts | None = None

    def lean(self, lean: bool) -> None:
        """Whether gradients of the tables have only the rows that a batch meets."""
        for module in self.modules():
            if isinstance(module, Encoder):
                module.lean = lean

    def move_by(self, mover: Mover | None) -> None:
        """Whether tables are moved while their gradients are made: only where a step asks each encoder once."""
        for module in self.modules():
            if isinstance(module, Encoder):
                module.mover = mover

    def by_column(self, by_column: bool) -> None:
        """Whether the decoder of consumption lies in memory by columns, as the gradient of an exact softmax is made."""
        decoder = self.consumption.decoder
        decoder.data = decoder.detach().T.contiguous().T if by_column else decoder.detach().contiguous()

    def hold(self, held: "OwnItems") -> None:
        """Keep the rows of these items only; other processes have the others, and all of them are asked together."""
        for name in self.item_tables():
            path, _, last = name.rpartition(".")
            rows = self.get_parameter(name).detach()[held.start : held.stop]
            cut = rows.clone() if rows.is_contiguous() else rows  # a blank network has nothing to let go of
            setattr(self.get_submodule(path), last, nn.Parameter(cut))
        for module in (self.consumption, self.rating):
            if module is not None:
                module.held = held

    def item_tables(self) -> list[str]:
        """The names of the parameters with a row an item."""
        return [name for name, _ in self.named_parameters() if name in ITEM_TABLES]

    def make_room(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Experts for tensors of these names and shapes, all zero; a name that is not there raises KeyError."""
        if "consumption_experts.scalars" in shapes:
            explained = Explained(shapes["consumption_experts.explained.weights"])
            self.consumption_experts = ConsumptionExperts(explained)
        if "rating_experts.scalars" in shapes and self.rating is not None:
            factors = Factors(*shapes["rating_experts.factors.mean"])
            explained = Explained(shapes["rating_experts.explained.weights"])
            path = self.rating
            self.rating_experts = RatingExperts(factors, explained, path.value, path.rated, len(path.log_histogram))

    def check(self) -> None:
        """Raise ValueError where weights from a file point to what is not there: no loop over them would notice."""
        if self.consumption_experts is not None:
            self.consumption_experts.explained.check(1)
        if self.rating_experts is not None:
            self.rating_experts.explained.check(2)
            if not self.rating_experts.factors.mean.shape[1]:
                raise ValueError("factors without a bias: expected one column at least")
