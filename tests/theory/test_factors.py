"""A network read as matrices: norms by another road, and sensitivities that no change of the weights exceeds."""

import math

import numpy as np
import pytest
import torch

from conv4rec.data.interactions import Interactions
from conv4rec.model.batch import Batch
from conv4rec.model.network import Network
from conv4rec.recommender import Conv4Rec
from conv4rec.theory.bounds import Factors
from conv4rec.theory.certificate import factors_of, initial_network
from conv4rec.theory.factors import consumption_input_norm, rating_input_norms


@pytest.fixture(scope="module")
def known(simulated: Conv4Rec) -> Interactions:
    found = simulated._fitted.histories
    assert found is not None
    return found


@pytest.fixture(scope="module")
def networks(simulated: Conv4Rec) -> tuple[Network, Network]:
    return simulated.predictor.network, initial_network(simulated)


@pytest.fixture(scope="module")
def factors(networks: tuple[Network, Network], known: Interactions) -> tuple[Factors, ...]:
    return factors_of(*networks, known)


def svd(matrix: torch.Tensor) -> float:
    return float(np.linalg.norm(matrix.detach().double().numpy(), 2))


def test_norms_of_the_consumption_path(networks: tuple[Network, Network], factors: tuple[Factors, ...]) -> None:
    path, start = networks[0].consumption.requires_grad_(False), networks[1].consumption.requires_grad_(False)
    convolution, encoder, decoder = factors[0].chain
    assert convolution.spectral == pytest.approx(svd(path.convolution), rel=1e-3)
    assert encoder.spectral == pytest.approx(
        svd(torch.vstack([path.encoder.table.flatten(0, -2), path.encoder.bias])), rel=1e-3
    )
    moved = (path.encoder.table - start.encoder.table).flatten(0, -2).detach().double().square().sum(0)
    moved = moved + (path.encoder.bias - start.encoder.bias).detach().double().square()
    assert encoder.distance == pytest.approx(float(moved.sqrt().sum()))
    assert decoder.spectral == pytest.approx(float(path.decoder.norm(dim=1).max()))
    assert decoder.distance == pytest.approx(float((path.decoder - start.decoder).norm()))
    assert factors[0].offsets[0].radius == pytest.approx(float(path.bias.max() - path.bias.min()) / 2)


def test_norms_of_the_rating_path(networks: tuple[Network, Network], factors: tuple[Factors, ...]) -> None:
    path, start = networks[0].rating, networks[1].rating
    assert path is not None
    assert start is not None
    path, start = path.requires_grad_(False), start.requires_grad_(False)
    convolution, _, decoder, output = factors[1].chain
    assert convolution.spectral == pytest.approx(svd(torch.vstack([path.convolution, path.deviation])), rel=1e-3)
    assert decoder.spectral == pytest.approx(max(svd(block) for block in path.decoder), rel=1e-5)
    by_channel = (path.decoder - start.decoder).detach().double().square().sum((0, 2)).sqrt()
    assert decoder.distance == pytest.approx(float(by_channel.sum()))
    assert output.spectral == pytest.approx(float(path.output.norm(dim=0).max()))


def test_an_input_without_repeats_has_length_one(known: Interactions) -> None:
    assert consumption_input_norm(known) == 1.0
    thrice = Interactions.from_triples(
        np.zeros(4, np.int32), np.array([1, 1, 1, 0], np.int32), np.zeros(4, np.uint8), n_users=1, n_items=2
    )
    assert consumption_input_norm(thrice) == pytest.approx(math.sqrt(3))


def test_the_rating_input_by_hand(networks: tuple[Network, Network], known: Interactions) -> None:
    path = networks[0].rating
    assert path is not None
    batch = Batch.of(known, torch.device("cpu"))
    squares = 1 + path.deviations(batch).square().sum(1)  # no pair occurs twice
    total = torch.zeros(known.n_users).index_add_(0, batch.rows, squares)
    longest = float((total / batch.counts.clamp(min=1)).sqrt().max())
    shifts = path.encode(batch).shift.norm(dim=1)
    assert rating_input_norms(path, known) == pytest.approx((longest, float(shifts.max())), rel=1e-5)


@pytest.mark.parametrize("place", range(3))
def test_no_change_of_a_matrix_moves_a_loss_further_than_its_sensitivity(
    networks: tuple[Network, Network], factors: tuple[Factors, ...], known: Interactions, place: int
) -> None:
    path, layer = networks[0].consumption, factors[0].layers[place]
    weights = (path.convolution, path.encoder.table, path.decoder)[place]
    batch = Batch.of(known, torch.device("cpu"))
    step = torch.randn(weights.shape, generator=torch.Generator().manual_seed(0)) * 1e-3
    with torch.no_grad():
        before = torch.log_softmax(path(batch), dim=1)
        weights.add_(step)
        moved = (torch.log_softmax(path(batch), dim=1) - before).abs().max()
        weights.sub_(step)
    size = float(step.norm(dim=1).max()) if layer.matrix.n_outputs else svd(step.flatten(0, -2))
    assert 0 < float(moved) <= layer.sensitivity * layer.input_norm * size
