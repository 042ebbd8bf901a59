"""The network against its equations, and as a Predictor."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from conv4rec.config import ModelConfig
from conv4rec.data.interactions import Interactions
from conv4rec.model.batch import Batch
from conv4rec.model.network import ConsumptionPath, Network, RatingPath
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.model.statistics import Statistics
from conv4rec.vocabulary import InteractionTypes
from tests.predictor_contract import PredictorContract, some_histories

TYPES = InteractionTypes.of([1, 2, 3])
SHOP = InteractionTypes.of([1, 2], rated=["purchase"], unrated=["view"])
CONFIG = ModelConfig(embedding_dim=8, rating_embedding_dim=4, dropout=0.0)
B, I = 5, 6


def make_histories(types: InteractionTypes, *, seed: int = 0) -> Interactions:
    """Every channel, an empty user (the last), and a user with everything (the first)."""
    rng = np.random.default_rng(seed)
    cells = np.concatenate([np.arange(I), I + rng.choice(I * (B - 2), 12, replace=False)])
    users, items = np.divmod(cells, I)
    channels = rng.integers(types.n_channels, size=len(cells)).astype(np.uint8)
    return Interactions.from_triples(users.astype(np.int32), items.astype(np.int32), channels, n_users=B, n_items=I)


def make_network(types: InteractionTypes) -> Network:
    torch.manual_seed(0)
    network = Network(CONFIG, Statistics.of(make_histories(types), types))
    with torch.no_grad():  # away from the start, where parts of it are equal or zero
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network.eval()


def dense_input(histories: Interactions, types: InteractionTypes) -> Tensor:
    x = torch.zeros(B, I, types.n_channels)
    x[histories.users, histories.items.astype(int), histories.channels.astype(int)] = 1
    return x


def dense_encoder(x_a: Tensor, counts: Tensor, table: Tensor, bias: Tensor) -> Tensor:
    return torch.einsum("bic,icd->bd", x_a, table) / counts.clamp(min=1).sqrt()[:, None] + bias


def test_the_consumption_path_is_its_equation() -> None:
    path, histories = make_network(TYPES).consumption, make_histories(TYPES)
    x = dense_input(histories, TYPES)
    seen = x.sum(-1)
    z = torch.tanh(dense_encoder(x @ path.convolution, seen.sum(1), path.encoder.table, path.encoder.bias))
    expected = z @ path.decoder.T + path.bias + path.repeat * seen
    assert torch.allclose(path(Batch.of(histories, torch.device("cpu"))), expected, atol=1e-5)


def test_the_rating_path_is_its_equation() -> None:
    path, histories = make_network(TYPES).rating, make_histories(TYPES)
    assert path is not None
    x, k = dense_input(histories, TYPES), path.shrinkage
    rated = x[..., :3].sum(-1)  # (B, I)
    from_item = (x @ path.value - path.item_value) * rated
    user_value = from_item.sum(1) / (rated.sum(1) + k)
    from_both = (from_item - user_value[:, None]) * rated
    h = x @ path.convolution + torch.stack([from_both, from_item], -1) @ path.deviation
    z = torch.tanh(dense_encoder(h, x.sum((1, 2)), path.encoder.table, path.encoder.bias))
    counts = x[..., :3].sum(1)  # (B, L)
    histogram = (counts + k * path.log_histogram.exp()) / (counts.sum(1, keepdim=True) + k)
    shift = (histogram.log() - path.log_histogram) @ path.histogram
    O = torch.einsum("icd,bd->bic", path.decoder, z)
    expected = O @ path.output + path.bias + shift[:, None, :]
    style = path.encode(Batch.of(histories, torch.device("cpu")))
    assert torch.allclose(path.grid(style), expected, atol=1e-5)
    rows, items = torch.tensor([0, 4, 2]), torch.tensor([5, 0, 3])
    assert torch.allclose(path.pairs(style, rows, items), expected[rows, items], atol=1e-5)


@pytest.mark.parametrize("types", [TYPES, SHOP])
def test_in_training_the_paths_say_what_they_do_without(types: InteractionTypes) -> None:
    """What is compiled for a step, and what predictions are made by."""
    network, batch = make_network(types), Batch.of(make_histories(types), torch.device("cpu"))
    covers, rating = torch.from_numpy(types.covers), network.rating
    assert rating is not None
    trained, of_trained = rating.encode(batch), network.consumption.encode(batch)
    loss = rating.loss(trained, batch, covers)
    with torch.no_grad():
        plain = rating.encode(batch)
        assert torch.allclose(of_trained, network.consumption.encode(batch), atol=1e-6)
        assert torch.allclose(trained.z, plain.z, atol=1e-6)
        assert torch.allclose(trained.shift, plain.shift, atol=1e-6)
        assert loss.item() == pytest.approx(rating.loss(plain, batch, covers).item(), rel=1e-5)


@pytest.mark.parametrize("types", [TYPES, SHOP], ids=["ratings", "shop"])
def test_paths_that_mix_the_tables_first_say_the_same(types: InteractionTypes) -> None:
    """As they do without gradient, where interactions are more than pairs of a channel and an item."""
    rng, n = np.random.default_rng(0), 200
    users, items = (rng.integers(0, most, n).astype(np.int32) for most in (B, I))
    channels = rng.integers(types.n_channels, size=n).astype(np.uint8)
    batch = Batch.of(Interactions.from_triples(users, items, channels, n_users=B, n_items=I), torch.device("cpu"))
    network = make_network(types).requires_grad_(False)
    path = network.rating
    assert path is not None
    assert n > (len(path.convolution) + 2) * I
    z, style = network.consumption.encode(batch), path.encode(batch)  # gradients might be asked
    with torch.no_grad():
        assert torch.allclose(network.consumption.encode(batch), z, atol=1e-5)
        found = path.encode(batch)
    assert torch.allclose(found.z, style.z, atol=1e-5)
    assert torch.equal(found.shift, style.shift)


def test_renaming_the_items_renames_the_answer() -> None:
    """A 1x1 convolution knows no item: permuting items and their tables permutes the logits."""
    network, histories = make_network(TYPES), make_histories(TYPES)
    order = torch.randperm(I, generator=torch.Generator().manual_seed(1))
    renamed = make_network(TYPES)
    with torch.no_grad():
        for name in ("consumption.decoder", "consumption.bias", "rating.decoder", "rating.bias", "rating.item_value"):
            renamed.state_dict()[name][order] = network.state_dict()[name]
        for path in ("consumption", "rating"):
            old, new = (getattr(n, path).encoder.table for n in (network, renamed))
            new[order] = old
    items = order.numpy().astype(np.int32)[histories.items]
    moved = Interactions(histories.indptr, items, histories.channels, I)
    before, after = NetworkPredictor(network, TYPES).predict(histories), NetworkPredictor(renamed, TYPES).predict(moved)
    assert after.log_p_consume[:, order] == pytest.approx(before.log_p_consume, abs=1e-5)
    assert after.type_law.grid()[:, order] == pytest.approx(before.type_law.grid(), abs=1e-5)


def test_several_types_of_one_pair_add_up_and_count_once_as_seen() -> None:
    path = make_network(SHOP).consumption
    twice = Interactions(np.array([0, 2]), np.array([3, 3], np.int32), np.array([0, 2], np.uint8), I)
    h = path.convolution[0] + path.convolution[2]
    E = path.encoder.table[3]
    z = torch.tanh(h @ E / math.sqrt(2) + path.encoder.bias)
    expected = z @ path.decoder.T + path.bias
    expected[3] += path.repeat
    assert torch.allclose(path(Batch.of(twice, torch.device("cpu")))[0], expected, atol=1e-5)


def test_one_interaction_type_needs_no_rating_path() -> None:
    only = InteractionTypes.of((), rated=(), unrated=(None,))
    nothing = Interactions(np.zeros(3, np.int64), np.empty(0, np.int32), np.empty(0, np.uint8), I)
    network = Network(CONFIG, Statistics.of(nothing, only))
    assert network.rating is None
    predictions = NetworkPredictor(network, only).predict(nothing)
    assert predictions.type_law.grid().shape == (2, I, 1)
    assert predictions.type_law.pairs(np.array([0]), np.array([2])).tolist() == [[0.0]]


def test_an_unrated_interaction_has_no_deviation() -> None:
    path = make_network(TYPES).rating
    assert isinstance(path, RatingPath)
    unrated = Interactions(np.array([0, 1]), np.array([2], np.int32), np.array([3], np.uint8), I)
    style = path.encode(Batch.of(unrated, torch.device("cpu")))
    z = torch.tanh(path.convolution[3] @ path.encoder.table[2] + path.encoder.bias)
    assert torch.allclose(style.z[0], z, atol=1e-6)
    assert torch.allclose(style.shift, torch.zeros(1, 3), atol=1e-6)


def test_what_dropout_keeps_is_given() -> None:
    path = ConsumptionPath(ModelConfig(embedding_dim=8, dropout=0.5), Statistics.of(make_histories(TYPES), TYPES))
    batch = Batch.of(make_histories(TYPES), torch.device("cpu"))
    kept = torch.tensor([0.0, 2.0]).repeat(batch.n_rows, 4)
    assert torch.equal(path.encode(batch, kept), path.encode(batch) * kept)
    assert torch.equal(path.train()(batch), path.eval()(batch)), "nothing is drawn that was not asked for"


class TestContract(PredictorContract):
    """The network keeps the contract of every predictor, for each kind of interaction types."""

    tolerance = 1e-5

    @pytest.fixture(params=[TYPES, SHOP], ids=["ratings", "named"])
    def predictor(self, request: pytest.FixtureRequest) -> NetworkPredictor:
        return NetworkPredictor(make_network(request.param), request.param)

    @pytest.fixture
    def histories(self, predictor: NetworkPredictor) -> Interactions:
        return some_histories(predictor.types, I)


def test_a_batch_of_nobody_has_no_answer() -> None:
    network = make_network(TYPES)
    nobody = Batch.of(
        Interactions(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.uint8), I), torch.device("cpu")
    )
    assert network.rating is not None
    assert network.consumption(nobody).shape == (0, I)
    assert network.rating.grid(network.rating.encode(nobody)).shape == (0, I, 3)
