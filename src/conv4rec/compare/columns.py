"""The columns of a comparison: which figures it shows, in which unit, and which way is better."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from conv4rec.records import Record

Better = Literal["higher", "lower"]

HIGHER = frozenset(
    ("ndcg", "recall", "precision", "map", "mrr", "hit_rate", "auc", "accuracy", "ndcg_like", "auc_like")
)
LOWER = frozenset(
    ("rmse", "mae", "rps", "nll", "nll_consume", "nll_rating", "brier_like", "brier_consume", "ece_like", "ece_consume")
)
NAMES = {"ndcg": "NDCG", "recall": "Recall", "rmse": "RMSE", "nll": "NLL, nats", "ece_like": "ECE like", "auc": "AUC"}
MIB = 2.0**20


@dataclass(frozen=True)
class Column:
    """One figure.

    Attributes:
        key: of `Record.metrics`, or a field of `Record.cost`.
        title: with the unit.
        better: which way is better; None where neither is.
        unit: what a value is divided by to be shown.
        digits: shown behind the point.
    """

    key: str
    title: str
    better: Better | None
    unit: float = 1.0
    digits: int = 4

    @property
    def is_cost(self) -> bool:
        """Whether it is measured on the process, so that it has neither an interval nor a test."""
        return self.key in COSTS

    def of(self, record: Record) -> float | None:
        """Its value in a record; None where it has none."""
        value = getattr(record.cost, self.key) if self.is_cost else record.metrics.get(self.key)
        return None if value is None else float(value)


COSTS = {
    column.key: column
    for column in (
        Column("fit_seconds", "fit, s", "lower", digits=1),
        Column("users_per_second", "users/s", "higher", digits=0),
        Column("peak_memory_bytes", "peak, MiB", "lower", MIB, digits=0),
        Column("model_bytes", "model, MiB", "lower", MIB, digits=2),
    )
}


def better(metric: str) -> Better | None:
    """Which way a metric is better: `ndcg@20` higher, `rmse` lower, `coverage@20` neither."""
    name = metric.partition("@")[0]
    return "higher" if name in HIGHER else "lower" if name in LOWER else None


def column(key: str) -> Column:
    """The column of a metric or a cost."""
    if key in COSTS:
        return COSTS[key]
    name, at, k = key.partition("@")
    return Column(key, f"{NAMES.get(name, name.replace('_', ' '))}{at}{k}", better(key))


def usual_columns(records: Iterable[Record]) -> tuple[Column, ...]:
    """What a table shows where nothing else is asked for, of what the records have.

    The lists are of length 20, or 10, or the longest measured where it is neither.
    """
    shown = tuple(records)
    known = {metric for record in shown for metric in record.metrics}
    lengths = {int(metric.partition("@")[2]) for metric in known if metric.startswith("ndcg@")}
    k = next((k for k in (20, 10) if k in lengths), max(lengths, default=0))
    keys = (f"ndcg@{k}", f"recall@{k}", "rmse", "nll", "ece_like", f"coverage@{k}")
    costs = (cost for cost in COSTS.values() if any(cost.of(record) is not None for record in shown))
    return (*(column(key) for key in keys if key in known), *costs)
