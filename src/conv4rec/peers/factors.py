"""Matrix factorisations of others, once fitted: the numbers are taken out, and nothing of the package stays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.peers.fitting import Users, n_bytes
from conv4rec.predictions import Floats


@dataclass(frozen=True)
class Factors:
    """Scores mean + user bias + item bias + <user factors, item factors>, whatever the history.

    Attributes:
        users: (n_users, K).
        items: (I, K).
        user_biases: (n_users,).
        item_biases: (I,).
        mean: of all.
    """

    users: NDArray[np.floating]
    items: NDArray[np.floating]
    user_biases: NDArray[np.floating]
    item_biases: NDArray[np.floating]
    mean: float = 0.0

    def of_those_met(self, users: NDArray[np.integer], items: NDArray[np.integer]) -> "Factors":
        """Without what users and items that are not among these were given before the fit, and kept."""
        user, item = (
            np.bincount(met, minlength=n) > 0 for met, n in ((users, len(self.users)), (items, len(self.items)))
        )
        return Factors(
            self.users * user[:, None],
            self.items * item[:, None],
            self.user_biases * user,
            self.item_biases * item,
            self.mean,
        )

    @property
    def n_bytes(self) -> int:
        return n_bytes(self.users, self.items, self.user_biases, self.item_biases) + 8

    def scores(self, users: Users, histories: Interactions) -> Floats:  # noqa: ARG002
        biases = self.user_biases[users, None] + self.item_biases + self.mean
        return np.asarray(self.users[users] @ self.items.T + biases)
