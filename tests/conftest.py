"""What every test may ask for."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import settings

from conv4rec.config import Config, make_config
from conv4rec.data.ratings import Ratings
from conv4rec.vocabulary import InteractionTypes

if TYPE_CHECKING:
    from conv4rec.recommender import Conv4Rec


settings.register_profile("conv4rec", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("conv4rec")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data sets; a test that needs it says so where it is absent."""
    named = os.environ.get("CONV4REC_DATA")
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(named) if named is not None else beside
    if not folder.is_dir():
        pytest.skip(f"needs real data: no folder {folder}; set CONV4REC_DATA")
    return folder


def make_checkerboard(n_users: int = 60, n_items: int = 24, *, seed: int = 0) -> Ratings:
    """Even users take even items, odd users odd ones, three in four of them; low item numbers are rated 5, others 2."""
    users, items = np.meshgrid(np.arange(n_users), np.arange(n_items), indexing="ij")
    same_colour = (users + items) % 2 == 0
    taken = same_colour & (np.random.default_rng(seed).random(users.shape) < 0.75)
    frame = pl.DataFrame(
        {
            "user_id": users[taken] + 100,
            "item_id": [f"i{item:02d}" for item in items[taken]],
            "rating": np.where(items[taken] < n_items // 2, 5.0, 2.0),
        }
    )
    titles = pl.DataFrame(
        {"item_id": [f"i{i:02d}" for i in range(n_items)], "title": [f"Item {i}" for i in range(n_items)]}
    )
    return Ratings(frame, InteractionTypes.of([1, 2, 3, 4, 5]), name="checkerboard", items=titles)


@pytest.fixture(scope="session")
def checkerboard() -> Ratings:
    """A data set whose answer the eye knows."""
    return make_checkerboard()


@pytest.fixture(scope="session")
def small_config() -> Config:
    """Settings that learn the checkerboard in a second."""
    return make_config(
        {
            "model": {"embedding_dim": 16, "rating_embedding_dim": 8, "dropout": 0.0},
            "train": {"epochs": 30, "batch_size": 16, "learning_rate": 0.02, "device": "cpu"},
            "evaluate": {"k": [5, 20]},
        }
    )


@pytest.fixture(scope="session")
def fitted(checkerboard: Ratings, small_config: Config) -> "Conv4Rec":
    """A model of the checkerboard."""
    from conv4rec.recommender import Conv4Rec

    return Conv4Rec(small_config).fit(checkerboard)


@pytest.fixture(scope="session")
def fitted_without(fitted: "Conv4Rec", tmp_path_factory: pytest.TempPathFactory) -> "Conv4Rec":
    """The same, saved without histories."""
    from conv4rec.recommender import Conv4Rec

    return Conv4Rec.load(fitted.save(tmp_path_factory.mktemp("model") / "m", histories=False))


@pytest.fixture(scope="session")
def simulated(small_config: Config) -> "Conv4Rec":
    """A model of a simulated world whose items have titles and tags."""
    from conv4rec.data.simulator import SimulatorConfig, simulate
    from conv4rec.recommender import Conv4Rec

    world = simulate(SimulatorConfig(n_users=300, n_items=120, n_interactions=25, rank=4))
    return Conv4Rec(small_config).fit(world.ratings)


@pytest.fixture(scope="session")
def films(data_folder: Path) -> "Conv4Rec":
    """A model of ML-100K with all its parts, fitted for a few seconds."""
    from conv4rec.data.sources import load_ratings
    from conv4rec.recommender import Conv4Rec

    experts = {"neighbours": 32, "factors": [8], "sweeps": 4, "rating_neighbours": 8}
    config = make_config({"train": {"epochs": 10, "device": "cpu"}, "experts": experts})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONV4REC_DATA", str(data_folder))
        return Conv4Rec(config).fit(load_ratings("ml-100k"))
