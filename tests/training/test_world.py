"""Two processes that train together end with the model of one."""

import multiprocessing
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed

from conv4rec.config import Config, TrainConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.split import split
from conv4rec.evaluation import Validation
from conv4rec.model.network import Network
from conv4rec.model.statistics import Statistics
from conv4rec.training import TrainingResult, train
from conv4rec.training.world import World
from tests.conftest import make_checkerboard

SETTINGS = TrainConfig(epochs=3, batch_size=59, learning_rate=0.02, device="cpu")
"""Of 60 users one is left for the last batch, of which the first process has none."""


def fit(
    config: Config, checkpoint: Path | None = None, *, softmax: str = "exact"
) -> tuple[dict[str, torch.Tensor], TrainingResult]:
    ratings = make_checkerboard()
    parts, vocabulary = split(ratings, config.split), ratings.vocabulary()
    known = Interactions.from_ratings(parts.train, vocabulary)
    torch.manual_seed(7)
    network = Network(config.model.model_copy(update={"dropout": 0.3}), Statistics.of(known, vocabulary.types))
    validation = Validation.of(parts.validation, vocabulary)
    settings = SETTINGS.model_copy(update={"softmax": softmax, "draws": 10})
    result = train(network, known, vocabulary.types, settings, validation=validation, checkpoint=checkpoint)
    return network.state_dict(), result


def join(folder: Path, rank: int) -> None:
    where = f"file://{folder}/meeting"
    distributed.init_process_group("gloo", init_method=where, rank=rank, world_size=2, timeout=timedelta(seconds=60))


def second(folder: Path, config: Config) -> None:
    join(folder, 1)
    for softmax in ("exact", "sampled"):
        weights, _ = fit(config, folder / "of the second", softmax=softmax)
        torch.save(weights, folder / softmax)
    distributed.destroy_process_group()


def test_two_processes_train_the_model_of_one(small_config: Config, tmp_path: Path) -> None:
    child = multiprocessing.get_context("spawn").Process(target=second, args=(tmp_path, small_config))
    child.start()
    alone = {softmax: fit(small_config, softmax=softmax) for softmax in ("exact", "sampled")}
    join(tmp_path, 0)
    try:
        together = {softmax: fit(small_config, tmp_path / "of the first", softmax=softmax) for softmax in alone}
    finally:
        distributed.destroy_process_group()
    child.join()
    for softmax, (weights, course) in alone.items():
        theirs, (ours, joint) = torch.load(tmp_path / softmax, weights_only=True), together[softmax]
        assert [e.loss_consume for e in joint.epochs] == pytest.approx(
            [e.loss_consume for e in course.epochs], rel=1e-4
        )
        for name, value in weights.items():
            assert torch.equal(ours[name], theirs[name]), (softmax, name)
            assert torch.allclose(ours[name], value, atol=1e-4), (softmax, name)
    assert (tmp_path / "of the first").exists()
    assert not (tmp_path / "of the second").exists(), "the first process writes the checkpoints"


def test_parts_of_a_batch() -> None:
    for n in (0, 1, 7, 8):
        places = [place for rank in range(3) for place in range(n)[World(rank, 3).part(n)]]
        assert places == list(range(n))


def test_one_process_is_a_world() -> None:
    assert World.here() == World(0, 1)
    figures = {"nll": 1.0}
    assert World().agree(figures) is figures
