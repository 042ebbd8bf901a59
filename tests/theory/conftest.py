"""A simulated world, divided, and a model of it, fitted once."""

import pytest

from conv4rec.config import Config, override
from conv4rec.data.parts import Parts
from conv4rec.data.simulator import SimulatorConfig, simulate
from conv4rec.data.split import split
from conv4rec.recommender import Conv4Rec


@pytest.fixture(scope="session")
def parts() -> Parts:
    """Ratings of 400 users, a few of them not given."""
    ratings = simulate(SimulatorConfig(n_users=400, n_items=60, n_interactions=25, unrated=0.2)).ratings
    return Parts(split(ratings), ratings)


@pytest.fixture(scope="session")
def model(parts: Parts, small_config: Config) -> Conv4Rec:
    """Fitted on the train part, with all experts."""
    settings = ["train.epochs=4", "train.batch_size=64", "experts.neighbours=8", "experts.factors=[2]"]
    config = override(small_config, [*settings, "experts.sweeps=2", "experts.rating_neighbours=4"])
    return Conv4Rec(config).fit_split(parts.split, parts.known)
