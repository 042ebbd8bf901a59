"""The measured gap: losses of the network alone on what it was trained on, and on what it has not seen."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.errors import TheoryError
from conv4rec.evaluation import Validation
from conv4rec.model import law
from conv4rec.model.batch import Batch
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.predictions import Floats
from conv4rec.vocabulary import InteractionTypes

Array = NDArray[np.float64]

Score = Callable[[Interactions, Interactions], Array]
"""Losses of the targets of a batch of users, (N,), from their histories."""

BATCH = 256
"""Users predicted at once."""


@dataclass(frozen=True)
class Losses:
    """Nats of held-out interactions, and the user (0, 1, ... of those who have any) of each; (N,) each."""

    values: Array
    users: NDArray[np.int64]

    @property
    def by_interaction(self) -> float:
        """Mean over the interactions."""
        return float(self.values.mean())

    @property
    def by_user(self) -> float:
        """Mean over users of the mean over theirs."""
        _, rows = np.unique(self.users, return_inverse=True)
        return float((np.bincount(rows, self.values) / np.bincount(rows)).mean())


def hide(interactions: Interactions, share: float, *, seed: int) -> Validation:
    """Interactions as in training: a share of them, drawn at random, to be predicted from the rest."""
    hidden = np.random.default_rng(seed).random(len(interactions)) < share
    if not hidden.any():
        raise TheoryError(f"none of {len(interactions)} interactions was hidden: expected more of them")
    return Validation(interactions.keep(~hidden), interactions.keep(hidden))


@torch.inference_mode()
def consumption_losses(network: Network, asked: Validation) -> Losses:
    """-log p_consume of the targets, by the network without its experts."""

    def score(known: Interactions, targets: Interactions) -> Array:
        batch = Batch.of(known, network.consumption.decoder.device)
        return _at_items(law.log_p_consume(network.consumption(batch).float()).cpu().numpy(), targets)

    network.eval()
    return _losses(score, asked)


@torch.inference_mode()
def rating_losses(network: Network, types: InteractionTypes, asked: Validation) -> Losses:
    """-log p_type of the targets, by the network without its experts, which must have a rating path."""
    path = network.rating
    assert path is not None  # noqa: S101 - asked of networks with a rating path only

    def score(known: Interactions, targets: Interactions) -> Array:
        device = path.decoder.device
        batch, wanted = Batch.of(known, device), Batch.of(targets, device)
        logits = path.pairs(path.encode(batch), wanted.rows, wanted.items).float()
        return _at_types(law.log_p_type(logits).cpu().numpy(), targets, types)

    network.eval()
    return _losses(score, asked)


def law_losses(predictor: NetworkPredictor, asked: Validation, *, rating: bool) -> Losses:
    """The same of the whole law, with its experts: -log p_type where `rating`, else -log p_consume."""

    def score(known: Interactions, targets: Interactions) -> Array:
        found = predictor.predict(known)
        if not rating:
            return _at_items(found.log_p_consume, targets)
        return _at_types(found.type_law.pairs(targets.users, targets.items), targets, predictor.types)

    return _losses(score, asked)


def _losses(score: Score, asked: Validation) -> Losses:
    users = np.flatnonzero(asked.targets.counts)
    found = []
    for start in range(0, len(users), BATCH):
        some = users[start : start + BATCH]
        found.append(score(asked.history.select(some), asked.targets.select(some)))
    return Losses(np.concatenate(found), np.repeat(users, asked.targets.counts[users]))


def _at_items(log_p: Floats, targets: Interactions) -> Array:
    return -np.asarray(log_p[targets.users, targets.items], dtype=np.float64)


def _at_types(log_p: Floats, targets: Interactions, types: InteractionTypes) -> Array:
    """Of an interaction whose type is known in part, the probability of all that it may have been."""
    p = np.exp(np.asarray(log_p, dtype=np.float64)) * types.covers[targets.channels]
    return np.asarray(-np.log(p.sum(axis=1)))
