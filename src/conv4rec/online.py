"""What came of the recommendations that were shown: iCTR, from a log of them and of what users did. In id space."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.config import EvaluateConfig
from conv4rec.data.shown import Shown, load_shown, read_events
from conv4rec.errors import DataError, QueryError
from conv4rec.metrics.bootstrap import Totals, Weights, interval

PER_DRAW = 4096
"""Users whose bootstrap weights are drawn at a time."""
Limits = tuple[float | None, float | None]
NO_LIMITS: Limits = (None, None)


def ictr(
    shown: Any,
    interactions: Any,
    within: Sequence[float],
    config: EvaluateConfig | None = None,
    *,
    by: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Share of shown lists of which the user takes an item within d seconds: iCTR(d), for several d in one pass.

    A list shown at t counts as taken where the user has an interaction with one of its items at a time from t to t + d,
    both included, in whole seconds. Whether the list caused it is not known: an interaction that the user would have
    had without it counts as well, and one interaction may count for several lists.

    Args:
        shown: log of recommendations, as `load_shown` takes it: `user_id`, `timestamp`, `item_id` (a list, or an item a
            row), and columns to tell lists apart.
        interactions: data frame with `user_id`, `item_id`, `timestamp`; every event, repeats as well.
        within: the d, seconds, not negative; 600 in the paper.
        config: `bootstrap`, `confidence` and `seed` are used.
        by: columns of `shown` to measure apart; None: `model` and `rank_by`, where they are there.

    Returns:
        A row per group and d, in that order: the columns of `by`, `within`, `shown` (number of lists), `taken` (of
        them), `ictr`, `low` and `high` (bootstrap over users; null without), and `unfinished`: lists whose window
        ends after the last interaction there is, so that some of what came of them may not be logged.

    Raises:
        QueryError: no d, or one that is negative or not finite.
        DataError: a column or value that is missing, or ids of different kinds in the two tables.

    Source: arXiv 2308.06885, METHOD.md section 6. Memory and time are those of sorting the two tables.
    """
    settings = EvaluateConfig() if config is None else config
    if not within or not all(0 <= d < np.inf for d in within):
        raise QueryError(f"within {tuple(within)}: expected one or more numbers of seconds from 0 up")
    log, events = load_shown(shown, by=by), read_events(interactions)
    _refuse_other_ids(log, events)
    windows = sorted(set(within))
    lists = _with_delays(log, events)
    last: int = events["timestamp"].max()  # type: ignore[assignment]
    rows = [
        dict(zip(log.groups, key, strict=True)) | row
        for key, group in _groups(lists, log.groups)
        for row in _measure(group, windows, last, settings)
    ]
    schema = {name: lists.schema[name] for name in log.groups} | {"low": pl.Float64(), "high": pl.Float64()}
    return pl.DataFrame(rows, schema_overrides=schema, infer_schema_length=None)


def _refuse_other_ids(log: Shown, events: pl.DataFrame) -> None:
    for column, frame in (("user_id", log.lists), ("item_id", log.items)):
        kinds = (frame.schema[column], events.schema[column])
        if frame.height and kinds[0] != kinds[1]:
            raise DataError(
                f"{column} is {kinds[0]} in what was shown and {kinds[1]} in the interactions: "
                "expected the same kind of id"
            )


def _with_delays(log: Shown, events: pl.DataFrame) -> pl.DataFrame:
    """The lists with `delay`: seconds until the first interaction with one of the items; null where there is none."""
    items = log.items.cast({"item_id": events.schema["item_id"]})  # changes nothing but a log of empty lists
    items = items.join(log.lists.select("list", "user_id", "timestamp"), on="list").sort("timestamp")
    takers = events.join(log.lists.select("user_id").unique(), on="user_id", how="semi").sort("timestamp")
    taken = items.join_asof(
        takers.with_columns(taken="timestamp"),
        on="timestamp",
        by=["user_id", "item_id"],
        strategy="forward",
        check_sortedness=False,  # both were sorted above; with `by` polars could not check
    )
    delays = taken.group_by("list").agg((pl.col("taken") - pl.col("timestamp")).min().alias("delay"))
    return log.lists.join(delays, on="list", how="left", maintain_order="left")


def _groups(lists: pl.DataFrame, groups: tuple[str, ...]) -> list[tuple[tuple[Any, ...], pl.DataFrame]]:
    if not groups:
        return [((), lists)]
    return list(lists.sort(groups, maintain_order=True).group_by(groups, maintain_order=True))


def _measure(lists: pl.DataFrame, within: Sequence[float], last: int, config: EvaluateConfig) -> list[dict[str, Any]]:
    """The rows of one group."""
    taken = lists.select("user_id", *((pl.col("delay") <= d).fill_null(value=False).alias(str(d)) for d in within))
    users = taken.group_by("user_id").agg(pl.len().alias("shown"), pl.exclude("user_id").sum()).sort("user_id")
    counts = users.drop("user_id").to_numpy().astype(np.float64)  # (U, 1 + d)
    n_shown, *n_each = counts.sum(axis=0)
    limits = _intervals(counts, config)
    return [
        {
            "within": float(d),
            "shown": int(n_shown),
            "taken": int(n_taken),
            "ictr": float(n_taken / n_shown),
            "low": limit[0],
            "high": limit[1],
            "unfinished": int((lists["timestamp"] + d > last).sum()),
        }
        for d, n_taken, limit in zip(within, n_each, limits, strict=True)
    ]


def _intervals(counts: NDArray[np.float64], config: EvaluateConfig) -> list[Limits]:
    """Of every other column as a share of the first, by bootstrap over the rows."""
    totals, weights = Totals(config.bootstrap), Weights(config.bootstrap, config.seed)
    for start in range(0, len(counts), PER_DRAW):
        part = counts[start : start + PER_DRAW]
        totals.add({"counts": part}, weights.draw(len(part)))
    if not config.bootstrap:
        return [NO_LIMITS] * (counts.shape[1] - 1)
    sums = totals.replicates["counts"]  # (replicates, 1 + d)
    with np.errstate(invalid="ignore", divide="ignore"):  # a replicate may draw no user
        found = [interval(sums[:, place] / sums[:, 0], config.confidence) for place in range(1, sums.shape[1])]
    return [NO_LIMITS if limits is None else limits for limits in found]
