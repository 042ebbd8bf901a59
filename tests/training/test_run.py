"""Training: learns, repeats itself to the bit, goes on where it was stopped, and stops when it must."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conv4rec.config import Config, TrainConfig, make_config
from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.data.split import split
from conv4rec.errors import TrainingError
from conv4rec.evaluation import Validation
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.model.statistics import Statistics
from conv4rec.training import Epoch, Silent, TrainingResult, choose_device, train
from conv4rec.training.run import _Run
from conv4rec.training.schedule import choose_batch_size, choose_softmax, make_optimizer
from conv4rec.vocabulary import InteractionTypes

Weights = dict[str, torch.Tensor]


class Setting:
    """The checkerboard, split, in index space."""

    def __init__(self, ratings: Ratings, config: Config) -> None:
        parts, vocabulary = split(ratings, config.split), ratings.vocabulary()
        self.config, self.types = config, vocabulary.types
        self.train = Interactions.from_ratings(parts.train, vocabulary)
        self.validation = Validation(
            Interactions.from_ratings(parts.validation.history, vocabulary),
            Interactions.from_ratings(parts.validation.targets, vocabulary),
        )

    def network(self) -> Network:
        torch.manual_seed(7)
        return Network(self.config.model, Statistics.of(self.train, self.types))

    def run(self, network: Network, *, validation: bool = True, **changes: object) -> TrainingResult:
        passed = {key: changes.pop(key) for key in ("checkpoint", "resume", "listener") if key in changes}
        config = TrainConfig.model_validate(self.config.train.model_dump() | changes)
        held_out = self.validation if validation else None
        return train(network, self.train, self.types, config, validation=held_out, **passed)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def setting(checkerboard: Ratings, small_config: Config) -> Setting:
    return Setting(checkerboard, small_config)


def same(a: Weights, b: Weights) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_checkerboard_is_learned(setting: Setting) -> None:
    network = setting.network()
    result = setting.run(network)
    predictions = NetworkPredictor(network, setting.types).predict(setting.train)
    users, items = np.indices(predictions.log_p_consume.shape)
    unseen = np.ones(users.shape, dtype=bool)
    unseen[setting.train.users, setting.train.items] = False
    own = (users + items) % 2 == 0
    p = np.exp(predictions.log_p_consume)
    assert (np.where(own & unseen, p, 1).min(1) > np.where(own, 0, p).max(1)).all(), "own colour before the other"
    assert (p * (own & unseen)).sum(1).mean() > 0.95, "and nearly all of the probability"
    rating = predictions.p_rating_grid() @ setting.types.rating_values
    assert rating[own & (items < 12)].min() > 4.5
    assert rating[own & (items >= 12)].max() < 2.5
    best = result.epochs[result.best_epoch - 1].validation
    assert best["recall@20"] > 0.99
    assert best["rmse"] < 0.3


def test_the_same_seed_gives_the_same_model_to_the_bit(setting: Setting) -> None:
    networks = [setting.network() for _ in range(2)]
    results = [setting.run(network, epochs=4) for network in networks]
    assert same(networks[0].state_dict(), networks[1].state_dict())
    assert [e.validation for e in results[0].epochs] == [e.validation for e in results[1].epochs]


def test_another_seed_gives_another_model(setting: Setting) -> None:
    networks = [setting.network() for _ in range(2)]
    for seed, network in enumerate(networks):
        setting.run(network, epochs=2, seed=seed)
    assert not same(networks[0].state_dict(), networks[1].state_dict())


def test_training_leaves_the_callers_random_numbers_alone(setting: Setting) -> None:
    network = setting.network()
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    setting.run(network, epochs=1)
    assert torch.equal(torch.rand(2), expected)


class StopAfter(Silent):
    """Breaks a run off in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_batch(self, *, epoch: int, epochs: int, done: int, total: int, loss: float) -> None:  # noqa: ARG002
        if epoch == self.epoch:
            raise KeyboardInterrupt


def test_a_stopped_run_goes_on_to_the_same_model(setting: Setting, tmp_path: Path) -> None:
    unbroken, broken = setting.network(), setting.network()
    whole = setting.run(unbroken, epochs=6)
    with pytest.raises(KeyboardInterrupt):
        setting.run(broken, epochs=6, checkpoint=tmp_path / "c", listener=StopAfter(4))
    again = setting.network()
    heard: list[int] = []

    class Count(Silent):
        def on_epoch(self, epoch: Epoch, *, is_best: bool) -> None:  # noqa: ARG002
            heard.append(epoch.number)

    result = setting.run(again, epochs=6, checkpoint=tmp_path / "c", resume=True, listener=Count())
    assert heard == [4, 5, 6]
    assert same(again.state_dict(), unbroken.state_dict())
    assert [e.validation for e in result.epochs] == [e.validation for e in whole.epochs]


def test_a_finished_run_has_nothing_to_go_on_with(setting: Setting, tmp_path: Path) -> None:
    first, second = setting.network(), setting.network()
    setting.run(first, epochs=2, checkpoint=tmp_path / "c")
    setting.run(second, epochs=2, checkpoint=tmp_path / "c", resume=True)
    assert same(first.state_dict(), second.state_dict())


def test_a_checkpoint_of_another_run_is_refused(setting: Setting, tmp_path: Path) -> None:
    setting.run(setting.network(), epochs=2, checkpoint=tmp_path / "c")
    with pytest.raises(TrainingError, match="the checkpoint is of a run with other data or settings"):
        setting.run(setting.network(), epochs=2, seed=1, checkpoint=tmp_path / "c", resume=True)


def test_a_checkpoint_of_another_network_is_refused(setting: Setting, tmp_path: Path) -> None:
    setting.run(setting.network(), epochs=2, checkpoint=tmp_path / "c")
    for change in ({"embedding_dim": 4}, {"dropout": 0.5}):
        config = setting.config.model.model_copy(update=change)
        other = Network(config, Statistics.of(setting.train, setting.types))
        with pytest.raises(TrainingError, match="the checkpoint is of a run with other data or settings"):
            setting.run(other, epochs=2, checkpoint=tmp_path / "c", resume=True)


def test_a_figure_that_the_data_do_not_define_cannot_be_monitored(checkerboard: Ratings, small_config: Config) -> None:
    events = InteractionTypes.of((), rated=(), unrated=(None,))
    clicks = Setting(Ratings(checkerboard.frame.drop("rating"), events), small_config)
    with pytest.raises(TrainingError, match=r"train.monitor = rmse: not defined on these data; expected ndcg@20"):
        clicks.run(clicks.network(), epochs=1, monitor="rmse")


def test_without_resume_a_checkpoint_is_written_over(setting: Setting, tmp_path: Path) -> None:
    setting.run(setting.network(), epochs=2, seed=1, checkpoint=tmp_path / "c")
    assert len(setting.run(setting.network(), epochs=2, checkpoint=tmp_path / "c").epochs) == 2


def test_patience_ends_a_run_and_the_best_epoch_is_kept(setting: Setting) -> None:
    kept: list[Weights] = []
    network = setting.network()

    class Keep(Silent):
        def on_epoch(self, epoch: Epoch, *, is_best: bool) -> None:  # noqa: ARG002
            if is_best:
                kept.append({name: value.clone() for name, value in network.state_dict().items()})

    result = setting.run(network, epochs=200, patience=3, learning_rate=0.05, listener=Keep())
    figures = [epoch.validation["nll"] for epoch in result.epochs]
    assert len(figures) == result.best_epoch + 3 < 200
    assert min(figures) == figures[result.best_epoch - 1]
    assert same(network.state_dict(), kept[-1])


@pytest.mark.parametrize(("monitor", "choose"), [("ndcg@20", max), ("rmse", min), ("nll_consume", min)])
def test_the_monitored_figure_decides(setting: Setting, monitor: str, choose: Callable[[list[float]], float]) -> None:
    result = setting.run(setting.network(), epochs=12, monitor=monitor)
    figures = [epoch.validation[monitor] for epoch in result.epochs]
    assert figures[result.best_epoch - 1] == choose(figures)


def test_without_validation_every_epoch_is_run_and_the_last_kept(setting: Setting) -> None:
    result = setting.run(setting.network(), validation=False, epochs=5, patience=1)
    assert (len(result.epochs), result.best_epoch) == (5, 5)


def test_a_loss_that_is_not_a_number_stops_the_run(setting: Setting) -> None:
    network = setting.network()
    with torch.no_grad():
        network.consumption.bias[3] = torch.nan
    with pytest.raises(TrainingError, match=r"epoch 1: the loss is nan; lower train.learning_rate \(now 0.02\)"):
        setting.run(network)


def test_the_weight_of_the_rating_part(setting: Setting) -> None:
    """With weight 0 the rating path gets no gradient, and weight decay alone moves its tables."""
    network = setting.network()
    before = network.rating.histogram.clone() if network.rating is not None else None
    setting.run(network, epochs=2, rating_weight=0.0)
    assert before is not None
    assert network.rating is not None
    assert torch.equal(network.rating.histogram, before)


def test_the_penalty_falls_on_the_tables_alone(setting: Setting) -> None:
    network = setting.network()
    optimizer = make_optimizer(network, TrainConfig(weight_decay=2.0, rating_weight_decay=1.0), 16)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    decays = {names[id(p)]: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {name: decay for name, decay in decays.items() if decay} == {
        "consumption.encoder.table": 0.5,
        "consumption.decoder": 0.5,
        "rating.encoder.table": 0.25,
        "rating.decoder": 0.25,
    }
    assert decays.keys() == {name for name, parameter in network.named_parameters() if parameter.requires_grad}


def test_a_device_that_is_not_there() -> None:
    assert choose_device("cpu").type == "cpu"
    with pytest.raises(TrainingError, match="device 'cuda:99' cannot be used here"):
        choose_device("cuda:99")
    with pytest.raises(TrainingError, match="device 'toaster' cannot be used here"):
        choose_device("toaster")


@pytest.mark.parametrize(
    ("wanted", "n_users", "size"), [(None, 100, 32), (None, 943, 58), (None, 6040, 256), (7, 99, 7)]
)
def test_the_size_of_a_batch(wanted: int | None, n_users: int, size: int) -> None:
    assert choose_batch_size(wanted, n_users) == size


def test_gradients_that_a_network_comes_with_have_no_part(setting: Setting) -> None:
    clean, marked = setting.network(), setting.network()
    for parameter in marked.parameters():
        parameter.grad = torch.ones_like(parameter)
    for network in (clean, marked):
        setting.run(network, epochs=1)
    found, expected = marked.state_dict(), clean.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    assert all(parameter.grad is None for parameter in marked.parameters())


@pytest.mark.parametrize(("rating_mask", "alike"), [(None, True), (0.6, False)])
def test_both_paths_predict_the_same_interactions_unless_told_otherwise(
    setting: Setting, rating_mask: float | None, alike: bool
) -> None:
    config = setting.config.train.model_copy(update={"mask": 0.3, "rating_mask": rating_mask})
    run = _Run(setting.network(), setting.train, setting.types, config, None)
    for share in run.data.shares(9, run.users):
        _, consumed, _, rated = run.step(share).tolist()
        assert (consumed == rated) == alike
        assert 0 < consumed < len(share.batch.rows)


def test_the_decoder_lies_by_columns_while_it_is_trained(setting: Setting) -> None:
    for softmax in ("exact", "sampled"):
        network = setting.network()
        config = setting.config.train.model_copy(update={"softmax": softmax})
        run = _Run(network, setting.train, setting.types, config, None)
        decoder = network.consumption.decoder
        assert decoder.stride() == ((1, len(decoder)) if softmax == "exact" else (decoder.shape[1], 1))
        run.run_epoch(Silent())
        run.close()
        assert network.consumption.decoder.is_contiguous()


def test_bfloat16_products_learn_too(setting: Setting) -> None:
    result = setting.run(setting.network(), precision="bfloat16", epochs=30)
    assert result.epochs[-1].validation["recall@20"] > 0.95


def test_config_of_training_is_checked() -> None:
    with pytest.raises(ValueError, match="setting train.mask: Input should be less than 1"):
        make_config({"train": {"mask": 1.5}})


@pytest.mark.parametrize(
    ("wanted", "n_items", "chosen"),
    [("auto", 200_000, "exact"), ("auto", 200_001, "sampled"), ("sampled", 3, "sampled"), ("exact", 10**7, "exact")],
)
def test_the_softmax_is_chosen_by_the_number_of_items(wanted: str, n_items: int, chosen: str) -> None:
    assert choose_softmax(wanted, n_items) == chosen


def test_a_sampled_softmax_learns_the_checkerboard_too(setting: Setting) -> None:
    """Not as sharply: rows move without momentum, and the normaliser is an estimate."""
    exact, network, lean = setting.run(setting.network()), setting.network(), set()
    for name in network.item_tables():
        network.get_parameter(name).register_hook(  # type: ignore[no-untyped-call]
            lambda gradient, name=name: lean.add(name) if gradient.is_sparse else None
        )
    start = setting.run(setting.network(), epochs=1, learning_rate=1e-9).epochs[0].validation["nll_consume"]
    sampled = setting.run(network, softmax="sampled", draws=20)
    best = (min(epoch.validation["nll_consume"] for epoch in result.epochs) for result in (exact, sampled))
    by_exact, by_sampled = best
    assert (exact.softmax, sampled.softmax) == ("exact", "sampled")
    assert by_sampled < by_exact + 0.3 * (start - by_exact)
    assert lean == {
        f"{path}.{table}" for path in ("consumption", "rating") for table in ("encoder.table", "decoder")
    } | {"rating.bias"}


def test_a_sampled_run_goes_on_where_it_was_stopped(setting: Setting, tmp_path: Path) -> None:
    class Stop(Silent):
        def on_epoch(self, epoch: Epoch, *, is_best: bool) -> None:  # noqa: ARG002
            if epoch.number == 2:
                raise KeyboardInterrupt

    changes: dict[str, Any] = {"softmax": "sampled", "epochs": 4}
    unbroken, resumed = setting.network(), setting.network()
    setting.run(unbroken, **changes)
    with pytest.raises(KeyboardInterrupt):
        setting.run(setting.network(), checkpoint=tmp_path / "c", listener=Stop(), **changes)
    setting.run(resumed, checkpoint=tmp_path / "c", resume=True, **changes)
    assert same(unbroken.state_dict(), resumed.state_dict())
