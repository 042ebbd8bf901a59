"""A predictor against held-out interactions: batches of users in, a report out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.errors import DataError
from conv4rec.metrics.ranking import find_hits, mark_listed, mrr_at, ndcg_at, recall_at, top_k
from conv4rec.metrics.rating import rating_errors, type_nll
from conv4rec.predictions import Predictions, Predictor, users_per_batch
from conv4rec.vocabulary import InteractionTypes


@dataclass(frozen=True)
class Report:
    """What was measured, on how many users and interactions, and what each figure was divided by.

    Attributes:
        metrics: `ndcg@k`, `recall@k`, `mrr@k` and `coverage@k` for every k, `rmse` and `mae` in the units of the
            ratings, `nll`, `nll_consume` and `nll_rating` in nats. A metric that the data leave undefined is absent.
        counts: `users` scored, `users_without_targets`, `users_ranked`, `interactions`, `rated_interactions`.
        notes: the denominators, and what is absent and why, one sentence each.
    """

    metrics: dict[str, float]
    counts: dict[str, int]
    notes: tuple[str, ...] = ()
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    replicates: dict[str, NDArray[np.float64]] = field(default_factory=dict, repr=False, compare=False)


def evaluate(
    predictor: Predictor, history: Interactions, targets: Interactions, config: EvaluateConfig | None = None
) -> Report:
    """Predict every user who has targets from their history, and compare.

    `history` and `targets` share users and items. The ranking leaves out what is in the history; targets that are
    also in the history therefore count for the likelihood and the ratings but not as relevant items. The figures do
    not depend on the order of the users, nor on the batch size but for rounding; memory does not grow with the
    number of users. Raises DataError where there is no target or the two tables do not fit.
    """
    return evaluate_by_user(lambda _, known: predictor.predict(known), predictor.types, history, targets, config)


def evaluate_by_user(
    predict: Callable[[NDArray[np.intp], Interactions], Predictions],
    types: InteractionTypes,
    history: Interactions,
    targets: Interactions,
    config: EvaluateConfig | None = None,
) -> Report:
    """Like `evaluate`, for what knows users by index: the truth of a simulation, a model with parameters per user.

    `predict` takes the indices of a batch of users and their histories.
    """
    settings = EvaluateConfig() if config is None else config
    _check(history, targets)
    users = np.flatnonzero(targets.counts)
    sums = _Sums(settings.k, np.zeros((len(settings.k), targets.n_items), dtype=bool))
    for batch in _batches(users, users_per_batch(targets.n_items, types.n_types, memory_mb=settings.memory_mb)):
        known, held_out = history.select(batch), targets.select(batch)
        predictions = predict(batch, known)
        _add_likelihood(sums, predictions, held_out)
        _add_ranking(sums, predictions, known, held_out)
    return _report(sums, n_users=len(users), n_without=targets.n_users - len(users))


@dataclass
class _Sums:
    """Running sums in double precision: all that is kept of a batch."""

    ks: tuple[int, ...]
    listed: NDArray[np.bool_]
    totals: dict[str, float] = field(default_factory=dict)
    n_ranked: int = 0
    n_interactions: int = 0
    n_rated: int = 0

    def add(self, key: str, values: NDArray[np.float64]) -> None:
        self.totals[key] = self.totals.get(key, 0.0) + float(values.sum())


def _check(history: Interactions, targets: Interactions) -> None:
    if (history.n_users, history.n_items) != (targets.n_users, targets.n_items):
        raise DataError(
            f"history has {history.n_users} users x {history.n_items} items, targets have "
            f"{targets.n_users} x {targets.n_items}: expected the same users and items"
        )
    if not len(targets):
        raise DataError("no targets to evaluate on: expected at least one held-out interaction")


def _batches(users: NDArray[np.intp], size: int) -> Iterable[NDArray[np.intp]]:
    return (users[start : start + size] for start in range(0, len(users), size))


def _add_likelihood(sums: _Sums, predictions: Predictions, targets: Interactions) -> None:
    log_p_type = predictions.type_law.pairs(targets.users, targets.items)
    log_p_consume = predictions.log_p_consume[targets.users, targets.items]
    errors = rating_errors(log_p_type, targets.channels, predictions.types)
    sums.add("nll_consume", -log_p_consume.astype(np.float64))
    sums.add("nll_rating", type_nll(log_p_type, targets.channels, predictions.types))
    sums.add("square", errors**2)
    sums.add("size", np.abs(errors))
    sums.n_rated += len(errors)
    sums.n_interactions += len(targets)


def _add_ranking(sums: _Sums, predictions: Predictions, history: Interactions, targets: Interactions) -> None:
    scores = predictions.log_p_consume.copy()
    scores[history.users, history.items] = -np.inf
    relevant = np.zeros(scores.shape, dtype=bool)
    relevant[targets.users, targets.items] = True
    relevant[history.users, history.items] = False
    n_relevant = np.count_nonzero(relevant, axis=1)
    ranked = np.flatnonzero(n_relevant)
    top = top_k(scores, max(sums.ks))
    hits, n_relevant = find_hits(top, relevant)[ranked], n_relevant[ranked]
    sums.n_ranked += len(ranked)
    for k, listed in zip(sums.ks, sums.listed, strict=True):
        sums.add(f"ndcg@{k}", ndcg_at(k, hits, n_relevant))
        sums.add(f"recall@{k}", recall_at(k, hits, n_relevant))
        sums.add(f"mrr@{k}", mrr_at(k, hits))
        mark_listed(listed, top, k)


def _report(sums: _Sums, *, n_users: int, n_without: int) -> Report:
    metrics: dict[str, float] = {}
    if sums.n_ranked:
        names = [f"{name}@{k}" for name in ("ndcg", "recall", "mrr") for k in sums.ks]
        metrics |= {name: sums.totals[name] / sums.n_ranked for name in names}
    metrics |= {f"coverage@{k}": float(listed.mean()) for k, listed in zip(sums.ks, sums.listed, strict=True)}
    if sums.n_rated:
        metrics["rmse"] = float(np.sqrt(sums.totals["square"] / sums.n_rated))
        metrics["mae"] = sums.totals["size"] / sums.n_rated
    consume, rating = (sums.totals[key] / sums.n_interactions for key in ("nll_consume", "nll_rating"))
    metrics |= {"nll": consume + rating, "nll_consume": consume, "nll_rating": rating}
    counts = {
        "users": n_users,
        "users_without_targets": n_without,
        "users_ranked": sums.n_ranked,
        "interactions": sums.n_interactions,
        "rated_interactions": sums.n_rated,
    }
    return Report(metrics, counts, tuple(_notes(sums, n_users, n_without)))


def _notes(sums: _Sums, n_users: int, n_without: int) -> Iterable[str]:
    yield (
        f"ndcg, recall and mrr: mean over {sums.n_ranked} users; recall@k divides by min(k, relevant items); "
        "relevant: every held-out item that is not in the history; ties go to the lower item index"
    )
    yield f"coverage@k: share of {sums.listed.shape[1]} items listed for at least one of {n_users} users"
    yield f"nll, nll_consume, nll_rating: mean over {sums.n_interactions} interactions, in nats"
    if n_without:
        yield f"{n_without} users without targets are not counted"
    if sums.n_ranked < n_users:
        yield f"{n_users - sums.n_ranked} users whose every target is in their history are not ranked"
    if sums.n_rated:
        yield f"rmse, mae: mean over {sums.n_rated} rated interactions"
    else:
        yield "rmse, mae: not defined, none of the interactions is rated"
