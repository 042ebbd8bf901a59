"""Checkpoints are read back whole, or refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from conv4rec.checkpoint import Checkpoint, Part, best_weights, read_checkpoint, write_checkpoint
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


def test_rows_of_two_processes_make_the_file_of_one(tmp_path: Path) -> None:
    whole, names, given = make(), frozenset(("a", "0")), list[torch.Tensor]()
    parts = [Part(names, 0, 2, 3), Part(names, 2, 3, 3)]

    def of(part: Part) -> Checkpoint:
        rows = {"a": whole.network["a"][part.start : part.stop], "b.c": whole.network["b.c"]}
        state = whole.optimizer[0]
        mine = {"step": state["step"], "exp_avg": state["exp_avg"][part.start : part.stop]}
        return replace(whole, network=rows, best=rows, optimizer={0: mine, 11: whole.optimizer[11]})

    def give(ours: torch.Tensor, n: int) -> Iterator[torch.Tensor]:
        assert n == 3
        given.append(ours)
        yield from ()

    def take(ours: torch.Tensor, n: int) -> Iterator[torch.Tensor]:  # noqa: ARG001
        yield from (ours, given.pop(0))

    write_checkpoint(tmp_path / "second", of(parts[1]), parts[1], give)
    write_checkpoint(tmp_path / "first", of(parts[0]), parts[0], take)
    write_checkpoint(tmp_path / "whole", whole)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "whole").read_bytes()
    assert not (tmp_path / "second").exists()
    for part in parts:
        read, expected = read_checkpoint(tmp_path / "first", part), of(part)
        assert all(torch.equal(read.network[name], value) for name, value in expected.network.items())
        assert torch.equal(read.optimizer[0]["exp_avg"], expected.optimizer[0]["exp_avg"])
        assert read.optimizer[0]["step"] == 5


def test_the_best_weights_are_those_of_the_last_epoch_where_there_are_no_others(tmp_path: Path) -> None:
    other = {name: value + 1 for name, value in make().network.items()}
    for best in (other, None):
        written = replace(make(), best=best)
        write_checkpoint(tmp_path / "c", written)
        expected = written.network if best is None else best
        found = dict(best_weights(tmp_path / "c"))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], value) for name, value in expected.items())


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
