"""What keeps the generalization bound small: penalties on spectral norms, and on the distance from the start.

Of the norms that the bounds of METHOD.md section 4 are made of (`theory/factors.py` reads them from a fitted network),
these are the large ones. Source: ours; power iteration within training as in Miyato et al. 2018.
"""

import torch
from torch import Tensor

from conv4rec.config import TrainConfig
from conv4rec.model.network import Network

TABLES = ("encoder.table", "decoder")
"""Endings of the names of the parameters whose number grows with the items."""
CONVOLUTIONS = ("convolution", "deviation", "output")
"""Endings of those whose number does not."""
STEPS = 6
"""Of power iteration; enough for a penalty, not for a bound."""


class Penalty:
    """`spectral_penalty` times the sum of spectral norms of the tables, plus `distance_penalty` times the sum of
    (2,1)-norms of the distance of tables and convolutions from where they started.
    """

    def __init__(self, network: Network, config: TrainConfig) -> None:
        self.network, self.config = network, config
        kept = self._named(TABLES + CONVOLUTIONS) if config.distance_penalty else {}
        self.start = {name: value.detach().clone() for name, value in kept.items()}

    @property
    def weighs(self) -> bool:
        """Whether anything is added."""
        return bool(self.config.spectral_penalty or self.config.distance_penalty)

    def __call__(self) -> Tensor | float:
        """What is added to the loss, (); the number 0 where both weights are 0, at no cost."""
        total: Tensor | float = 0.0
        if self.config.spectral_penalty:
            norms = [spectral(value) for value in self._named(TABLES).values()]
            total = total + self.config.spectral_penalty * torch.stack(norms).sum()
        if self.config.distance_penalty:
            now = self._named(TABLES + CONVOLUTIONS)
            moved = [distance(value - self.start[name], name) for name, value in now.items()]
            total = total + self.config.distance_penalty * torch.stack(moved).sum()
        return total

    def _named(self, endings: tuple[str, ...]) -> dict[str, Tensor]:
        return {
            name: value
            for name, value in self.network.named_parameters()
            if name.endswith(endings) and not name.endswith("bias")
        }


def spectral(table: Tensor) -> Tensor:
    """About the largest singular value of a table, as rows of its last axis, (); from below."""
    rows = table.flatten(0, -2)  # (n, D)
    with torch.no_grad():
        v = rows.abs().sum(0)  # (D,) the same start every time, and not at right angles to much
        for _ in range(STEPS):
            v = rows.T @ (rows @ (v / v.norm().clamp(min=1e-12)))
        v = v / v.norm().clamp(min=1e-12)
        u = rows @ v
        u = u / u.norm().clamp(min=1e-12)
    return torch.dot(u, rows @ v)


def distance(moved: Tensor, name: str) -> Tensor:
    """The norm that the bound takes of a matrix's move, (): the sum of the lengths of its outputs.

    The decoder of consumption has one output an item and enters by its length as a whole.
    """
    if name == "consumption.decoder":
        return _lengths(moved.flatten(), 0)
    if name == "rating.decoder":
        return _lengths(moved.transpose(0, 1).flatten(1), 1).sum()  # (C,)
    return _lengths(moved.flatten(0, -2), 0).sum()  # (D,)


def _lengths(values: Tensor, axis: int) -> Tensor:
    """Lengths along an axis; where nothing has moved yet the gradient is 0, not undefined."""
    squares = values.square().sum(axis)
    return torch.where(squares > 0, squares, 1.0).sqrt() * (squares > 0)
