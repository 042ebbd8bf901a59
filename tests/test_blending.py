"""Experts beside a network: what they add on validation, when there are none, and that they are the same again."""

import copy

import numpy as np
import pytest
import torch

from conv4rec.blending import fit_experts
from conv4rec.config import Config, ExpertConfig, make_config
from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.data.simulator import SimulatorConfig, simulate
from conv4rec.data.split import split
from conv4rec.evaluation import Validation, validate
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.model.statistics import Statistics
from conv4rec.training import train
from conv4rec.vocabulary import InteractionTypes

SETTINGS = ExpertConfig(neighbours=20, factors=(4,), rating_neighbours=8, sweeps=10)


class World:
    """A simulated set, and a network trained on it for a few epochs."""

    def __init__(self, config: Config) -> None:
        ratings = simulate(SimulatorConfig(n_users=400, n_items=80, n_interactions=30, rank=4)).ratings
        parts, vocabulary = split(ratings, config.split), ratings.vocabulary()
        self.types: InteractionTypes = vocabulary.types
        self.train = Interactions.from_ratings(parts.train, vocabulary)
        self.validation = Validation.of(parts.validation, vocabulary)
        torch.manual_seed(0)
        self.network = Network(config.model, Statistics.of(self.train, self.types))
        train(self.network, self.train, self.types, config.train, validation=self.validation)

    def blended(self, settings: ExpertConfig = SETTINGS, *, seed: int = 0) -> Network:
        network = copy.deepcopy(self.network)
        fit_experts(network, self.train, self.types, settings, self.validation, seed=seed)
        return network

    def figures(self, network: Network) -> dict[str, float]:
        return validate(NetworkPredictor(network, self.types), self.validation)


@pytest.fixture(scope="module")
def world() -> World:
    return World(make_config({"train": {"epochs": 5, "device": "cpu"}, "model": {"embedding_dim": 16}}))


def test_experts_make_both_laws_better(world: World) -> None:
    alone, blended = world.figures(world.network), world.figures(world.blended())
    assert blended["nll_consume"] < alone["nll_consume"] - 0.005
    assert blended["nll_rating"] < alone["nll_rating"] - 0.005
    assert blended["rmse"] < alone["rmse"]


def test_each_part_can_be_left_out(world: World) -> None:
    alone, both = world.figures(world.network), world.figures(world.blended())
    consumption = world.blended(SETTINGS.model_copy(update={"factors": ()}))
    assert consumption.rating_experts is None
    assert world.figures(consumption)["nll_rating"] == alone["nll_rating"]
    assert world.figures(consumption)["nll_consume"] == both["nll_consume"]
    rating = world.blended(SETTINGS.model_copy(update={"neighbours": 0}))
    assert rating.consumption_experts is None
    assert world.figures(rating)["nll_consume"] == alone["nll_consume"]
    assert world.figures(rating)["nll_rating"] == both["nll_rating"]


def test_the_likelier_number_of_factors_stays(world: World) -> None:
    costs = {}
    for wanted in ((1,), (4,), (1, 4)):
        network = world.blended(SETTINGS.model_copy(update={"factors": wanted, "rating_neighbours": 0, "sweeps": 20}))
        assert network.rating_experts is not None
        costs[wanted] = world.figures(network)["nll_rating"]
    assert costs[1, 4] == min(costs[1,], costs[4,])


def test_the_same_seed_gives_the_same_experts(world: World) -> None:
    one, other = (world.blended().state_dict() for _ in range(2))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_without_targets_there_is_nothing_to_join_them_by(world: World) -> None:
    nobody = np.zeros(0, dtype=np.intp)
    nothing = Validation(world.validation.history.select(nobody), world.validation.targets.select(nobody))
    network = copy.deepcopy(world.network)
    fit_experts(network, world.train, world.types, SETTINGS, nothing)
    assert network.consumption_experts is None
    assert network.rating_experts is None


def test_one_interaction_type_has_no_rating_experts(checkerboard: Ratings, small_config: Config) -> None:
    events = InteractionTypes.of((), rated=(), unrated=(None,))
    ratings = Ratings(checkerboard.frame.drop("rating"), events, name="clicks")
    parts, vocabulary = split(ratings, small_config.split), ratings.vocabulary()
    interactions = Interactions.from_ratings(parts.train, vocabulary)
    network = Network(small_config.model, Statistics.of(interactions, vocabulary.types))
    fit_experts(network, interactions, vocabulary.types, SETTINGS, Validation.of(parts.validation, vocabulary))
    assert network.rating_experts is None
    assert network.consumption_experts is not None
