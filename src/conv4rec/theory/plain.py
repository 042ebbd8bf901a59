"""The network of METHOD.md section 1 to the letter: one bottleneck for both parts of the law, one softmax over pairs.

Our own network has a bottleneck a part, because one trades the parts against each other. This one is for showing that:
what a weight on the parts of the loss does where they share what they learn. It is dense, and made for small worlds.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from conv4rec.data.interactions import Interactions
from conv4rec.model.statistics import Statistics
from conv4rec.peers.peer import Claim, Task
from conv4rec.predictions import Predictions
from conv4rec.theory.simple_laws import BOTH, CountedTypeLaw, Users
from conv4rec.vocabulary import InteractionTypes


@dataclass(frozen=True)
class PlainSettings:
    """Of the network and its training; the weight is that of the explicit part of the loss."""

    width: int = 16
    channels: int = 4
    weight: float = 1.0
    epochs: int = 80
    learning_rate: float = 0.02
    mask: float = 0.3
    batch_size: int = 64


class PlainNetwork(nn.Module):
    """(B, I, L) counts of a user's interactions to log p(item, type)."""

    def __init__(self, statistics: Statistics, settings: PlainSettings) -> None:
        super().__init__()
        n_items, n_types = statistics.n_items, statistics.n_types
        C, width = settings.channels, settings.width
        self.A = nn.Parameter(0.5 + 0.5 * torch.randn(n_types, C))
        self.E = nn.Parameter(torch.randn(n_items, C, width) * 0.1)
        self.b = nn.Parameter(torch.zeros(width))
        self.D = nn.Parameter(torch.randn(n_items, C, width) * (0.3 / width**0.5))
        self.B = nn.Parameter(0.5 * torch.randn(C, n_types))
        self.c = nn.Parameter(statistics.log_popularity[:, None] + statistics.log_item_histogram)  # (I, L)

    def forward(self, x: Tensor) -> Tensor:
        h = x @ self.A  # (B, I, C)
        norm = x.sum((1, 2)).clamp(min=1.0).sqrt()[:, None]  # (B, 1)
        z = torch.tanh(h.flatten(1) @ self.E.flatten(0, 1) / norm + self.b)  # (B, D)
        o = (z @ self.D.flatten(0, 1).T).view(-1, *self.D.shape[:2])  # (B, I, C)
        logits = o @ self.B + self.c  # (B, I, L)
        return torch.log_softmax(logits.flatten(1), dim=1).view_as(logits)


@dataclass(frozen=True)
class Plain:
    """A fitted plain network."""

    network: PlainNetwork
    types: InteractionTypes
    claims: frozenset[Claim] = BOTH

    @property
    def n_bytes(self) -> int:
        return sum(4 * weight.numel() for weight in self.network.parameters())

    @torch.inference_mode()
    def predict(self, users: Users, histories: Interactions) -> Predictions:  # noqa: ARG002
        log_p = self.network(counts_of(histories, self.types.n_types))
        log_p_consume = torch.logsumexp(log_p, dim=2)
        law = CountedTypeLaw((log_p - log_p_consume[:, :, None]).numpy().astype(np.float64))
        return Predictions(self.types, log_p_consume.numpy(), law)


def fit_plain(task: Task, settings: PlainSettings) -> Plain:
    """Predict masked interactions from the rest, with Adam; the epoch of least validation loss, weighted too, stays."""
    with torch.random.fork_rng([]):
        torch.manual_seed(task.seed)
        network = PlainNetwork(Statistics.of(task.train, task.types), settings)
        x = counts_of(task.train, task.types.n_types)
        asked = counts_of(task.validation.targets, task.types.n_types)
        optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
        best, least = copy.deepcopy(network), float("inf")
        for epoch in range(settings.epochs):
            optimizer.param_groups[0]["lr"] = settings.learning_rate * (1 - epoch / settings.epochs)
            _pass_over_users(network, x, optimizer, settings)
            with torch.no_grad():
                cost = float(weighted_loss(network(x), asked, settings.weight))
            if cost < least:
                best, least = copy.deepcopy(network), cost
    return Plain(best, task.types)


def _pass_over_users(network: PlainNetwork, x: Tensor, optimizer: torch.optim.Adam, settings: PlainSettings) -> None:
    for users in torch.split(torch.randperm(len(x)), settings.batch_size):
        hidden = torch.binomial(x[users], torch.full_like(x[users], settings.mask))
        loss = weighted_loss(network(x[users] - hidden), hidden, settings.weight) / hidden.sum().clamp(min=1.0)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()


def weighted_loss(log_p: Tensor, targets: Tensor, weight: float) -> Tensor:
    """Sum of -log p_consume(i) - weight log p_type(r | i) over the targets, counts (B, I, L)."""
    log_p_consume = torch.logsumexp(log_p, dim=2, keepdim=True)
    return -(targets * ((1 - weight) * log_p_consume + weight * log_p)).sum()


def counts_of(interactions: Interactions, n_types: int) -> Tensor:
    """(B, I, L) how often each user took each item in each way; exact types alone."""
    x = interactions
    cells = (x.users * x.n_items + x.items) * n_types + x.channels
    counts = np.bincount(cells, minlength=x.n_users * x.n_items * n_types)
    return torch.from_numpy(counts.astype(np.float32)).view(x.n_users, x.n_items, n_types)
