"""A predictor against held-out interactions: batches of users in, a report with intervals out."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.split import HoldOut
from conv4rec.errors import DataError
from conv4rec.metrics.batch import Array, Batch, Plan
from conv4rec.metrics.bootstrap import interval
from conv4rec.metrics.catalogue import Catalogue
from conv4rec.metrics.denominators import notes
from conv4rec.metrics.measures import measure
from conv4rec.metrics.summary import Summary
from conv4rec.predictions import Predictions, Predictor, users_per_batch
from conv4rec.vocabulary import InteractionTypes, Vocabulary

Claim = Literal["consume", "rating"]
Predict = Callable[[NDArray[np.intp], Interactions], Predictions]
BOTH: frozenset[Claim] = frozenset(("consume", "rating"))


@dataclass(frozen=True)
class Validation:
    """Held-out interactions, row for row beside the history that they are predicted from; `excluded` as in HoldOut."""

    history: Interactions
    targets: Interactions
    excluded: Interactions | None = None

    @classmethod
    def of(cls, held_out: HoldOut, vocabulary: Vocabulary) -> "Validation":
        """Cross the id border. An id that the vocabulary does not have raises UnknownIdError."""
        history, targets = (Interactions.from_ratings(r, vocabulary) for r in (held_out.history, held_out.targets))
        if held_out.excluded is None:
            return cls(history, targets)
        return cls(history, targets, Interactions.from_ratings(held_out.excluded, vocabulary))

    def sample(self, n_users: int, seed: int) -> "Validation":
        """At most this many of the users who have targets."""
        users = np.flatnonzero(self.targets.counts)
        if len(users) <= n_users:
            return self
        some = np.sort(np.random.default_rng(seed).choice(users, n_users, replace=False))
        excluded = None if self.excluded is None else self.excluded.select(some)
        return Validation(self.history.select(some), self.targets.select(some), excluded)


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
    bits. Memory is `config.memory_mb`: a quarter for a batch of users, what it is predicted from and measured by, and
    one each for figures of users who wait to be added up, for vectors of the items (diversity), and for lists by
    replicate (intervals of coverage and gini); besides, at most 20 MiB + 100 bytes an item, and 16 bytes a user for
    indices. At least one user is predicted at a time.

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


def validate(predictor: Predictor, asked: Validation) -> dict[str, float]:
    """The figures that training watches, without intervals."""
    return report_validation(predictor, asked).metrics


def report_validation(predictor: Predictor, asked: Validation) -> Report:
    """The same, with the curves behind them."""
    return evaluate(predictor, asked.history, asked.targets, EvaluateConfig(k=(20,), bootstrap=0))


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
    summary = Summary(plan, targets.n_items)
    with ThreadPoolExecutor(_threads()) as pool:
        for some in _batches(users, targets.n_items, plan):
            known, asked = history.select(some), targets.select(some)
            taken = known if exclude is None else known.join(exclude.select(some))
            batch = Batch.of(predict(some, known), some, taken=taken, targets=asked, plan=plan)
            for measured in pool.map(measure, batch.parts(_threads())):  # in the order of the users
                summary.add(measured)
            del batch  # its memory is needed to predict
    summary.settle()
    return _report(summary, n_users=len(users), targets=targets)


def _threads() -> int:
    """How many parts of a batch are measured at once; meanwhile nothing is predicted, because that has threads too."""
    return min(4, os.cpu_count() or 1)


def _batches(users: NDArray[np.intp], n_items: int, plan: Plan) -> Iterator[NDArray[np.intp]]:
    """As many users at a time as fit a quarter of the memory."""
    memory_mb = max(1, plan.config.memory_mb // 4)
    fit = users_per_batch(n_items, 1, memory_mb=memory_mb)  # types are asked of the targets only
    size = max(1, min(fit, memory_mb * 2**20 // plan.bytes_per_user))
    for start in range(0, len(users), size):
        yield users[start : start + size]


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


def _report(summary: Summary, *, n_users: int, targets: Interactions) -> Report:
    metrics = summary.metrics()
    replicates = summary.replicates(metrics)
    limits = {name: interval(found, summary.plan.config.confidence) for name, found in replicates.items()}
    counts = {
        "users": n_users,
        "users_without_targets": targets.n_users - n_users,
        "interactions": len(targets),
        "users_ranked": summary.count("ranked"),
        "rated_interactions": summary.count("rated"),
        "users_who_like": summary.count("like_users"),
    }
    return Report(
        metrics,
        counts,
        tuple(notes(summary.plan, counts, metrics, with_exposure_intervals=summary.with_exposure_intervals)),
        {name: limit for name, limit in limits.items() if limit is not None},
        replicates,
        summary.curves(),
    )
