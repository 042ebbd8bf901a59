"""Matrix factorisation and the variational auto-encoder of Cornac."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.errors import DataError, PeerError
from conv4rec.peers.cornac_peers import MF, VAECF
from conv4rec.peers.factors import Factors
from conv4rec.peers.fitting import Ranking, Rating
from conv4rec.peers.inputs import rated_pairs
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
    ratings_by_taste,
    share_of_own_colour,
    while_searching,
)
from tests.predictor_contract import PredictorContract, some_histories

pytest.importorskip("cornac")
SMALL_MF = {**MF.defaults, "k": 4, "learning_rate": 0.03, "max_iter": 200}
SMALL_VAECF = {
    **VAECF.defaults,
    "hidden": 20,
    "k": 5,
    "beta": 0.2,
    "n_epochs": 60,
    "batch_size": 10,
    "learning_rate": 0.01,
}
KINDS = {"stars": STARS, "shop": SHOP, "clicks": CLICKS}


@pytest.fixture(scope="module")
def vaecf() -> dict[str, Ranking]:
    fitted = {name: VAECF.fit(make_task(types), SMALL_VAECF) for name, types in KINDS.items()}
    return {name: each for name, each in fitted.items() if isinstance(each, Ranking)}


class TestVaecf(PredictorContract):
    """The contract of predictors."""

    @pytest.fixture(params=list(KINDS))
    def predictor(self, request: pytest.FixtureRequest, vaecf: dict[str, Ranking]) -> ByHistory:
        return ByHistory(vaecf[request.param], KINDS[request.param])

    @pytest.fixture
    def histories(self, predictor: ByHistory) -> Interactions:
        return some_histories(predictor.types, N_ITEMS)


def test_vaecf_learns_colours(vaecf: dict[str, Ranking]) -> None:
    assert share_of_own_colour(vaecf["clicks"], checkerboard(CLICKS)) > 0.8


def test_vaecf_scores_are_the_logs_of_what_cornac_predicts(vaecf: dict[str, Ranking]) -> None:
    fitted = vaecf["clicks"]
    history = checkerboard(CLICKS).select(np.array([3, 4]))
    scores = fitted.scorer.scores(np.array([0, 1]), history)
    network = fitted.scorer.network  # type: ignore[attr-defined]
    rows = np.zeros((2, N_ITEMS), dtype=np.float32)
    rows[history.users, history.items] = 1.0
    with torch.inference_mode():
        p = network.decode(network.encode(torch.from_numpy(rows))[0]).numpy()
    assert np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True) == pytest.approx(p, abs=1e-6)
    assert fitted.scorer.n_bytes == 4 * sum(weight.numel() for weight in network.parameters())


def predicted(fitted: Rating, users: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.asarray(fitted.scorer.scores(users, checkerboard(STARS).select(users)))


@pytest.fixture(scope="module")
def mf() -> Rating:
    fitted = MF.fit(make_task(STARS), SMALL_MF)
    assert isinstance(fitted, Rating)
    return fitted


def test_mf_learns_tastes(mf: Rating) -> None:
    liked, disliked = ratings_by_taste(mf, make_task(STARS))
    assert liked > 4
    assert disliked < 2


def test_mf_predicts_what_cornac_does(mf: Rating) -> None:
    from cornac.data import Dataset
    from cornac.models import MF as CornacMF  # noqa: N811

    known = checkerboard(STARS)
    rated = rated_pairs(known, STARS)
    ids = [{n: n for n in range(size)} for size in (known.n_users, N_ITEMS)]
    model = CornacMF(**SMALL_MF, seed=0)
    model.fit(Dataset(known.n_users, N_ITEMS, *ids, (rated.users, rated.items, rated.ratings)))
    for user in (0, 7):
        assert predicted(mf, np.array([user]))[0, :NEVER] == pytest.approx(model.score(user)[:NEVER], abs=1e-5)


def test_mf_has_biases_for_whom_and_what_it_never_met(mf: Rating) -> None:
    factors = mf.scorer
    assert isinstance(factors, Factors)
    nobody = predicted(mf, np.array([NOBODY]))[0]
    assert nobody == pytest.approx(factors.mean + factors.item_biases)
    assert nobody[NEVER] == pytest.approx(factors.mean)


def test_mf_learns_again_from_all_that_is_known(mf: Rating) -> None:
    searching = MF.fit(while_searching(make_task(STARS)), SMALL_MF)
    assert isinstance(searching, Rating)
    assert searching.link.laws == pytest.approx(mf.link.laws)
    assert (predicted(searching, np.arange(5)) != predicted(mf, np.arange(5))).any()


def test_mf_takes_ratings_with_names() -> None:
    fitted = MF.fit(make_task(SHOP), SMALL_MF)
    liked, disliked = ratings_by_taste(fitted, make_task(SHOP))
    assert liked > 2.5
    assert disliked < 1.5


def test_the_seed_decides(vaecf: dict[str, Ranking], mf: Rating) -> None:
    users = np.arange(5)
    history = checkerboard(CLICKS).select(users)
    first = vaecf["clicks"].predict(users, history).log_p_consume
    same, other = (
        VAECF.fit(make_task(CLICKS, seed=seed), SMALL_VAECF).predict(users, history).log_p_consume for seed in (0, 1)
    )
    assert (first == same).all()
    assert (first != other).any()
    again = MF.fit(make_task(STARS), SMALL_MF)
    assert isinstance(again, Rating)
    assert (predicted(again, users) == predicted(mf, users)).all()


def test_mf_needs_ratings() -> None:
    with pytest.raises(DataError, match="cornac-mf predicts ratings, and none of .* interactions has one"):
        MF.fit(make_task(CLICKS), SMALL_MF)


def test_what_cornac_refuses_is_one_line() -> None:
    with pytest.raises(PeerError, match="cornac-vaecf: cornac failed: TypeError: .*unexpected keyword argument"):
        VAECF.fit(make_task(CLICKS), {**SMALL_VAECF, "speed": 3})
