"""One trainer for every model of pairs: cross entropy of labelled pairs, and what is done with unlabelled ones.

    none   unlabelled pairs are negatives, as usual; with weight 0 they are left out
    idl    the inverse dual loss takes each as positive as far as the model believes it
    ig     a step along that loss, against it, or none, by what held-out labelled pairs say; then a labelled step

Source: METHOD.md section 7.
"""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conv4rec.denoising.inverse import CHOICES
from conv4rec.denoising.measures import chance_bound, pooled_auc
from conv4rec.denoising.pairs import Indices, Pairs, Unlabelled
from conv4rec.denoising.settings import PairConfig
from conv4rec.denoising.step import Labelled, PairModel, PairStep, Told
from conv4rec.denoising.watch import CollapseWarning, find_collapse, summarise_weights
from conv4rec.errors import DataError, TrainingError

SCORED = 1 << 18
"""Pairs scored at a time."""


@dataclass(frozen=True)
class PairEpoch:
    """What one pass showed.

    Attributes:
        number: from 1.
        loss: mean cross entropy of the labelled pairs, nats.
        weights: mean and quantiles of w+ of the unlabelled pairs, as each was asked about; empty where none was.
        choices: how often ig moved forward, backward, or stayed; empty for others.
        auc: of validation.
        seconds: with validation.
    """

    number: int
    loss: float
    weights: dict[str, float]
    choices: dict[str, int]
    auc: float
    seconds: float = field(compare=False)


@dataclass(frozen=True)
class PairTraining:
    """The epochs of a run, the one whose weights were kept, and the first one that had collapsed, if any."""

    epochs: tuple[PairEpoch, ...]
    best_epoch: int
    collapsed_at: int | None


def fit_pairs(
    model: PairModel, pairs: Pairs, validation: Pairs, config: PairConfig, *, unlabelled: Unlabelled | None = None
) -> PairTraining:
    """Fit `model` in place and leave it with the weights of the epoch, after the warm-up, of best validation AUC.

    The caller's random numbers are left alone; the same model, pairs and settings give the same weights.

    Args:
        model: a torch module, as initialised.
        pairs: labelled pairs to learn from.
        validation: labelled pairs that choose the epoch.
        config: see PairConfig.
        unlabelled: where unlabelled pairs come from; None: uniformly, one for every labelled pair.

    Raises:
        DataError: fewer than two labelled pairs, or a validation that lacks one of the labels.
        TrainingError: the loss is not a number.

    Warns:
        CollapseWarning: once, where inverse learning collapses; training goes on, and the best epoch is kept.
    """
    if len(pairs) < 2:
        raise DataError(f"{len(pairs)} labelled pairs: expected at least 2 to learn from")
    if len(np.unique(validation.labels)) < 2:
        raise DataError(
            f"the {len(validation)} pairs of validation are of one label: AUC needs both to choose an epoch"
        )
    run = _Run(model, pairs, validation, config, Unlabelled.beside(pairs) if unlabelled is None else unlabelled)
    while not run.finished:
        run.run_epoch()
    return run.close()


@torch.inference_mode()
def score_pairs(model: PairModel, users: Indices, items: Indices) -> NDArray[np.float32]:
    """(N,) logits of N pairs, in evaluation mode, on the device of the model; users are best given sorted."""
    device = next(model.parameters()).device
    model.train(False)
    parts = [np.zeros(0, dtype=np.float32)]
    for start in range(0, len(users), SCORED):
        some = (torch.from_numpy(of[start : start + SCORED]).to(device) for of in (users, items))
        parts.append(model(*some).float().cpu().numpy())
    return np.concatenate(parts)


class _Run:
    """The state of a run between two epochs. Everything random in an epoch follows from the seed and its number."""

    def __init__(
        self, model: PairModel, pairs: Pairs, validation: Pairs, config: PairConfig, unlabelled: Unlabelled
    ) -> None:
        self.model, self.config = model, config
        self.pairs, self.judges = pairs.hold_out(config.hold_out, config.seed)
        if config.denoise != "ig":
            self.pairs = pairs
        self.validation, self.unlabelled = validation, unlabelled
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.device = parameters[0].device
        optimizer = torch.optim.Adam(parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
        self.step = PairStep(model, optimizer, config)
        self.epochs: list[PairEpoch] = []
        self.best_epoch, self.best = 0, _weights(model)
        self.collapsed_at: int | None = None

    @property
    def finished(self) -> bool:
        waited = len(self.epochs) - max(self.best_epoch, self.config.n_warmup)
        return len(self.epochs) >= self.config.epochs or waited >= self.config.patience

    def run_epoch(self) -> None:
        started, number = time.perf_counter(), len(self.epochs) + 1
        with _seeded(self.config.seed, number, self.device):
            told = self._pass(number)
        loss = float(torch.stack([each.loss for each in told]).mean())
        if not np.isfinite(loss):
            raise TrainingError(
                f"epoch {number}: the loss is {loss:g}; lower learning_rate (now {self.config.learning_rate:g})"
            )
        weights = summarise_weights(torch.cat([each.weights for each in told]).cpu().numpy())
        chosen = [each.choice for each in told if each.choice is not None]
        choices: dict[str, int] = {choice: chosen.count(choice) for choice in CHOICES} if chosen else {}
        auc = pooled_auc(self.validation.labels, self._scores())
        self.epochs.append(PairEpoch(number, loss, weights, choices, auc, time.perf_counter() - started))
        if number > self.config.n_warmup:
            self._judge_epoch(number, auc)

    def _judge_epoch(self, number: int, auc: float) -> None:
        if self.best_epoch == 0 or auc > self.epochs[self.best_epoch - 1].auc:
            self.best_epoch, self.best = number, _weights(self.model)
        if self.config.denoise != "none":
            self._look_for_collapse()

    def close(self) -> PairTraining:
        self.model.load_state_dict(self.best)
        self.model.train(False)
        return PairTraining(tuple(self.epochs), self.best_epoch, self.collapsed_at)

    def _pass(self, number: int) -> list[Told]:
        self.model.train()
        rng, by_user = np.random.default_rng([self.config.seed, number]), self.model.by_user
        drawn = self.unlabelled.draw(self.pairs.users, rng)
        n_batches = -(-len(self.pairs) // self.config.batch_size)
        judges = cycle(self.judges.batches(-(-len(self.judges) // n_batches), rng, by_user=by_user))
        return [
            self.step(
                self._tensors(self.pairs, places),
                torch.from_numpy(drawn[places]).to(self.device),
                self._tensors(self.judges, judging),
                anchored=number > self.config.n_warmup,
            )
            for places, judging in zip(
                self.pairs.batches(self.config.batch_size, rng, by_user=by_user), judges, strict=False
            )
        ]

    def _tensors(self, pairs: Pairs, places: Indices) -> Labelled:
        some = pairs.take(places)
        return Labelled(*(torch.from_numpy(of).to(self.device) for of in (some.users, some.items, some.labels)))

    def _scores(self) -> NDArray[np.float32]:
        return score_pairs(self.model, self.validation.users, self.validation.items)

    def _look_for_collapse(self) -> None:
        found = find_collapse(
            self.epochs[-1].weights, [epoch.auc for epoch in self.epochs], chance_bound(self.validation.labels)
        )
        if found is not None and self.collapsed_at is None:
            self.collapsed_at = self.epochs[-1].number
            warnings.warn(
                f"epoch {self.collapsed_at}: {self.config.denoise} has collapsed: {found}; the best epoch is kept. "
                "Try a longer warmup or a smaller unlabelled_weight",
                CollapseWarning,
                stacklevel=4,
            )


def _weights(model: PairModel) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


@contextmanager
def _seeded(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Random numbers of torch that depend on the seed and the epoch alone; the caller's are left as they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed * 1_000_003 + epoch)
        yield
