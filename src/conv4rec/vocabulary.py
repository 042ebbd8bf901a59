"""The id border: ids, names and rating values on one side, indices on the other."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.errors import DataError, UnknownIdError

MAX_TYPES = 250
"""More interaction types than this do not fit the one byte an interaction type takes in memory."""
BLOCK = 1 << 16
"""Values handled at a time, so that what is computed on the way stays in the cache."""


@dataclass(frozen=True)
class InteractionType:
    """One kind of interaction: a name (view, purchase), a rating, both, or neither ("unrated")."""

    name: str | None = None
    rating: float | None = None

    @property
    def label(self) -> str:
        """The text of this type: `4`, `4.5`, `purchase`, `purchase:4` or `unrated`."""
        parts = [self.name] if self.name is not None else []
        if self.rating is not None:
            parts.append(f"{self.rating:g}")
        return ":".join(parts) if parts else "unrated"


@dataclass(frozen=True)
class InteractionTypes:
    """The interaction types of a data set, as channels 0..n_channels-1.

    The first `n_types` channels are the outcomes of the law. A channel after them stands for an interaction
    whose rating is not known: it is a channel of its own going in, and coming out it stands for all the types
    that it may have been. Source: METHOD.md section 2, the marginal form is ours.
    """

    outcomes: tuple[InteractionType, ...]
    partial: tuple[InteractionType, ...] = ()

    @classmethod
    def of(
        cls,
        scale: Sequence[float],
        *,
        rated: Sequence[str | None] = (None,),
        unrated: Sequence[str | None] = (),
    ) -> "InteractionTypes":
        """Make the types for a rating scale, the names that carry ratings and the names that never do.

        An empty `scale` means that nothing is rated: then `rated` must be empty.
        """
        if not scale and rated:
            raise DataError(f"interaction types {list(rated)} are rated, but the rating scale is empty")
        outcomes = [InteractionType(name, float(value)) for name in rated for value in scale]
        outcomes += [InteractionType(name) for name in unrated]
        if not 0 < len(outcomes) <= MAX_TYPES:
            raise DataError(f"{len(outcomes)} interaction types: expected 1 to {MAX_TYPES}; bin the ratings")
        return cls(tuple(outcomes), tuple(InteractionType(name) for name in rated))

    @property
    def n_types(self) -> int:
        """L, the number of outcomes of the law."""
        return len(self.outcomes)

    @property
    def n_channels(self) -> int:
        """The number of channels of the input: the outcomes, then the partial types."""
        return len(self.outcomes) + len(self.partial)

    @cached_property
    def rating_values(self) -> NDArray[np.float64]:
        """The distinct rating values in ascending order, (R,); empty where nothing is rated."""
        return np.array(sorted({t.rating for t in self.outcomes if t.rating is not None}), dtype=np.float64)

    @property
    def n_levels(self) -> int:
        """R, the number of rating values."""
        return len(self.rating_values)

    @cached_property
    def channel_ratings(self) -> NDArray[np.float64]:
        """The rating of every channel, (n_channels,); NaN where it has none."""
        every = (*self.outcomes, *self.partial)
        return np.array([np.nan if t.rating is None else t.rating for t in every], dtype=np.float64)

    @cached_property
    def covers(self) -> NDArray[np.bool_]:
        """(n_channels, n_types): the outcomes that an interaction of each channel may have been."""
        exact = np.eye(self.n_types, dtype=bool)
        rows = [[t.name == p.name and t.rating is not None for t in self.outcomes] for p in self.partial]
        return np.vstack([exact, np.array(rows, dtype=bool).reshape(-1, self.n_types)])

    @cached_property
    def level_members(self) -> NDArray[np.bool_]:
        """(n_types, R): which outcomes carry which rating value."""
        return np.equal(self.channel_ratings[: self.n_types, None], self.rating_values[None, :])

    @cached_property
    def _channel_of(self) -> dict[tuple[str | None, float | None], int]:
        return {(t.name, t.rating): c for c, t in enumerate((*self.outcomes, *self.partial))}

    @cached_property
    def _names(self) -> tuple[str | None, ...]:
        return tuple(dict.fromkeys(t.name for t in (*self.outcomes, *self.partial)))

    @cached_property
    def _channel_table(self) -> NDArray[np.int16]:
        """(names + 1, R + 2): the channel of a type name (the last row: none of ours) and a level; -1 for none."""
        keys = [*self.rating_values.tolist(), None]
        rows = [[*(self._channel_of.get((name, key), -1) for key in keys), -1] for name in self._names]
        return np.array([*rows, [-1] * (len(keys) + 1)], dtype=np.int16)

    def encode(self, rating: pl.Series | None, name: pl.Series | None, n_rows: int) -> NDArray[np.uint8]:
        """The channel of every row, (n_rows,), from its rating (null: not known) and its type name.

        Raises DataError naming the first row with a combination that these types do not have.
        """
        channels = np.empty(n_rows, dtype=np.uint8)
        kinds = self._kinds(name, n_rows)
        table = self._channel_table
        if rating is None:
            rating = pl.repeat(None, n_rows, dtype=pl.Float64, eager=True)
        for start, ratings in blocks(rating.cast(pl.Float64)):
            rows = slice(start, start + len(ratings))
            found = table[kinds if isinstance(kinds, int) else kinds[rows], self._levels(ratings)]
            if (found < 0).any():
                raise self._no_such_type(rating, name, start + int(np.argmax(found < 0)))
            channels[rows] = found
        return channels

    def _kinds(self, name: pl.Series | None, n_rows: int) -> int | NDArray[np.uint8]:
        """The row of `_channel_table` for every type name; one for all where there are no names."""
        rows = {known: row for row, known in enumerate(self._names)}
        if name is None:
            return rows.get(None, len(rows))
        kinds = np.full(n_rows, len(rows), dtype=np.uint8)
        for known, row in rows.items():
            is_known = name.is_null() if known is None else (name == known).fill_null(value=False)
            kinds[is_known.to_numpy()] = row
        return kinds

    def _levels(self, values: NDArray[np.float64]) -> NDArray[np.integer]:
        """0..R-1 for ratings of the scale, R where one is not known, R + 1 where the scale has no such value."""
        near = self._near(values) if self.n_levels else np.zeros(len(values), dtype=np.uint8)
        exact = self.rating_values[near] == values if self.n_levels else np.zeros(len(values), dtype=bool)
        if exact.all():
            return near
        return np.where(exact, near, np.where(np.isnan(values), self.n_levels, self.n_levels + 1))

    def _near(self, values: NDArray[np.float64]) -> NDArray[np.integer]:
        """The level of every value that is on the scale; some level for any other."""
        if self._level_of_half is None:
            return np.searchsorted(self.rating_values, values).clip(max=self.n_levels - 1)
        with np.errstate(invalid="ignore"):  # NaN becomes some integer
            return np.take(self._level_of_half, (values * 2).astype(np.int16) & 255)

    @cached_property
    def _level_of_half(self) -> NDArray[np.uint8] | None:
        """(256,) level by twice the rating, modulo 256, for scales of halves: quicker than a search; else None."""
        doubled = self.rating_values * 2
        if not np.isin(doubled, np.arange(-128, 128)).all():
            return None
        table = np.zeros(256, dtype=np.uint8)
        table[doubled.astype(np.int16) & 255] = np.arange(self.n_levels)
        return table

    def _no_such_type(self, rating: pl.Series | None, name: pl.Series | None, row: int) -> DataError:
        value = None if rating is None else rating[row]
        kind = None if name is None else name[row]
        met = f"{'' if kind is None else f'type {kind!r} with '}rating {'missing' if value is None else f'{value:g}'}"
        known = ", ".join(t.label for t in (*self.outcomes, *self.partial))
        return DataError(f"row {row}: {met} is none of the interaction types {known}")


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
        if series.null_count():
            raise DataError(
                f"{kind} id missing in row {int(series.is_null().arg_max() or 0)}: expected an id in every row"
            )
        return cls(_distinct(_canonical(series, kind)).rename(f"{kind}_id"), kind)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def are_integers(self) -> bool:
        return self.values.dtype == pl.Int64

    def find(self, ids: pl.Series | Iterable[object]) -> NDArray[np.int32]:
        """The index of every id, (N,); -1 for an id that is not here. Ids of the wrong type raise DataError."""
        series = _as_series(ids, self.kind)
        if len(series) == 0:
            return np.empty(0, dtype=np.int32)
        query = _canonical(series, self.kind)
        if query.dtype != self.values.dtype:
            wanted = "integers" if self.are_integers else "strings"
            raise DataError(f"{self.kind} ids are {wanted} here; got {series[0]!r}")
        return self._find_integers(query) if self.are_integers else self._find_strings(query)

    def indices(self, ids: pl.Series | Iterable[object]) -> NDArray[np.int32]:
        """Like `find`, but an id that is not here raises UnknownIdError naming it."""
        series = _as_series(ids, self.kind)
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


def _as_series(ids: pl.Series | Iterable[object], kind: str) -> pl.Series:
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
    if series.dtype == pl.Int64 or series.dtype == pl.String:
        return series
    if series.dtype.is_integer():
        return series.cast(pl.Int64)
    if series.dtype in (pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    raise DataError(f"{kind} ids must be integers or strings; the column is {series.dtype}, first value {series[0]!r}")


@dataclass(frozen=True)
class Vocabulary:
    """Users, items and interaction types of a model: everything that turns ids into indices and back."""

    users: Ids
    items: Ids
    types: InteractionTypes
