"""One step: hide a part of every history, predict it from the rest, and move the weights."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from conv4rec.config import TrainConfig
from conv4rec.model.batch import Batch, count
from conv4rec.model.network import Network
from conv4rec.model.softmax import Proposal
from conv4rec.training.adam import Adam
from conv4rec.training.penalties import Penalty
from conv4rec.training.source import Share
from conv4rec.training.unlabelled import UnlabelledTerm
from conv4rec.training.world import World

MOST = 0.9
"""Share of users with a target from which on leaving out the others costs more than they do."""


class _Hidden(NamedTuple):
    """Our part of a batch, a part of which is hidden."""

    history: Batch
    targets: Batch
    n_all: int  # targets in the whole batch

    @classmethod
    def of(cls, share: Share, part: float) -> "_Hidden":
        """Hide a part of the interactions, drawn anew."""
        hidden, n_all = share.hide(part)
        return cls(*share.batch.part(hidden, count(hidden)), n_all)


class _Loss(NamedTuple):
    """A part of the loss: its sum over our targets, how many these are, and how many the whole batch has."""

    total: Tensor
    n_ours: int
    n_all: int

    @property
    def share(self) -> float:
        """What our total counts in the mean over the whole batch."""
        return 1 / max(1, self.n_all)


@dataclass(frozen=True)
class Step:
    """What a step needs beside its batch; `covers` (K, L) as in InteractionTypes, on the device of the network."""

    network: Network
    optimizer: Adam
    covers: Tensor
    config: TrainConfig
    world: World
    unlabelled: UnlabelledTerm
    penalty: Penalty
    proposal: Proposal | None = None
    """What items are drawn from where the softmax is sampled."""

    def __call__(self, share: Share) -> Tensor:
        """Step; (4,) the sum and the count of the consumption and of the rating loss before it, on the CPU."""
        with self._precision():
            unlabelled = self.unlabelled(share)  # first: it may move the weights
            hidden = _Hidden.of(share, self.config.mask)
            consume, rating = self._consume_loss(share, hidden), self._rating_loss(share, hidden)
            penalty = self.penalty()
        weights = consume.share, self.config.rating_weight * rating.share, 1.0, 1 / self.world.size
        _descend(zip((consume.total, rating.total, unlabelled, penalty), weights, strict=True))
        self.world.add_up_gradients(self.network.parameters())
        self.optimizer.step()
        self.optimizer.zero_grad()
        totals = consume.total.detach(), rating.total.detach()
        sums = [float(totals[0]), consume.n_ours, float(totals[1]), rating.n_ours]
        return self.world.add_up(torch.tensor(sums, dtype=torch.float64, device=self.covers.device)).cpu()

    def _consume_loss(self, share: Share, hidden: _Hidden) -> _Loss:
        path, (history, targets, n_all) = self.network.consumption, hidden
        kept = share.dropout(len(path.encoder.bias), path.dropout) if path.dropout else None
        asked = targets.counts > 0  # (B,) the others have no part in the loss
        if count(asked) < MOST * len(asked):
            targets, history, kept = targets.only(asked), history.only(asked), None if kept is None else kept[asked]
        drawn = None if self.proposal is None else self.proposal.draw()
        return _Loss(path.loss(history, targets, drawn, kept), len(targets.rows), n_all)

    def _rating_loss(self, share: Share, hidden: _Hidden) -> _Loss:
        path = self.network.rating
        if path is None:
            return _Loss(torch.zeros((), device=self.covers.device), 0, 0)
        if self.config.rating_mask is not None:
            hidden = _Hidden.of(share, self.config.rating_mask)
        history, targets, n_all = hidden
        return _Loss(path.loss(path.encode(history), targets, self.covers), len(targets.rows), n_all)

    def _precision(self) -> AbstractContextManager[object]:
        wanted, device = self.config.precision, self.covers.device.type
        half = wanted == "bfloat16" or (wanted == "auto" and device == "cuda" and torch.cuda.is_bf16_supported())
        if half or torch.is_autocast_enabled(device):
            return torch.autocast(device, dtype=torch.bfloat16, enabled=half)
        return nullcontext()


def _descend(terms: Iterable[tuple[Tensor | float, float]]) -> None:
    """Leave the gradients of the sum of terms (), each times its weight, with the parameters.

    The weights are where the gradients start, which saves the operations of a sum.
    """
    asked = [
        (term, term.new_tensor(weight)) for term, weight in terms if isinstance(term, Tensor) and term.requires_grad
    ]
    torch.autograd.backward([term for term, _ in asked], [weight for _, weight in asked])
