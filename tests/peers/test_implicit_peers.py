"""iALS and BPR of implicit, under the contract and on a checkerboard."""

import numpy as np
import pytest

from conv4rec.data.interactions import Interactions
from conv4rec.errors import PeerError
from conv4rec.peers.fitting import Ranking
from conv4rec.peers.implicit_peers import ALS, BPR, ImplicitAls
from conv4rec.peers.inputs import binary_matrix
from conv4rec.peers.peer import Params, Peer
from tests.peers.tasks import (
    CLICKS,
    N_ITEMS,
    NEVER,
    NOBODY,
    SHOP,
    STARS,
    ByHistory,
    checkerboard,
    make_task,
    share_of_own_colour,
    while_searching,
)
from tests.predictor_contract import PredictorContract, some_histories

pytest.importorskip("implicit")
SMALL_ALS = {**ALS.defaults, "factors": 4}
SMALL_BPR = {**BPR.defaults, "factors": 2, "learning_rate": 0.1, "regularization": 0.05, "iterations": 100}


class TestAls(PredictorContract):
    """The contract of predictors."""

    @pytest.fixture(params=[STARS, SHOP, CLICKS], ids=["stars", "shop", "clicks"])
    def predictor(self, request: pytest.FixtureRequest) -> ByHistory:
        return ByHistory(ALS.fit(make_task(request.param), SMALL_ALS), request.param)

    @pytest.fixture
    def histories(self, predictor: ByHistory) -> Interactions:
        return some_histories(predictor.types, N_ITEMS)


@pytest.fixture(scope="module")
def bpr() -> Ranking:
    fitted = BPR.fit(make_task(CLICKS), SMALL_BPR)
    assert isinstance(fitted, Ranking)
    return fitted


def test_factors_of_a_user_solve_the_weighted_least_squares() -> None:
    """x = argmin sum_i c_i (p_i - <x, y_i>)^2 + reg |x|^2, with c = 1 but alpha where the history has the item."""
    model = ImplicitAls.fit(checkerboard(CLICKS), {**SMALL_ALS, "alpha": 7.0, "regularization": 0.3}, 0)
    history = some_histories(CLICKS, N_ITEMS).select(np.array([2]))
    Y, taken = model.model.item_factors.astype(np.float64), binary_matrix(history).toarray()[0]
    C = np.diag(np.where(taken > 0, 7.0, 1.0))
    x = np.linalg.solve(Y.T @ C @ Y + 0.3 * np.eye(4), Y.T @ C @ taken)
    assert model.scores(np.array([0]), history)[0] == pytest.approx(Y @ x, abs=1e-4)


def test_als_learns_colours_and_is_small() -> None:
    fitted = ALS.fit(make_task(CLICKS), SMALL_ALS)
    assert share_of_own_colour(fitted, checkerboard(CLICKS)) > 0.8
    assert fitted.n_bytes < 4 * 4 * N_ITEMS + 500  # nothing of the users stays


def test_bpr_learns_colours(bpr: Ranking) -> None:
    assert share_of_own_colour(bpr, checkerboard(CLICKS)) > 0.8


def test_bpr_knows_users_by_index_whatever_their_history(bpr: Ranking) -> None:
    nobody = some_histories(CLICKS, N_ITEMS).select(np.zeros(3, dtype=int))
    one = bpr.predict(np.array([4, 5, 4]), nobody).log_p_consume
    other = bpr.predict(np.array([5]), nobody.select(np.array([0]))).log_p_consume
    assert one[1] == pytest.approx(other[0])
    assert (one[0] == one[2]).all()
    assert (one[0] != one[1]).any()


def test_bpr_has_popularity_for_a_user_it_never_met(bpr: Ranking) -> None:
    known = checkerboard(CLICKS)
    scores = bpr.scorer.scores(np.array([NOBODY]), known.select(np.array([NOBODY])))[0]
    counts = np.bincount(known.items, minlength=N_ITEMS)
    assert np.isfinite(scores).all()
    assert scores[NEVER] == 0
    assert np.corrcoef(scores[:NEVER], counts[:NEVER])[0, 1] > 0.3


def test_bpr_learns_again_from_all_that_is_known() -> None:
    task = make_task(CLICKS)
    users = np.arange(5)
    history = task.train.select(users)
    found, searching = (
        BPR.fit(asked, SMALL_BPR).predict(users, history).log_p_consume for asked in (task, while_searching(task))
    )
    assert (found != searching).any()


@pytest.mark.parametrize(("peer", "params"), [(ALS, SMALL_ALS), (BPR, SMALL_BPR)], ids=["als", "bpr"])
def test_the_seed_decides(peer: Peer, params: Params) -> None:
    users = np.arange(5)
    history = checkerboard(CLICKS).select(users)
    first, same, other = (
        peer.fit(make_task(CLICKS, seed=seed), params).predict(users, history).log_p_consume for seed in (0, 0, 1)
    )
    assert (first == same).all()
    assert (first != other).any()


def test_what_implicit_refuses_is_one_line() -> None:
    with pytest.raises(PeerError, match=r"implicit-als: implicit failed: TypeError: .*unexpected keyword argument"):
        ALS.fit(make_task(CLICKS), {**SMALL_ALS, "speed": 3})
