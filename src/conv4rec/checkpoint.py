"""Checkpoints of a training run: safetensors with a JSON header, written whole or not at all."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from conv4rec.atomic import write_atomically
from conv4rec.errors import TrainingError

SCHEMA = 1


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on: weights, best weights, state of the optimiser, and what was measured.

    Attributes:
        network: weights after the last epoch.
        best: weights of the best epoch so far; None where that is the last one.
        optimizer: for the number of every parameter, its tensors in the optimiser.
        epochs: one dictionary an epoch.
        best_epoch: its number, from 1; 0 for none.
        fingerprint: of data and settings; a run goes on only from a checkpoint with the same.
    """

    network: dict[str, Tensor]
    best: dict[str, Tensor] | None
    optimizer: dict[int, dict[str, Tensor]]
    epochs: list[dict[str, Any]]
    best_epoch: int
    fingerprint: str


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write to a temporary file beside `path`, then move it into place."""
    tensors = {f"network/{name}": value for name, value in checkpoint.network.items()}
    tensors |= {f"best/{name}": value.clone() for name, value in (checkpoint.best or {}).items()}
    for number, state in checkpoint.optimizer.items():
        tensors |= {f"optimizer/{number}/{name}": value.detach().cpu() for name, value in state.items()}
    told = {"epochs": checkpoint.epochs, "best_epoch": checkpoint.best_epoch, "fingerprint": checkpoint.fingerprint}
    header = {"conv4rec_checkpoint": json.dumps({"schema": SCHEMA, **told})}
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=header))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote; anything else raises TrainingError."""
    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads((file.metadata() or {})["conv4rec_checkpoint"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if told["schema"] != SCHEMA:
            raise TrainingError(f"{path}: checkpoint of schema {told['schema']}; this version reads {SCHEMA}")
        optimizer: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(tensors, "optimizer/").items():
            number, _, key = name.partition("/")
            optimizer.setdefault(int(number), {})[key] = value
        network, best = _below(tensors, "network/"), _below(tensors, "best/")
        return Checkpoint(network, best or None, optimizer, told["epochs"], told["best_epoch"], told["fingerprint"])
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise TrainingError(f"{path}: not a checkpoint that training can go on from: {error}") from None


def read_epochs(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The epochs of a checkpoint and the number of the best, without its weights; none where there is no file yet."""
    if not path.exists():
        return [], 0
    with safe_open(path, framework="pt") as file:
        told = json.loads(file.metadata()["conv4rec_checkpoint"])
    return told["epochs"], told["best_epoch"]


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
