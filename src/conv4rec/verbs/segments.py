"""Segments of a catalogue, by tag or by cluster of item embeddings, and a user's taste for each. Source: ours."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from scipy.cluster.vq import kmeans, vq

from conv4rec.data.interactions import Interactions
from conv4rec.filters import item_tags
from conv4rec.predictions import Floats
from conv4rec.vocabulary import Vocabulary

CLUSTERS = 12
"""Clusters of items, at most, where there are no tags."""
EXAMPLES = 3
"""Items that a segment is shown by, its most popular ones."""
PRIOR = 5.0
"""Pseudo-count with which a user's share is drawn to that of the population before they are compared."""
SEED = 0
"""Seed of the clusters."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Segments:
    """G segments of I items; an item with several tags is in several.

    Attributes:
        names: (G,) tags, or `cluster 1`, ...
        members: (I, G) 1 where the item is of the segment.
        examples: the most popular items of each segment, as indices.
        popularity: (I,) share of every item in all interactions.
    """

    names: list[str]
    members: sparse.csr_array
    examples: list[NDArray[np.int64]]
    popularity: Array

    @classmethod
    def of(cls, vocabulary: Vocabulary, items: pl.DataFrame | None, vectors: Floats, popularity: Array) -> "Segments":
        """By tag where the items have tags, otherwise by cluster of their vectors (I, D)."""
        pairs = item_tags(vocabulary, items)
        if pairs is None:
            places = _clusters(vectors)
            names = [f"cluster {place + 1}" for place in range(places.max() + 1)]
            rows = np.arange(len(places))
        else:
            names = pairs["tag"].unique().sort().to_list()
            rows, places = pairs["item"].to_numpy(), pairs["tag"].cast(pl.Enum(names)).to_physical().to_numpy()
        shape = (len(popularity), len(names))
        members = sparse.csr_array((np.ones(len(rows)), (rows, places.astype(np.int64))), shape=shape)
        return cls(names, members, _examples(members, popularity), popularity)

    def of_history(self, history: Interactions) -> tuple[Array, Array, Array]:
        """The one user of `history`: (G,) interactions with each segment, their share, and lift.

        Lift is the share over that of the population, drawn to 1 where the history is thin.
        """
        counts = np.bincount(history.items, minlength=len(self.popularity)) @ self.members
        share = counts / max(1, len(history))
        lift = (counts + PRIOR * self.share) / ((len(history) + PRIOR) * self.share)
        return counts, share, lift

    @property
    def n_items(self) -> NDArray[np.int64]:
        """(G,) items of each segment."""
        return np.asarray(np.diff(self.members.tocsc().indptr), dtype=np.int64)

    @property
    def share(self) -> Array:
        """(G,) of the interactions of all."""
        return np.asarray(self.popularity @ self.members)

    def mean(self, values: Floats) -> Array:
        """(G,) mean of (I,) values over the items of each segment, popular ones counting more."""
        return np.asarray((values * self.popularity) @ self.members / self.share)


def _clusters(vectors: Floats) -> NDArray[np.int32]:
    """(I,) the cluster of every item; k-means with a fixed seed, empty clusters dropped."""
    data = np.asarray(vectors, dtype=np.float64)
    centres, _ = kmeans(data, min(CLUSTERS, max(1, len(data) // 4)), iter=5, rng=np.random.default_rng(SEED))
    found, _ = vq(data, centres)
    return np.unique(found, return_inverse=True)[1].astype(np.int32)


def _examples(members: sparse.csr_array, popularity: Array) -> list[NDArray[np.int64]]:
    columns = members.tocsc()
    parts = [columns.indices[columns.indptr[g] : columns.indptr[g + 1]] for g in range(columns.shape[1])]
    return [part[np.argsort(-popularity[part], kind="stable")[:EXAMPLES]].astype(np.int64) for part in parts]
