"""To which part of a split every row goes, as numbers; nothing here knows a table."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int8]
TRAIN, VALIDATION, TEST, LATER = 0, 1, 2, 3


class Cuts(NamedTuple):
    """When parts begin, and when the test part is over: times as they were given."""

    validation: int
    test: int
    end: int


def draw(n: int, *, validation: float, test: float, seed: int) -> Labels:
    """A part for each of n things, drawn without replacement in the given shares."""
    n_validation, n_test = round(validation * n), round(test * n)
    labels = np.full(n, TRAIN, dtype=np.int8)
    order = np.random.default_rng(seed).permutation(n)
    labels[order[:n_test]] = TEST
    labels[order[n_test : n_test + n_validation]] = VALIDATION
    return labels


def cut(times: NDArray[np.int64], *, n_validation: int, n_test: int, slices: int) -> tuple[Labels, Cuts]:
    """A part for each of N times: the test is the first of the last `slices` slices of `n_test` times each.

    Validation lies just before it, train before that, and what comes after the test is LATER. Equal times get the
    same part, so sizes are not exact and a part may be empty. `n_validation + slices * n_test` must be below N.
    """
    start = len(times) - slices * n_test
    ordered = np.append(np.sort(times), times.max() + 1)
    cuts = Cuts(*(int(ordered[place]) for place in (start - n_validation, start, start + n_test)))
    return np.searchsorted(cuts, times, side="right").astype(np.int8), cuts


def rank_within(users: NDArray[np.int32], keys: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) place of every row among the rows of its user, by key and then by row, and (n_users,) their counts."""
    order = np.lexsort((keys, users))
    counts = np.bincount(users)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(users), dtype=np.int64)
    rank[order] = np.arange(len(users)) - np.repeat(starts, counts)
    return rank, counts


def tell(labels: Labels, *, with_test: bool) -> str:
    """How many rows went to each part, in words; of the test part only where there is one."""
    sizes = np.bincount(labels, minlength=3)
    named = [f"{sizes[TRAIN]:,} train", f"{sizes[VALIDATION]:,} validation"]
    return ", ".join([*named, f"{sizes[TEST]:,} test"] if with_test else named)
