"""The sparse auto-encoder of METHOD.md section 5, and one pass of its training.

Shapes: B vectors in a batch, d their width, S atoms, k entries of a code.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from conv4rec.config import CompressConfig

WIDER = 4
"""The second term of the loss is of codes with this many times as many entries."""
LEAST = 1e-8
"""Lengths below this are taken for it where something is divided by a length."""


class Autoencoder(nn.Module):
    """s = topk_abs(W_enc x / |x| + b, k), x^ = s W_dec. Atoms start as vectors drawn from the data, the encoder alike.

    Source: arXiv 2505.11388; where the atoms start is ours.
    """

    def __init__(self, atoms: Tensor) -> None:
        super().__init__()
        self.atoms = nn.Parameter(atoms.clone())  # W_dec (S, d)
        self.encoder = nn.Parameter(atoms.clone())  # W_enc (S, d)
        self.bias = nn.Parameter(atoms.new_zeros(len(atoms)))  # b (S,)

    def largest(self, x: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """(B, d) vectors of length one to the atoms of their k largest entries, and these, largest first: (B, k)."""
        entries = functional.linear(x, self.encoder, self.bias)  # (B, S)
        atoms = entries.abs().topk(k, dim=1).indices  # (B, k)
        return atoms, entries.gather(1, atoms)

    def loss(self, x: Tensor, k: int, second_weight: float) -> tuple[Tensor, Tensor]:
        """Both terms, summed over the batch, and the atoms of the codes, (B, k). A zero vector costs a constant."""
        wide = min(WIDER * k, len(self.atoms))
        atoms, values = self.largest(x, wide)  # (B, 4 k)
        first = self._sum(atoms[:, :k], values[:, :k])  # (B, d)
        both = first + self._sum(atoms[:, k:], values[:, k:]) if wide > k else first  # (B, d)
        loss = cosine_loss(x, first) + second_weight * cosine_loss(x, both)
        return loss.sum(), atoms[:, :k]

    @torch.no_grad()
    def normalise(self) -> None:
        """Bring every atom to length one."""
        self.atoms.div_(self.atoms.norm(dim=1, keepdim=True).clamp(min=LEAST))

    def _sum(self, atoms: Tensor, values: Tensor) -> Tensor:
        return functional.embedding_bag(atoms, self.atoms, mode="sum", per_sample_weights=values.contiguous())


def cosine_loss(x: Tensor, reconstructed: Tensor) -> Tensor:
    """(B,) one minus the cosine; one, with no gradient, where a vector is zero."""
    return 1 - functional.cosine_similarity(x, reconstructed, dim=1, eps=LEAST)


def unit(x: Tensor) -> Tensor:
    """(B, d) vectors brought to length one; a zero vector stays."""
    length = x.norm(dim=1, keepdim=True)
    return x / torch.where(length > 0, length, 1.0)


def first_atoms(x: Tensor, width: int, generator: torch.Generator) -> Tensor:
    """(S, d) of length one: vectors drawn from (N, d), then random directions where there are too few."""
    drawn = x[torch.randperm(len(x), generator=generator)[:width].to(x.device)]
    rest = torch.randn(width - len(drawn), x.shape[1], generator=generator).to(x.device)
    return unit(torch.cat([drawn, rest]))


@dataclass(frozen=True)
class Pass:
    """What one pass over the vectors showed.

    Attributes:
        number: from 1.
        loss: both terms together, mean over the vectors.
        dead: atoms that were in no code.
    """

    number: int
    loss: float
    dead: int


class Schedule(NamedTuple):
    """How long training lasts, in what batches, and how long its steps are."""

    epochs: int
    batch_size: int
    learning_rate: float


class Trainer:
    """Adam over passes in random order, with atoms of length one after every step."""

    def __init__(self, network: Autoencoder, config: CompressConfig, k: int, schedule: Schedule) -> None:
        self.network, self.config, self.k, self.schedule = network, config, k, schedule
        self.optimizer = torch.optim.Adam(network.parameters(), lr=schedule.learning_rate)
        self.order = torch.Generator().manual_seed(config.seed)

    def run(self, x: Tensor, number: int) -> Pass:
        """One pass over (N, d) vectors of length one."""
        used = torch.zeros(len(self.network.atoms), dtype=torch.bool, device=x.device)
        order = torch.randperm(len(x), generator=self.order).to(x.device)
        batches = torch.split(order, self.schedule.batch_size)
        total = x.new_zeros(())
        for batch in batches:
            loss, atoms = self._step(x[batch])
            used[atoms] = True
            total += loss
        return Pass(number, float(total) / len(x), int((~used).sum()))

    def _step(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.optimizer.zero_grad()
        loss, atoms = self.network.loss(x, self.k, self.config.second_weight)
        torch.autograd.backward(loss / len(x))
        self.optimizer.step()
        self.network.normalise()
        return loss.detach(), atoms
