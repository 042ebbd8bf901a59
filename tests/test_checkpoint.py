"""Checkpoints are read back whole, or refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from conv4rec.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from conv4rec.errors import TrainingError


def make() -> Checkpoint:
    weights = {"a": torch.randn(3, 2), "b.c": torch.tensor(1.0)}
    state = {0: {"step": torch.tensor(5.0), "exp_avg": torch.randn(3, 2)}, 11: {"step": torch.tensor(5.0)}}
    return Checkpoint(weights, weights, state, [{"number": 1, "validation": {"nll": 2.0}}], 1, "of this run")


def test_round_trip(tmp_path: Path) -> None:
    written = make()
    write_checkpoint(tmp_path / "c", written)
    read = read_checkpoint(tmp_path / "c")
    assert (read.epochs, read.best_epoch, read.fingerprint) == (written.epochs, 1, "of this run")
    assert all(torch.equal(read.network[name], value) for name, value in written.network.items())
    assert read.best is not None
    assert all(torch.equal(read.best[name], value) for name, value in written.network.items())
    assert torch.equal(read.optimizer[0]["exp_avg"], written.optimizer[0]["exp_avg"])
    assert read.optimizer.keys() == {0, 11}


def test_the_best_weights_may_be_those_of_the_last_epoch(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", replace(make(), best=None))
    assert read_checkpoint(tmp_path / "c").best is None


def test_what_is_not_a_checkpoint_is_refused(tmp_path: Path) -> None:
    foreign, cut, missing = tmp_path / "foreign", tmp_path / "cut", tmp_path / "missing"
    save_file({"x": torch.zeros(2)}, foreign)
    write_checkpoint(cut, make())
    cut.write_bytes(cut.read_bytes()[:-5])
    for path in (foreign, cut, missing):
        with pytest.raises(TrainingError, match=f"{path}: not a checkpoint that training can go on from"):
            read_checkpoint(path)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    header = {"conv4rec_checkpoint": '{"schema": 99}'}
    save_file({"x": torch.zeros(2)}, tmp_path / "c", metadata=header)
    with pytest.raises(TrainingError, match="checkpoint of schema 99; this version reads 1"):
        read_checkpoint(tmp_path / "c")
