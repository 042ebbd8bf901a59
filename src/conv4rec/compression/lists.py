"""Lists of the best codes, made segment by segment."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conv4rec.compression.codes import Array
from conv4rec.metrics.ranking import top_k


class Found(NamedTuple):
    """The best codes of every query, best first."""

    rows: NDArray[np.int64]  # (B, K) numbers of the codes, -1 where there are no more
    scores: Array  # (B, K), -inf there


def empty(n_queries: int) -> Found:
    """Lists of length 0."""
    return Found(np.zeros((n_queries, 0), np.int64), np.zeros((n_queries, 0)))


def merge(best: Found, scores: Array, first: int, k: int) -> Found:
    """Lists of at most k, with the codes of the next segment, whose numbers begin at `first`.

    Equal scores stay in the order of the numbers: what does not exceed the last of a full list cannot enter it.
    """
    full = best.scores.shape[1] == k
    rising = np.flatnonzero((scores > best.scores[:, -1:]).any(axis=0)) if full else np.arange(scores.shape[1])
    if not len(rising):
        return best
    rows = np.concatenate([best.rows, np.broadcast_to(first + rising, (len(scores), len(rising)))], axis=1)
    values = np.concatenate([best.scores, scores[:, rising]], axis=1)
    chosen = top_k(values, k)
    return Found(_taken(rows, chosen, -1), _taken(values, chosen, -np.inf))


def together(parts: Sequence[Found], k: int) -> Found:
    """The lists of blocks of queries below each other, each of length k."""
    shape, start = (sum(len(part.rows) for part in parts), k), 0
    rows, scores = np.full(shape, -1, dtype=np.int64), np.full(shape, -np.inf)
    for part in parts:
        here = slice(start, start + len(part.rows)), slice(part.rows.shape[1])
        rows[here], scores[here] = part
        start += len(part.rows)
    return Found(rows, scores)


def _taken(values: NDArray[Any], chosen: NDArray[np.int32], none: float) -> NDArray[Any]:
    """The chosen of every row, and `none` where nothing was."""
    return np.where(chosen < 0, none, np.take_along_axis(values, np.maximum(chosen, 0), axis=1)).astype(values.dtype)
