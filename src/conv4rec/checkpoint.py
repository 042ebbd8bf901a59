"""Checkpoints of a training run: safetensors with a JSON header, written whole or not at all."""

import json
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from conv4rec.atomic import write_atomically
from conv4rec.errors import TrainingError

SCHEMA = 1
HEADER = "conv4rec_checkpoint"

DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64"}
"""What a tensor may be of, and its name in the file."""
Collect = Callable[[Tensor, int], Iterator[Tensor]]
"""Where several processes have parts of n rows: all parts in the first, in their order; none in the others."""


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


@dataclass(frozen=True)
class Part:
    """The rows that one of several processes has of some tensors of a checkpoint.

    Attributes:
        names: of the parameters that are shared, and their numbers in the optimiser.
        start: the first row.
        stop: the row after the last.
        total: the rows that all have together.
    """

    names: frozenset[str]
    start: int
    stop: int
    total: int

    def has_rows_of(self, name: str, shape: Iterable[int]) -> bool:
        """Whether a tensor of this name in a checkpoint is shared; of a parameter's state all but single numbers is."""
        return name.split("/")[1] in self.names and len(list(shape)) > 0


def write_checkpoint(
    path: Path, checkpoint: Checkpoint, part: Part | None = None, collect: Collect | None = None
) -> None:
    """Write to a temporary file beside `path`, then move it into place; one tensor after the other.

    With `part`, `checkpoint` has this process's rows. All processes call this, `collect` brings them together, and the
    first one, whose part begins with row 0, writes the file of one process.
    """
    tensors, header = _tensors(checkpoint), _header(checkpoint)
    shared = {name for name, value in tensors.items() if part is not None and part.has_rows_of(name, value.shape)}
    shapes = {name: _whole_shape(value, part if name in shared else None) for name, value in tensors.items()}

    def pieces() -> Iterator[Tensor]:
        for name, value in tensors.items():
            here = value.detach().cpu()
            yield from collect(here, shapes[name][0]) if collect is not None and name in shared else [here]

    if part is not None and part.start > 0:
        for _ in pieces():  # given away
            pass
        return
    write_atomically(path, lambda temporary: _write(temporary, _layout(tensors, shapes, header), pieces()))


def read_checkpoint(path: Path, part: Part | None = None) -> Checkpoint:
    """Read what `write_checkpoint` wrote, whole or the rows of one process; anything else raises TrainingError."""
    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads((file.metadata() or {})[HEADER])
            tensors = {name: _read(file, name, part) for name in file.keys()}  # noqa: SIM118
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
        told = json.loads(file.metadata()[HEADER])
    return told["epochs"], told["best_epoch"]


def best_weights(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Name and value of every weight of the best epoch of a checkpoint, one after the other."""
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        prefix = "best/" if any(name.startswith("best/") for name in names) else "network/"
        for name in names:
            if name.startswith(prefix):
                yield name.removeprefix(prefix), file.get_tensor(name)


def _tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    tensors = {f"network/{name}": value for name, value in checkpoint.network.items()}
    tensors |= {f"best/{name}": value for name, value in (checkpoint.best or {}).items()}
    for number, state in checkpoint.optimizer.items():
        tensors |= {f"optimizer/{number}/{name}": value for name, value in state.items()}
    return tensors


def _header(checkpoint: Checkpoint) -> dict[str, str]:
    told = {"epochs": checkpoint.epochs, "best_epoch": checkpoint.best_epoch, "fingerprint": checkpoint.fingerprint}
    return {HEADER: json.dumps({"schema": SCHEMA, **told})}


def _whole_shape(value: Tensor, part: Part | None) -> tuple[int, ...]:
    return tuple(value.shape) if part is None else (part.total, *value.shape[1:])


def _layout(
    tensors: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], metadata: dict[str, str]
) -> dict[str, Any]:
    """The header of a safetensors file: where each tensor begins and ends."""
    layout: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name, value in tensors.items():
        start, end = end, end + math.prod(shapes[name]) * value.element_size()
        layout[name] = {"dtype": DTYPES[value.dtype], "shape": shapes[name], "data_offsets": [start, end]}
    return layout


def _write(path: Path, layout: Mapping[str, Any], pieces: Iterable[Tensor]) -> None:
    """A safetensors file; its own writer would want all tensors in memory, twice."""
    header = json.dumps(layout).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for piece in pieces:
            file.write(piece.contiguous().numpy().data)


def _read(file: Any, name: str, part: Part | None) -> Tensor:
    if part is None or not part.has_rows_of(name, file.get_slice(name).get_shape()):
        tensor: Tensor = file.get_tensor(name)
        return tensor
    rows: Tensor = file.get_slice(name)[part.start : part.stop]
    return rows


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
