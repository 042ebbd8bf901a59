"""A predictor against held-out interactions: batches of users in, a report with intervals out."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.errors import DataError
from conv4rec.metrics import bootstrap, calibration
from conv4rec.metrics.batch import Array, Batch, Plan
from conv4rec.metrics.catalogue import Catalogue, Exposure
from conv4rec.metrics.denominators import notes
from conv4rec.metrics.measures import Measured, Totals, curves, figures, measure
from conv4rec.predictions import Predictions, Predictor, users_per_batch
from conv4rec.vocabulary import InteractionTypes

Claim = Literal["consume", "rating"]
Predict = Callable[[NDArray[np.intp], Interactions], Predictions]
BOTH: frozenset[Claim] = frozenset(("consume", "rating"))
CENTRED = ("coverage@", "gini@", "auc_like", "ece_")
"""Metrics whose replicates lie beside their value: users drawn again are fewer, cover fewer items, and stray further
from the diagonal; bins are coarser."""


@dataclass(frozen=True)
class Report:
    """What was measured, on how many users and interactions, and what each figure was divided by.

    Attributes:
        metrics: for every k `ndcg`, `recall`, `precision`, `map`, `mrr`, `hit_rate`, `coverage`, `gini`, `popularity`,
            `novelty`, `diversity` and `ndcg_like`, as `ndcg@10`; `auc`; `rmse` and `mae` in the units of the ratings,
            `rps`, `accuracy`; `nll`, `nll_consume` and `nll_rating` in nats; `ece_like`, `brier_like`, `auc_like`,
            `ece_consume`, `brier_consume`. A metric that the data leave undefined is absent; a likelihood of zero is
            not undefined: it makes an nll infinite. docs/evaluation.md defines each.
        counts: `users` scored, `users_without_targets`, `users_ranked`, those with a relevant item outside their
            history, `users_who_like` a rated target, `interactions`, `rated_interactions`.
        notes: the relevance rule, the denominators, and what is absent and why, one sentence each.
        intervals: confidence interval of a metric, by bootstrap over users; absent where fewer than two replicates are
            defined and finite.
        replicates: (n,) values of a metric on users drawn again, NaN where not defined; two reports on the same users,
            with the same seed, are paired replicate by replicate. n is 100 at most for coverage and gini.
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
    exclude: Interactions | None = None,
) -> Report:
    """Predict every user who has targets from their history, and compare.

    The ranking is over the whole catalogue and leaves out what is in the history; targets that are also in the history
    therefore count for the likelihood and the ratings, but not as relevant items. Targets that are repeated count once
    as relevant items, and each for the likelihood and the ratings. An item with probability zero is in no list.

    Metrics do not depend on the order of the users, nor on the batch size, but for rounding; a diversity that is
    estimated (many users in `reference`), and intervals, are drawn anew for another order. The same call gives the same
    bits. Memory is `config.memory_mb`, of which half is for a batch of users (what it is predicted from and
    measured by), a quarter for vectors of the items (diversity) and a quarter for lists by replicate (intervals of
    coverage and gini); besides, at most 20 MiB + 100 bytes an item, and 16 bytes a user for indices. At least one user
    is predicted at a time.

    Args:
        predictor: what is measured.
        history: what is known of the users.
        targets: what is asked, of the same users and items.
        config: `k`, `relevant`, `like`, `bootstrap`, `confidence`, `seed` and `memory_mb`.
        reference: where popularity, novelty and diversity are counted; None: the history.
        exclude: what the users have taken besides, which the predictor is not told: left out of the ranking like the
            history.

    Raises:
        DataError: no target at all, or tables that do not fit each other.
        TrainingError: a probability that is not a number.
    """
    return evaluate_by_user(
        lambda _, known: predictor.predict(known),
        predictor.types,
        history,
        targets,
        config,
        reference=reference,
        exclude=exclude,
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
    exclude: Interactions | None = None,
) -> Report:
    """Like `evaluate`, for what knows users by index: the truth of a simulation, a model with parameters per user.

    `predict` takes the indices of a batch of users and their histories. A predictor that makes no claim on one of the
    two laws is not measured by it, and neither by `nll`, which is of both; its place in `Predictions` is not read.
    """
    settings = EvaluateConfig() if config is None else config
    counted = history if reference is None else reference
    _check(history, targets, counted, exclude)
    catalogue = Catalogue.of(counted, memory_mb=settings.memory_mb) if "consume" in claims else None
    plan = Plan(settings, types, catalogue, "rating" in claims)
    users = np.flatnonzero(np.diff(targets.indptr))
    totals = _Totals(plan, targets.n_items)
    measured: list[Measured] = []
    with ThreadPoolExecutor(_threads()) as pool:
        for some in _batches(users, targets.n_items, plan):
            known, asked = history.select(some), targets.select(some)
            taken = known if exclude is None else known.join(exclude.select(some))
            batch = Batch.of(predict(some, known), some, taken=taken, targets=asked, plan=plan)
            waiting = [pool.submit(measure, part) for part in batch.parts(2 * _threads())]
            totals.add(measured)  # of the batch before, meanwhile
            measured = [future.result() for future in waiting]
            del batch, waiting  # their memory is needed to predict
    totals.add(measured)
    return totals.report(n_users=len(users), targets=targets)


def _threads() -> int:
    """How many parts of a batch are measured at once; meanwhile nothing is predicted, because that has threads too."""
    return min(4, os.cpu_count() or 1)


def _batches(users: NDArray[np.intp], n_items: int, plan: Plan) -> Iterator[NDArray[np.intp]]:
    """As many users at a time as fit half of the memory; the rest is for what is kept of the items."""
    memory_mb = max(1, plan.config.memory_mb // 2)
    n_types = 1  # types are asked of the targets only
    bytes_kept = 8 * (200 + 12 * len(plan.ks) + 4 * plan.ks[-1] + plan.config.bootstrap)  # columns, lists, weights
    size = min(users_per_batch(n_items, n_types, memory_mb=memory_mb), memory_mb * 2**20 // bytes_kept)
    for start in range(0, len(users), max(1, size)):
        yield users[start : start + max(1, size)]


def _check(history: Interactions, targets: Interactions, reference: Interactions, exclude: Interactions | None) -> None:
    for name, told in (("history has", history), ("what is excluded has", history if exclude is None else exclude)):
        if (told.n_users, told.n_items) != (targets.n_users, targets.n_items):
            raise DataError(
                f"{name} {told.n_users} users x {told.n_items} items, targets have "
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
        self.sums = bootstrap.Totals(plan.config.bootstrap)
        self.weights = bootstrap.Weights(plan.config.bootstrap, plan.config.seed)
        self.exposure = Exposure.of(plan.ks, n_items, plan.config)
        self.totals: Totals = {}

    def add(self, parts: Iterable[Measured]) -> None:
        """Add the parts of a batch, in the order of the users."""
        for measured in parts:
            weights = self.weights.draw(len(measured.columns["interactions"]))
            self.sums.add(measured.columns, weights)
            if measured.top is not None:
                self.exposure.add(measured.top, weights)
            for name, values in measured.totals.items():
                self.totals[name] = self.totals.get(name, 0) + values

    def report(self, *, n_users: int, targets: Interactions) -> Report:
        metrics, counts = self._metrics(), self._counts(n_users, targets)
        replicates = self._replicates(metrics)
        limits = {name: bootstrap.interval(found, self.plan.config.confidence) for name, found in replicates.items()}
        return Report(
            metrics,
            counts,
            tuple(notes(self.plan, counts, metrics, with_exposure_intervals=self.exposure.has_replicates)),
            {name: limit for name, limit in limits.items() if limit is not None},
            replicates,
            curves(self.sums.plain, self.totals, self.plan),
        )

    def _metrics(self) -> dict[str, float]:
        values = {name: float(value) for name, value in figures(self.sums.plain, self.plan).items()}
        if self.plan.with_ratings:
            disliked, liked = self.totals["fine_likes"]
            values["auc_like"] = float(calibration.pooled_auc(liked, disliked))
        if self.plan.catalogue is not None:
            values |= self.exposure.metrics()
        return {name: value for name, value in values.items() if not np.isnan(value)}

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
    if not name.startswith(CENTRED) or np.isnan(replicates).all():
        return replicates
    return np.clip(replicates + (value - np.nanmedian(replicates)), 0.0, 1.0)
