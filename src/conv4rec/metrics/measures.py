"""From a batch of predictions to columns of values per user, and from their sums to figures.

Every family is a pair of functions. `..._columns` gives values a user, (B,) or (B, n), and totals of all users, which
are not drawn again by the bootstrap; `..._figures` takes the sums of the columns over the users, those of the data,
() or (n,), or those of all replicates, (R,) or (R, n), and gives the metrics: one formula for both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv4rec.metrics import calibration
from conv4rec.metrics.batch import Array, Batch, Indices, Plan
from conv4rec.metrics.bootstrap import Sums
from conv4rec.metrics.catalogue import Catalogue, diversity, lists_as_rows, means_listed, segments
from conv4rec.metrics.hits import RANKING, Hits, auc, ndcg_at
from conv4rec.metrics.rating import is_most_likely, ranked_probability_score, rating_errors, type_nll

Columns = dict[str, Array]
Totals = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Measured:
    """What is kept of a batch.

    Attributes:
        columns: name -> (B,) or (B, n), values per user.
        totals: name -> (n,) or (m, n), sums over the users.
        top: (B, K) lists; None where the predictor makes no claim on what is consumed.
    """

    columns: Columns
    totals: Totals
    top: NDArray[np.int32] | None

    @property
    def n_users(self) -> int:
        return len(self.columns["interactions"])


def measure(batch: Batch) -> Measured:
    """All families that the plan asks for."""
    plan, top = batch.plan, None
    families: list[tuple[Columns, Totals]] = [({"interactions": batch.targets.counts.astype(np.float64)}, {})]
    if plan.catalogue is not None:
        top = batch.order.top(plan.ks[-1])
        families += [consume_columns(batch), ranking_columns(batch), (list_columns(top, plan.catalogue, plan.ks), {})]
    if plan.with_types:
        families.append((type_columns(batch), {}))
    if plan.with_ratings:
        families += [rating_columns(batch), (order_columns(batch), {})]
    columns = {name: values for found, _ in families for name, values in found.items()}
    totals = {name: values for _, found in families for name, values in found.items()}
    return Measured(columns, totals, top)


def figures(sums: Sums, plan: Plan) -> Columns:
    """The metrics that follow from sums; NaN where they are not defined."""
    found: Columns = {}
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 is NaN
        if plan.catalogue is not None:
            found |= ranking_figures(sums, plan.ks) | list_figures(sums, plan.ks)
        if plan.with_ratings:
            found |= rating_figures(sums, plan.ks)
        if plan.with_types:
            found["nll_rating"] = sums["nll_rating"] / sums["interactions"]
        if plan.catalogue is not None:
            found |= consume_figures(sums)
        if plan.with_types and plan.catalogue is not None:
            found["nll"] = found["nll_consume"] + found["nll_rating"]
    return found


def consume_columns(batch: Batch) -> tuple[Columns, Totals]:
    """Likelihood and calibration of p_consume; a user counts as often as they have targets."""
    targets, log_p = batch.targets, batch.log_p_consume
    mass, counts, squares = calibration.consumption_mass(log_p, batch.steps)
    found = log_p[targets.users, targets.items].astype(np.float64)
    bins = calibration.consumption_bins(batch.steps[targets.users, targets.items])
    n_targets = targets.counts.astype(np.float64)
    columns = {
        "nll_consume": batch.sum(-found),
        "brier_consume": n_targets * (1 + squares) - 2 * batch.sum(np.exp(found)),
        "consume_predicted": mass * n_targets[:, None],
        "consume_observed": _histogram(targets.users, bins, None, mass.shape),
    }
    return columns, {"consume_pairs": (n_targets[:, None] * counts).sum(axis=0)}


def consume_figures(sums: Sums) -> Columns:
    """nll_consume in nats, brier_consume (0 to 2) and ece_consume, means over interactions."""
    n = sums["interactions"]
    predicted, observed = sums["consume_predicted"], sums["consume_observed"]
    return {
        "nll_consume": sums["nll_consume"] / n,
        "brier_consume": sums["brier_consume"] / n,
        "ece_consume": calibration.expected_calibration_error(predicted, observed, n),
    }


def ranking_columns(batch: Batch) -> tuple[Columns, Totals]:
    """Metrics of the users who have relevant items, 0 for the others; hits and recall by rank."""
    ks, (rows, items) = batch.plan.ks, batch.relevant_pairs
    ranks, midranks = batch.order.ranks(rows, items)
    has_one = np.bincount(rows, minlength=batch.n_rows) > 0
    ranked, index = np.flatnonzero(has_one), (np.cumsum(has_one) - 1)[rows]
    hits = Hits.of(index, ranks, len(ranked), within=ks[-1])
    area = auc(midranks, index, batch.order.n_allowed[ranked])
    values = {f"{name}@{k}": metric(k, hits) for name, metric in RANKING.items() for k in ks}
    values |= {"auc": np.nan_to_num(area), "auc_users": np.isfinite(area).astype(np.float64)}
    values["ranked"] = np.ones(len(ranked))
    columns = {name: _spread(value, ranked, batch.n_rows) for name, value in values.items()}
    recalled = 1 / hits.n_relevant[hits.rows]
    return columns, {
        "hits_by_rank": np.bincount(hits.ranks - 1, minlength=ks[-1]),
        "recalled_by_rank": np.bincount(hits.ranks - 1, weights=recalled, minlength=ks[-1]),
    }


def _spread(values: Array, rows: Indices, n_rows: int) -> Array:
    spread = np.zeros(n_rows)
    spread[rows] = values
    return spread


def _histogram(rows: Indices, bins: Indices, weights: NDArray[np.floating] | None, shape: tuple[int, ...]) -> Array:
    """(N,) rows, bins and weights, or ones, to (B, bins)."""
    n_rows, n_bins = shape
    cells = np.bincount(rows * n_bins + bins, weights=weights, minlength=n_rows * n_bins)
    return cells.reshape(shape).astype(np.float64)


def ranking_figures(sums: Sums, ks: Sequence[int]) -> Columns:
    """Means over the users who have relevant items; of the AUC, over those who have other items as well."""
    figures = {f"{name}@{k}": sums[f"{name}@{k}"] / sums["ranked"] for name in RANKING for k in ks}
    return figures | {"auc": sums["auc"] / sums["auc_users"]}


def list_columns(top: NDArray[np.int32], catalogue: Catalogue, ks: Sequence[int]) -> Columns:
    """Popularity, novelty and diversity of the lists (B, K) of all users; 0 where a list is too short for it."""
    n_listed = np.cumsum(top >= 0, axis=1, dtype=np.int64)
    n_known = np.cumsum(catalogue.has_vector[top] & (top >= 0), axis=1, dtype=np.int64)
    popularity, novelty = means_listed(catalogue.popularity, top), means_listed(catalogue.novelty, top)
    columns: Columns = {}
    sums = np.zeros((len(top), catalogue.vectors.shape[1]), dtype=np.float32)
    for start, end in segments(ks):
        sums += lists_as_rows(top, start, end, len(catalogue.vectors)) @ catalogue.vectors
        last = min(end, top.shape[1]) - 1
        columns[f"popularity@{end}"] = popularity[:, last]
        columns[f"novelty@{end}"] = novelty[:, last]
        columns[f"diversity@{end}"] = np.nan_to_num(diversity(sums, n_listed[:, last], n_known[:, last]))
        columns[f"listed@{end}"] = (n_listed[:, last] > 0).astype(np.float64)
        columns[f"pairs@{end}"] = (n_listed[:, last] > 1).astype(np.float64)
    return columns


def list_figures(sums: Sums, ks: Sequence[int]) -> Columns:
    """Means over the users whose list holds an item; of the diversity, two items."""
    figures = {
        f"{name}@{k}": sums[f"{name}@{k}"] / sums[f"listed@{k}"] for name in ("popularity", "novelty") for k in ks
    }
    return figures | {f"diversity@{k}": sums[f"diversity@{k}"] / sums[f"pairs@{k}"] for k in ks}


def type_columns(batch: Batch) -> Columns:
    """Likelihood of the type of every target."""
    return {"nll_rating": batch.sum(type_nll(batch.log_p_type, batch.targets.channels, batch.plan.types))}


def rating_columns(batch: Batch) -> tuple[Columns, Totals]:
    """Errors, scores and calibration of the rated targets; how often every rating is given, and predicted."""
    rated, rows, law = batch.rated, batch.rated.rows, batch.rated.p_rating
    errors = rating_errors(law, rated.ratings, batch.plan.types)
    bins, shape = calibration.bin_likes(rated.p_like), (batch.n_rows, calibration.LIKE_BINS)
    liked = rated.liked.astype(np.float64)
    columns = {
        "rated": np.bincount(rows, minlength=batch.n_rows).astype(np.float64),
        "square": batch.sum(errors**2, rows),
        "size": batch.sum(np.abs(errors), rows),
        "rps": batch.sum(ranked_probability_score(law, rated.levels), rows),
        "right": batch.sum(is_most_likely(law, rated.levels), rows),
        "brier_like": batch.sum((rated.p_like - liked) ** 2, rows),
        "like_predicted": _histogram(rows, bins, rated.p_like, shape),
        "like_observed": _histogram(rows, bins, liked, shape),
        "like_pairs": _histogram(rows, bins, None, shape),
    }
    return columns, {
        "rating_observed": np.bincount(rated.levels, minlength=law.shape[1]),
        "rating_predicted": law.sum(axis=0, dtype=np.float64),
        "fine_likes": calibration.count_likes(rated.p_like, rated.liked),
    }


def order_columns(batch: Batch) -> Columns:
    """NDCG of the rated targets of a user put in the order of p_like, liked ones relevant.

    Ties go to the item with the lower index; of two ratings of one item, to the one that is not liked.
    """
    rated, ks = batch.rated, batch.plan.ks
    keys = rated.liked, _small(rated.items, batch.targets.n_items), -rated.p_like, _small(rated.rows, batch.n_rows)
    order = np.lexsort(keys)
    rows, liked = rated.rows[order], rated.liked[order]
    n_rated = np.bincount(rows, minlength=batch.n_rows)
    ranks = np.arange(len(rows)) - (np.cumsum(n_rated) - n_rated)[rows] + 1
    has_one = np.bincount(rows[liked], minlength=batch.n_rows) > 0
    users, index = np.flatnonzero(has_one), (np.cumsum(has_one) - 1)[rows[liked]]
    hits = Hits.of(index, ranks[liked], len(users), within=ks[-1])
    columns = {f"ndcg_like@{k}": _spread(ndcg_at(k, hits), users, batch.n_rows) for k in ks}
    return columns | {"like_users": has_one.astype(np.float64)}


def _small(indices: Indices, n: int) -> Indices:
    """Indices below n in as few bytes as hold them: up to two bytes are sorted in linear time."""
    return indices.astype(np.min_scalar_type(n))


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


def curves(sums: Sums, totals: Totals, plan: Plan) -> dict[str, list[dict[str, float]]]:
    """What pictures are drawn from, rows by name of the curve; the fields are those of `records.Curves`."""
    found: dict[str, list[dict[str, float]]] = {}
    if plan.catalogue is not None:
        predicted, observed = sums["consume_predicted"], sums["consume_observed"]
        found["reliability_consume"] = calibration.reliability(
            predicted, observed, totals["consume_pairs"], weight=predicted
        )
        found["precision_recall"] = _precision_recall(totals, float(sums["ranked"]))
    if plan.with_ratings and float(sums["rated"]) > 0:
        parts = sums["like_predicted"], sums["like_observed"], sums["like_pairs"]
        found["reliability_like"] = calibration.reliability(*parts, weight=sums["like_pairs"])
        shares = (totals[f"rating_{kind}"] / float(sums["rated"]) for kind in ("predicted", "observed"))
        columns = zip(plan.types.rating_values.tolist(), *(share.tolist() for share in shares), strict=True)
        found["ratings"] = [{"rating": r, "predicted": p, "observed": o} for r, p, o in columns]
    return found


def _precision_recall(totals: Totals, n_users: float) -> list[dict[str, float]]:
    if not n_users:
        return []
    hits, recalled = (np.cumsum(totals[name]) / n_users for name in ("hits_by_rank", "recalled_by_rank"))
    return [
        {"k": k, "precision": float(found / k), "recall": float(part)}
        for k, (found, part) in enumerate(zip(hits, recalled, strict=True), start=1)
    ]
