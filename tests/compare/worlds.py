"""Small data for tests of comparisons."""

from pathlib import Path

from conv4rec.baselines import MostPopular
from conv4rec.compare.prepare import Prepared, prepare
from conv4rec.config import Config, make_config
from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import Parts
from conv4rec.data.ratings import Ratings
from conv4rec.data.simulator import SimulatorConfig, simulate
from conv4rec.data.split import split

SMALL = make_config({"evaluate": {"k": [3, 5], "bootstrap": 50}})


def small_ratings() -> Ratings:
    """40 users, 25 items of very different popularity, with time stamps."""
    return simulate(SimulatorConfig(n_users=40, n_items=25, n_interactions=10, popularity=1.5)).ratings


def parts_of(ratings: Ratings, config: Config = SMALL) -> Parts:
    return Parts(split(ratings, config.split), ratings)


def prepared(recipe: str = "random", config: Config = SMALL, *, seed: int = 0) -> Prepared:
    settings = make_config(config.model_dump() | {"split": {"recipe": recipe, "seed": seed}})
    return prepare(parts_of(small_ratings(), settings), settings, seed=seed)


def fitted_popular() -> tuple[MostPopular, Interactions, Interactions]:
    """Popularity fitted on the train part, and history and targets of the test part."""
    window = prepared()
    return MostPopular.fit(window.task.train, window.task.types), window.test.history, window.test.targets


def pairs(interactions: Interactions) -> set[tuple[int, int, int]]:
    """Users, items and channels."""
    return set(
        zip(interactions.users.tolist(), interactions.items.tolist(), interactions.channels.tolist(), strict=True)
    )


def write_small_csv(path: Path) -> None:
    small_ratings().frame.write_csv(path)
