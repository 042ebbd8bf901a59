"""Two Ray workers train the model of one process, and it does not matter that one of them dies."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
import pytest
import torch
from typer.testing import CliRunner

from conv4rec import Conv4Rec
from conv4rec.cli import app
from conv4rec.config import Config
from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.data.split import split
from conv4rec.errors import TrainingError
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
    """A source that kills the second worker in the middle of the second epoch, once, or in every epoch."""

    inner: InMemory
    mark: Path
    always: bool = False

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
            if World.here().rank == 1 and number == 2:  # of those who share items, each has all users
                passes = self.mark.read_text() if self.mark.exists() else ""
                self.mark.write_text(passes + "x")
                if self.always or len(passes) == 1:
                    os.kill(os.getpid(), signal.SIGKILL)
            yield share


class Heard(Silent):
    def __init__(self) -> None:
        self.epochs: list[int] = []

    def on_epoch(self, epoch: Epoch, *, is_best: bool) -> None:  # noqa: ARG002
        self.epochs.append(epoch.number)


class Setting:
    """The checkerboard, and networks that start alike."""

    def __init__(self, ratings: Ratings, config: Config) -> None:
        parts, vocabulary = split(ratings, config.split), ratings.vocabulary()
        self.types, self.model = vocabulary.types, config.model.model_copy(update={"dropout": 0.3})
        self.known = Interactions.from_ratings(parts.train, vocabulary)
        self.validation = Validation.of(parts.validation, vocabulary)
        self.settings = config.train.model_copy(update={"epochs": 4})

    def network(self) -> Network:
        torch.manual_seed(7)
        return Network(self.model, Statistics.of(self.known, self.types))

    def source(self, mark: Path, *, always: bool = False) -> Deadly:
        return Deadly(InMemory.of(self.known, torch.device("cpu")), mark, always)


@pytest.fixture
def setting(checkerboard: Ratings, small_config: Config) -> Setting:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    return Setting(checkerboard, small_config)


@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize("tables", ["whole", "sharded"])
def test_a_worker_is_killed_and_the_model_is_that_of_one_process(setting: Setting, tmp_path: Path, tables: str) -> None:
    alone, together, checkpoint = setting.network(), setting.network(), tmp_path / "c"
    one = train(alone, setting.known, setting.types, setting.settings, validation=setting.validation)
    settings = setting.settings.model_copy(update={"item_tables": tables})
    heard, source = Heard(), setting.source(tmp_path / "mark")
    parts = {"validation": setting.validation, "listener": heard, "checkpoint": checkpoint}
    two = RayTraining(2)(together, source, setting.types, settings, **parts)  # type: ignore[arg-type]
    assert (tmp_path / "mark").read_text() == "xxxxx", "four epochs, and one that was begun twice"
    assert heard.epochs == [1, 2, 3, 4]
    assert [e.number for e in two.epochs] == [e.number for e in one.epochs]
    assert (two.best_epoch, two.softmax) == (one.best_epoch, one.softmax)
    assert two.item_tables.startswith(f"item tables {tables}")
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("c", "mark")] == [], "nothing is left over"
    for name, value in alone.state_dict().items():
        assert torch.allclose(together.state_dict()[name], value, atol=1e-4), name
    again = setting.network()
    train(
        again,
        source,
        setting.types,
        setting.settings,
        validation=setting.validation,
        checkpoint=checkpoint,
        resume=True,
    )
    assert all(torch.equal(again.state_dict()[name], value) for name, value in together.state_dict().items())


@pytest.mark.usefixtures("ray")
def test_shared_tables_and_shards_from_the_command_line(checkerboard: Ratings, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    checkerboard.frame.write_parquet(tmp_path / "data" / "a.parquet")
    settings = ["train.epochs=2", "train.item_tables=sharded", "experts.neighbours=4", "experts.factors=[4]"]
    words = ["train", "--data", tmp_path / "data", "--shards", tmp_path / "shards", "--model", tmp_path / "m"]
    words += ["--workers", 2, "--json", *(word for setting in settings for word in ("--set", setting))]
    found = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    notes = " ".join(json.loads(found.stdout)["notes"])
    assert "item tables sharded over 2 workers" in notes
    model = Conv4Rec.load(tmp_path / "m")
    assert model.recommend_for({"i00": 5.0}, 3).height == 3
    assert len(model.predictor.network.consumption.bias) == checkerboard.n_items


@pytest.mark.usefixtures("ray")
def test_workers_that_always_die(setting: Setting, tmp_path: Path) -> None:
    source = setting.source(tmp_path / "mark", always=True)
    with pytest.raises(TrainingError, match="workers died more than 0 times, at last: "):
        RayTraining(2, max_failures=0)(setting.network(), source, setting.types, setting.settings)


@pytest.mark.usefixtures("ray")
def test_a_loss_that_is_not_a_number_is_not_tried_again(setting: Setting) -> None:
    network = setting.network()
    with torch.no_grad():
        network.consumption.bias[3] = torch.nan
    with pytest.raises(TrainingError, match="epoch 1: the loss is nan; lower train.learning_rate"):
        RayTraining(2)(network, setting.known, setting.types, setting.settings)


@pytest.mark.usefixtures("ray")
def test_gpus_that_are_not_there(setting: Setting) -> None:
    settings = setting.settings.model_copy(update={"device": "cuda"})
    with pytest.raises(TrainingError, match="train.device = cuda: the cluster has no GPU for each of 2"):
        RayTraining(2)(setting.network(), setting.known, setting.types, settings)
