"""A predictor against held-out interactions: batches of users in, a report with intervals out."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.errors import DataError
from conv4rec.metrics import calibration
from conv4rec.metrics.bootstrap import Totals, Weights, interval
from conv4rec.metrics.catalogue import Catalogue, Exposure
from conv4rec.metrics.denominators import notes
from conv4rec.metrics.measures import Array, Batch, Measured, Plan, curves, figures, measure
from conv4rec.predictions import Predictions, Predictor, users_per_batch
from conv4rec.vocabulary import InteractionTypes

Claim = Literal["consume", "rating"]
Predict = Callable[[NDArray[np.intp], Interactions], Predictions]
BOTH: frozenset[Claim] = frozenset(("consume", "rating"))
CENTRED = ("coverage@", "gini@", "auc_like")
"""Metrics whose replicates lie beside their value: fewer users are drawn and cover fewer items; bins are coarser."""


@dataclass(frozen=True)
class Report:
    """What was measured, on how many users and interactions, and what each figure was divided by.

    Attributes:
        metrics: for every k `ndcg`, `recall`, `precision`, `map`, `mrr`, `hit_rate`, `coverage`, `gini`, `popularity`,
            `novelty`, `diversity` and `ndcg_like`, as `ndcg@10`; `auc`; `rmse` and `mae` in the units of the ratings,
            `rps`, `accuracy`; `nll`, `nll_consume` and `nll_rating` in nats; `ece_like`, `brier_like`, `auc_like`,
            `ece_consume`, `brier_consume`. A metric that the data leave undefined is absent.
        counts: `users` scored, `users_without_targets`, `users_ranked`, `interactions`, `rated_interactions`.
        notes: the relevance rule, the denominators, and what is absent and why, one sentence each.
        intervals: confidence interval of a metric, by bootstrap over users.
        replicates: (n,) values of a metric on users drawn again; two reports on the same users, with the same seed, are
            paired replicate by replicate.
        curves: rows behind pictures, with the fields of `records.Curves`.
    """

    metrics: dict[str, float]
    counts: dict[str, int]
    notes: tuple[str, ...] = ()
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    replicates: dict[str, Array] = field(default_factory=dict, repr=False, compare=False)
    curves: dict[str, list[dict[str, float]]] = field(default_factory=dict, repr=False)


def evaluate(
    predictor: Predictor,
    history: Interactions,
    targets: Interactions,
    config: EvaluateConfig | None = None,
    *,
    reference: Interactions | None = None,
) -> Report:
    """Predict every user who has targets from their history, and compare.

    `history` and `targets` share users and items. The ranking is over the whole catalogue and leaves out what is in the
    history; targets that are also in the history therefore count for the likelihood and the ratings but not as relevant
    items. Popularity, novelty and diversity are counted in `reference`, the history where it is None. The figures do
    not depend on the order of the users, nor on the batch size but for rounding; memory does not grow with the
    number of users. Raises DataError where there is no target or the tables do not fit.
    """
    return evaluate_by_user(
        lambda _, known: predictor.predict(known), predictor.types, history, targets, config, reference=reference
    )


def evaluate_by_user(
    predict: Predict,
    types: InteractionTypes,
    history: Interactions,
    targets: Interactions,
    config: EvaluateConfig | None = None,
    *,
    claims: frozenset[Claim] = BOTH,
    reference: Interactions | None = None,
) -> Report:
    """Like `evaluate`, for what knows users by index: the truth of a simulation, a model with parameters per user.

    `predict` takes the indices of a batch of users and their histories. A predictor that makes no claim on one of the
    two laws is not measured by it.
    """
    settings = EvaluateConfig() if config is None else config
    known = history if reference is None else reference
    _check(history, targets, known)
    plan = Plan(settings, types, Catalogue.of(known) if "consume" in claims else None, "rating" in claims)
    totals = _Totals(plan, targets.n_items)
    for measured in _in_threads(_batches(predict, history, targets, plan)):
        totals.add(measured)
    return totals.report(n_users=int(np.count_nonzero(targets.counts)), targets=targets)


def _batches(predict: Predict, history: Interactions, targets: Interactions, plan: Plan) -> Iterator[Batch]:
    """The users who have targets, predicted a batch at a time; one batch is in each thread and one in the making."""
    users = np.flatnonzero(targets.counts)
    memory_mb = max(1, plan.config.memory_mb // (_threads() + 1))
    size = users_per_batch(targets.n_items, plan.types.n_types, memory_mb=memory_mb)
    for start in range(0, len(users), size):
        some = users[start : start + size]
        seen = history.select(some)
        batch = Batch(predict(some, seen), seen, targets.select(some), plan)
        if plan.with_types:
            _ = batch.log_p_type  # asked for here, because a predictor need not bear several threads
        yield batch


def _in_threads(batches: Iterator[Batch]) -> Iterator[Measured]:
    """Measure in the order of the batches: numpy lets go of the lock while it sorts and sums."""
    waiting: deque[Future[Measured]] = deque()
    with ThreadPoolExecutor(_threads()) as pool:
        for batch in batches:
            waiting.append(pool.submit(measure, batch))
            if len(waiting) >= _threads():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _threads() -> int:
    return min(4, os.cpu_count() or 1)


def _check(history: Interactions, targets: Interactions, reference: Interactions) -> None:
    if (history.n_users, history.n_items) != (targets.n_users, targets.n_items):
        raise DataError(
            f"history has {history.n_users} users x {history.n_items} items, targets have "
            f"{targets.n_users} x {targets.n_items}: expected the same users and items"
        )
    if reference.n_items != targets.n_items:
        raise DataError(
            f"the reference has {reference.n_items} items, targets have {targets.n_items}: expected the same"
        )
    if not len(targets):
        raise DataError("no targets to evaluate on: expected at least one held-out interaction")


class _Totals:
    """Running sums: all that is kept of the batches."""

    def __init__(self, plan: Plan, n_items: int) -> None:
        self.plan = plan
        self.sums = Totals(plan.config.bootstrap)
        self.weights = Weights(plan.config.bootstrap, plan.config.seed)
        self.exposure = Exposure.of(plan.ks, n_items, plan.config)
        self.fine_likes = np.zeros((2, calibration.FINE), dtype=np.int64)

    def add(self, measured: Measured) -> None:
        weights = self.weights.draw(len(measured.columns["interactions"]))
        self.sums.add(measured.columns, weights)
        if measured.top is not None:
            self.exposure.add(measured.top, weights)
        if measured.fine_likes is not None:
            self.fine_likes += measured.fine_likes

    def report(self, *, n_users: int, targets: Interactions) -> Report:
        metrics, counts = self._metrics(), self._counts(n_users, targets)
        replicates = self._replicates(metrics)
        limits = {name: interval(found, self.plan.config.confidence) for name, found in replicates.items()}
        return Report(
            metrics,
            counts,
            tuple(notes(self.plan, counts, with_exposure_intervals=self.exposure.has_replicates)),
            {name: limit for name, limit in limits.items() if limit is not None},
            replicates,
            curves(self.sums.plain, self.plan),
        )

    def _metrics(self) -> dict[str, float]:
        values = {name: float(value) for name, value in figures(self.sums.plain, self.plan).items()}
        if "auc_like" in values:
            values["auc_like"] = float(calibration.pooled_auc(self.fine_likes[1], self.fine_likes[0]))
        if self.plan.catalogue is not None:
            values |= self.exposure.metrics()
        return {name: value for name, value in values.items() if np.isfinite(value)}

    def _replicates(self, metrics: dict[str, float]) -> dict[str, Array]:
        if not self.plan.config.bootstrap:
            return {}
        found = figures(self.sums.replicates, self.plan) | self.exposure.replicates()
        return {name: _centred(name, found[name], value) for name, value in metrics.items() if name in found}

    def _counts(self, n_users: int, targets: Interactions) -> dict[str, int]:
        columns = {"users_ranked": "ranked", "rated_interactions": "rated", "users_who_like": "like_users"}
        sizes = {
            "users": n_users,
            "users_without_targets": targets.n_users - n_users,
            "interactions": len(targets),
        }
        return sizes | {name: int(self.sums.plain.get(column, 0)) for name, column in columns.items()}


def _centred(name: str, replicates: Array, value: float) -> Array:
    return replicates + (value - np.nanmedian(replicates)) if name.startswith(CENTRED) else replicates
