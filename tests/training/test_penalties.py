"""Penalties are the norms that the bound is made of, and cost nothing where they are not asked for."""

import numpy as np
import pytest
import torch

from conv4rec.config import Config, TrainConfig, override
from conv4rec.data.parts import Parts
from conv4rec.data.ratings import Ratings
from conv4rec.data.split import split
from conv4rec.model.initial import draw_network
from conv4rec.model.network import Network
from conv4rec.model.statistics import Statistics
from conv4rec.recommender import Conv4Rec
from conv4rec.theory.certificate import factors_of, initial_network
from conv4rec.training.penalties import Penalty, distance, spectral
from conv4rec.vocabulary import InteractionTypes


@pytest.fixture
def network(small_config: Config) -> Network:
    return draw_network(small_config, Statistics.blank(9, InteractionTypes.of([1, 2, 3])))


def test_without_weights_there_is_no_penalty_and_no_copy(network: Network) -> None:
    penalty = Penalty(network, TrainConfig())
    assert penalty() == 0.0
    assert penalty.start == {}


def test_the_spectral_norm_is_about_that_of_the_svd() -> None:
    table = torch.randn(7, 3, 5, generator=torch.Generator().manual_seed(0))
    expected = np.linalg.norm(table.reshape(21, 5).numpy(), 2)
    assert 0.98 * expected < float(spectral(table)) <= expected * 1.00001
    assert float(spectral(torch.zeros(3, 2))) == 0.0


def test_a_network_that_did_not_move_pays_no_distance_and_has_a_gradient(network: Network) -> None:
    total = Penalty(network, TrainConfig(distance_penalty=2.0))()
    assert isinstance(total, torch.Tensor)
    assert float(total.detach()) == 0.0
    torch.autograd.backward(total)
    gradient = network.consumption.encoder.table.grad
    assert gradient is not None
    assert gradient.isfinite().all()


def test_distances_by_hand() -> None:
    moved = torch.tensor([[3.0, 0.0], [4.0, 2.0]])
    assert float(distance(moved, "consumption.convolution")) == pytest.approx(5 + 2)
    assert float(distance(moved, "consumption.decoder")) == pytest.approx(29**0.5)
    assert float(distance(moved[:, None], "rating.encoder.table")) == pytest.approx(5 + 2)
    assert float(distance(moved[:, :, None], "rating.decoder")) == pytest.approx(5 + 2)


@pytest.mark.parametrize("setting", ["spectral_penalty", "distance_penalty"])
def test_what_is_penalised_is_smaller_after_training(checkerboard: Ratings, small_config: Config, setting: str) -> None:
    parts = Parts(split(checkerboard), checkerboard)
    found = []
    for weight in (0.0, 0.1):
        config = override(small_config, [f"train.{setting}={weight}", "train.epochs=3", "experts.neighbours=0"])
        model = Conv4Rec(override(config, ["experts.factors=[]"])).fit_split(parts.split, parts.known)
        known = model._known_histories()
        layers = factors_of(model.predictor.network, initial_network(model), known)[0].layers
        found.append(layers[1].matrix)
    name = "spectral" if setting == "spectral_penalty" else "distance"
    assert getattr(found[1], name) < 0.9 * getattr(found[0], name)
