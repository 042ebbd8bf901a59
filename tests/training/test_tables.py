"""Two processes that share the item tables train the model of one; when they do, and what that takes."""

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed

from conv4rec.checkpoint import best_weights, read_checkpoint
from conv4rec.config import Config, TrainConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.split import split
from conv4rec.errors import TrainingError
from conv4rec.evaluation import Validation
from conv4rec.model.batch import Batch
from conv4rec.model.held import AllItems
from conv4rec.model.network import Encoder, Network
from conv4rec.model.softmax import Drawn, Output, exact_loss, sampled_loss
from conv4rec.model.statistics import Statistics
from conv4rec.training import Silent, TrainingResult, train
from conv4rec.training.tables import choose_tables, part_of, share_tables, training_bytes
from conv4rec.training.world import World
from tests.conftest import make_checkerboard

SOFTMAXES = ("exact", "sampled")
N_ITEMS = 23
"""Odd, so that one process has a row more."""
CPU = torch.device("cpu")


class Setting:
    """A checkerboard, and networks that start alike."""

    def __init__(self, config: Config) -> None:
        ratings = make_checkerboard(n_items=N_ITEMS)
        parts, vocabulary = split(ratings, config.split), ratings.vocabulary()
        self.known, self.types = Interactions.from_ratings(parts.train, vocabulary), vocabulary.types
        self.validation = Validation.of(parts.validation, vocabulary)
        self.model = config.model.model_copy(update={"dropout": 0.3})
        self.config = TrainConfig(epochs=3, batch_size=59, learning_rate=0.02, device="cpu", draws=10)

    def network(self) -> Network:
        torch.manual_seed(7)
        return Network(self.model, Statistics.of(self.known, self.types))

    def fit(
        self, network: Network, checkpoint: Path | None = None, listener: Silent | None = None, **settings: object
    ) -> TrainingResult:
        config = self.config.model_copy(update=settings)
        parts = {"validation": self.validation, "listener": listener, "checkpoint": checkpoint, "resume": True}
        return train(network, self.known, self.types, config, **parts)  # type: ignore[arg-type]

    def laws(self, network: Network) -> list[Tensor]:
        """Logits of consumption and of the types, of all users and items."""
        with torch.inference_mode():
            batch = Batch.of(self.known, CPU)
            assert network.rating is not None
            return [network.consumption(batch), network.rating.grid(network.rating.encode(batch))]


class StopAfter(Silent):
    """Breaks a run off after its second epoch."""

    def on_epoch(self, epoch: object, *, is_best: bool) -> None:  # noqa: ARG002
        if getattr(epoch, "number", 0) == 2:
            raise KeyboardInterrupt


def losses(network: Network) -> Iterator[list[Tensor]]:
    """Loss and gradients, exact in blocks and sampled from items of the first process only, with pairs met before."""
    torch.manual_seed(3)
    path, z = network.consumption, torch.randn(4, network.consumption.decoder.shape[1], requires_grad=True)
    repeat = torch.tensor(0.5, requires_grad=True)
    cells = ([0, 0, 1, 2, 3, 3], [0, 22, 5, 11, 12, 12]), ([0, 1, 1, 3, 3], [22, 3, 4, 12, 1])
    seen, targets = (Batch(torch.tensor(rows), torch.tensor(items), torch.tensor(rows), 4) for rows, items in cells)
    drawn = Drawn(torch.tensor([0, 3, 5]), torch.tensor([0.1, 0.2, 0.3]))
    output = Output(z, path.decoder, path.bias, repeat)
    for loss in (
        exact_loss(output, seen, targets, held=path.held),
        exact_loss(output, seen, targets, cells=12, held=path.held),
        sampled_loss(output, seen, targets, drawn, held=path.held),
    ):
        found = torch.autograd.grad(loss, [z, repeat, path.bias, path.decoder], materialize_grads=True)
        yield [loss.detach(), *(gradient.to_dense() for gradient in found)]


@dataclass(frozen=True)
class Shared:
    """What a process that shares tables has at the end."""

    rank: int
    folder: Path
    config: Config

    def run(self) -> dict[str, TrainingResult]:
        where, setting = f"file://{self.folder}/meeting", Setting(self.config)
        wait = timedelta(seconds=60)
        distributed.init_process_group("gloo", init_method=where, rank=self.rank, world_size=2, timeout=wait)
        try:
            results = {softmax: self._fit(setting, softmax) for softmax in SOFTMAXES}
            results["by one"] = self._fit(setting, "exact", "by one")
            network = setting.network()
            share_tables(network, World.here(), CPU)
            told = [list(map(len, (network.consumption.bias, network.consumption.decoder))), setting.laws(network)]
            torch.save([*told, list(losses(network))], self.folder / f"asked {self.rank}")
        finally:
            distributed.destroy_process_group()
        return results

    def _fit(self, setting: Setting, softmax: str, name: str = "") -> TrainingResult:
        where = self.folder / (name if name else softmax)
        return setting.fit(setting.network(), where, softmax=softmax, item_tables="sharded")


@pytest.fixture(scope="module")
def setting(small_config: Config) -> Setting:
    return Setting(small_config)


@pytest.fixture(scope="module")
def ended(
    small_config: Config, setting: Setting, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, TrainingResult]]:
    """The folder of two processes that shared tables, and the courses of their runs."""
    folder = tmp_path_factory.mktemp("shared")
    with pytest.raises(KeyboardInterrupt):
        setting.fit(setting.network(), folder / "by one", StopAfter(), softmax="exact")
    other = multiprocessing.get_context("spawn").Process(target=Shared(1, folder, small_config).run)
    other.start()
    results = Shared(0, folder, small_config).run()
    other.join()
    assert other.exitcode == 0
    return folder, results


@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_the_model_is_that_of_one_process(
    setting: Setting, ended: tuple[Path, dict[str, TrainingResult]], softmax: str
) -> None:
    folder, results = ended
    network = setting.network()
    course, joint = setting.fit(network, softmax=softmax), results[softmax]
    assert (joint.best_epoch, joint.softmax) == (course.best_epoch, softmax)
    for one, two in zip(course.epochs, joint.epochs, strict=True):
        assert two.loss_consume == pytest.approx(one.loss_consume, rel=1e-5)
        assert two.loss_rating == pytest.approx(one.loss_rating, rel=1e-5)
        assert two.validation == pytest.approx(one.validation, rel=1e-4)
    found = dict(best_weights(folder / softmax))
    assert found.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert torch.allclose(found[name], value, atol=1e-5), name


def test_a_run_of_one_process_goes_on_in_two_and_that_of_two_in_one(
    setting: Setting, ended: tuple[Path, dict[str, TrainingResult]]
) -> None:
    folder, results = ended
    whole, again = setting.network(), setting.network()
    setting.fit(whole, softmax="exact")
    assert [epoch.number for epoch in results["by one"].epochs] == [1, 2, 3]
    finished = setting.fit(again, folder / "by one", softmax="exact")
    assert len(finished.epochs) == 3, "nothing was left to do"
    for name, value in whole.state_dict().items():
        assert torch.allclose(again.state_dict()[name], value, atol=1e-5), name
    of_two, of_one = read_checkpoint(folder / "exact").optimizer, read_checkpoint(folder / "by one").optimizer
    assert {n: {k: v.shape for k, v in s.items()} for n, s in of_two.items()} == {
        n: {k: v.shape for k, v in s.items()} for n, s in of_one.items()
    }


def test_all_processes_answer_alike_and_each_has_the_gradient_of_its_rows(
    setting: Setting, ended: tuple[Path, dict[str, TrainingResult]]
) -> None:
    network = setting.network()
    laws, expected = setting.laws(network), list(losses(network))
    told = [torch.load(ended[0] / f"asked {rank}", weights_only=True) for rank in range(2)]
    assert [rows for rows, _, _ in told] == [[11, 11], [12, 12]]
    for _, theirs, _ in told:
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(theirs, laws, strict=True))
    for one, first, second in zip(expected, told[0][2], told[1][2], strict=True):
        for alike in range(3):  # loss, z, repeat
            assert torch.allclose(first[alike], one[alike], atol=1e-5)
            assert torch.allclose(second[alike], one[alike], atol=1e-5)
        for rows in range(3, 5):  # bias, decoder
            assert torch.allclose(torch.cat([first[rows], second[rows]]), one[rows], atol=1e-5)


@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_what_training_takes(setting: Setting, ended: tuple[Path, dict[str, TrainingResult]], softmax: str) -> None:
    network, lean = setting.network(), softmax == "sampled"
    sizes = {name: value.numel() for name, value in network.named_parameters()}
    weights, tables = sum(sizes.values()), sum(sizes[name] for name in network.item_tables())
    sparse = tables - sizes["consumption.bias"] if lean else 0
    states = read_checkpoint(ended[0] / softmax).optimizer.values()
    kept = sum(v.numel() for state in states for name, v in state.items() if name != "step")
    fixed = sum(value.numel() for value in network.parameters() if not value.requires_grad)
    assert training_bytes(network, lean=lean) == 8 * weights + 4 * (weights - fixed - sparse) + 4 * kept
    if not lean:
        by_row = [module.table for module in network.modules() if isinstance(module, Encoder)]
        saved = 4 * sum(table.numel() - len(table.flatten(0, 1)) for table in by_row)
        halved = 10 * tables - saved // 2
        assert training_bytes(network, 2, lean=lean) == 20 * (weights - tables) - 12 * fixed + halved


def test_whole_tables_where_they_fit(setting: Setting) -> None:
    chosen = choose_tables(setting.network(), setting.config, 2)
    assert not chosen.sharded
    assert chosen.told == (
        "item tables whole on each of 2 workers: weights, gradients and optimiser take 0 MiB, train.memory_mb is 8,192"
    )
    assert part_of(setting.network()) is None


def wide(setting: Setting) -> Network:
    """A network that needs more than a MiB."""
    model = setting.model.model_copy(update={"embedding_dim": 1280})
    return Network(model, Statistics.of(setting.known, setting.types))


def test_sharded_where_they_do_not_fit(setting: Setting) -> None:
    network, small = wide(setting), setting.config.model_copy(update={"memory_mb": 2})
    assert choose_tables(network, small, 1).sharded is False, "one process has nobody to share with"
    chosen = choose_tables(network, small, 2)
    assert chosen == (
        True,
        "item tables sharded over 2 workers, 1 MiB on each: weights, gradients and optimiser take 2 MiB, "
        "train.memory_mb is 2",
    )
    assert not choose_tables(network, small.model_copy(update={"item_tables": "whole"}), 2).sharded


@pytest.mark.parametrize(
    ("settings", "workers", "message"),
    [
        ({"item_tables": "sharded"}, 1, "train.item_tables = sharded: this is one process; expected --workers 2"),
        ({"item_tables": "sharded"}, 24, "item tables cannot be sharded: 23 items for 24 workers; expected an item"),
        ({"item_tables": "sharded", "denoise": "idl"}, 2, "with train.denoise = idl; expected none, or train.item_ta"),
        (
            {"item_tables": "sharded", "spectral_penalty": 0.5},
            2,
            "with train.spectral_penalty = 0.5 and train.distance_penalty = 0; expected 0, or train.item_tables=whole",
        ),
        ({"memory_mb": 1}, 2, "1 MiB on each of 2 workers is still more; expected more workers or memory"),
    ],
)
def test_what_is_refused(setting: Setting, settings: dict[str, object], workers: int, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        choose_tables(wide(setting), setting.config.model_copy(update=settings), workers)


def test_one_process_cannot_share(setting: Setting) -> None:
    network = setting.network()
    with pytest.raises(TrainingError, match="this is one process"):
        setting.fit(network, item_tables="sharded")
    assert isinstance(network.consumption.held, AllItems)
