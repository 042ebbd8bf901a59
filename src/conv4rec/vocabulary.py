"""The id border: ids, names and rating values on one side, indices on the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.errors import DataError
from conv4rec.ids import Ids, blocks

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
    def channels(self) -> tuple[InteractionType, ...]:
        """What each channel of the input means: the outcomes, then the partial types."""
        return (*self.outcomes, *self.partial)

    @property
    def n_types(self) -> int:
        """L, the number of outcomes of the law."""
        return len(self.outcomes)

    @property
    def n_channels(self) -> int:
        """K, the number of channels of the input."""
        return len(self.channels)

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
        return np.array([np.nan if t.rating is None else t.rating for t in self.channels], dtype=np.float64)

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
        return {(t.name, t.rating): c for c, t in enumerate(self.channels)}

    @cached_property
    def _names(self) -> tuple[str | None, ...]:
        return tuple(dict.fromkeys(t.name for t in self.channels))

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
        known = ", ".join(t.label for t in self.channels)
        return DataError(f"row {row}: {met} is none of the interaction types {known}")


@dataclass(frozen=True)
class Vocabulary:
    """Users, items and interaction types of a model: everything that turns ids into indices and back."""

    users: Ids
    items: Ids
    types: InteractionTypes
