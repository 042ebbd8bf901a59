"""From a batch of predictions to columns of values per user, and from their sums to figures.

Every family is a pair of functions. `..._columns` gives (B,) or (B, n) values a user; `..._figures` takes their sums,
those of the data, () or (n,), or those of all replicates, (R,) or (R, n), and gives the metrics: one formula for both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.metrics import calibration
from conv4rec.metrics.bootstrap import Sums
from conv4rec.metrics.catalogue import Catalogue, diversity, lists_as_rows, mean_listed
from conv4rec.metrics.ranking import RANKING, Hits, Order, auc, ndcg_at, segments
from conv4rec.metrics.rating import is_most_likely, ranked_probability_score, rating_errors, type_nll
from conv4rec.predictions import Floats, Predictions, default_like, p_like, rating_marginal
from conv4rec.vocabulary import InteractionTypes

Array = NDArray[np.float64]
Columns = dict[str, Array]


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        config: see EvaluateConfig.
        types: the interaction types of the law.
        catalogue: what is known of the items; None where the predictor makes no claim on what is consumed.
        with_types: whether it makes one on the types.
    """

    config: EvaluateConfig
    types: InteractionTypes
    catalogue: Catalogue | None
    with_types: bool

    @cached_property
    def ks(self) -> tuple[int, ...]:
        """Lengths of lists, ascending."""
        return tuple(sorted(set(self.config.k)))

    @cached_property
    def like(self) -> float:
        """The lowest rating that counts as liked; NaN where nothing is rated."""
        if not self.types.n_levels:
            return float("nan")
        return default_like(self.types) if self.config.like is None else self.config.like


@dataclass(frozen=True)
class Batch:
    """B users: what is known of them, what is asked, and what is predicted."""

    predictions: Predictions
    history: Interactions
    targets: Interactions
    plan: Plan

    @property
    def n_rows(self) -> int:
        return self.targets.n_users

    def sum(self, values: NDArray[np.number], rows: NDArray[np.integer] | None = None) -> Array:
        """(N,) values of the targets, or of `rows`, to sums per user, (B,)."""
        rows = self.targets.users if rows is None else rows
        return np.bincount(rows, weights=values, minlength=self.n_rows).astype(np.float64)

    @cached_property
    def order(self) -> Order:
        """log p_consume without what is in the history."""
        scores = self.predictions.log_p_consume.copy()
        scores[self.history.users, self.history.items] = -np.inf
        return Order.of(scores)

    @cached_property
    def relevant_pairs(self) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Rows and items, every pair once: targets that are relevant and not in the history."""
        relevant, least = self.targets, self.plan.config.relevant
        if least is not None:
            relevant = relevant.keep(self._ratings >= least)  # NaN is not
        users, items = relevant.distinct_pairs
        new = self.order.scores[users, items] > -np.inf
        return users[new], items[new]

    @cached_property
    def _ratings(self) -> Array:
        """(N,) given rating of every target; NaN where there is none."""
        return self.predictions.types.channel_ratings[self.targets.channels]

    @cached_property
    def log_p_type(self) -> Floats:
        """(N, L) law of the type of every target."""
        return self.predictions.type_law.pairs(self.targets.users, self.targets.items)

    @cached_property
    def rated(self) -> "Rated":
        """The targets that have a rating."""
        types = self.predictions.types
        where = np.flatnonzero(~np.isnan(self._ratings))
        law = rating_marginal(self.log_p_type[where], types)
        ratings = self._ratings[where]
        levels = np.searchsorted(types.rating_values, ratings)
        p = p_like(law, types, self.plan.like).astype(np.float64).clip(0.0, 1.0)
        return Rated(
            self.targets.users[where], self.targets.items[where], ratings, levels, law, p, ratings >= self.plan.like
        )


@dataclass(frozen=True)
class Rated:
    """N rated targets: (N,) rows, items, ratings, levels and p_like, (N, R) laws, and whether they are liked."""

    rows: NDArray[np.integer]
    items: NDArray[np.integer]
    ratings: Array
    levels: NDArray[np.integer]
    p_rating: Floats
    p_like: Array
    liked: NDArray[np.bool_]


@dataclass(frozen=True)
class Measured:
    """What is kept of a batch: columns per user, lists (B, K), and the liked and disliked by p_like, (2, FINE)."""

    columns: Columns
    top: NDArray[np.int32] | None
    fine_likes: NDArray[np.int64] | None


def measure(batch: Batch) -> Measured:
    """All families that the plan asks for."""
    plan = batch.plan
    columns: Columns = {"interactions": batch.targets.counts.astype(np.float64)}
    top, fine_likes = None, None
    if plan.catalogue is not None:
        top = batch.order.top(plan.ks[-1])
        columns |= consume_columns(batch) | ranking_columns(batch, plan.ks)
        columns |= list_columns(top, plan.catalogue, plan.ks)
    if plan.with_types:
        columns |= type_columns(batch)
    if plan.with_types and plan.types.n_levels:
        columns |= rating_columns(batch, plan.ks)
        fine_likes = calibration.count_likes(batch.rated.p_like, batch.rated.liked)
    return Measured(columns, top, fine_likes)


def figures(sums: Sums, plan: Plan) -> Columns:
    """The metrics that follow from sums; NaN where they are not defined."""
    found: Columns = {}
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 is NaN
        if plan.catalogue is not None:
            found |= ranking_figures(sums, plan.ks) | list_figures(sums, plan.ks)
        if plan.with_types and plan.types.n_levels:
            found |= rating_figures(sums, plan.ks)
        if plan.with_types:
            found["nll_rating"] = sums["nll_rating"] / sums["interactions"]
        if plan.catalogue is not None:
            found |= consume_figures(sums)
        if plan.with_types and plan.catalogue is not None:
            found["nll"] = found["nll_consume"] + found["nll_rating"]
    return found


def consume_columns(batch: Batch) -> Columns:
    """Likelihood and calibration of p_consume; a user counts as often as they have targets."""
    n_items = batch.targets.n_items
    log_p = batch.predictions.log_p_consume
    found = log_p[batch.targets.users, batch.targets.items].astype(np.float64)
    mass, counts, squares = calibration.consumption_mass(batch.order, batch.history, log_p)
    n_targets = batch.targets.counts.astype(np.float64)
    cells = batch.targets.users * mass.shape[1] + calibration.bin_consumption(found, n_items)
    happened = np.bincount(cells, minlength=mass.size).reshape(mass.shape)
    return {
        "nll_consume": batch.sum(-found),
        "brier_consume": n_targets * (1 + squares) - 2 * batch.sum(np.exp(found)),
        "consume_predicted": mass * n_targets[:, None],
        "consume_observed": happened.astype(np.float64),
        "consume_pairs": counts * n_targets[:, None],
    }


def consume_figures(sums: Sums) -> Columns:
    """nll_consume in nats, brier_consume (0 to 2) and ece_consume, means over interactions."""
    n = sums["interactions"]
    predicted, observed = sums["consume_predicted"], sums["consume_observed"]
    return {
        "nll_consume": sums["nll_consume"] / n,
        "brier_consume": sums["brier_consume"] / n,
        "ece_consume": calibration.expected_calibration_error(predicted, observed, n),
    }


def ranking_columns(batch: Batch, ks: Sequence[int]) -> Columns:
    """Metrics of the users who have relevant items, 0 for the others."""
    rows, items = batch.relevant_pairs
    ranks, midranks = batch.order.ranks(rows, items)
    ranked, index = np.unique(rows, return_inverse=True)
    hits = Hits.of(index, ranks, len(ranked))
    area = auc(midranks, index, batch.order.n_allowed[ranked])
    values = {f"{name}@{k}": metric(k, hits) for name, metric in RANKING.items() for k in ks}
    values |= {"ranked": np.ones(len(ranked)), "auc_users": np.isfinite(area).astype(np.float64)}
    values |= {"auc": np.nan_to_num(area)}
    columns = {name: _spread(value, ranked, batch.n_rows) for name, value in values.items()}
    at = np.minimum(hits.ranks, max(ks) + 1) - 1  # the last column: behind the list
    share = np.stack([np.ones(len(at)), 1 / hits.n_relevant[hits.rows]])
    for name, weight in zip(("hits_by_rank", "recalled_by_rank"), share, strict=True):
        columns[name] = _histogram(ranked[hits.rows], at, weight, shape=(batch.n_rows, max(ks) + 1))
    return columns


def _spread(values: Array, rows: NDArray[np.integer], n_rows: int) -> Array:
    spread = np.zeros(n_rows)
    spread[rows] = values
    return spread


def _histogram(
    rows: NDArray[np.integer], bins: NDArray[np.integer], weights: NDArray[Any] | None, *, shape: tuple[int, int]
) -> Array:
    cells = rows * shape[1] + bins
    return np.bincount(cells, weights=weights, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)


def ranking_figures(sums: Sums, ks: Sequence[int]) -> Columns:
    """Means over the users who have relevant items; of the AUC, over those who have other items as well."""
    figures = {f"{name}@{k}": sums[f"{name}@{k}"] / sums["ranked"] for name in RANKING for k in ks}
    return figures | {"auc": sums["auc"] / sums["auc_users"]}


def list_columns(top: NDArray[np.int32], catalogue: Catalogue, ks: Sequence[int]) -> Columns:
    """Popularity, novelty and diversity of the lists (B, K) of all users; 0 where a list is too short for it."""
    columns: Columns = {}
    sums = np.zeros((len(top), catalogue.vectors.shape[1]), dtype=np.float32)
    has_vector = catalogue.popularity > 0
    for start, end in segments(ks):
        sums += lists_as_rows(top, start, end, len(has_vector)) @ catalogue.vectors
        n_listed = np.count_nonzero(top[:, :end] >= 0, axis=1)
        n_known = np.count_nonzero(has_vector[top[:, :end]] & (top[:, :end] >= 0), axis=1)
        values = {
            "popularity": mean_listed(catalogue.popularity, top, end),
            "novelty": mean_listed(catalogue.novelty, top, end),
            "diversity": diversity(sums, n_listed, n_known),
        }
        columns |= {f"{name}@{end}": np.nan_to_num(value) for name, value in values.items()}
        columns |= {
            f"listed@{end}": (n_listed > 0).astype(np.float64),
            f"pairs@{end}": (n_listed > 1).astype(np.float64),
        }
    return columns


def list_figures(sums: Sums, ks: Sequence[int]) -> Columns:
    """Means over the users whose list holds an item; of the diversity, two items."""
    figures = {
        f"{name}@{k}": sums[f"{name}@{k}"] / sums[f"listed@{k}"] for name in ("popularity", "novelty") for k in ks
    }
    return figures | {f"diversity@{k}": sums[f"diversity@{k}"] / sums[f"pairs@{k}"] for k in ks}


def type_columns(batch: Batch) -> Columns:
    """Likelihood of the type of every target."""
    return {"nll_rating": batch.sum(type_nll(batch.log_p_type, batch.targets.channels, batch.predictions.types))}


def rating_columns(batch: Batch, ks: Sequence[int]) -> Columns:
    """Errors, scores, calibration and order of the rated targets."""
    rated, rows = batch.rated, batch.rated.rows
    errors = rating_errors(rated.p_rating, rated.ratings, batch.predictions.types)
    columns = {
        "rated": batch.sum(np.ones(len(rows)), rows),
        "square": batch.sum(errors**2, rows),
        "size": batch.sum(np.abs(errors), rows),
        "rps": batch.sum(ranked_probability_score(rated.p_rating, rated.levels), rows),
        "right": batch.sum(is_most_likely(rated.p_rating, rated.levels), rows),
        "brier_like": batch.sum((rated.p_like - rated.liked) ** 2, rows),
    }
    bins, shape = calibration.bin_likes(rated.p_like), (batch.n_rows, calibration.LIKE_BINS)
    columns["like_predicted"] = _histogram(rows, bins, rated.p_like, shape=shape)
    columns["like_observed"] = _histogram(rows, bins, rated.liked, shape=shape)
    columns["like_pairs"] = _histogram(rows, bins, None, shape=shape)
    shape = (batch.n_rows, rated.p_rating.shape[1])
    columns["rating_observed"] = _histogram(rows, rated.levels, None, shape=shape)
    columns["rating_predicted"] = np.stack([batch.sum(p, rows) for p in rated.p_rating.T], axis=1)
    return columns | _order_columns(batch, ks)


def _order_columns(batch: Batch, ks: Sequence[int]) -> Columns:
    """NDCG of the rated targets of a user put in the order of p_like, liked ones relevant."""
    rated = batch.rated
    order = np.lexsort((rated.items, -rated.p_like, rated.rows))
    rows = rated.rows[order]
    n_rated = np.bincount(rows, minlength=batch.n_rows)
    ranks = np.arange(len(rows)) - (np.cumsum(n_rated) - n_rated)[rows] + 1
    liked = rated.liked[order]
    users, index = np.unique(rows[liked], return_inverse=True)
    hits = Hits.of(index, ranks[liked], len(users))
    columns = {f"ndcg_like@{k}": _spread(ndcg_at(k, hits), users, batch.n_rows) for k in ks}
    return columns | {"like_users": _spread(np.ones(len(users)), users, batch.n_rows)}


def rating_figures(sums: Sums, ks: Sequence[int]) -> Columns:
    """rmse and mae in the units of the ratings; means over rated targets, of ndcg_like over users who like one."""
    n = sums["rated"]
    predicted, observed = sums["like_predicted"], sums["like_observed"]
    figures = {
        "rmse": np.sqrt(sums["square"] / n),
        "mae": sums["size"] / n,
        "rps": sums["rps"] / n,
        "accuracy": sums["right"] / n,
        "brier_like": sums["brier_like"] / n,
        "ece_like": calibration.expected_calibration_error(predicted, observed, n),
        "auc_like": calibration.pooled_auc(observed, sums["like_pairs"] - observed),
    }
    return figures | {f"ndcg_like@{k}": sums[f"ndcg_like@{k}"] / sums["like_users"] for k in ks}


def curves(sums: Sums, plan: Plan) -> dict[str, list[dict[str, float]]]:
    """What pictures are drawn from, rows by name of the curve; the fields are those of `records.Curves`."""
    found: dict[str, list[dict[str, float]]] = {}
    if plan.catalogue is not None:
        parts = sums["consume_predicted"], sums["consume_observed"], sums["consume_pairs"]
        found["reliability_consume"] = calibration.reliability(*parts, weight=sums["consume_predicted"])
        found["precision_recall"] = _precision_recall(sums, plan.ks[-1])
    if float(sums.get("rated", np.zeros(()))) > 0:
        parts = sums["like_predicted"], sums["like_observed"], sums["like_pairs"]
        found["reliability_like"] = calibration.reliability(*parts, weight=sums["like_pairs"])
        shares = (sums[f"rating_{kind}"] / sums["rated"] for kind in ("predicted", "observed"))
        columns = zip(plan.types.rating_values.tolist(), *(share.tolist() for share in shares), strict=True)
        found["ratings"] = [{"rating": r, "predicted": p, "observed": o} for r, p, o in columns]
    return found


def _precision_recall(sums: Mapping[str, Array], n_places: int) -> list[dict[str, float]]:
    n_users = float(sums["ranked"])
    if not n_users:
        return []
    hits, recalled = (np.cumsum(sums[name])[:n_places] / n_users for name in ("hits_by_rank", "recalled_by_rank"))
    return [{"k": k + 1, "precision": float(hits[k] / (k + 1)), "recall": float(recalled[k])} for k in range(n_places)]
