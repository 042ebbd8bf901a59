"""Two Ray workers train the model of one process, and it does not matter that one of them dies."""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
import pytest
import torch

from conv4rec.config import Config
from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.data.split import split
from conv4rec.evaluation import Validation
from conv4rec.model.network import Network
from conv4rec.model.statistics import Statistics
from conv4rec.scale.training import RayTraining
from conv4rec.training import Epoch, Silent, train
from conv4rec.training.source import InMemory, Share
from conv4rec.training.world import World

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # Ray deprecates what Ray sets


@dataclass(frozen=True)
class Deadly:
    """A source that kills the second worker in the middle of the second epoch, once."""

    inner: InMemory
    mark: Path

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    @property
    def n_users(self) -> int:
        return self.inner.n_users

    @property
    def n_interactions(self) -> int:
        return self.inner.n_interactions

    def shares(self, size: int, world: World) -> Iterator[Share]:
        for number, share in enumerate(self.inner.shares(size, world)):
            if world.rank == 1 and number == 2:
                passes = self.mark.read_text() if self.mark.exists() else ""
                self.mark.write_text(passes + "x")
                if len(passes) == 1:
                    os.kill(os.getpid(), signal.SIGKILL)
            yield share


class Heard(Silent):
    def __init__(self) -> None:
        self.epochs: list[int] = []

    def on_epoch(self, epoch: Epoch, *, is_best: bool) -> None:  # noqa: ARG002
        self.epochs.append(epoch.number)


@pytest.mark.usefixtures("ray")
def test_a_worker_is_killed_and_the_model_is_that_of_one_process(
    checkerboard: Ratings, small_config: Config, tmp_path: Path
) -> None:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    parts, vocabulary = split(checkerboard, small_config.split), checkerboard.vocabulary()
    known = Interactions.from_ratings(parts.train, vocabulary)
    validation = Validation.of(parts.validation, vocabulary)
    settings = small_config.train.model_copy(update={"epochs": 4})
    networks = []
    for _ in range(2):
        torch.manual_seed(7)
        networks.append(
            Network(small_config.model.model_copy(update={"dropout": 0.3}), Statistics.of(known, vocabulary.types))
        )
    alone, together = networks
    one = train(alone, known, vocabulary.types, settings, validation=validation)
    heard, source = Heard(), Deadly(InMemory.of(known, torch.device("cpu")), tmp_path / "mark")
    two = RayTraining(2)(
        together, source, vocabulary.types, settings, validation=validation, listener=heard, checkpoint=tmp_path / "c"
    )
    assert (tmp_path / "mark").read_text() == "xxxxx", "four epochs, and one that was begun twice"
    assert heard.epochs == [1, 2, 3, 4]
    assert [e.number for e in two.epochs] == [e.number for e in one.epochs]
    for name, value in alone.state_dict().items():
        assert torch.allclose(together.state_dict()[name], value, atol=1e-4), name
