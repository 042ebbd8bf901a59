"""SVD and SVD++ of Surprise, against their own predictions and on a checkerboard."""

import numpy as np
import pytest

from conv4rec.errors import DataError, PeerError
from conv4rec.peers import surprise_peers
from conv4rec.peers.factors import Factors
from conv4rec.peers.fitting import Rating
from conv4rec.peers.inputs import rated_pairs
from conv4rec.peers.peer import Params, Peer
from conv4rec.peers.surprise_peers import SVD, SVDPP
from tests.peers.tasks import (
    CLICKS,
    N_ITEMS,
    N_USERS,
    NEVER,
    NOBODY,
    SHOP,
    STARS,
    checkerboard,
    make_task,
    ratings_by_taste,
    while_searching,
)

surprise = pytest.importorskip("surprise")
FAST = {"n_factors": 4, "n_epochs": 60, "lr_all": 0.03}
SMALL: dict[str, tuple[Peer, Params]] = {
    "svd": (SVD, {**SVD.defaults, **FAST}),
    "svdpp": (SVDPP, {**SVDPP.defaults, **FAST}),
}


@pytest.fixture(scope="module", params=list(SMALL))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def fitted(name: str) -> Rating:
    peer, params = SMALL[name]
    found = peer.fit(make_task(STARS), params)
    assert isinstance(found, Rating)
    return found


def test_they_learn_tastes(fitted: Rating) -> None:
    liked, disliked = ratings_by_taste(fitted, make_task(STARS))
    assert liked > 4
    assert disliked < 2


def test_they_predict_what_surprise_does(name: str) -> None:
    """Its own estimate, of what it learns from the table that we make."""
    known = checkerboard(STARS)
    rated = rated_pairs(known, STARS)
    table = surprise_peers._trainset(rated, known, STARS)
    kind = surprise.SVD if name == "svd" else surprise.SVDpp
    theirs = kind(**SMALL[name][1], random_state=0).fit(table)
    learn = surprise_peers._svd if name == "svd" else surprise_peers._svdpp
    scores = learn(known, STARS, SMALL[name][1], 0).scores(np.arange(N_USERS), known)
    table.ir.update((item, []) for item in rated.items.tolist())  # without it no item is known to it
    for user, item in ((0, 2), (5, 8), (NOBODY - 1, 3)):
        assert scores[user, item] == pytest.approx(theirs.estimate(user, item), abs=1e-9)


def test_biases_for_whom_and_what_they_never_met(fitted: Rating) -> None:
    factors = fitted.scorer
    assert isinstance(factors, Factors)
    nobody = factors.scores(np.array([NOBODY]), checkerboard(STARS).select(np.array([NOBODY])))[0]
    assert nobody == pytest.approx(factors.mean + factors.item_biases)
    assert nobody[NEVER] == pytest.approx(factors.mean)
    assert factors.n_bytes == 8 * (4 * (N_USERS + N_ITEMS) + N_USERS + N_ITEMS + 1)


def test_they_learn_again_from_all_that_is_known(name: str, fitted: Rating) -> None:
    peer, params = SMALL[name]
    searching = peer.fit(while_searching(make_task(STARS)), params)
    assert isinstance(searching, Rating)
    assert searching.link.laws == pytest.approx(fitted.link.laws)
    users = np.arange(5)
    found, again = (each.scorer.scores(users, checkerboard(STARS)) for each in (searching, fitted))
    assert (found != again).any()


def test_ratings_with_names(name: str) -> None:
    peer, params = SMALL[name]
    liked, disliked = ratings_by_taste(peer.fit(make_task(SHOP), params), make_task(SHOP))
    assert liked > 2.5
    assert disliked < 1.5


def test_the_seed_decides(name: str, fitted: Rating) -> None:
    peer, params = SMALL[name]
    users = np.arange(5)
    same, other = (peer.fit(make_task(STARS, seed=seed), params) for seed in (0, 1))
    assert isinstance(same, Rating)
    assert isinstance(other, Rating)
    first, same_scores, other_scores = (
        each.scorer.scores(users, checkerboard(STARS)) for each in (fitted, same, other)
    )
    assert (first == same_scores).all()
    assert (first != other_scores).any()


def test_ratings_are_needed(name: str) -> None:
    peer, params = SMALL[name]
    with pytest.raises(DataError, match=f"surprise-{name} predicts ratings, and none of .* interactions has one"):
        peer.fit(make_task(CLICKS), params)


def test_what_surprise_refuses_is_one_line(name: str) -> None:
    peer, params = SMALL[name]
    with pytest.raises(PeerError, match=f"surprise-{name}: scikit-surprise failed: TypeError: .*unexpected keyword"):
        peer.fit(make_task(STARS), {**params, "speed": 3})
