"""What a figure is called, in which unit it is told, and which way is better."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from conv4rec.compare.columns import Better, better


@dataclass(frozen=True)
class Measure:
    """A figure in words.

    Attributes:
        label: its name.
        unit: of its values; empty where it is not known.
        better: which way is better; None where neither is.
    """

    label: str
    unit: str
    better: Better | None = None

    @property
    def title(self) -> str:
        """Name and unit, for an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


POINTS = "rating points"
"""The unit of ratings: stars, or whatever the source gives."""
_WORDS = {
    "ndcg": ("NDCG", "share of the best gain"),
    "recall": ("recall", "share of relevant items"),
    "precision": ("precision", "share of listed items"),
    "map": ("MAP", "mean precision at hits"),
    "mrr": ("MRR", "1 / rank of the first hit"),
    "hit_rate": ("hit rate", "share of users"),
    "auc": ("AUC", "share of pairs"),
    "coverage": ("coverage", "share of the catalogue"),
    "gini": ("Gini", "0 even, 1 one item"),
    "popularity": ("popularity", "share of users who have the item"),
    "novelty": ("novelty", "bits"),
    "diversity": ("diversity", "1 - cosine"),
    "rmse": ("RMSE", POINTS),
    "mae": ("MAE", POINTS),
    "rps": ("ranked probability score", "squared probability"),
    "accuracy": ("accuracy", "share of ratings"),
    "nll": ("NLL", "nats per interaction"),
    "nll_consume": ("NLL consume", "nats per interaction"),
    "nll_rating": ("NLL rating", "nats per interaction"),
    "ece_like": ("ECE like", "probability"),
    "brier_like": ("Brier like", "squared probability"),
    "auc_like": ("AUC like", "share of pairs"),
    "ndcg_like": ("NDCG like", "share of the best gain"),
    "ece_consume": ("ECE consume", "share of mass"),
    "brier_consume": ("Brier consume", "squared probability"),
    "fit_seconds": ("fit", "s"),
    "users_per_second": ("scoring", "users/s"),
    "peak_memory_bytes": ("peak memory", "MiB"),
    "model_bytes": ("model size", "MiB"),
}
_TIMED = re.compile(r"recall@(?P<list>\d+\^[\d.]+)_(?P<form>l?loo)")


def measure_of(key: str) -> Measure:
    """The measure behind the key of a metric or a cost, such as `ndcg@10`; a key not known is its own name."""
    if timed := _TIMED.fullmatch(key):
        return Measure(f"recall@{timed['list']} {timed['form'].upper()}", "weighted share", "higher")
    name, at, k = key.partition("@")
    label, unit = _WORDS.get(name, (name, ""))
    return Measure(f"{label}{at}{k}", unit, better(key))


def pick(names: Iterable[str], wanted: tuple[str, ...]) -> list[str]:
    """Of the keys `names`, those whose part before `@` is wanted, in that order; of several k 20, else the largest."""
    known, found = list(names), []
    for base in wanted:
        lengths = {int(name.partition("@")[2]): name for name in known if re.fullmatch(rf"{base}@\d+", name)}
        if lengths:
            found.append(lengths[20 if 20 in lengths else max(lengths)])
        elif base in known:
            found.append(base)
    return found
