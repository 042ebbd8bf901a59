"""Checks every id, rating and type name of a table and gives it its final type; a fault names its place."""

from typing import Literal

import polars as pl

from conv4rec.data.table import Table, first

INTEGER = r"^(?:0|-?[1-9][0-9]{0,17})$"
"""Text that is written back alike when it is read as an integer."""


def ids(table: Table, role: Literal["user", "item"]) -> pl.Series:
    """The ids of every row, Int64 or String, as they came.

    Raises:
        DataError: an id is missing, or the column holds neither integers nor strings, or both.
    """
    series = table.frame[role]
    missing = first(series.is_null()) if series.null_count() else None
    if missing is not None:
        raise table.fault(missing, f"{role} id missing; expected an id in every row")
    if series.dtype == pl.Object:
        series = _from_objects(table, series, role)
    if series.dtype in (pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    if series.dtype.is_integer():
        return _to_int64(table, series, role)
    if series.dtype != pl.String:
        raise table.fault(0, f"{role} id {_shown(series)} is {series.dtype}; expected an integer or a string")
    return series.cast(pl.Int64) if table.spells and series.str.contains(INTEGER).all() else series


def ratings(table: Table) -> pl.Series:
    """The rating of every row, Float64; null where there is none.

    Raises:
        DataError: a rating is text, not a number (NaN), or infinite.
    """
    values = numbers(table, "rating")
    odd = first(~values.is_finite())
    if odd is not None:
        raise table.fault(odd, f"rating {values[odd]} is not finite; leave it empty if it is not known")
    return values


def type_names(table: Table) -> pl.Series:
    """The name of the interaction type of every row, String; null where it has none.

    Raises:
        DataError: the column holds neither text nor integers.
    """
    series = table.frame["type"]
    if series.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null) or series.dtype.is_integer():
        return series.cast(pl.String)
    raise table.fault(0, f"interaction type {_shown(series)} is {series.dtype}; expected a name")


def numbers(table: Table, role: Literal["rating", "timestamp"]) -> pl.Series:
    """A column as Float64; empty text is null.

    Raises:
        DataError: something that is not a number.
    """
    series = table.frame[role]
    if series.dtype == pl.String:
        return _from_text(table, series, role)
    if not series.dtype.is_numeric() and series.dtype != pl.Null:
        raise table.fault(0, f"{role} {_shown(series)} is {series.dtype}; expected a number")
    return series.cast(pl.Float64)


def _from_text(table: Table, series: pl.Series, role: str) -> pl.Series:
    text = series.str.strip_chars()
    values = text.cast(pl.Float64, strict=False)
    wrong = first(values.is_null() & text.is_not_null() & (text != ""))
    if wrong is not None:
        raise table.fault(wrong, f"{role} {series[wrong]!r} is not a number")
    return values


def _to_int64(table: Table, series: pl.Series, role: str) -> pl.Series:
    values = series.cast(pl.Int64, strict=False)
    large = first(values.is_null())
    if large is not None:
        raise table.fault(large, f"{role} id {series[large]} does not fit into 64 bits; expected a string instead")
    return values


def _from_objects(table: Table, series: pl.Series, role: str) -> pl.Series:
    values = series.to_list()
    odd = next((row for row, value in enumerate(values) if type(value) is not type(values[0])), None)
    if odd is not None:
        met = f"{role} id {values[odd]!r}, but {values[0]!r} in the first row"
        raise table.fault(odd, f"{met}; expected ids that are all integers or all strings")
    if type(values[0]) not in (int, str):
        raise table.fault(
            0, f"{role} id {values[0]!r} is a {type(values[0]).__name__}; expected an integer or a string"
        )
    return pl.Series(role, values)


def _shown(series: pl.Series) -> str:
    """The first value, in one line even if it is a list."""
    return repr(series.head(1).to_list()[0])
