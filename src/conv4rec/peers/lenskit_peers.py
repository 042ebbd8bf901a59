"""Peers of the package LensKit: biased matrix factorisation, and nearest neighbours among items, for either claim.

All of them take the history of a user when they are asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from conv4rec.data.interactions import Interactions
from conv4rec.peers.fitting import Ranking, Rating, Users, fit_ranking, fit_rating, n_bytes
from conv4rec.peers.guests import guest
from conv4rec.peers.inputs import Rated, binary_matrix, rated_pairs, rated_to_learn
from conv4rec.peers.peer import Params, Peer, Setting, Task
from conv4rec.predictions import Floats
from conv4rec.vocabulary import InteractionTypes

DAMPING = 5.0
"""Ratings without deviation added to every user and item, where only biases are left to answer from."""


@dataclass(frozen=True)
class LenskitRatings:
    """A scorer of ratings; where it has no answer, as for an item without neighbours, biases have, as in LensKit."""

    name: str
    types: InteractionTypes
    scorer: Any
    biases: Any
    n_bytes: int

    def scores(self, users: Users, histories: Interactions) -> Floats:  # noqa: ARG002
        rated = rated_pairs(histories, self.types)
        with guest(self.name, "lenskit"):
            items, known = _items(np.arange(histories.n_items)), _known(self.scorer, histories.n_items)
            of_users = ((met, ratings, known[met]) for met, ratings in rated.per_user(histories.n_users))
            return np.stack([self._answer(_items(m[k], rating=r[k]), items) for m, r, k in of_users])

    def _answer(self, query: Any, items: Any) -> NDArray[np.float64]:
        found = self.scorer(query, items).scores()
        biases, _ = self.biases.compute_for_items(items, None, query)
        return np.asarray(np.where(np.isnan(found), biases, found), dtype=np.float64)


@dataclass(frozen=True)
class LenskitNeighbours:
    """Nearest neighbours among items, from the fact of the interactions; without a neighbour the score is 0."""

    scorer: Any

    @classmethod
    def fit(cls, interactions: Interactions, params: Params) -> "LenskitNeighbours":
        X = binary_matrix(interactions).tocoo()
        with guest("lenskit-iknn", "lenskit"):
            return cls(
                _knn(
                    _dataset(Rated(X.row.astype(np.int64), X.col.astype(np.int64), X.data)), params, feedback="implicit"
                )
            )

    @property
    def n_bytes(self) -> int:
        return _knn_bytes(self.scorer)

    def scores(self, users: Users, histories: Interactions) -> Floats:  # noqa: ARG002
        with guest("lenskit-iknn", "lenskit"):
            items, known = _items(np.arange(histories.n_items)), _known(self.scorer, histories.n_items)
            found = [self.scorer(_items(mine[known[mine]]), items).scores() for mine in _rows(binary_matrix(histories))]
            return np.asarray(np.nan_to_num(np.stack(found)))


def fit_biased_mf(task: Task, params: Params) -> Rating:
    def learn(known: Interactions) -> LenskitRatings:
        rated = rated_to_learn("lenskit-biased-mf", known, task.types)
        with guest("lenskit-biased-mf", "lenskit"):
            from lenskit.als import BiasedMFScorer

            data = _dataset(rated)
            scorer = BiasedMFScorer(**params, user_embeddings=False)
            scorer.train(data, _options(task.seed))
            size = n_bytes(scorer.item_embeddings, scorer.bias.item_biases, scorer.bias.user_biases)
            return LenskitRatings("lenskit-biased-mf", task.types, scorer, scorer.bias, size)

    return fit_rating("lenskit-biased-mf", task, learn)


def fit_iknn(task: Task, params: Params) -> Ranking:
    return fit_ranking("lenskit-iknn", task, lambda known: LenskitNeighbours.fit(known, params))


def fit_iknn_rating(task: Task, params: Params) -> Rating:
    def learn(known: Interactions) -> LenskitRatings:
        rated = rated_to_learn("lenskit-iknn-rating", known, task.types)
        with guest("lenskit-iknn-rating", "lenskit"):
            from lenskit.basic import BiasModel

            data = _dataset(rated)
            scorer, biases = _knn(data, params, feedback="explicit"), BiasModel.learn(data, damping=DAMPING)
            size = _knn_bytes(scorer) + n_bytes(biases.item_biases, biases.user_biases)
            return LenskitRatings("lenskit-iknn-rating", task.types, scorer, biases, size)

    return fit_rating("lenskit-iknn-rating", task, learn)


def _knn(data: Any, params: Params, *, feedback: Literal["implicit", "explicit"]) -> Any:
    from lenskit.knn import ItemKNNScorer

    scorer = ItemKNNScorer(**params, feedback=feedback)
    scorer.train(data, _options(0))
    return scorer


def _knn_bytes(scorer: Any) -> int:
    means = () if scorer.item_means is None else (scorer.item_means,)
    return int(scorer.sim_matrix.nbytes) + n_bytes(scorer.item_counts, *means)


def _options(seed: int) -> Any:
    """Options of a fit. LensKit is given as many threads as we use, the first time: later it keeps what it has."""
    from lenskit import parallel
    from lenskit.training import TrainingOptions

    parallel.initialize(processes=1, threads=torch.get_num_threads(), backend_threads=1)
    return TrainingOptions(rng=seed)


def _dataset(rated: Rated) -> Any:
    """LensKit's own table, of the users and items that are met, with our indices as its ids."""
    import pandas as pd
    from lenskit.data import from_interactions_df

    return from_interactions_df(pd.DataFrame({"user_id": rated.users, "item_id": rated.items, "rating": rated.ratings}))


def _known(scorer: Any, n_items: int) -> NDArray[np.bool_]:
    """(I,) whether the scorer has met an item: LensKit does not bear others in a history."""
    return np.asarray(scorer.items.numbers(np.arange(n_items), missing="negative") >= 0)


def _rows(X: sparse.csr_matrix) -> Iterator[NDArray[np.integer]]:
    """The columns of every row in turn."""
    return (X.indices[start:stop] for start, stop in pairwise(X.indptr))


def _items(items: NDArray[np.integer], **fields: NDArray[np.floating]) -> Any:
    from lenskit.data import ItemList

    return ItemList(item_ids=items, **fields)


BIASED_MF = Peer(
    name="lenskit-biased-mf",
    about="Biased matrix factorisation by alternating least squares (Zhou et al. 2008); LensKit",
    package="lenskit",
    claims=frozenset(("rating",)),
    fit=fit_biased_mf,
    defaults={"embedding_size": 50, "epochs": 20, "regularization": 0.1, "damping": 5.0},
    space={
        "embedding_size": Setting(8, 128, log=True, integer=True),
        "epochs": Setting(5, 40, log=True, integer=True),
        "regularization": Setting(5e-3, 1.0, log=True),
        "damping": Setting(0.5, 50.0, log=True),
    },
    monitor="rmse",
)

IKNN = Peer(
    name="lenskit-iknn",
    about="Nearest neighbours among items by cosine, for ranking (Deshpande and Karypis 2004); LensKit",
    package="lenskit",
    claims=frozenset(("consume",)),
    fit=fit_iknn,
    defaults={"save_nbrs": 20, "max_nbrs": 100},
    space={
        "save_nbrs": Setting(5, 500, log=True, integer=True),
        "max_nbrs": Setting(5, 500, log=True, integer=True),
    },
)

IKNN_RATING = Peer(
    name="lenskit-iknn-rating",
    about="Nearest neighbours among items by adjusted cosine, for ratings (Sarwar et al. 2001); LensKit",
    package="lenskit",
    claims=frozenset(("rating",)),
    fit=fit_iknn_rating,
    defaults={"save_nbrs": 500, "max_nbrs": 30, "min_nbrs": 2},
    space={
        "save_nbrs": Setting(50, 2000, log=True, integer=True),
        "max_nbrs": Setting(5, 300, log=True, integer=True),
        "min_nbrs": Setting(1, 10, integer=True),
    },
    monitor="rmse",
)
