"""One step of a model of pairs: a batch of labelled pairs, as many unlabelled ones, and what is made of these."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from conv4rec.denoising.inverse import (
    Choice,
    adaptive_steps,
    inverse_dual_loss,
    inverse_gradient,
    inverse_weights,
)
from conv4rec.denoising.settings import PairConfig


class PairModel(Protocol):
    """What can be trained: a torch module that gives logits of pairs."""

    training: bool
    by_user: bool
    """Whether pairs of one user are cheaper to ask about together."""

    def __call__(self, users: Tensor, items: Tensor) -> Tensor:
        """(N,) logits of N pairs."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...

    def train(self, mode: bool = True) -> Any: ...


class Labelled(NamedTuple):
    """N labelled pairs as tensors."""

    users: Tensor
    items: Tensor
    labels: Tensor


class Told(NamedTuple):
    """What a step saw: cross entropy of its labelled pairs, w+ of its unlabelled ones, and what ig chose."""

    loss: Tensor  # ()
    weights: Tensor  # (N,), empty where no unlabelled pair was asked about
    choice: Choice | None


@dataclass(frozen=True)
class PairStep:
    """Moves a model by one batch. `optimizer` lives as long as the run: it is never made anew."""

    model: PairModel
    optimizer: torch.optim.Optimizer
    config: PairConfig

    def __call__(self, labelled: Labelled, unlabelled: Tensor, judges: Labelled | None, *, anchored: bool) -> Told:
        """Step.

        Args:
            labelled: the batch.
            unlabelled: (N,) an unlabelled item for the user of every labelled pair.
            judges: held-out labelled pairs, for ig.
            anchored: false in the warm-up, where idl and ig see labelled pairs alone.
        """
        config, choice = self.config, None
        weights = labelled.labels.new_zeros(0)
        if config.denoise == "ig" and anchored and judges is not None:
            weights, choice = self._try(labelled.users, unlabelled, judges)
        if config.denoise == "ig" or not config.unlabelled_weight or not anchored:
            loss = total = self._labelled_loss(labelled)
        else:
            both = torch.cat([labelled.items, unlabelled])
            asked, drawn = self.model(labelled.users.repeat(2), both).chunk(2)
            loss = binary_cross_entropy_with_logits(asked, labelled.labels)
            total = loss + config.unlabelled_weight * self._unlabelled_loss(drawn)
            weights = inverse_weights(drawn)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        self.optimizer.step()
        return Told(loss.detach(), weights, choice)

    def _try(self, users: Tensor, items: Tensor, judges: Labelled) -> tuple[Tensor, Choice]:
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        logits = self.model(users, items)
        gradients = torch.autograd.grad(inverse_dual_loss(logits), parameters, allow_unused=True)
        steps = adaptive_steps(self.optimizer, gradients)
        steps = [None if step is None else self.config.unlabelled_weight * step for step in steps]
        with _evaluating(self.model):
            choice = inverse_gradient(parameters, steps, lambda: self._labelled_loss(judges))
        return inverse_weights(logits), choice

    def _labelled_loss(self, pairs: Labelled) -> Tensor:
        return binary_cross_entropy_with_logits(self.model(pairs.users, pairs.items), pairs.labels)

    def _unlabelled_loss(self, logits: Tensor) -> Tensor:
        return inverse_dual_loss(logits) if self.config.denoise == "idl" else softplus(logits).mean()


@contextmanager
def _evaluating(model: PairModel) -> Iterator[None]:
    """Without dropout, so that three losses of the same pairs differ by the weights alone."""
    before = model.training
    model.train(False)
    try:
        yield
    finally:
        model.train(before)
