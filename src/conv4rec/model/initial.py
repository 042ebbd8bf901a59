"""The weights that a network starts from, drawn again: they follow from the seed, so that no file need hold them."""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

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


def blank_network(
    config: ModelConfig,
    n_items: int,
    types: InteractionTypes,
    experts: Mapping[str, tuple[int, ...]] | None = None,
    *,
    any_repeated: bool = True,
) -> Network:
    """A network whose tables have shapes but no memory, until `load_state_dict(..., assign=True)` gives it tensors.

    `experts` has the shapes of tensors of those that joined, by name; `any_repeated` is as in Statistics. A network for
    no items is made to look like one for many: on torch's meta device it would be blank too, but drawing numbers there
    loads torch's compiler.
    """
    network = Network(config, Statistics.blank(0, types, any_repeated=any_repeated))
    network.make_room({name: (0, *shape[1:]) for name, shape in (experts or {}).items()})
    for name, value in network.state_dict().items():
        if value.shape[:1] == (0,):
            path, _, last = name.rpartition(".")
            looks = value.new_zeros(()).expand(n_items, *value.shape[1:])
            module = network.get_submodule(path)
            setattr(module, last, nn.Parameter(looks) if isinstance(getattr(module, last), nn.Parameter) else looks)
    return network


def network_with(
    config: ModelConfig, n_items: int, types: InteractionTypes, weights: Mapping[str, NDArray[Any]]
) -> Network:
    """A network that keeps these arrays as its tensors: the weights are in memory once.

    Raises KeyError, RuntimeError, TypeError or ValueError where they are not the tensors of such a network.
    """
    tensors = {name: torch.from_numpy(value) for name, value in weights.items()}
    network = blank_network(config, n_items, types, {name: tuple(value.shape) for name, value in tensors.items()})
    for name, value in network.state_dict().items():
        if name in tensors and tensors[name].dtype != value.dtype:
            raise ValueError(f"{name} is of {tensors[name].dtype}, expected {value.dtype}")
    network.load_state_dict(tensors, assign=True)
    network.check()
    return network


def initial_digest(network: Network) -> str:
    """SHA-256 of the parameters of an untrained network that do not depend on the data."""
    digest = hashlib.sha256()
    for name, value in sorted(network.named_parameters()):
        if name not in COUNTED:
            digest.update(f"{name}{tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
