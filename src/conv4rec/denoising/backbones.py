"""The models of neural collaborative filtering: a logit for a user and an item, each with vectors of its own.

U users, I items, D width, N pairs. Source: He et al. 2017, equations 9 to 12; weights start a little larger than
there, so that products of two vectors have a gradient from the first step.
"""

import torch
from torch import Tensor, nn

START = 0.05
"""Standard deviation of the vectors before training."""


def _vectors(n: int, width: int) -> nn.Embedding:
    table = nn.Embedding(n, width)
    nn.init.normal_(table.weight, std=START)
    return table


class GMF(nn.Module):
    """Generalised matrix factorisation: h (p_u * q_i) + b."""

    by_user = False

    def __init__(self, n_users: int, n_items: int, width: int = 32) -> None:
        super().__init__()
        self.users, self.items = _vectors(n_users, width), _vectors(n_items, width)
        self.output = nn.Linear(width, 1)

    def features(self, users: Tensor, items: Tensor) -> Tensor:
        products: Tensor = self.users(users) * self.items(items)
        return products  # (N, D)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """(N,) logits of N pairs."""
        return self.output(self.features(users, items)).squeeze(-1)  # type: ignore[no-any-return]


class MLP(nn.Module):
    """A tower of dense layers on (p_u, q_i): 2 D, D, D / 2, each but the first half of the one before."""

    by_user = False

    def __init__(self, n_users: int, n_items: int, width: int = 32) -> None:
        super().__init__()
        self.users, self.items = _vectors(n_users, width), _vectors(n_items, width)
        self.tower = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, width // 2), nn.ReLU())
        self.output = nn.Linear(width // 2, 1)

    def features(self, users: Tensor, items: Tensor) -> Tensor:
        return self.tower(torch.cat([self.users(users), self.items(items)], dim=-1))  # type: ignore[no-any-return]

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """(N,) logits of N pairs."""
        return self.output(self.features(users, items)).squeeze(-1)  # type: ignore[no-any-return]


class NeuMF(nn.Module):
    """Both, with vectors of their own, side by side under one output."""

    by_user = False

    def __init__(self, n_users: int, n_items: int, width: int = 32) -> None:
        super().__init__()
        self.product, self.tower = GMF(n_users, n_items, width), MLP(n_users, n_items, width)
        self.product.output = self.tower.output = nn.Identity()  # type: ignore[assignment]
        self.output = nn.Linear(width + width // 2, 1)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """(N,) logits of N pairs."""
        both = torch.cat([self.product.features(users, items), self.tower.features(users, items)], dim=-1)
        return self.output(both).squeeze(-1)  # type: ignore[no-any-return]
