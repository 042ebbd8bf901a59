"""How far one law is from another: total variation, Kullback-Leibler, and what the one says of the other."""

import numpy as np
from numpy.typing import NDArray

from conv4rec.predictions import Floats

Array = NDArray[np.float64]


def total_variation(p: Floats, q: Floats) -> Array:
    """(..., n) probabilities to (...): half the sum of absolute differences, 0 to 1.

    It is the most by which the two differ on any event.
    """
    return np.asarray(np.abs(p - q).sum(axis=-1) / 2)


def kullback_leibler(log_p: Floats, log_q: Floats) -> Array:
    """(..., n) log-probabilities to (...): KL(p || q) in nats; infinite where q rules out what p allows.

    A probability of zero is a log-probability of minus infinity, and adds nothing where it is p's.
    """
    excess = np.where(np.isneginf(log_p), 0.0, log_p) - np.where(np.isneginf(log_p), 0.0, log_q)
    return np.asarray((np.exp(log_p) * excess).sum(axis=-1))


def pinsker(kl: Floats | float) -> Array:
    """The total variation that a divergence of so many nats allows at most: sqrt(KL / 2), of any shape.

    It is concave, so that the mean of total variations is at most this of the mean divergence (Jensen). Above 2 nats
    it says nothing, being more than 1. A mean divergence a rounding below 0 counts as 0.

    Source: Pinsker's inequality with its best constant, after Csiszar and Kullback.
    """
    return np.sqrt(np.maximum(kl, 0.0) / 2)
