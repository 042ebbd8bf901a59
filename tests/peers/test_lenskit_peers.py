"""Biased matrix factorisation and item neighbours of LensKit, under the contract and on a checkerboard."""

import numpy as np
import pytest

from conv4rec.data.interactions import Interactions
from conv4rec.errors import DataError, PeerError
from conv4rec.peers.fitting import Ranking, Rating
from conv4rec.peers.inputs import binary_matrix, rated_pairs
from conv4rec.peers.lenskit_peers import BIASED_MF, DAMPING, IKNN, IKNN_RATING
from conv4rec.peers.peer import Fitted, Params, Peer
from tests.peers.tasks import (
    CLICKS,
    N_ITEMS,
    NEVER,
    SHOP,
    STARS,
    ByHistory,
    checkerboard,
    make_task,
    ratings_by_taste,
    share_of_own_colour,
)
from tests.predictor_contract import PredictorContract, some_histories

pytest.importorskip("lenskit")
SMALL: dict[str, tuple[Peer, Params]] = {
    "biased-mf": (BIASED_MF, {**BIASED_MF.defaults, "embedding_size": 4}),
    "iknn": (IKNN, {**IKNN.defaults, "max_nbrs": 5}),
    "iknn-rating": (IKNN_RATING, {**IKNN_RATING.defaults, "max_nbrs": 5}),
}


@pytest.fixture(scope="module")
def fitted() -> dict[str, Fitted]:
    found = {}
    for name, (peer, params) in SMALL.items():
        found[f"{name} stars"] = peer.fit(make_task(STARS), params)
        found[f"{name} shop"] = peer.fit(make_task(SHOP), params)
    return found


class TestLenskit(PredictorContract):
    """The contract of predictors, for all three."""

    @pytest.fixture(params=[f"{name} {kind}" for name in SMALL for kind in ("stars", "shop")])
    def predictor(self, request: pytest.FixtureRequest, fitted: dict[str, Fitted]) -> ByHistory:
        return ByHistory(fitted[request.param], STARS if request.param.endswith("stars") else SHOP)

    @pytest.fixture
    def histories(self, predictor: ByHistory) -> Interactions:
        return some_histories(predictor.types, N_ITEMS)


def test_neighbours_learn_colours(fitted: dict[str, Fitted]) -> None:
    assert share_of_own_colour(fitted["iknn stars"], checkerboard(STARS)) > 0.8


@pytest.mark.parametrize("name", ["biased-mf stars", "iknn-rating stars"])
def test_ratings_learn_tastes(fitted: dict[str, Fitted], name: str) -> None:
    liked, disliked = ratings_by_taste(fitted[name], make_task(STARS))
    assert liked > 4
    assert disliked < 2


def test_a_score_is_the_sum_of_the_cosines_to_the_nearest_in_the_history(fitted: dict[str, Fitted]) -> None:
    model = fitted["iknn stars"]
    assert isinstance(model, Ranking)
    X = binary_matrix(make_task(STARS).train).toarray().astype(np.float64)
    cosines = X.T @ X / np.maximum(np.outer(*2 * (np.linalg.norm(X, axis=0),)), 1e-12)
    np.fill_diagonal(cosines, 0.0)
    history = some_histories(STARS, N_ITEMS).select(np.array([0, 3]))
    mine = np.unique(history.items)
    expected = np.sort(cosines[:, mine[mine != NEVER]], axis=1)[:, -5:].sum(axis=1)
    found = model.scorer.scores(np.array([0, 1]), history)
    assert found[0] == pytest.approx(np.zeros(N_ITEMS))
    assert found[1] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ["biased-mf stars", "iknn-rating stars"])
def test_without_a_history_the_rating_is_that_of_the_item_alone(fitted: dict[str, Fitted], name: str) -> None:
    model = fitted[name]
    assert isinstance(model, Rating)
    rated = rated_pairs(make_task(STARS).train, STARS)
    mean = rated.ratings.mean()
    sums = np.bincount(rated.items, weights=rated.ratings - mean, minlength=N_ITEMS)
    biases = sums / (np.bincount(rated.items, minlength=N_ITEMS) + DAMPING)
    nobody = some_histories(STARS, N_ITEMS).select(np.array([0]))
    assert model.scorer.scores(np.array([0]), nobody)[0] == pytest.approx(mean + biases, abs=1e-5)


@pytest.mark.parametrize("name", list(SMALL))
def test_the_size_holds_what_is_kept(fitted: dict[str, Fitted], name: str) -> None:
    least = 4 * N_ITEMS * (4 if name == "biased-mf" else 1)
    assert fitted[f"{name} stars"].n_bytes > least


def test_the_seed_decides(fitted: dict[str, Fitted]) -> None:
    peer, params = SMALL["biased-mf"]
    users = np.arange(5)
    history = checkerboard(STARS).select(users)
    first, same, other = (
        np.asarray(each.predict(users, history).type_law.grid())
        for each in (fitted["biased-mf stars"], *(peer.fit(make_task(STARS, seed=seed), params) for seed in (0, 1)))
    )
    assert (first == same).all()
    assert (first != other).any()


@pytest.mark.parametrize("name", ["biased-mf", "iknn-rating"])
def test_ratings_are_needed(name: str) -> None:
    peer, params = SMALL[name]
    with pytest.raises(DataError, match=f"lenskit-{name} predicts ratings, and none of .* interactions has one"):
        peer.fit(make_task(CLICKS), params)


@pytest.mark.parametrize("name", list(SMALL))
def test_what_lenskit_refuses_is_one_line(name: str) -> None:
    peer, params = SMALL[name]
    first = next(iter(params))
    with pytest.raises(PeerError, match=f"lenskit-{name}: lenskit failed: ValidationError: 1 validation error"):
        peer.fit(make_task(STARS), {**params, first: -1})
