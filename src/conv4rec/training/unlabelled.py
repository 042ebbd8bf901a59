"""Inverse learning on the consumption law: items that a user is not known to have taken are not all declined.

Items are drawn uniformly, q(i) = 1 / I. Where as many are drawn as there are interactions, the odds that a pair is an
interaction are p_consume(i) / q(i), so that

    x = log p_consume(i) + log I

is the logit that the inverse losses are about, with no scalar of its own: the law stays one softmax over all items.
log I less the normaliser is estimated from the drawn items, which costs as much as they are of the catalogue.
Source: ours; METHOD.md section 7.
"""

import math
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from conv4rec.config import TrainConfig
from conv4rec.denoising.inverse import adaptive_steps, inverse_dual_loss, inverse_gradient, inverse_weights
from conv4rec.denoising.watch import CollapseWarning, summarise_weights
from conv4rec.errors import TrainingError
from conv4rec.model.batch import Batch
from conv4rec.model.network import ConsumptionPath
from conv4rec.training.adam import Adam
from conv4rec.training.lean import LeanAdam
from conv4rec.training.source import Share
from conv4rec.training.world import World

DRAWN = 256
"""Items drawn for a batch, the same for all its users."""
JUDGES = 0.1
"""Share of a batch's interactions that judge a trial: hidden while it is made."""
LOGGED = 17
"""One in this many weights is kept for the course."""


class UnlabelledTerm:
    """What unlabelled items add to a step: a term of the loss for `idl`, a trial step before it for `ig`."""

    def __init__(
        self, path: ConsumptionPath, optimizer: Adam, config: TrainConfig, world: World, n_epochs: int
    ) -> None:
        if config.denoise != "none" and config.denoise_warmup >= n_epochs:
            raise TrainingError(
                f"train.denoise_warmup = {config.denoise_warmup} leaves no epoch of {n_epochs} to "
                f"{config.denoise}: expected fewer"
            )
        if config.denoise != "none" and isinstance(optimizer, LeanAdam):
            raise TrainingError(
                f"train.denoise = {config.denoise}: needs train.softmax = exact; sampled moves only the rows met"
            )
        self.path, self.optimizer, self.config, self.world = path, optimizer, config, world
        self.active, self.warned = False, False
        self.logged: list[Tensor] = []

    def begin(self, epoch: int) -> None:
        """Start an epoch: nothing is done before the warm-up has ended."""
        self.active = self.config.denoise != "none" and epoch > self.config.denoise_warmup
        self.logged = []

    def __call__(self, share: Share) -> Tensor | float:
        """() our contribution to the loss of a batch; 0 where there is none. The weights may have moved."""
        if not self.active:
            return 0.0
        if self.config.denoise == "ig":
            self._try(share)
            return 0.0
        return self.config.denoise_weight * self._loss(share, share.batch)

    def close(self, validation: dict[str, float]) -> dict[str, float]:
        """End an epoch: mean and quantiles of w+ in it, for the course; a collapse is warned of, once."""
        found = find_law_collapse(validation, len(self.path.bias)) if self.active else None
        if found is not None and not self.warned:
            self.warned = True
            text = f"train.denoise = {self.config.denoise} has collapsed: {found}; the best epoch is kept. "
            text += "Try a smaller train.denoise_weight or a longer train.denoise_warmup"
            warnings.warn(text, CollapseWarning, stacklevel=2)
        weights = torch.cat(self.logged).numpy() if self.logged else np.zeros(0, dtype=np.float32)
        return summarise_weights(weights)

    def _loss(self, share: Share, history: Batch) -> Tensor:
        """Our part of the mean of L_IDL over the pairs of a user and a drawn item; 0 where the user has taken it."""
        items = torch.unique(torch.randint(len(self.path.bias), (DRAWN,), device=self.path.bias.device))  # (S,)
        logits = log_ratios(self.path, history, items)  # (B, S)
        free = logits[~_taken(share.batch, items)]
        self.logged.append(inverse_weights(free)[::LOGGED].float().cpu())
        return inverse_dual_loss(free) * (len(free) / (share.n_users * len(items)))

    def _try(self, share: Share) -> None:
        """Along the unlabelled gradient, against it, or not: by the likelihood of interactions that it did not see."""
        judges, n_all = share.hide(JUDGES)
        history, targets = share.batch.keep(~judges), share.batch.keep(judges)
        asked = targets.counts > 0
        parameters = list(self.optimizer.parameters())
        gradients = torch.autograd.grad(self._loss(share, history), parameters, allow_unused=True)
        whole = [None if gradient is None else self.world.add_up(gradient) for gradient in gradients]

        def labelled_loss() -> Tensor:
            ours = self.path.loss(history.only(asked), targets.only(asked))
            return self.world.add_up(ours.detach()) / max(1, n_all)

        steps = adaptive_steps(self.optimizer, whole)
        inverse_gradient(parameters, self._weighted(steps), labelled_loss)

    def _weighted(self, steps: Sequence[Tensor | None]) -> list[Tensor | None]:
        return [None if step is None else self.config.denoise_weight * step for step in steps]


def log_ratios(path: ConsumptionPath, history: Batch, items: Tensor) -> Tensor:
    """(B, S) log p_consume(item) + log I of S items drawn uniformly, the normaliser estimated from the same items."""
    decoder = torch.nn.functional.embedding(items, path.decoder)  # (S, D)
    logits = torch.addmm(path.bias[items], path.encode(history), decoder.T).float()  # (B, S)
    whole = logits + path.repeat * _taken(history, items)
    normaliser = torch.logsumexp(whole, dim=1, keepdim=True) - math.log(len(items))
    ratios: Tensor = logits - normaliser
    return ratios


def find_law_collapse(validation: dict[str, float], n_items: int) -> str | None:
    """One sentence where the law of consumption has become worse than knowing nothing, else None."""
    nats, auc = validation.get("nll_consume"), validation.get("auc")
    if nats is not None and not nats < math.log(n_items):
        return f"validation costs {nats:.2f} nats an interaction, {math.log(n_items):.2f} if all items were alike"
    if auc is not None and auc <= 0.5:
        return f"the AUC of validation is {auc:.3f}, which is chance"
    return None


def _taken(batch: Batch, items: Tensor) -> Tensor:
    """(B, S) whether the user has the item in the batch; `items` (S,) ascending."""
    place = torch.searchsorted(items, batch.items).clamp(max=len(items) - 1)
    there = items[place] == batch.items
    taken = torch.zeros(batch.n_rows, len(items), dtype=torch.bool, device=items.device)
    taken[batch.rows[there], place[there]] = True
    return taken
