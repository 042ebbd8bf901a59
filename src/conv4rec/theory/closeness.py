"""How near a fitted law is to the law of the world: total variation and divergence, joint and of each part."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.data.simulator import Simulation
from conv4rec.peers.peer import Fitted
from conv4rec.predictions import Predictions, users_per_batch
from conv4rec.theory.distances import kullback_leibler, pinsker, total_variation

Array = NDArray[np.float64]
PARTS = ("joint", "consume", "rating")


@dataclass(frozen=True)
class Closeness:
    """Means over users u of the distance of p_u from the true law p*_u; divergences in nats.

    `joint` is the law of pairs of an item and a type, `consume` that of the item. `rating` is that of the type, given
    an item drawn from p*_u: it counts where the user is, as the joint law does. The divergence of the joint law is the
    excess risk, and the sum of the other two.
    """

    tv_joint: float
    tv_consume: float
    tv_rating: float
    kl_joint: float
    kl_consume: float
    kl_rating: float

    def tv(self, part: str) -> float:
        """Mean total variation of a part (`PARTS`)."""
        return float(getattr(self, f"tv_{part}"))

    def bound(self, part: str) -> float:
        """What Pinsker and Jensen make of the mean divergence of a part: its mean total variation is not above it."""
        return float(pinsker(getattr(self, f"kl_{part}")))


def closeness(simulation: Simulation, fitted: Fitted, histories: Interactions, *, memory_mb: int = 512) -> Closeness:
    """Ask a fitted model about all users of a world, given their histories, and compare with the truth."""
    per_batch = users_per_batch(histories.n_items, simulation.ratings.types.n_types, memory_mb=memory_mb)
    rows = [_of_users(simulation, users, fitted.predict(users, known)) for users, known in histories.batches(per_batch)]
    return Closeness(*np.concatenate(rows, axis=1).mean(axis=1).tolist())


def _of_users(simulation: Simulation, users: NDArray[np.int64], found: Predictions) -> Array:
    """(6, B): the fields of `Closeness`, by user. Laws are normalised anew, because float32 sums are off by 1e-6."""
    log_p, log_p_type = simulation.log_p_consume[users], simulation.log_p_type[users]
    log_q, log_q_type = (_normalised(np.asarray(law)) for law in (found.log_p_consume, found.type_law.grid()))
    p, q = np.exp(log_p), np.exp(log_q)
    p_type, q_type = np.exp(log_p_type), np.exp(log_q_type)
    joint_p, joint_q = p[:, :, None] * p_type, q[:, :, None] * q_type
    kl_consume = kullback_leibler(log_p, log_q)
    kl_rating = (p * kullback_leibler(log_p_type, log_q_type)).sum(axis=1)
    tv_joint = total_variation(joint_p.reshape(len(p), -1), joint_q.reshape(len(p), -1))
    tv_rating = (p * total_variation(p_type, q_type)).sum(axis=1)
    return np.stack(
        [tv_joint, total_variation(p, q), tv_rating, kl_consume + kl_rating, kl_consume, kl_rating],
    )


def _normalised(log_p: Array) -> Array:
    log_p = log_p.astype(np.float64)
    return np.asarray(log_p - np.log(np.exp(log_p).sum(axis=-1, keepdims=True)))
