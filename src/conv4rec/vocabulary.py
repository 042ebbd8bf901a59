"""The id border: ids, names and rating values on one side, indices on the other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.errors import DataError, UnknownIdError

MAX_TYPES = 250
"""More interaction types than this do not fit the one byte an interaction type takes in memory."""


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

    def encode(self, rating: pl.Series | None, name: pl.Series | None, n_rows: int) -> NDArray[np.uint8]:
        """The channel of every row, (n_rows,), from its rating (null: not known) and its type name.

        Raises DataError naming the first row with a combination that these types do not have.
        """
        channels = np.zeros(n_rows, dtype=np.uint8)
        seen = np.zeros(n_rows, dtype=bool)
        ratings = self._levels(rating, n_rows)
        for type_name in dict.fromkeys(t.name for t in (*self.outcomes, *self.partial)):
            table = self._channels_by_level(type_name)
            found = table[ratings]
            named = _equal(name, type_name, n_rows)
            hit = found >= 0 if named is None else named & (found >= 0)
            np.copyto(channels, found.astype(np.uint8), where=hit)
            seen |= hit
        if not seen.all():
            raise self._no_such_type(rating, name, int(np.argmin(seen)))
        return channels

    def _levels(self, rating: pl.Series | None, n_rows: int) -> NDArray[np.intp]:
        """0..R-1 for a rating of the scale, R where it is not known, R + 1 where the scale has no such value."""
        if rating is None:
            return np.full(n_rows, self.n_levels, dtype=np.intp)
        values = rating.cast(pl.Float64).to_numpy()
        if not self.n_levels:
            return np.where(np.isnan(values), 0, 1)
        near = np.searchsorted(self.rating_values, values).clip(max=self.n_levels - 1)
        exact = self.rating_values[near] == values
        if exact.all():
            return near
        unknown = np.where(np.isnan(values), self.n_levels, self.n_levels + 1)
        return np.where(exact, near, unknown)

    def _channels_by_level(self, name: str | None) -> NDArray[np.int16]:
        keys = [*self.rating_values.tolist(), None]
        return np.array([*(self._channel_of.get((name, key), -1) for key in keys), -1], dtype=np.int16)

    def _no_such_type(self, rating: pl.Series | None, name: pl.Series | None, row: int) -> DataError:
        value = None if rating is None else rating[row]
        kind = None if name is None else name[row]
        met = f"{'' if kind is None else f'type {kind!r} with '}rating {'missing' if value is None else f'{value:g}'}"
        known = ", ".join(t.label for t in (*self.outcomes, *self.partial))
        return DataError(f"row {row}: {met} is none of the interaction types {known}")


def _equal(name: pl.Series | None, wanted: str | None, n_rows: int) -> NDArray[np.bool_] | None:
    """Which rows have the wanted type name; None stands for all of them."""
    if name is None:
        return None if wanted is None else np.zeros(n_rows, dtype=bool)
    if wanted is None:
        return name.is_null().to_numpy()
    return (name == wanted).fill_null(False).to_numpy()


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
        return cls(_canonical(series, kind).unique().sort().rename(f"{kind}_id"), kind)

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
        return self._find_integers(query.to_numpy()) if self.are_integers else self._find_strings(query)

    def indices(self, ids: pl.Series | Iterable[object]) -> NDArray[np.int32]:
        """Like `find`, but an id that is not here raises UnknownIdError naming it."""
        series = _as_series(ids, self.kind)
        found = self.find(series)
        if (found < 0).any():
            missing = series.filter(pl.Series(found < 0)).unique(maintain_order=True)
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UnknownIdError(
                f"{self.kind} {missing[0]!r}{more} not known to this model, which has {len(self)} {self.kind}s"
            )
        return found

    def take(self, indices: NDArray[np.integer]) -> pl.Series:
        """The ids at these indices."""
        return self.values.gather(indices)

    def _find_integers(self, query: NDArray[np.int64]) -> NDArray[np.int32]:
        known = self._integers
        low, span = int(known[0]), int(known[-1]) - int(known[0]) + 1
        if span > 16 * (len(known) + 1024):
            near = np.searchsorted(known, query).clip(max=len(known) - 1)
            return np.where(known[near] == query, near, -1).astype(np.int32)
        table = np.full(span + 1, -1, dtype=np.int32)
        table[known - low] = np.arange(len(known), dtype=np.int32)
        inside = (query >= low) & (query <= int(known[-1]))
        return table[query - low] if inside.all() else table[np.where(inside, query - low, span)]

    def _find_strings(self, query: pl.Series) -> NDArray[np.int32]:
        table = pl.DataFrame({"id": self.values, "index": np.arange(len(self), dtype=np.int32)})
        joined = query.alias("id").to_frame().join(table, on="id", how="left", maintain_order="left")
        return joined["index"].fill_null(-1).to_numpy()

    @cached_property
    def _integers(self) -> NDArray[np.int64]:
        return self.values.to_numpy()


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
