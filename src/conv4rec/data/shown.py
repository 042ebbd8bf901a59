"""A log of recommendations: which items were shown to whom, and when."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from conv4rec.data.files import JSON_LINES, PARQUET, Contents, kind, open_file, refuse_undecodable, whole
from conv4rec.data.frames import to_polars
from conv4rec.data.table import Table, by_row, first
from conv4rec.data.times import timestamps
from conv4rec.data.values import ids
from conv4rec.errors import DataError, QueryError

COLUMNS = ("user_id", "item_id", "timestamp")
RESERVED = (*COLUMNS, "list", "delay", "within", "shown", "taken", "ictr", "low", "high", "unfinished")
"""Names with a meaning of their own here or in what is computed."""
USUAL_GROUPS = ("model", "rank_by")


@dataclass(frozen=True)
class Shown:
    """Recommendations as they were logged.

    Attributes:
        lists: a row per list that was shown: `list` (its number from 0), `user_id`, `timestamp` (Int64, whole seconds
            since 1970), and the columns of `groups`.
        items: a row per item of a list, once: `list`, `item_id`.
        groups: columns that tell lists apart, such as the model that made them.
    """

    lists: pl.DataFrame
    items: pl.DataFrame
    groups: tuple[str, ...]


def load_shown(source: Any, *, by: Sequence[str] | None = None) -> Shown:
    """Read a log of recommendations: a path (Parquet, CSV, JSON lines) or a data frame.

    Columns `user_id`, `timestamp` and `item_id`. Where `item_id` is a column of lists, a row is a list, which may be
    empty. Otherwise a row is an item, and rows of the same user, time stamp and group, and the same `list_id` where
    there is such a column, are one list. Fractions of a second are cut off. `by` names columns that tell lists apart;
    None: `model` and `rank_by`, where they are there.

    Raises:
        DataError: a column or a value that is missing, a file of another format, no list at all.
        DatasetNotFoundError: no such file.
        QueryError: a group whose name has another meaning, or that is named twice.
    """
    is_path = isinstance(source, str | os.PathLike)
    name = Path(source).name if is_path else "shown"
    frame, spells = _read(Path(source)) if is_path else (to_polars(source, name), False)
    groups = tuple(column for column in USUAL_GROUPS if column in frame.columns) if by is None else tuple(by)
    _refuse_groups(groups)
    _refuse_missing(frame, (*COLUMNS, *groups), name)
    nested = frame.schema["item_id"]
    if isinstance(nested, pl.Array):  # lists of one length
        frame = frame.with_columns(pl.col("item_id").arr.to_list())
    if isinstance(nested, pl.List | pl.Array):
        return _from_lists(frame.select(*COLUMNS, *groups), name, groups)
    apart = (*groups, "list_id") if "list_id" in frame.columns else groups
    rows = pl.DataFrame([*_typed(frame, name, spells=spells), *(frame[column] for column in apart)])
    lists = rows.group_by("user_id", "timestamp", *apart, maintain_order=True).agg("item_id")
    return _from_lists(lists, name, groups)


def read_events(source: Any, name: str = "interactions") -> pl.DataFrame:
    """`user_id`, `item_id` and `timestamp` (Int64, whole seconds) of every row of a data frame, repeats and all.

    Raises DataError for a column or a value that is missing.
    """
    frame = to_polars(source, name)
    _refuse_missing(frame, COLUMNS, name)
    return pl.DataFrame(_typed(frame, name))


def _read(path: Path) -> tuple[pl.DataFrame, bool]:
    """The file as a frame, and whether it writes everything as text."""
    contents = open_file(path)
    try:
        if kind(path) in PARQUET:
            return pl.read_parquet(io.BytesIO(contents) if isinstance(contents, bytes) else contents), False
        if kind(path) in JSON_LINES:
            return pl.read_ndjson(_text(path, contents), infer_schema_length=None), False
        if kind(path) == ".csv":
            return pl.read_csv(_text(path, contents), infer_schema=False), True
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path.name}: {str(error).splitlines()[0]}") from None
    raise DataError(f"{path.name}: format is not known; expected .csv, {', '.join((*PARQUET, *JSON_LINES))}")


def _text(path: Path, contents: Contents) -> bytes:
    data = whole(contents)
    refuse_undecodable(path.name, data)
    return data


def _refuse_groups(groups: Sequence[str]) -> None:
    odd = [column for place, column in enumerate(groups) if column in RESERVED or column in groups[:place]]
    if odd:
        raise QueryError(f"by {odd[0]!r}: expected other columns than {', '.join(RESERVED)}, each once")


def _refuse_missing(frame: pl.DataFrame, columns: Sequence[str], name: str) -> None:
    for column in columns:
        if column not in frame.columns:
            raise DataError(f"{name}: no column {column!r}; found {', '.join(frame.columns)}")
    if not frame.height:
        raise DataError(f"{name}: no rows; expected at least one")


def _typed(frame: pl.DataFrame, name: str, *, spells: bool = False) -> list[pl.Series]:
    """Users, items and times, checked."""
    table = Table(frame.select(user="user_id", item="item_id", timestamp="timestamp"), name, by_row(name), spells)
    return [ids(table, "user").alias("user_id"), ids(table, "item").alias("item_id"), _seconds(table)]


def _seconds(table: Table) -> pl.Series:
    seconds, _ = timestamps(table, "s")
    missing = first(seconds.is_null())
    if missing is not None:
        raise table.fault(missing, "timestamp missing; expected one in every row")
    return seconds.alias("timestamp")


def _from_lists(frame: pl.DataFrame, name: str, groups: tuple[str, ...]) -> Shown:
    table = Table(frame.select(user="user_id", timestamp="timestamp"), name, by_row(name))
    missing = first(frame["item_id"].is_null())
    if missing is not None:
        raise table.fault(missing, "item_id missing; expected a list of items, which may be empty")
    columns = [ids(table, "user").alias("user_id"), _seconds(table), *(frame[column] for column in groups)]
    lists = pl.DataFrame(columns).with_row_index("list")
    listed = frame.select("item_id").with_row_index("list").filter(pl.col("item_id").list.len() > 0)
    items = listed.explode("item_id").unique(maintain_order=True)
    if not items.height:
        return Shown(lists, items, groups)
    inside = Table(items.select(item="item_id"), name, lambda row: f"{name}, row {items['list'][row]}")
    return Shown(lists, items.with_columns(ids(inside, "item").alias("item_id")), groups)
