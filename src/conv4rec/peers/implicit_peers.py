"""Peers of the package implicit: weighted least squares by alternation, and Bayesian personalised ranking."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from conv4rec.data.interactions import Interactions
from conv4rec.peers.factors import Factors
from conv4rec.peers.fitting import Ranking, Users, fit_ranking, n_bytes
from conv4rec.peers.guests import guest
from conv4rec.peers.inputs import binary_matrix
from conv4rec.peers.peer import Params, Peer, Setting, Task
from conv4rec.predictions import Floats


@dataclass(frozen=True)
class ImplicitAls:
    """Item factors; those of a user are solved for from the history."""

    model: Any

    @classmethod
    def fit(cls, interactions: Interactions, params: Params, seed: int) -> "ImplicitAls":
        with guest("implicit-als", "implicit"):
            from implicit.cpu.als import AlternatingLeastSquares

            model = AlternatingLeastSquares(**params, random_state=seed, num_threads=torch.get_num_threads())
            model.fit(binary_matrix(interactions), show_progress=False)
            model.user_factors = None
            return cls(model)

    @property
    def n_bytes(self) -> int:
        return n_bytes(self.model.item_factors)

    def scores(self, users: Users, histories: Interactions) -> Floats:
        with guest("implicit-als", "implicit"):
            factors = self.model.recalculate_user(np.arange(len(users)), binary_matrix(histories))
            return np.asarray(factors @ self.model.item_factors.T)


def fit_als(task: Task, params: Params) -> Ranking:
    return fit_ranking("implicit-als", task, lambda known: ImplicitAls.fit(known, params, task.seed))


def fit_bpr(task: Task, params: Params) -> Ranking:
    return fit_ranking("implicit-bpr", task, lambda known: _bpr(known, params, task.seed), again=True)


def _bpr(interactions: Interactions, params: Params, seed: int) -> Factors:
    """On one thread: several would write over each other, in an order that no seed decides."""
    with guest("implicit-bpr", "implicit"):
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = BayesianPersonalizedRanking(**params, random_state=seed, num_threads=1)
        model.fit(binary_matrix(interactions), show_progress=False)
    users, items = model.user_factors, model.item_factors  # the last column: 1, and the item's bias
    biases = np.zeros(len(users), dtype=users.dtype)
    factors = Factors(users[:, :-1], items[:, :-1], biases, items[:, -1])
    return factors.of_those_met(interactions.users, interactions.items)


ALS = Peer(
    name="implicit-als",
    about="iALS: weighted matrix factorisation by alternating least squares (Hu et al. 2008); implicit",
    package="implicit",
    claims=frozenset(("consume",)),
    fit=fit_als,
    defaults={"factors": 64, "regularization": 1.0, "alpha": 5.0, "iterations": 15},
    space={
        "factors": Setting(16, 256, log=True, integer=True),
        "regularization": Setting(1e-2, 100.0, log=True),
        "alpha": Setting(0.5, 50.0, log=True),
        "iterations": Setting(5, 40, integer=True),
    },
)

BPR = Peer(
    name="implicit-bpr",
    about="BPR: matrix factorisation for personalised ranking (Rendle et al. 2009); implicit",
    package="implicit",
    claims=frozenset(("consume",)),
    fit=fit_bpr,
    defaults={"factors": 64, "learning_rate": 0.005, "regularization": 0.001, "iterations": 60},
    space={
        "factors": Setting(16, 256, log=True, integer=True),
        "learning_rate": Setting(1e-3, 0.3, log=True),
        "regularization": Setting(1e-5, 0.1, log=True),
        "iterations": Setting(20, 300, log=True, integer=True),
    },
    new_users=False,
)
