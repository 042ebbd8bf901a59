"""EASE: a linear item-item model with zero diagonal, in closed form."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.peers.fitting import Ranking, Users, fit_ranking
from conv4rec.peers.inputs import binary_matrix
from conv4rec.peers.peer import Params, Peer, Setting, Task
from conv4rec.predictions import Floats


@dataclass(frozen=True)
class Ease:
    """Scores x W of a user with history x. Time O(I^3), memory O(I^2). Source: Steck 2019, equation 8."""

    weights: NDArray[np.float32]

    @classmethod
    def fit(cls, interactions: Interactions, penalty: float) -> "Ease":
        """Minimise |X - X W|^2 + penalty |W|^2 with zero diagonal: W = -P / diag P off it, P = (X'X + penalty 1)^-1."""
        X = binary_matrix(interactions)
        gram = (X.T @ X).toarray().astype(np.float64)
        gram[np.diag_indices_from(gram)] += penalty
        P = np.linalg.inv(gram)
        weights = P / -np.diag(P)
        np.fill_diagonal(weights, 0.0)
        return cls(weights.astype(np.float32))

    @property
    def n_bytes(self) -> int:
        return self.weights.nbytes

    def scores(self, users: Users, histories: Interactions) -> Floats:  # noqa: ARG002
        return np.asarray(binary_matrix(histories) @ self.weights)


def fit_ease(task: Task, params: Params) -> Ranking:
    return fit_ranking("ease", task, lambda known: Ease.fit(known, params["lambda"]))


EASE = Peer(
    name="ease",
    about="EASE: linear item-item model in closed form (Steck 2019); ours, in numpy",
    package=None,
    claims=frozenset(("consume",)),
    fit=fit_ease,
    defaults={"lambda": 800.0},
    space={"lambda": Setting(10.0, 10_000.0, log=True)},
)
