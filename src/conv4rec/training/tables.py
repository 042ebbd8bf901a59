"""Item tables that do not fit one worker: who has which rows, and what that takes."""

from typing import TYPE_CHECKING, NamedTuple, cast

import torch

from conv4rec.checkpoint import Part
from conv4rec.config import TrainConfig
from conv4rec.errors import TrainingError
from conv4rec.model.held import ITEM_TABLES, AllItems
from conv4rec.model.network import Network
from conv4rec.training.adam import Adam
from conv4rec.training.schedule import choose_softmax
from conv4rec.training.world import World

if TYPE_CHECKING:
    from conv4rec.model.own_items import OwnItems

MIB = 1 << 20


class ItemTables(NamedTuple):
    """Whether the tables are sharded over the workers, and the decision in words."""

    sharded: bool
    told: str


def choose_tables(network: Network, config: TrainConfig, workers: int) -> ItemTables:
    """Sharded where asked for, or where whole tables take more than `train.memory_mb` and there are several workers.

    Raises:
        TrainingError: what is asked for needs more workers, or goes with whole tables only.
    """
    lean = choose_softmax(config.softmax, len(network.consumption.bias)) == "sampled"
    whole, each = (training_bytes(network, parts, lean=lean) / MIB for parts in (1, workers))
    rule = f"weights, gradients and optimiser take {whole:,.0f} MiB, train.memory_mb is {config.memory_mb:,}"
    fits = config.item_tables == "whole" or (config.item_tables == "auto" and whole <= config.memory_mb)
    if config.item_tables != "sharded" and (fits or workers == 1):
        return ItemTables(False, f"item tables whole on each of {workers} workers: {rule}")
    _check(network, config, workers)
    if config.item_tables == "auto" and each > config.memory_mb:
        raise TrainingError(
            f"{rule}: {each:,.0f} MiB on each of {workers} workers is still more; expected more workers or memory"
        )
    return ItemTables(True, f"item tables sharded over {workers} workers, {each:,.0f} MiB on each: {rule}")


def training_bytes(network: Network, parts: int = 1, *, lean: bool) -> int:
    """What weights, the best weights so far, gradients and optimiser take in one of `parts` that share the tables.

    A number takes 20 bytes with dense gradients: itself, the best, the gradient and two of Adam; that of an encoder's
    table 16, and a row 4. With lean ones a table takes 8 bytes a number, and 8 a row; what is not learned takes 8.
    Batches and validation come on top.
    """
    total = 0
    for name, value in network.named_parameters():
        here = (20 if value.requires_grad else 8) * value.numel()
        if name.endswith("encoder.table"):
            here -= 4 * (value.numel() - value.numel() // value.shape[-1])
        if lean and name in ITEM_TABLES and name != "consumption.bias":
            here = 8 * value.numel() + 8 * len(value)
        total += -(-here // parts) if name in ITEM_TABLES else here
    return total


def share_tables(network: Network, world: World, device: torch.device) -> None:
    """Leave the network with this process's part of the rows; all of `world` do this, then ask it together."""
    from torch import distributed  # loaded where there are several processes, and not before
    from torch.distributed.device_mesh import DeviceMesh

    from conv4rec.model.own_items import OwnItems

    n_items = len(network.consumption.bias)
    rows = world.part(n_items)
    assert distributed.group.WORLD is not None  # noqa: S101 - there is a world of several
    mesh = DeviceMesh.from_group(distributed.group.WORLD, device.type)
    network.hold(OwnItems(rows.start, rows.stop, n_items, mesh))


def part_of(network: Network, optimizer: Adam | None = None) -> Part | None:
    """Which rows of the tensors of a checkpoint are those of this process; None where all are."""
    if isinstance(network.consumption.held, AllItems):
        return None
    held = cast("OwnItems", network.consumption.held)
    names = network.item_tables()
    tables = {network.get_parameter(name) for name in names}
    every = () if optimizer is None else optimizer.parameters()
    numbers = [str(number) for number, parameter in enumerate(every) if parameter in tables]
    return Part(frozenset((*names, *numbers)), held.start, held.stop, held.total)


def _check(network: Network, config: TrainConfig, workers: int) -> None:
    n_items, asked = len(network.consumption.bias), "item tables cannot be sharded"
    if workers == 1:
        raise TrainingError(f"train.item_tables = {config.item_tables}: this is one process; expected --workers 2")
    if n_items < workers:
        raise TrainingError(f"{asked}: {n_items} items for {workers} workers; expected an item for each")
    if config.denoise != "none":
        raise TrainingError(f"{asked} with train.denoise = {config.denoise}; expected none, or train.item_tables=whole")
    if config.spectral_penalty or config.distance_penalty:
        raise TrainingError(
            f"{asked} with train.spectral_penalty = {config.spectral_penalty:g} and train.distance_penalty = "
            f"{config.distance_penalty:g}; expected 0, or train.item_tables=whole"
        )
