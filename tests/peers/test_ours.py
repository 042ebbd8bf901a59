"""Our model and the baseline as peers."""

from dataclasses import replace

import numpy as np
import pytest

from conv4rec.compare.prepare import prepare
from conv4rec.config import Config, override
from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import Parts
from conv4rec.data.ratings import Ratings
from conv4rec.data.split import split
from conv4rec.errors import ConfigError
from conv4rec.peers.ours import CONV4REC, POPULAR, Ours, fit_ours
from conv4rec.peers.peer import Trained
from conv4rec.recommender import Conv4Rec
from tests.peers.tasks import CLICKS, N_ITEMS, SHOP, STARS, ByHistory, make_task
from tests.peers.tasks import checkerboard as small_checkerboard
from tests.predictor_contract import PredictorContract, some_histories

KINDS = {"stars": STARS, "shop": SHOP, "clicks": CLICKS}


@pytest.fixture(scope="module")
def ours() -> dict[str, Ours]:
    return {name: fit_ours(make_task(types), CONV4REC.defaults) for name, types in KINDS.items()}


class TestOurs(PredictorContract):
    """The contract of predictors."""

    @pytest.fixture(params=list(KINDS))
    def predictor(self, request: pytest.FixtureRequest, ours: dict[str, Ours]) -> ByHistory:
        return ByHistory(ours[request.param], KINDS[request.param])

    @pytest.fixture
    def histories(self, predictor: ByHistory) -> Interactions:
        return some_histories(predictor.types, N_ITEMS)


class TestPopular(PredictorContract):
    """The contract of predictors."""

    @pytest.fixture(params=list(KINDS))
    def predictor(self, request: pytest.FixtureRequest) -> ByHistory:
        return ByHistory(POPULAR.fit(make_task(KINDS[request.param]), {}), KINDS[request.param])

    @pytest.fixture
    def histories(self, predictor: ByHistory) -> Interactions:
        return some_histories(predictor.types, N_ITEMS)


def test_our_epochs_are_kept(ours: dict[str, Ours]) -> None:
    fitted = ours["stars"]
    assert isinstance(fitted, Trained)
    assert len(fitted.training.epochs) == 3
    assert fitted.claims == {"consume", "rating"}
    weights = fitted.predictor.network.state_dict().values()
    assert fitted.n_bytes == sum(weight.numpy().nbytes for weight in weights)


def test_it_is_the_model_of_the_package_to_the_bit(checkerboard: Ratings, small_config: Config) -> None:
    config = override(small_config, ["train.epochs=2", "train.seed=3"])
    parts = split(checkerboard, config.split)
    window = prepare(Parts(parts, checkerboard), config, seed=3)
    peer = fit_ours(window.task, CONV4REC.defaults)
    model = Conv4Rec(config).fit_split(parts, checkerboard)
    history = window.test.history
    found, expected = peer.predict(np.arange(history.n_users), history), model.predictor.predict(history)
    assert (found.log_p_consume == expected.log_p_consume).all()
    assert (found.type_law.grid() == expected.type_law.grid()).all()


def test_parameters_reach_the_settings_and_the_settings_of_the_task_are_kept() -> None:
    task = make_task(STARS)
    other = fit_ours(task, {**CONV4REC.defaults, "model.dropout": 0.5, "train.epochs": 2})
    assert other.predictor.network.config.dropout == 0.5
    assert other.predictor.network.config.embedding_dim == 8  # as the task says, whatever the default
    assert len(other.training.epochs) == 2


def test_a_parameter_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match=r"setting train\.speed does not exist"):
        fit_ours(make_task(STARS), {"train.speed": 3})


def test_the_seed_of_the_task_decides(ours: dict[str, Ours]) -> None:
    task = make_task(STARS)
    users = np.arange(4)
    same, other = (
        fit_ours(replace(task, seed=seed), CONV4REC.defaults).predict(users, task.train.select(users)).log_p_consume
        for seed in (0, 1)
    )
    assert (same == ours["stars"].predict(users, task.train.select(users)).log_p_consume).all()
    assert (same != other).any()
    settings = override(task.config, ["train.seed=5"])
    again = fit_ours(replace(task, config=settings), CONV4REC.defaults).predict(users, task.train.select(users))
    assert (again.log_p_consume == same).all()


def test_popularity_ranks_and_leaves_out_what_was_taken() -> None:
    task = make_task(CLICKS)
    fitted = POPULAR.fit(task, {})
    counts = np.bincount(task.train.items, minlength=N_ITEMS)
    nobody = some_histories(CLICKS, N_ITEMS).select(np.array([0]))
    log_p = fitted.predict(np.array([0]), nobody).log_p_consume[0]
    assert (log_p[np.argsort(counts, kind="stable")] == np.sort(log_p)).all()
    known = small_checkerboard(CLICKS)
    p = np.exp(fitted.predict(np.arange(known.n_users), known).log_p_consume)
    assert p[known.users, known.items].max() < 1e-3
    assert fitted.claims == {"consume", "rating"}
    assert fitted.n_bytes > 4 * N_ITEMS
