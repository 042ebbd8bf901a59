"""How well scores tell positive pairs from negative ones: of all pairs, and in the list of each user."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.floating]


def pooled_auc(labels: Floats, scores: Floats) -> float:
    """Chance that a positive pair scores above a negative one, ties half; NaN where a label is missing."""
    positive = labels > 0.5
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return float("nan")
    above = rankdata(scores)[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * n_negative))


def chance_bound(labels: Floats, n_deviations: float = 3.0) -> float:
    """The AUC below which scores are not told from random ones: 1/2 and some standard deviations of the rank test."""
    n_positive = float((labels > 0.5).sum())
    n_negative = len(labels) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    return float(0.5 + n_deviations * np.sqrt((len(labels) + 1) / (12 * n_positive * n_negative)))


def measure_pairs(users: NDArray[np.int64], labels: Floats, scores: Floats, *, k: int = 20) -> dict[str, float]:
    """`auc` over all pairs; `auc_by_user`, `ndcg@k` and `mrr` as means over the users who have pairs of both labels.

    A list is a user's labelled pairs from the highest score down; of equal scores, the pair given first. The gain is
    the label. Figures that are not defined are NaN.
    """
    told = {"auc": pooled_auc(labels, scores)}
    order = np.lexsort((-scores, users))
    _, starts, counts = np.unique(users[order], return_index=True, return_counts=True)
    positive = (labels[order] > 0.5).astype(np.float64)
    n_positive = np.add.reduceat(positive, starts) if len(starts) else np.zeros(0)
    both = (n_positive > 0) & (n_positive < counts)
    if not both.any():
        return told | dict.fromkeys(("auc_by_user", f"ndcg@{k}", "mrr"), float("nan"))
    place = np.arange(len(order)) - np.repeat(starts, counts)  # from 0
    gain = np.where(place < k, 1 / np.log2(place + 2), 0.0)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(k) + 2))])[np.minimum(n_positive, k).astype(int)]
    ndcg = np.add.reduceat(positive * gain, starts)[both] / ideal[both]
    first = np.minimum.reduceat(np.where(positive > 0, place, len(order)), starts)[both]
    told |= {"auc_by_user": _auc_by_user(users[order], positive, scores[order], both)}
    return told | {f"ndcg@{k}": float(ndcg.mean()), "mrr": float((1 / (first + 1)).mean())}


def _auc_by_user(users: NDArray[np.int64], positive: Floats, scores: Floats, both: NDArray[np.bool_]) -> float:
    """Mean over the users `both`; pairs sorted by user."""
    ranks = rankdata(scores)  # of all, from which those within a user follow
    order = np.lexsort((ranks, users))
    _, starts, counts = np.unique(users, return_index=True, return_counts=True)
    value, sorted_users = ranks[order], users[order]
    is_new = np.concatenate([[True], (np.diff(value) != 0) | (np.diff(sorted_users) != 0)])
    group = np.cumsum(is_new) - 1
    place = np.arange(len(order)) - np.repeat(starts, counts) + 1.0
    middle = (np.bincount(group, place) / np.bincount(group))[group]
    n_positive = np.add.reduceat(positive[order], starts)
    above = np.add.reduceat(middle * positive[order], starts) - n_positive * (n_positive + 1) / 2
    n_pairs = n_positive * (counts - n_positive)
    return float((above[both] / n_pairs[both]).mean())
