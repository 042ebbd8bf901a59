"""Conv4Rec as a model of pairs: the consumption logit of a user and an item, from the rest of the user's history."""

import math

import torch
from torch import Tensor, nn

from conv4rec.config import ModelConfig
from conv4rec.data.interactions import Interactions
from conv4rec.denoising.pairs import LABELS, Pairs
from conv4rec.model.batch import Resident
from conv4rec.model.network import ConsumptionPath, Network
from conv4rec.model.statistics import Statistics


class ConsumptionLogit(nn.Module):
    """The logit of N pairs from a consumption path, with one scalar beside it.

    The items that are asked about in one call are left out of the histories of their users, so that no label is read
    off the history it stands in. The logits of a softmax are defined up to a constant: `offset` makes them those of
    one pair against no pair, and starts where a popular item beside a uniformly drawn one would have it. Source: ours.
    """

    by_user = True
    indptr: Tensor
    items: Tensor
    channels: Tensor

    def __init__(self, path: ConsumptionPath, histories: Interactions) -> None:
        super().__init__()
        self.path = path
        self.offset = nn.Parameter(torch.tensor(math.log(histories.n_items)))
        for name in ("indptr", "items", "channels"):  # buffers, to go where the model goes
            held = torch.tensor(getattr(histories, name), device=path.decoder.device)
            self.register_buffer(name, held, persistent=False)

    @classmethod
    def of(cls, pairs: Pairs, config: ModelConfig) -> "ConsumptionLogit":
        """A new one, whose histories are labelled pairs; the label is the interaction type."""
        histories = pairs.histories
        return cls(Network(config, Statistics.of(histories, LABELS)).consumption, histories)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """(N,) logits of N pairs. Time goes with the different users: pairs of a user are best asked together."""
        asked, rows = torch.unique(users, return_inverse=True)  # (U,), (N,)
        history = Resident(self.indptr, self.items, self.channels, "").batch(asked)
        n_items = len(self.path.bias)
        left_out = torch.isin(history.rows * n_items + history.items, rows * n_items + items)
        z = nn.functional.dropout(self.path.encode(history.keep(~left_out)), self.path.dropout, self.training)  # (U, D)
        decoder = nn.functional.embedding(items, self.path.decoder)  # (N, D)
        dot = (nn.functional.embedding(rows, z) * decoder).sum(-1)
        return dot + self.path.bias[items] + self.offset  # (N,)
