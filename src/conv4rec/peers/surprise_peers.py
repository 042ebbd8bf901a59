"""Peers of the package Surprise: SVD and SVD++."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from conv4rec.data.interactions import Interactions
from conv4rec.peers.factors import Factors
from conv4rec.peers.fitting import Rating, fit_rating
from conv4rec.peers.guests import guest
from conv4rec.peers.inputs import Rated, rated_to_learn
from conv4rec.peers.peer import Params, Peer, Setting, Task
from conv4rec.vocabulary import InteractionTypes


def fit_svd(task: Task, params: Params) -> Rating:
    return fit_rating("surprise-svd", task, lambda known: _svd(known, task.types, params, task.seed), again=True)


def fit_svdpp(task: Task, params: Params) -> Rating:
    return fit_rating("surprise-svdpp", task, lambda known: _svdpp(known, task.types, params, task.seed), again=True)


def _svd(interactions: Interactions, types: InteractionTypes, params: Params, seed: int) -> Factors:
    rated = rated_to_learn("surprise-svd", interactions, types)
    with guest("surprise-svd", "scikit-surprise"):
        import surprise

        model = surprise.SVD(**params, random_state=seed).fit(_trainset(rated, interactions, types))
    return _factors(model, model.pu, rated)


def _svdpp(interactions: Interactions, types: InteractionTypes, params: Params, seed: int) -> Factors:
    """The factors of a user are their own, and |I_u|^-1/2 times the sum of those of the items they rated."""
    rated = rated_to_learn("surprise-svdpp", interactions, types)
    with guest("surprise-svdpp", "scikit-surprise"):
        import surprise

        model = surprise.SVDpp(**params, random_state=seed, cache_ratings=True).fit(
            _trainset(rated, interactions, types)
        )
    counts = np.bincount(rated.users, minlength=interactions.n_users)
    weights = counts[rated.users] ** -0.5
    X = sparse.csr_array((weights, (rated.users, rated.items)), shape=(len(counts), interactions.n_items))
    return _factors(model, model.pu + X @ model.yj, rated)


def _factors(model: Any, users: NDArray[np.float64], rated: Rated) -> Factors:
    factors = Factors(users, model.qi, model.bu, model.bi, float(model.trainset.global_mean))
    return factors.of_those_met(rated.users, rated.items)


def _trainset(rated: Rated, interactions: Interactions, types: InteractionTypes) -> Any:
    """Surprise's own table, with our indices as its inner ids.

    Its lists by item are left out: fitting does not read them, and predictions are made here.
    """
    from surprise import Trainset

    of_user = enumerate(rated.per_user(interactions.n_users))
    by_user = {user: list(zip(*map(np.ndarray.tolist, mine), strict=True)) for user, mine in of_user}
    low, high = types.rating_values[[0, -1]]
    n_users, n_items = interactions.n_users, interactions.n_items
    return Trainset(by_user, {}, n_users, n_items, len(rated.ratings), (low, high), {}, {})


SVD = Peer(
    name="surprise-svd",
    about="SVD: biased matrix factorisation by stochastic gradients (Funk 2006); Surprise",
    package="scikit-surprise",
    claims=frozenset(("rating",)),
    fit=fit_svd,
    defaults={"n_factors": 100, "n_epochs": 60, "lr_all": 0.005, "reg_all": 0.07},
    space={
        "n_factors": Setting(8, 256, log=True, integer=True),
        "n_epochs": Setting(10, 120, log=True, integer=True),
        "lr_all": Setting(1e-3, 0.03, log=True),
        "reg_all": Setting(5e-3, 0.3, log=True),
    },
    monitor="rmse",
    new_users=False,
)

SVDPP = Peer(
    name="surprise-svdpp",
    about="SVD++: matrix factorisation with implicit feedback (Koren 2008); Surprise",
    package="scikit-surprise",
    claims=frozenset(("rating",)),
    fit=fit_svdpp,
    defaults={"n_factors": 20, "n_epochs": 20, "lr_all": 0.007, "reg_all": 0.02},
    space={
        "n_factors": Setting(4, 64, log=True, integer=True),
        "n_epochs": Setting(5, 60, log=True, integer=True),
        "lr_all": Setting(1e-3, 0.03, log=True),
        "reg_all": Setting(5e-3, 0.3, log=True),
    },
    monitor="rmse",
    new_users=False,
)
