"""What a user would like and would not find alone: the score of `discover`. Source: ours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conv4rec.predictions import Floats
from conv4rec.vocabulary import InteractionTypes

WEAKEST = 1e-6
"""Lowest correlation of two ratings of an item that is believed, so that the pseudo-count stays finite."""


@dataclass(frozen=True)
class Discovery:
    """What the histories of a population tell about its items.

        score(u, i) = (trust_i p_like(u, i) + (1 - trust_i) p_like) * (1 - p_consume(u, i))^horizon

    The first factor is p_like, drawn to that of all ratings where the item has few; the second the probability that
    none of the user's next `horizon` interactions is with the item. So the score is the probability of two things at
    once: the user does not come across the item alone, and likes it when shown.

    Attributes:
        trust: (I,) n / (n + s), n being the number of ratings of the item and s a pseudo-count, see `of`.
        p_like: share of all ratings that are `like` or more.
        horizon: the median number of interactions of a user.
    """

    trust: NDArray[np.float64]
    p_like: float
    horizon: float

    @classmethod
    def of(cls, counts: NDArray[np.int64], types: InteractionTypes, like: float, horizon: float) -> "Discovery":
        """From (I, K), how often every item was met with every interaction type.

        The pseudo-count is that of the beta law of like rates over items with the correlation rho of two ratings of one
        item, by analysis of variance: s = (1 - rho) / rho. Where items do not differ it is very large.
        """
        n = counts[:, ~np.isnan(types.channel_ratings)].sum(axis=1).astype(np.float64)
        k = counts[:, types.channel_ratings >= like].sum(axis=1).astype(np.float64)
        rho = _correlation(n, k)
        return cls(n / (n + (1 - rho) / rho), float(k.sum() / max(n.sum(), 1.0)), horizon)

    def score(self, log_p_consume: Floats, p_like: Floats) -> Floats:
        """(B, I) log p_consume and p_like to scores, probabilities."""
        sound = self.p_like + self.trust * (p_like - self.p_like)
        missed = np.exp(self.horizon * np.log1p(-np.minimum(np.exp(log_p_consume), 1 - 1e-7)))
        return np.asarray((sound * missed).astype(log_p_consume.dtype))


def _correlation(n: NDArray[np.float64], k: NDArray[np.float64]) -> float:
    """Correlation of two ratings of one item as to whether they like it, from (I,) counts n of which k like it."""
    k, n = k[n > 0], n[n > 0]
    if len(n) < 2 or n.sum() <= len(n):  # nothing within or between items to compare
        return WEAKEST
    within = float((k * (1 - k / n)).sum()) / (n.sum() - len(n))
    between = float((n * (k / n - k.sum() / n.sum()) ** 2).sum()) / (len(n) - 1)
    typical = (n.sum() - (n**2).sum() / n.sum()) / (len(n) - 1)
    total = between + (typical - 1) * within
    return float(np.clip((between - within) / total, WEAKEST, 1 - WEAKEST)) if total > 0 else WEAKEST
