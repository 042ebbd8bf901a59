"""Models that several verbs are asked of."""

import pytest

from conv4rec.config import Config
from conv4rec.data.ratings import Ratings
from conv4rec.data.simulator import SimulatorConfig, simulate
from conv4rec.recommender import Conv4Rec
from conv4rec.vocabulary import InteractionTypes


@pytest.fixture(scope="session")
def clicks(small_config: Config, checkerboard: Ratings) -> Conv4Rec:
    """A model of the checkerboard whose ratings are not known, and whose items have neither titles nor tags."""
    events = InteractionTypes.of((), rated=(), unrated=(None,))
    return Conv4Rec(small_config).fit(Ratings(checkerboard.frame.drop("rating"), events, name="clicks"))


@pytest.fixture(scope="session")
def shop(small_config: Config) -> Conv4Rec:
    """A model of a simulated shop: views, carts and purchases, some of these rated."""
    world = simulate(SimulatorConfig(n_users=200, n_items=80, n_interactions=30, rank=3, types="events"))
    return Conv4Rec(small_config).fit(world.ratings)
