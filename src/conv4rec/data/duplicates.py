"""Events that repeat, and users and items with too few of them."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.config import DataConfig
from conv4rec.data.table import Notes
from conv4rec.errors import DataError
from conv4rec.ids import Ids, blocks

KEY = ["user_id", "item_id", "type"]
"""Two events that agree in these (`type` where there is one) are repeats of each other."""
MULTIPLIER = np.int64(-0x61C8864680B583EB)
"""Odd and without pattern (2^64 over the golden ratio), so that sums of its multiples seldom meet."""


def settle_repeats(
    frame: pl.DataFrame, repeats: NDArray[np.int64], config: DataConfig, place: Callable[[int], str]
) -> tuple[pl.DataFrame, Notes]:
    """Keep the last of the `repeated_rows`, all of them, or stop, as `config.keep` says; the order of rows stays.

    Last is by time stamp, then by row; an event whose time is not known counts as earlier than one whose time is.

    Raises:
        DataError: an event repeats, and `keep` is "error".
    """
    if not len(repeats):
        return frame, (f"no repeated events (keep={config.keep})",)
    events = frame[repeats].with_columns(row=repeats)
    if config.keep == "error":
        raise _repeat(events, place)
    if config.keep == "all":
        return frame, (f"kept all of {len(repeats)} repeated events (keep=all)",)
    last = _last(events)
    dropped = events.join(last, on="row", how="anti")
    keep = np.ones(frame.height, dtype=bool)
    keep[dropped["row"].to_numpy()] = False
    copies = exact_copies(events)
    note = f"kept the last of {len(repeats)} repeated events (keep=last): dropped {dropped.height} rows"
    return frame.filter(keep), (note + (f", {copies} of them exact copies" if copies else ""),)


def repeated_rows(frame: pl.DataFrame) -> NDArray[np.int64]:
    """The rows whose event occurs more than once, ascending."""
    keys = event_keys(frame)
    keys.sort()
    again = keys[1:] == keys[:-1]
    if not again.any():
        return np.empty(0, dtype=np.int64)
    repeated = pl.Series(np.unique(keys[1:][again]))
    suspects = np.flatnonzero(pl.Series(event_keys(frame)).is_in(repeated.implode()).to_numpy())
    is_repeated = frame[suspects].select(pl.struct(_key(frame)).is_duplicated()).to_series()
    return np.asarray(suspects[is_repeated.to_numpy()])


def exact_copies(events: pl.DataFrame) -> int:
    """How many rows repeat an earlier one in every column but `row`."""
    columns = [name for name in events.columns if name != "row"]
    return events.height - events.select(columns).n_unique()


def event_keys(frame: pl.DataFrame) -> NDArray[np.int64]:
    """A number per row, (n_rows,), the same for the same event, and hardly ever for another."""
    keys = np.zeros(frame.height, dtype=np.int64)
    for name in _key(frame):
        column = frame[name]
        for start, values in blocks(column if column.dtype == pl.Int64 else column.hash()):
            part = keys[start : start + len(values)]
            part *= MULTIPLIER  # wraps around
            part += values.view(np.int64)
    return keys


def k_core(frame: pl.DataFrame, config: DataConfig) -> tuple[pl.DataFrame, Notes]:
    """Drop users and items with fewer rows than `config` asks for, again and again until all have enough.

    Raises:
        DataError: nothing is left.
    """
    if config.min_user <= 1 and config.min_item <= 1:
        return frame, ()
    users, n_users = _dense(frame["user_id"], "user")
    items, n_items = _dense(frame["item_id"], "item")
    kept = _core(users, items, config)
    core = f"k-core (data.min_user={config.min_user}, data.min_item={config.min_item})"
    if not len(kept):
        raise DataError(f"{core} leaves nothing of {n_users} users and {n_items} items; expected smaller minima")
    gone = n_users - len(np.unique(users[kept])), n_items - len(np.unique(items[kept]))
    note = f"{core}: dropped {gone[0]} users, {gone[1]} items and {frame.height - len(kept)} rows"
    return frame[kept], (note,)


def _core(users: NDArray[np.int32], items: NDArray[np.int32], config: DataConfig) -> NDArray[np.int64]:
    """The rows that stay, ascending."""
    kept = np.arange(len(users))
    while len(kept):
        enough = np.bincount(users[kept])[users[kept]] >= config.min_user
        enough &= np.bincount(items[kept])[items[kept]] >= config.min_item
        if enough.all():
            break
        kept = kept[enough]
    return kept


def _key(frame: pl.DataFrame) -> list[str]:
    return [name for name in KEY if name in frame.columns]


def _last(events: pl.DataFrame) -> pl.DataFrame:
    if "timestamp" in events.columns:
        events = events.sort("timestamp", nulls_last=False, maintain_order=True)
    return events.unique(_key(events), keep="last")


def _repeat(events: pl.DataFrame, place: Callable[[int], str]) -> DataError:
    """The error for the first row that repeats an earlier one."""
    key = _key(events)
    again = events.filter(~events.select(pl.struct(key).is_first_distinct()).to_series()).row(0, named=True)
    same = events.filter(pl.all_horizontal(pl.col(name).eq_missing(pl.lit(again[name])) for name in key))
    met = ", ".join(f"{name.removesuffix('_id')} {again[name]!r}" for name in key)
    return DataError(
        f"{place(again['row'])}: {met} occurs again, first in {place(same['row'][0])}; "
        "expected no repeats (data.keep=error)"
    )


def _dense(ids: pl.Series, kind: str) -> tuple[NDArray[np.int32], int]:
    known = Ids.fit(ids, kind=kind)
    return known.find(ids), len(known)
