"""One step: hide a part of every history, predict it from the rest, and move the weights."""

from dataclasses import dataclass

import torch
from torch import Tensor

from conv4rec.config import TrainConfig
from conv4rec.model import law
from conv4rec.model.batch import Batch
from conv4rec.model.network import Network


@dataclass(frozen=True)
class Step:
    """What a step needs beside its batch; `covers` (K, L) as in InteractionTypes, on the device of the network."""

    network: Network
    optimizer: torch.optim.Optimizer
    covers: Tensor
    config: TrainConfig

    def __call__(self, batch: Batch) -> Tensor:
        """Step; (4,) the sum and the count of the consumption and of the rating loss before it, on the CPU."""
        with self._precision():
            consume, n_consume = self._consume_loss(batch)
            rating, n_rating = self._rating_loss(batch)
            loss = consume / n_consume.clamp(min=1) + self.config.rating_weight * rating / n_rating.clamp(min=1)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        return torch.stack([consume.detach(), n_consume, rating.detach(), n_rating]).double().cpu()

    def _consume_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        hidden = torch.rand(len(batch.rows), device=self.covers.device) < self.config.mask
        targets = batch.keep(hidden)
        asked = targets.counts() > 0  # (B,) the others have no part in the loss
        targets = targets.only(asked)
        logits = self.network.consumption(batch.keep(~hidden).only(asked))  # (users asked, I)
        return law.consume_loss(logits.float(), targets.rows, targets.items), hidden.sum()

    def _rating_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        path, device = self.network.rating, self.covers.device
        if path is None:
            return torch.zeros((), device=device), torch.zeros((), device=device)
        hidden = torch.rand(len(batch.rows), device=device) < self.config.rating_mask
        style, targets = path.encode(batch.keep(~hidden)), batch.keep(hidden)
        logits = path.pairs(style, targets.rows, targets.items)  # (N, L)
        return law.type_loss(logits.float(), self.covers[targets.channels]), hidden.sum()

    def _precision(self) -> torch.autocast:
        wanted, device = self.config.precision, self.covers.device.type
        half = wanted == "bfloat16" or (wanted == "auto" and device == "cuda" and torch.cuda.is_bf16_supported())
        return torch.autocast(device, dtype=torch.bfloat16, enabled=half)
