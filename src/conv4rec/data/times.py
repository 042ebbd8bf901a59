"""Time stamps of any kind to seconds since 1970; nothing about their unit is guessed."""

import numpy as np
import polars as pl

from conv4rec.data.table import Notes, Table, first
from conv4rec.data.values import numbers

YEAR_2100 = 4_102_444_800
"""Seconds from 1970 to 2100; a later time stamp is counted in another unit."""
TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
ISO_START = r"^\s*\d{4}-\d"


def timestamps(table: Table, unit: str) -> tuple[pl.Series, Notes]:
    """Seconds since 1970 of every row, Int64, null where not known; and notes on what was assumed.

    Dates, and text in ISO form, are converted, without a zone as UTC; numbers count `unit`s (s, ms, us or ns).
    Fractions of a second are cut off.

    Raises:
        DataError: text that is neither, a time before 1970, or one after 2100, whose unit must be another.
    """
    series = table.frame["timestamp"]
    if series.dtype == pl.String and series.str.contains(ISO_START).any():
        series = _from_iso(table, series)
    if series.dtype in (pl.Datetime, pl.Date):
        seconds, notes = _from_dates(series)
    elif series.dtype.is_integer():
        whole = series.cast(pl.Int64)
        seconds, notes = whole if unit == "s" else whole // TICKS[unit], ()
    else:
        seconds, notes = _from_floats(table, TICKS[unit])
    _refuse_other_times(table, seconds)
    return seconds, notes


def moment(seconds: int) -> str:
    """Seconds since 1970 as a date and a time of any year, such as `1997-12-04 03:55` (UTC)."""
    return str(np.datetime64(int(seconds), "s").astype("datetime64[m]")).replace("T", " ")


def _from_iso(table: Table, text: pl.Series) -> pl.Series:
    zoned = text.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    local = text.set(zoned.is_not_null(), None).str.to_datetime(strict=False, time_unit="us", time_zone="UTC")
    wrong = first(zoned.is_null() & local.is_null() & text.is_not_null() & (text != ""))
    if wrong is not None:
        raise table.fault(wrong, f"timestamp {text[wrong]!r} is neither a number nor an ISO date and time")
    return zoned.fill_null(local) if zoned.null_count() < len(zoned) else local.dt.replace_time_zone(None)


def _from_dates(series: pl.Series) -> tuple[pl.Series, Notes]:
    seconds = series.cast(pl.Datetime("us")) if series.dtype == pl.Date else series
    has_zone = isinstance(seconds.dtype, pl.Datetime) and seconds.dtype.time_zone is not None
    return seconds.dt.epoch("s"), () if has_zone else ("time stamps without a time zone taken as UTC",)


def _from_floats(table: Table, ticks: int) -> tuple[pl.Series, Notes]:
    values = numbers(table, "timestamp")
    odd = first(~values.is_finite())
    if odd is not None:
        raise table.fault(odd, f"timestamp {values[odd]} is not finite; leave it empty if it is not known")
    seconds = (values / ticks).floor()
    huge = first(seconds.abs() >= 2.0**62)
    if huge is not None:
        raise table.fault(huge, f"timestamp {values[huge]:g} is too large; expected seconds since 1970")
    cut = int((seconds != values / ticks).sum())
    return seconds.cast(pl.Int64), (f"fractions of a second cut off {cut} time stamps",) if cut else ()


def _refuse_other_times(table: Table, seconds: pl.Series) -> None:
    low, high = seconds.min(), seconds.max()
    if isinstance(low, int) and low < 0:
        raise table.fault(int(seconds.arg_min() or 0), f"timestamp {low} is negative; expected seconds since 1970")
    if isinstance(high, int) and high > YEAR_2100:
        unit = "ms" if high < YEAR_2100 * 10**3 else "us" if high < YEAR_2100 * 10**6 else "ns"
        raise table.fault(
            int(seconds.arg_max() or 0),
            f"timestamp {high} lies after the year 2100; expected seconds since 1970, or data.timestamp_unit={unit}",
        )
