"""What a reader hands over: columns by their role, not yet checked, and how to name a row in a message."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl

from conv4rec.errors import DataError

Role = Literal["user", "item", "rating", "timestamp", "type"]
ROLES: tuple[Role, ...] = ("user", "item", "rating", "timestamp", "type")

Notes = tuple[str, ...]
"""What was assumed or dropped, one line each."""


@dataclass(frozen=True)
class Table:
    """Columns of a source as they were read.

    Attributes:
        frame: `user` and `item`, and of `rating`, `timestamp`, `type` those that the source has; any data type.
        name: where it came from, for messages.
        place: turns a row of `frame` into text such as `ratings.csv:17`; called for errors only, so it may be slow.
        spells: whether the source writes everything as text, so that the text `7` is the integer 7.
        notes: what was assumed while reading, one line each.
    """

    frame: pl.DataFrame
    name: str
    place: Callable[[int], str]
    spells: bool = False
    notes: Notes = ()

    def fault(self, row: int, text: str) -> DataError:
        """The error for a row: place, then what is wrong with it."""
        return DataError(f"{self.place(row)}: {text}")

    def without_blank_rows(self) -> "Table":
        """Drop the rows in which every column is empty, and say so."""
        if not self.frame["user"].null_count():
            return self
        blank = self.frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
        if not blank.any():
            return self
        kept = np.flatnonzero(~blank.to_numpy())
        note = f"skipped {int(blank.sum())} blank rows"
        return replace(
            self,
            frame=self.frame.filter(~blank),
            place=lambda row: self.place(int(kept[row])),
            notes=(*self.notes, note),
        )


def by_row(name: str) -> Callable[[int], str]:
    """The place of a row in a source without lines: `data frame, row 16`, counted from 0."""
    return lambda row: f"{name}, row {row}"


def first(mask: pl.Series) -> int | None:
    """The first true row; None where there is none."""
    return mask.fill_null(value=False).arg_max() if mask.any() else None
