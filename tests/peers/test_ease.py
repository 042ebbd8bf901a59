"""EASE: against its closed form, a search that knows nothing of it, and what it is to learn."""

from pathlib import Path

import numpy as np
import pytest

from conv4rec.compare.prepare import prepare
from conv4rec.config import Config, EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import load_parts
from conv4rec.evaluation import evaluate_by_user
from conv4rec.peers.ease import EASE, Ease
from conv4rec.peers.inputs import binary_matrix
from conv4rec.peers.peer import Fitted
from conv4rec.vocabulary import InteractionTypes
from tests.peers.tasks import (
    CLICKS,
    N_ITEMS,
    NEVER,
    SHOP,
    STARS,
    ByHistory,
    checkerboard,
    make_task,
    share_of_own_colour,
)
from tests.predictor_contract import PredictorContract, some_histories
from tests.triples import make_interactions


class TestEase(PredictorContract):
    """The contract of predictors."""

    @pytest.fixture(params=[STARS, SHOP, CLICKS], ids=["stars", "shop", "clicks"])
    def predictor(self, request: pytest.FixtureRequest) -> ByHistory:
        return ByHistory(EASE.fit(make_task(request.param), EASE.defaults), request.param)

    @pytest.fixture
    def histories(self, predictor: ByHistory) -> Interactions:
        return some_histories(predictor.types, N_ITEMS)


def test_two_items_by_hand() -> None:
    """X'X = [[2, 1], [1, 1]]: the weight of item 1 for item 0 is x1'x0 / (x1'x1 + penalty) = 1 / 3, and 1 / 4 back."""
    known = make_interactions([(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 0, 1)], n_users=2, n_items=2)
    weights = Ease.fit(known, 2.0).weights
    assert weights == pytest.approx(np.array([[0.0, 1 / 4], [1 / 3, 0.0]]))


def test_every_column_is_a_ridge_regression_on_the_other_items() -> None:
    known = some_histories(CLICKS, 8, n_users=30)
    X = binary_matrix(known).toarray().astype(np.float64)
    found = Ease.fit(known, 3.0).weights
    for item in range(8):
        others = np.arange(8) != item
        A = X[:, others]
        expected = np.linalg.solve(A.T @ A + 3.0 * np.eye(7), A.T @ X[:, item])
        assert found[others, item] == pytest.approx(expected, abs=1e-6)
        assert found[item, item] == 0


def test_scores_are_those_of_the_history() -> None:
    model = Ease(np.arange(9, dtype=np.float32).reshape(3, 3))
    history = make_interactions([(0, 0, 0), (0, 2, 0), (0, 2, 1)], n_users=2, n_items=3)
    assert model.scores(np.array([7, 8]), history).tolist() == [[6.0, 8.0, 10.0], [0.0, 0.0, 0.0]]
    assert model.n_bytes == 36


@pytest.mark.parametrize("types", [STARS, SHOP, CLICKS], ids=["stars", "shop", "clicks"])
def test_it_learns_colours(types: InteractionTypes) -> None:
    fitted = EASE.fit(make_task(types), {"lambda": 10.0})
    assert share_of_own_colour(fitted, checkerboard(types)) > 0.8
    nobody = some_histories(types, N_ITEMS).select(np.array([0]))
    assert np.isfinite(fitted.predict(np.array([0]), nobody).log_p_consume[0, NEVER])


def test_it_is_a_peer_that_takes_histories() -> None:
    assert EASE.new_users
    fitted: Fitted = EASE.fit(make_task(CLICKS), EASE.defaults)
    assert fitted.n_bytes > 4 * N_ITEMS**2


def test_it_ranks_movielens_100k(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONV4REC_DATA", str(data_folder))
    window = prepare(load_parts("ml-100k", Config()), Config(), seed=0)
    fitted, test = EASE.fit(window.task, {"lambda": 500.0}), window.test
    settings = EvaluateConfig(k=(20,), bootstrap=0)
    metrics = evaluate_by_user(
        fitted.predict,
        window.task.types,
        test.history,
        test.targets,
        settings,
        claims=fitted.claims,
        exclude=test.excluded,
    ).metrics
    assert metrics["ndcg@20"] == pytest.approx(0.352, abs=0.003)
    assert metrics["nll_consume"] < 5.8  # popularity: 6.44
