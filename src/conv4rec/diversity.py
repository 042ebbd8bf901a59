"""Lists whose items differ: maximal marginal relevance.

Source: Carbonell and Goldstein, SIGIR 1998; how scores are brought to the scale of similarities is ours.
"""

import numpy as np
from numpy.typing import NDArray

from conv4rec.errors import QueryError
from conv4rec.metrics.ranking import top_k
from conv4rec.predictions import Floats

POOL = 10
"""The items of a diverse list of length k are chosen among the best POOL x k."""


def check_diversity(diversity: float) -> None:
    """QueryError for anything but a number from 0 to 1."""
    if isinstance(diversity, bool) or not isinstance(diversity, int | float) or not 0 <= diversity <= 1:
        raise QueryError(f"diversity = {diversity!r}: expected 0 (by score alone) to 1 (as unlike as can be)")


def diverse_top_k(scores: Floats, vectors: Floats, k: int, diversity: float) -> NDArray[np.int32]:
    """Lists in which an item is chosen for its score and for being unlike those chosen before it, (B, K).

    Args:
        scores: (B, I); -inf takes an item out.
        vectors: (I, D) of length one; likeness is their product.
        k: length of the lists; one that runs out of items ends in -1.
        diversity: weight of being unlike, d: an item is worth (1 - d) relevance - d (highest likeness to one chosen).

    Both are brought to one scale among the best POOL x k items: relevance from 0 at the last to 1 at the best, likeness
    from 0 for the two least alike to 1 for the two most. Memory is (POOL k)^2 floats
    whatever the number of users.
    """
    pools = top_k(scores, POOL * k)
    lists = np.full((len(scores), min(k, scores.shape[1])), -1, dtype=np.int32)
    for row, pool in enumerate(pools):
        items = pool[pool >= 0]
        near = vectors[items]
        places = _choose(_relevance(scores[row, items]), _likeness(near), lists.shape[1], diversity)
        lists[row, : len(places)] = items[places]
    return lists


def _relevance(scores: Floats) -> Floats:
    """(P,) descending scores, brought to 1 ... 0; all 1 where they are equal."""
    span = scores[0] - scores[-1] if len(scores) else 0.0
    return (scores - scores[-1]) / span if span > 0 else np.ones_like(scores)


def _likeness(vectors: Floats) -> Floats:
    """(P, P) products of (P, D), those of two items brought to 0 ... 1; all 0 where they are equal."""
    products = vectors @ vectors.T
    pairs = products[~np.eye(len(products), dtype=bool)]
    low, high = (pairs.min(), pairs.max()) if len(pairs) else (0.0, 0.0)
    return (products - low) / (high - low) if high > low else np.zeros_like(products)


def _choose(relevance: Floats, likeness: Floats, k: int, diversity: float) -> list[int]:
    """Places of the chosen, in order, from (P,) and (P, P)."""
    left = (1 - diversity) * relevance
    closest = np.zeros_like(relevance)
    places: list[int] = []
    for _ in range(min(k, len(relevance))):
        worth = left - diversity * closest
        worth[places] = -np.inf
        best = int(np.argmax(worth)) if places else 0
        places.append(best)
        closest = likeness[best] if len(places) == 1 else np.maximum(closest, likeness[best])
    return places
