"""Counts of the training interactions, from which the network starts."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conv4rec.data.interactions import Interactions
from conv4rec.vocabulary import InteractionTypes

ITEM_PRIOR = 20.0
"""Pseudo-count with which an item's histogram of types is drawn to that of all items."""
MEAN_PRIOR = 5.0
"""Pseudo-count with which an item's mean rating is drawn to that of all items."""


@dataclass(frozen=True)
class Statistics:
    """Smoothed counts: I items, K input channels, L outcomes.

    Attributes:
        log_popularity: (I,) log share of the interactions, one added to each item.
        log_repeat: () log-ratio of the repeated pairs to those expected if every user drew from the popularity.
        log_histogram: (L,) log share of every type among the interactions of known type.
        log_item_histogram: (I, L) the same for every item, shrunk to that of all.
        value: (K,) rating of every channel, standardised over the training ratings; 0 where it has none.
        rated: (K,) 1 where the channel has a rating, else 0.
        item_value: (I,) mean standardised rating of every item, shrunk to 0.
        any_repeated: whether some user has an item twice.
    """

    log_popularity: Tensor
    log_repeat: Tensor
    log_histogram: Tensor
    log_item_histogram: Tensor
    value: Tensor
    rated: Tensor
    item_value: Tensor
    any_repeated: bool

    @property
    def n_items(self) -> int:
        return len(self.log_popularity)

    @property
    def n_channels(self) -> int:
        return len(self.value)

    @property
    def n_types(self) -> int:
        return len(self.log_histogram)

    @classmethod
    def of(cls, interactions: Interactions | Iterable[Interactions], types: InteractionTypes) -> "Statistics":
        """Count the training interactions; parts of them, of different users, are gone through twice."""
        parts = [interactions] if isinstance(interactions, Interactions) else interactions
        counts = sum((_item_type_counts(part, types) for part in parts), start=np.zeros(()))  # (I, K)
        exact = counts[:, : types.n_types]
        histogram = (exact.sum(0) + 1.0) / (exact.sum() + types.n_types)  # (L,)
        item_histogram = (exact + ITEM_PRIOR * histogram) / (exact.sum(1, keepdims=True) + ITEM_PRIOR)
        popularity = counts.sum(1) + 1.0
        value, rated = _standardised(types, counts.sum(0))
        item_value = counts @ value / (counts @ rated + MEAN_PRIOR)
        repeated, expected = _repeats(parts, popularity / popularity.sum())
        return cls(
            _float(np.log(popularity / popularity.sum())),
            _float(np.asarray(np.log((repeated + 1.0) / (expected + 1.0)))),
            _float(np.log(histogram)),
            _float(np.log(item_histogram)),
            _float(value),
            _float(rated),
            _float(item_value),
            any_repeated=repeated > 0,
        )

    @classmethod
    def blank(cls, n_items: int, types: InteractionTypes, *, any_repeated: bool = True) -> "Statistics":
        """Zeros of the right shapes, for a network whose weights come from a file."""
        L, K = types.n_types, types.n_channels
        shapes: tuple[tuple[int, ...], ...] = ((n_items,), (), (L,), (n_items, L), (K,), (K,), (n_items,))
        popularity, repeat, histogram, item_histogram, value, rated, item_value = map(torch.zeros, shapes)
        return cls(popularity, repeat, histogram, item_histogram, value, rated, item_value, any_repeated)


def _item_type_counts(interactions: Interactions, types: InteractionTypes) -> NDArray[np.float64]:
    cells = interactions.items.astype(np.int64) * types.n_channels + interactions.channels
    counts = np.bincount(cells, minlength=interactions.n_items * types.n_channels)
    return counts.reshape(interactions.n_items, types.n_channels).astype(np.float64)


def _repeats(parts: Iterable[Interactions], popularity: NDArray[np.float64]) -> tuple[int, float]:
    """Repeats, and those expected of draws from the popularity, given what each user drew, in any order.

    An item met c times among a user's n draws is, over all orders, first met at place (n + 1) / (c + 1), and from then
    on every draw repeats it with the probability of its popularity.
    """
    repeated, expected = 0, 0.0
    for part in parts:
        pairs, met = np.unique(part.users * part.n_items + part.items, return_counts=True)
        users, items = np.divmod(pairs, part.n_items)
        n_draws = part.counts[users]
        expected += float((popularity[items] * (n_draws - (n_draws + 1) / (met + 1))).sum())
        repeated += len(part) - len(pairs)
    return repeated, expected


def _standardised(
    types: InteractionTypes, counts: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(K,) standardised ratings and (K,) which channels are rated, for channels met `counts` times."""
    rated = (~np.isnan(types.channel_ratings)).astype(np.float64)
    weight = counts * rated
    if not weight.any():
        return np.zeros_like(rated), rated
    ratings = np.nan_to_num(types.channel_ratings)
    mean = np.average(ratings, weights=weight)
    spread = np.sqrt(np.average((ratings - mean) ** 2, weights=weight))
    return (ratings - mean) * rated / (spread if spread > 0 else 1.0), rated


def _float(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
