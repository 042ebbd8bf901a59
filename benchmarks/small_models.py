"""A few recommenders in a few lines each, fitted in a second: what a study of metrics chooses between.

Each is fitted on a past with times, and answers for any user from the history given.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from conv4rec.config import ModelConfig, TrainConfig
from conv4rec.data.draws import DAY
from conv4rec.data.drift import TYPES
from conv4rec.data.interactions import Interactions
from conv4rec.data.timeline import Timeline
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.model.statistics import Statistics
from conv4rec.online_phase import Recommend
from conv4rec.training import train

Array = NDArray[np.float64]
Fit = Callable[[Timeline, int], Recommend]

RECENT = 14
"""Days that count for what is popular now."""


def popular(past: Timeline, seed: int) -> Recommend:  # noqa: ARG001
    """Everybody gets what was taken most."""
    return _to_all(_counts(past.interactions))


def recent(past: Timeline, seed: int) -> Recommend:  # noqa: ARG001
    """Everybody gets what was taken most in the last days, and behind it what was taken most before."""
    counts = _counts(past.keep(past.times > past.times.max() - RECENT * DAY).interactions)
    return _to_all(counts + 1e-6 * _counts(past.interactions))


def ease(ridge: float) -> Fit:
    """Ridge regression of every item on the others. Source: Steck 2019."""

    def fit(past: Timeline, seed: int) -> Recommend:  # noqa: ARG001
        gram = _gram(past.interactions)
        gram[np.diag_indices_from(gram)] += ridge
        inverse = np.linalg.inv(gram)
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0.0)
        return _linear(weights)

    return fit


def item_knn(past: Timeline, seed: int) -> Recommend:  # noqa: ARG001
    """Items whose users are most like those of the history, by cosine, from the 30 nearest neighbours of each."""
    gram = _gram(past.interactions)
    counts = np.maximum(np.diag(gram), 1.0)
    cosine = gram / np.sqrt(counts[:, None] * (counts + 10.0))
    np.fill_diagonal(cosine, 0.0)
    far = cosine < np.sort(cosine, axis=0)[-30]
    return _linear(np.where(far, 0.0, cosine))


def ials(past: Timeline, seed: int, *, rank: int = 16, ridge: float = 5.0, alpha: float = 10.0) -> Recommend:
    """Implicit matrix factorisation by alternating least squares; a history is folded in. Source: Hu et al. 2008."""
    rows = _matrix(past.interactions)
    items = 0.1 * np.random.default_rng(seed).normal(size=(rows.shape[1], rank))
    for _ in range(8):
        users = _solve(rows, items, ridge, alpha)
        items = _solve(rows.T.tocsr(), users, ridge, alpha)
    return lambda _, histories: _solve(_matrix(histories), items, ridge, alpha) @ items.T


def conv4rec(past: Timeline, seed: int) -> Recommend:
    """Our network, small, for a fixed number of epochs."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        network = Network(ModelConfig(channels=1, embedding_dim=32), Statistics.of(past.interactions, TYPES))
    train(network, past.interactions, TYPES, TrainConfig(epochs=15, seed=seed, device="cpu", learning_rate=5e-3))
    predictor = NetworkPredictor(network, TYPES)
    return lambda _, histories: predictor.predict(histories).log_p_consume


MODELS: dict[str, Fit] = {
    "popular": popular,
    "recent": recent,
    "ease": ease(1000.0),
    "item-knn": item_knn,
    "ials": ials,
    "conv4rec": conv4rec,
}


def fit_all(past: Timeline, seed: int) -> dict[str, Recommend]:
    """The models by name, and two of them once more with popular items discounted.

    Discounted: the logarithm of the score, as of a chance, less half the logarithm of the popularity.
    """
    fitted = {name: fit(past, seed) for name, fit in MODELS.items()}
    discount = 0.5 * np.log(_counts(past.interactions) + 1.0)
    ease_, conv4rec_ = fitted["ease"], fitted["conv4rec"]
    return fitted | {
        "ease, discounted": lambda users, rows: np.log(np.maximum(ease_(users, rows), 1e-6)) - discount,
        "conv4rec, discounted": lambda users, rows: conv4rec_(users, rows) - discount,
    }


def _counts(interactions: Interactions) -> Array:
    return np.bincount(interactions.items, minlength=interactions.n_items).astype(np.float64)


def _to_all(scores: Array) -> Recommend:
    return lambda users, _: np.broadcast_to(scores, (len(users), len(scores)))


def _linear(weights: Array) -> Recommend:
    return lambda _, histories: _matrix(histories) @ weights


def _matrix(interactions: Interactions) -> sparse.csr_array:
    """(B, I) of ones."""
    ones = np.ones(len(interactions))
    shape = (interactions.n_users, interactions.n_items)
    return sparse.csr_array((ones, interactions.items, interactions.indptr), shape=shape)


def _gram(interactions: Interactions) -> Array:
    """(I, I) how many users have both items."""
    rows = _matrix(interactions)
    return np.asarray((rows.T @ rows).toarray())


def _solve(rows: sparse.csr_array, factors: Array, ridge: float, alpha: float) -> Array:
    """(B, F) of the rows, given (I, F) factors: weight 1 + alpha for what is there, 1 for the rest."""
    rank = factors.shape[1]
    outer = (factors[:, :, None] * factors[:, None, :]).reshape(-1, rank * rank)
    left = alpha * (rows @ outer).reshape(-1, rank, rank) + factors.T @ factors + ridge * np.eye(rank)
    return np.asarray(np.linalg.solve(left, (1 + alpha) * (rows @ factors)[:, :, None])[:, :, 0], dtype=np.float64)
