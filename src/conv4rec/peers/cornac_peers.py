"""Peers of the package Cornac: biased matrix factorisation, and a variational auto-encoder."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.peers.factors import Factors
from conv4rec.peers.fitting import Ranking, Rating, Users, fit_ranking, fit_rating
from conv4rec.peers.guests import guest
from conv4rec.peers.inputs import binary_matrix, rated_to_learn
from conv4rec.peers.peer import Params, Peer, Setting, Task
from conv4rec.predictions import Floats
from conv4rec.vocabulary import InteractionTypes


def fit_mf(task: Task, params: Params) -> Rating:
    return fit_rating("cornac-mf", task, lambda known: _mf(known, task.types, params, task.seed), again=True)


def _mf(interactions: Interactions, types: InteractionTypes, params: Params, seed: int) -> Factors:
    rated = rated_to_learn("cornac-mf", interactions, types)
    shape = (interactions.n_users, interactions.n_items)
    with guest("cornac-mf", "cornac"):
        from cornac.models.mf.recom_mf import MF

        model = MF(**params, seed=seed)  # a seed means one thread
        model.fit(_dataset(rated.users, rated.items, rated.ratings, shape))
    factors = Factors(model.u_factors, model.i_factors, model.u_biases, model.i_biases, float(model.global_mean))
    return factors.of_those_met(rated.users, rated.items)


@dataclass(frozen=True)
class Vaecf:
    """The auto-encoder; its input is the history, and its scores are the logits of the multinomial."""

    network: Any

    @classmethod
    def fit(cls, interactions: Interactions, params: Params, seed: int) -> "Vaecf":
        X = binary_matrix(interactions).tocoo()
        with guest("cornac-vaecf", "cornac"):
            from cornac.models.vaecf.recom_vaecf import VAECF

            rest = {name: value for name, value in params.items() if name != "hidden"}
            model = VAECF(**rest, autoencoder_structure=[params["hidden"]], seed=seed)
            model.fit(_dataset(X.row, X.col, X.data, X.shape))
        return cls(model.vae.eval())

    @property
    def n_bytes(self) -> int:
        return sum(weight.numel() * weight.element_size() for weight in self.network.parameters())

    def scores(self, users: Users, histories: Interactions) -> Floats:  # noqa: ARG002
        """Before the softmax, which would round small probabilities to the same number."""
        with guest("cornac-vaecf", "cornac"), torch.inference_mode():
            known = torch.from_numpy(binary_matrix(histories).toarray())
            means, _ = self.network.encode(known)
            return np.asarray(self.network.decoder(means).numpy())


def fit_vaecf(task: Task, params: Params) -> Ranking:
    return fit_ranking("cornac-vaecf", task, lambda known: Vaecf.fit(known, params, task.seed))


def _dataset(
    users: NDArray[np.integer], items: NDArray[np.integer], values: NDArray[np.floating], shape: tuple[int, int]
) -> Any:
    """Cornac's own table, with our indices as its ids."""
    from cornac.data import Dataset

    ids = [dict(zip(range(n), range(n), strict=True)) for n in shape]
    return Dataset(*shape, *ids, (users.astype(np.int64), items.astype(np.int64), values))


MF = Peer(
    name="cornac-mf",
    about="MF: biased matrix factorisation by stochastic gradients (Koren et al. 2009); Cornac",
    package="cornac",
    claims=frozenset(("rating",)),
    fit=fit_mf,
    defaults={"k": 100, "learning_rate": 0.005, "lambda_reg": 0.05, "max_iter": 60},
    space={
        "k": Setting(8, 256, log=True, integer=True),
        "learning_rate": Setting(1e-3, 0.03, log=True),
        "lambda_reg": Setting(5e-3, 0.3, log=True),
        "max_iter": Setting(10, 200, log=True, integer=True),
    },
    monitor="rmse",
    new_users=False,
)

VAECF = Peer(
    name="cornac-vaecf",
    about="VAECF: variational auto-encoder with a multinomial law (Liang et al. 2018); Cornac",
    package="cornac",
    claims=frozenset(("consume",)),
    fit=fit_vaecf,
    defaults={"hidden": 600, "k": 200, "n_epochs": 60, "beta": 1.0, "learning_rate": 1e-3, "batch_size": 100},
    space={
        "hidden": Setting(100, 800, log=True, integer=True),
        "k": Setting(20, 400, log=True, integer=True),
        "n_epochs": Setting(10, 200, log=True, integer=True),
        "beta": Setting(0.05, 4.0, log=True),
        "learning_rate": Setting(1e-4, 5e-3, log=True),
    },
)
