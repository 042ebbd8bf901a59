"""The weights that a network starts from, drawn again: they follow from the seed, so that no file need hold them."""

import hashlib

import torch

from conv4rec.config import Config, ModelConfig
from conv4rec.model.network import Network
from conv4rec.model.statistics import Statistics
from conv4rec.vocabulary import InteractionTypes

COUNTED = ("consumption.bias", "consumption.repeat", "rating.bias")
"""Parameters that start from counts of the training data; all others are drawn, or constant."""


def draw_network(config: Config, statistics: Statistics) -> Network:
    """A network before training, on the CPU; the same settings and sizes give the same bits."""
    with torch.random.fork_rng([]):
        torch.manual_seed(config.train.seed)
        return Network(config.model, statistics)


def blank_network(config: ModelConfig, n_items: int, types: InteractionTypes) -> Network:
    """A network of shapes without memory, until `load_state_dict(..., assign=True)` gives it tensors."""
    with torch.device("meta"):
        return Network(config, Statistics.blank(n_items, types))


def initial_digest(network: Network) -> str:
    """SHA-256 of the parameters of an untrained network that do not depend on the data."""
    digest = hashlib.sha256()
    for name, value in sorted(network.named_parameters()):
        if name not in COUNTED:
            digest.update(f"{name}{tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
