"""Ids of users and items, integers or strings, and their indices."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.errors import DataError, UnknownIdError

BLOCK = 1 << 16
"""Values handled at a time, so that what is computed on the way stays in the cache."""


def blocks(series: pl.Series) -> Iterator[tuple[int, NDArray[Any]]]:
    """Where each piece of a column starts, and its values (null as NaN): pieces that fit a cache, without a copy."""
    start = 0
    for chunk in series.get_chunks():
        values = chunk.to_numpy()
        for offset in range(0, len(values), BLOCK):
            yield start + offset, values[offset : offset + BLOCK]
        start += len(values)


@dataclass(frozen=True)
class Ids:
    """The ids of one kind, integers or strings, sorted, and their indices 0..n-1."""

    values: pl.Series
    kind: str

    @classmethod
    def fit(cls, series: pl.Series, *, kind: str) -> "Ids":
        """Collect the distinct ids of a column. `kind` is "user" or "item", for messages."""
        return cls(_distinct(_canonical(series, kind)).rename(f"{kind}_id"), kind)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def are_integers(self) -> bool:
        return self.values.dtype == pl.Int64

    def find(self, ids: pl.Series | Iterable[object]) -> NDArray[np.int32]:
        """The index of every id, (N,); -1 for an id that is not here. Ids of the wrong type raise DataError."""
        series = as_series(ids, self.kind)
        if len(series) == 0:
            return np.empty(0, dtype=np.int32)
        query = _canonical(series, self.kind)
        if query.dtype != self.values.dtype:
            wanted = "integers" if self.are_integers else "strings"
            raise DataError(f"{self.kind} ids are {wanted} here; got {series[0]!r}")
        return self._find_integers(query) if self.are_integers else self._find_strings(query)

    def indices(self, ids: pl.Series | Iterable[object]) -> NDArray[np.int32]:
        """Like `find`, but an id that is not here raises UnknownIdError naming it."""
        series = as_series(ids, self.kind)
        found = self.find(series)
        if found.min(initial=0) < 0:
            missing = series.filter(pl.Series(found < 0)).unique(maintain_order=True)
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UnknownIdError(
                f"{self.kind} {missing[0]!r}{more} not known to this model, which has {len(self)} {self.kind}s"
            )
        return found

    def take(self, indices: NDArray[np.integer]) -> pl.Series:
        """The ids at these indices."""
        return self.values.gather(indices)

    def _find_integers(self, query: pl.Series) -> NDArray[np.int32]:
        known = self._integers
        low, span = int(known[0]), int(known[-1]) - int(known[0]) + 1
        table = _place_table(known) if span <= 16 * (len(known) + 1024) else None
        found = np.empty(len(query), dtype=np.int32)
        for start, values in blocks(query):
            rows = slice(start, start + len(values))
            if table is None:
                near = np.searchsorted(known, values).clip(max=len(known) - 1)
                found[rows] = np.where(known[near] == values, near, -1)
            else:
                place = (values - low).view(np.uint64)  # what lies below wraps around to large
                found[rows] = table.take(place.clip(max=span).view(np.int64))
        return found

    def _find_strings(self, query: pl.Series) -> NDArray[np.int32]:
        table = pl.DataFrame({"id": self.values, "index": np.arange(len(self), dtype=np.int32)})
        joined = query.alias("id").to_frame().join(table, on="id", how="left", maintain_order="left")
        return joined["index"].fill_null(-1).to_numpy()

    @cached_property
    def _integers(self) -> NDArray[np.int64]:
        return self.values.to_numpy()


def _place_table(known: NDArray[np.int64]) -> NDArray[np.int32]:
    """The place of every integer from the first to the last known, -1 for those between; one more -1 at the end."""
    table = np.full(int(known[-1]) - int(known[0]) + 2, -1, dtype=np.int32)
    table[known - known[0]] = np.arange(len(known), dtype=np.int32)
    return table


def _distinct(ids: pl.Series) -> pl.Series:
    """The ids that occur, ascending; compact integers are ticked off in a table instead of hashed."""
    low, high = (ids.min(), ids.max()) if ids.dtype == pl.Int64 else (None, None)
    if not isinstance(low, int) or not isinstance(high, int) or high - low >= 4 * (len(ids) + 1024):
        return ids.unique().sort()
    seen = np.zeros(high - low + 1, dtype=bool)
    for _, values in blocks(ids):
        seen[values - low] = True
    return pl.Series(np.flatnonzero(seen) + low, dtype=pl.Int64)


def as_series(ids: pl.Series | Iterable[object], kind: str) -> pl.Series:
    """Ids as a column; DataError for a list that mixes integers and strings, or holds anything else."""
    if isinstance(ids, pl.Series):
        return ids
    listed = [i.item() if isinstance(i, np.generic) else i for i in ids]
    kinds = {type(i) for i in listed}
    if not kinds <= {int} and not kinds <= {str}:
        odd = next(
            i for i in listed if type(i) is not type(listed[0]) or not isinstance(i, int | str) or isinstance(i, bool)
        )
        raise DataError(f"{kind} ids must be all integers or all strings; got {listed[0]!r} and {odd!r}")
    return pl.Series(f"{kind}_id", listed, dtype=pl.String if kinds == {str} else pl.Int64)


def _canonical(series: pl.Series, kind: str) -> pl.Series:
    """Ids as Int64 or String, none of them missing."""
    if series.null_count():
        raise DataError(f"{kind} id missing in row {series.is_null().arg_max()}: expected an id in every row")
    if series.dtype == pl.Int64 or series.dtype == pl.String:
        return series
    if series.dtype.is_integer():
        narrow = series.cast(pl.Int64, strict=False)
        if narrow.null_count() > series.null_count():
            large = series.filter(narrow.is_null() & series.is_not_null())[0]
            raise DataError(f"{kind} id {large} does not fit 64 bits with a sign; give such ids as strings")
        return narrow
    if series.dtype in (pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    raise DataError(f"{kind} ids must be integers or strings; the column is {series.dtype}, first value {series[0]!r}")
