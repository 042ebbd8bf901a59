"""Inverse learning in the training of the law: the term, the trial, the warm-up, and what they leave as it was."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from conv4rec.config import Config, TrainConfig, override
from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.data.split import split
from conv4rec.denoising import CollapseWarning, inverse_dual_loss
from conv4rec.errors import ConfigError, TrainingError
from conv4rec.evaluation import Validation
from conv4rec.model.batch import Batch
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.model.statistics import Statistics
from conv4rec.training import Epoch, Silent, TrainingResult, train
from conv4rec.training.adam import Adam
from conv4rec.training.source import Share
from conv4rec.training.unlabelled import UnlabelledTerm, find_law_collapse, log_ratios
from conv4rec.training.world import World

CPU = torch.device("cpu")


class Setting:
    """The checkerboard, split, in index space."""

    def __init__(self, ratings: Ratings, config: Config) -> None:
        parts, vocabulary = split(ratings, config.split), ratings.vocabulary()
        self.config, self.types = config, vocabulary.types
        self.train = Interactions.from_ratings(parts.train, vocabulary)
        self.validation = Validation.of(parts.validation, vocabulary)

    def network(self) -> Network:
        torch.manual_seed(7)
        return Network(self.config.model, Statistics.of(self.train, self.types))

    def term(self, network: Network, **changes: object) -> UnlabelledTerm:
        config = TrainConfig.model_validate({"denoise": "idl", "denoise_weight": 1.0, "denoise_warmup": 0} | changes)
        learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
        optimizer = Adam([{"params": learned, "weight_decay": 0.0}], lr=0.01)
        term = UnlabelledTerm(network.consumption, optimizer, config, World(), n_epochs=9)
        term.begin(1)
        return term

    def run(self, network: Network, **changes: object) -> TrainingResult:
        passed = {key: changes.pop(key) for key in ("checkpoint", "resume", "listener") if key in changes}
        config = TrainConfig.model_validate(
            self.config.train.model_dump() | {"epochs": 4, "denoise_warmup": 2} | changes
        )
        return train(network, self.train, self.types, config, validation=self.validation, **passed)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def setting(checkerboard: Ratings, small_config: Config) -> Setting:
    return Setting(checkerboard, small_config)


def test_the_logit_is_the_law_over_a_uniform_draw(setting: Setting) -> None:
    network = setting.network()
    predictions = NetworkPredictor(network, setting.types).predict(setting.train)
    items = torch.arange(setting.train.n_items)
    with torch.no_grad():
        found = log_ratios(network.consumption, Batch.of(setting.train, CPU), items).numpy()
    free = np.ones_like(found, dtype=bool)
    free[setting.train.users, setting.train.items] = False
    expected = predictions.log_p_consume + math.log(setting.train.n_items)
    assert found[free] == pytest.approx(expected[free], abs=1e-4)


def test_the_term_is_the_inverse_dual_loss_of_what_is_not_taken(setting: Setting) -> None:
    """All 24 items are among the 256 drawn."""
    network = setting.network()
    predictions = NetworkPredictor(network, setting.types).predict(setting.train)
    free = np.ones(predictions.log_p_consume.shape, dtype=bool)
    free[setting.train.users, setting.train.items] = False
    logits = torch.from_numpy(predictions.log_p_consume[free]) + math.log(setting.train.n_items)
    expected = inverse_dual_loss(logits).item() * free.mean()
    torch.manual_seed(0)
    found = setting.term(network)(Share(Batch.of(setting.train, CPU), setting.train.n_users))
    assert torch.as_tensor(found).item() == pytest.approx(expected, rel=1e-4)


def test_the_shares_of_a_batch_add_up(setting: Setting) -> None:
    network, n_users, found = setting.network(), setting.train.n_users, []
    for users in (np.arange(n_users), np.arange(20), np.arange(20, n_users)):
        torch.manual_seed(0)
        share = Share(Batch.of(setting.train.select(users), CPU), n_users)
        found.append(torch.as_tensor(setting.term(network)(share)).item())
    assert found[0] == pytest.approx(found[1] + found[2], rel=1e-5)


def test_a_trial_moves_no_weight_further_than_its_length(setting: Setting) -> None:
    network = setting.network()
    before = [parameter.clone() for parameter in network.parameters()]
    torch.manual_seed(0)
    term = setting.term(network, denoise="ig", denoise_weight=0.5)
    assert term(Share(Batch.of(setting.train, CPU), setting.train.n_users)) == 0
    moved = [(now - then).abs().max().item() for now, then in zip(network.parameters(), before, strict=True)]
    names = [name for name, _ in network.named_parameters()]
    assert max(moved) <= 0.005 + 1e-6
    assert all(length == 0 for name, length in zip(names, moved, strict=True) if name.startswith("rating"))


@pytest.mark.parametrize("denoise", ["idl", "ig"])
def test_nothing_differs_before_the_warm_up_has_ended(setting: Setting, denoise: str) -> None:
    plain, other = setting.run(setting.network()), setting.run(setting.network(), denoise=denoise)
    assert [e.validation for e in plain.epochs[:2]] == [e.validation for e in other.epochs[:2]]
    assert plain.epochs[2].validation != other.epochs[2].validation
    assert [bool(e.weights) for e in other.epochs] == [False, False, True, True]
    assert all(not e.weights for e in plain.epochs)
    assert other.epochs[-1].weights.keys() == {"mean", "q01", "q25", "q50", "q75", "q99"}


@pytest.mark.parametrize("denoise", ["idl", "ig"])
def test_the_law_stays_a_law_that_has_learned(setting: Setting, denoise: str) -> None:
    network = setting.network()
    result = setting.run(network, denoise=denoise, epochs=20)
    predictions = NetworkPredictor(network, setting.types).predict(setting.train)
    assert np.exp(predictions.log_p_consume).sum(axis=1) == pytest.approx(np.ones(setting.train.n_users), abs=1e-5)
    assert result.epochs[result.best_epoch - 1].validation["recall@20"] > 0.95


class StopAfter(Silent):
    def on_epoch(self, epoch: Epoch, *, is_best: bool) -> None:  # noqa: ARG002
        if epoch.number == 3:
            raise KeyboardInterrupt


def test_a_stopped_run_goes_on_to_the_same_model(setting: Setting, tmp_path: Path) -> None:
    unbroken, broken, again = (setting.network() for _ in range(3))
    whole = setting.run(unbroken, denoise="ig")
    with pytest.raises(KeyboardInterrupt):
        setting.run(broken, denoise="ig", checkpoint=tmp_path / "c", listener=StopAfter())
    result = setting.run(again, denoise="ig", checkpoint=tmp_path / "c", resume=True)
    weights, others = unbroken.state_dict(), again.state_dict()
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert [e.weights for e in result.epochs] == [e.weights for e in whole.epochs]


@pytest.mark.parametrize(
    ("validation", "told"),
    [
        ({"nll_consume": 3.2, "auc": 0.9}, "validation costs 3.20 nats an interaction, 3.18 if all items were alike"),
        ({"nll_consume": math.nan}, "validation costs nan nats an interaction, 3.18 if all items were alike"),
        ({"nll_consume": 3.0, "auc": 0.5}, "the AUC of validation is 0.500, which is chance"),
        ({"nll_consume": 3.0, "auc": 0.51}, None),
        ({}, None),
    ],
)
def test_a_law_that_is_worse_than_knowing_nothing(validation: dict[str, float], told: str | None) -> None:
    assert find_law_collapse(validation, 24) == told


def test_without_an_anchor_it_collapses_and_says_so_once(setting: Setting) -> None:
    """From the first epoch on and a thousand times the weight, it believes what it happened to start with."""
    message = r"train.denoise = idl has collapsed: validation costs .* nats .* Try a smaller train.denoise_weight"
    with pytest.warns(CollapseWarning, match=message) as heard:
        setting.run(setting.network(), denoise="idl", denoise_weight=1000.0, denoise_warmup=0, epochs=6)
    assert len(heard) == 1


def test_a_warm_up_leaves_an_epoch(setting: Setting) -> None:
    with pytest.raises(TrainingError, match=r"train.denoise_warmup = 4 leaves no epoch of 4 to ig: expected fewer"):
        setting.run(setting.network(), denoise="ig", denoise_warmup=4)


def test_the_sampled_softmax_has_no_gradients_of_whole_tables(setting: Setting) -> None:
    with pytest.raises(TrainingError, match="train.denoise = idl: needs train.softmax = exact; sampled moves"):
        setting.run(setting.network(), denoise="idl", softmax="sampled")


def test_it_is_a_setting_of_training_like_any_other() -> None:
    config = override(Config(), ["train.denoise=ig", "train.denoise_weight=0.5"])
    assert (config.train.denoise, config.train.denoise_weight) == ("ig", 0.5)
    with pytest.raises(ConfigError, match="setting train.denoise: Input should be 'none', 'idl' or 'ig'; got 'both'"):
        override(Config(), ["train.denoise=both"])
