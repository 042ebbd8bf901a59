"""Products of experts against their equations, and as a Predictor."""

import numpy as np
import pytest
import torch

from conv4rec.data.interactions import Interactions
from conv4rec.model.batch import Batch
from conv4rec.model.experts import ConsumptionExperts, Explained, RatingExperts, deviations
from conv4rec.model.factors import Factors
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.vocabulary import InteractionTypes
from tests.model.test_factors import some_factors
from tests.model.test_network import SHOP, TYPES, B, I, make_histories, make_network
from tests.predictor_contract import PredictorContract, some_histories

CPU = torch.device("cpu")


def some_explained(views: int, *, seed: int = 0) -> Explained:
    rng = np.random.default_rng(seed)
    explained = Explained((I, 3, views))
    near = [np.sort(rng.choice([i for i in range(I) if i != j], 3, replace=False)) for j in range(I)]
    explained.items = torch.from_numpy(np.array(near, dtype=np.int32))
    explained.weights = torch.from_numpy(rng.normal(size=(I, 3, views)).astype(np.float32))
    return explained


def make_blended(types: InteractionTypes) -> Network:
    network = make_network(types)
    network.consumption_experts = ConsumptionExperts(some_explained(1))
    network.consumption_experts.scalars = torch.tensor([-0.2, -2.0, -0.5, -3.0, 0.5])
    path = network.rating
    assert path is not None
    experts = RatingExperts(some_factors(I, 3), some_explained(2), path.value, path.rated, types.n_types)
    experts.scalars = torch.randn(len(experts.scalars), generator=torch.Generator().manual_seed(1)) * 0.4
    network.rating_experts = experts
    return network


def test_the_law_of_consumption_is_its_equation() -> None:
    network, histories = make_blended(TYPES), make_histories(TYPES)
    alone = NetworkPredictor(make_network(TYPES), TYPES).predict(histories).log_p_consume
    experts = network.consumption_experts
    assert experts is not None
    seen = np.zeros((B, I))
    seen[histories.users, histories.items] = 1.0
    W = np.zeros((I, I))
    for j in range(I):
        W[experts.explained.items[j].numpy(), j] = experts.explained.weights[j, :, 0].numpy()
    floor = np.exp(-2.0) * np.sqrt(np.maximum(histories.counts, 1) / 40)[:, None]
    logits = np.exp(-0.2) * np.log(floor + np.maximum(seen @ W, 0)) + np.exp(-0.5) * alone - 3.0 * seen
    expected = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert NetworkPredictor(network, TYPES).predict(histories).log_p_consume == pytest.approx(expected, abs=1e-4)


def test_the_law_of_ratings_is_its_equation() -> None:
    network, histories = make_blended(TYPES), make_histories(TYPES)
    alone = NetworkPredictor(make_network(TYPES), TYPES).predict(histories).type_law.grid()
    experts = network.rating_experts
    assert experts is not None
    batch = Batch.of(histories, CPU)
    state = experts.encode(batch)
    mean, variance = (x.numpy() for x in experts.factors.grid(state.users))
    user, item = (x.numpy() for x in experts.factors.biases(state.users))
    v, s = experts.value.numpy()[:3], experts.scalars.numpy()
    expected = np.empty((B, I, 3))
    for u in range(B):
        for i in range(I):
            near, weights = experts.explained.items[i].numpy(), experts.explained.weights[i].numpy()
            told = sum(float(state.views[k][u, near].numpy() @ weights[:, k]) for k in range(2))
            guess = float(np.exp(alone[u, i]) @ v)
            slope = s[2] * mean[u, i] + s[3] * (user[u] + item[i]) + s[4] * told + s[5] * guess
            gauss = (v - mean[u, i]) ** 2 / (2 * variance[u, i])
            expected[u, i] = s[0] * alone[u, i] - s[1] * gauss + slope * v + s[6:]
    expected -= np.log(np.exp(expected).sum(-1, keepdims=True))
    assert NetworkPredictor(network, TYPES).predict(histories).type_law.grid() == pytest.approx(expected, abs=1e-4)


def test_deviations_of_repeated_pairs_are_means() -> None:
    batch = Batch(torch.tensor([0, 0, 1]), torch.tensor([2, 2, 0]), torch.zeros(3, dtype=torch.int64), 2)
    beyond, rated = deviations(batch, torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0.5, 0.0]), torch.zeros(3))
    assert beyond.tolist() == [[0.0, 0.0, 1.5], [5.0, 0.0, 0.0]]
    assert rated.tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]


def test_what_has_no_rating_tells_nothing_of_ratings() -> None:
    network = make_blended(SHOP)
    experts = network.rating_experts
    assert experts is not None
    views = Interactions.from_triples(
        np.array([0, 0], np.int32), np.array([1, 2], np.int32), np.array([2, 2], np.uint8), n_users=1, n_items=I
    )
    assert SHOP.outcomes[2].rating is None
    state = experts.encode(Batch.of(views, CPU))
    assert not state.users.mean.any()
    assert not any(view.any() for view in state.views)


def test_neighbours_that_are_not_there_are_refused() -> None:
    explained = some_explained(1)
    explained.items[0, 0] = I
    with pytest.raises(ValueError, match=f"a neighbour is not one of {I} items"):
        explained.check(1)


def test_experts_of_another_shape_are_refused() -> None:
    """From a file anything may come, and compiled loops read without looking."""
    network = make_blended(TYPES)
    network.check()
    assert network.consumption_experts is not None
    assert network.rating_experts is not None
    network.rating_experts.explained = some_explained(1)
    with pytest.raises(ValueError, match="neighbours say 1 things of an item, expected 2"):
        network.check()
    network.rating_experts.explained = some_explained(2)
    network.consumption_experts.explained = some_explained(2)
    with pytest.raises(ValueError, match="neighbours say 2 things of an item, expected 1"):
        network.check()
    network.consumption_experts.explained = some_explained(1)
    network.rating_experts.factors = Factors(I, 0)
    with pytest.raises(ValueError, match="factors without a bias: expected one column at least"):
        network.check()


class TestBlended(PredictorContract):
    @pytest.fixture(params=[TYPES, SHOP], ids=["ratings", "shop"])
    def types(self, request: pytest.FixtureRequest) -> InteractionTypes:
        types = request.param
        assert isinstance(types, InteractionTypes)
        return types

    @pytest.fixture
    def predictor(self, types: InteractionTypes) -> NetworkPredictor:
        return NetworkPredictor(make_blended(types), types)

    @pytest.fixture
    def histories(self, types: InteractionTypes) -> Interactions:
        return some_histories(types, I)


def test_the_sums_of_one_user_or_of_some_items_are_those_of_all() -> None:
    explained = Explained((6, 3, 2))
    explained.items = torch.randint(0, 6, (6, 3), dtype=torch.int32)
    explained.weights = torch.randn(6, 3, 2)
    views = [torch.randn(4, 6), torch.randn(4, 6)]
    whole = explained.grid(views)
    mine = torch.stack([view[0][explained.items[2].long()] for view in views], dim=-1)  # (M, V)
    assert torch.allclose(whole[0, 2], (mine * explained.weights[2]).sum(), atol=1e-5)
    assert torch.allclose(explained.grid([view[:1] for view in views]), whole[:1], atol=1e-5)
    assert torch.allclose(explained.grid(views, 1, 4), whole[:, 1:4], atol=1e-5)
    assert torch.allclose(explained.grid([view[:1] for view in views], 1, 4), whole[:1, 1:4], atol=1e-5)
    rows, items = torch.tensor([0, 3]), torch.tensor([5, 1])
    assert torch.allclose(explained.pairs(views, rows, items), whole[rows, items], atol=1e-5)
