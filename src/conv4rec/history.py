"""Histories given at query time: anything a caller has at hand becomes interactions of a batch."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.data.frames import to_polars
from conv4rec.data.interactions import Interactions
from conv4rec.errors import DataError, QueryError
from conv4rec.ids import as_series
from conv4rec.vocabulary import Vocabulary


class SupportsArrow(Protocol):
    """A table of any library: polars, pandas, Arrow, ..."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


History = Mapping[Any, float | None] | Iterable[int | str] | SupportsArrow
"""Items with their ratings, items alone, or a table of `item_id` and, where known, `rating`, `type`, `user_id`."""


class UnknownItemsWarning(UserWarning):
    """Some items of a history are not known to the model and had to be left out."""


def read_history(history: History, vocabulary: Vocabulary) -> tuple[pl.Series, Interactions]:
    """The users of a history, in order of appearance, and their interactions, row for row.

    A history without `user_id` is of one user, called 0. Items that the model does not know are left out with an
    UnknownItemsWarning; where none is known, QueryError. A rating off the scale of the model is a DataError.
    """
    frame = _as_frame(history)
    if not frame.height:
        raise QueryError("the history is empty: expected at least one item")
    users = (
        frame["user_id"] if "user_id" in frame.columns else pl.Series("user_id", np.zeros(frame.height, dtype=np.int64))
    )
    names = users.unique(maintain_order=True)
    found = vocabulary.items.find(frame["item_id"])
    _tell_unknown(frame["item_id"], found)
    known = pl.Series(found >= 0)
    kept = frame.filter(known)
    channels = vocabulary.types.encode(
        kept.get_column("rating", default=None), kept.get_column("type", default=None), kept.height
    )
    table = pl.DataFrame({"user_id": names, "row": np.arange(len(names), dtype=np.int32)})
    rows = users.to_frame().join(table, on="user_id", how="left", maintain_order="left")["row"].filter(known).to_numpy()
    items = found[known.to_numpy()]
    sizes = {"n_users": len(names), "n_items": len(vocabulary.items)}
    return names, Interactions.from_triples(rows, items, channels, **sizes)


def _as_frame(history: History) -> pl.DataFrame:
    if isinstance(history, Mapping):
        return pl.DataFrame({"item_id": as_series(history, "item"), "rating": _ratings(list(history.values()))})
    if hasattr(history, "__arrow_c_stream__"):
        frame = to_polars(history, "history")
        if "item_id" not in frame.columns:
            raise DataError(f"history: column item_id is missing; it has {', '.join(frame.columns)}")
        kind = frame.schema.get("rating", pl.Null())
        if not kind.is_numeric() and kind != pl.Null:
            raise DataError(f"history: column rating is {kind}; expected numbers")
        return frame
    return pl.DataFrame({"item_id": as_series(history, "item")})


def _ratings(values: list[float | None]) -> pl.Series:
    try:
        return pl.Series("rating", [None if value is None else float(value) for value in values], dtype=pl.Float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"history: a rating is not a number: {error}") from None


def _tell_unknown(items: pl.Series, found: NDArray[np.int32]) -> None:
    unknown = items.filter(pl.Series(found < 0))
    if len(unknown) == 0:
        return
    some = ", ".join(repr(item) for item in unknown[:3])
    if len(unknown) == len(items):
        raise QueryError(f"none of the {len(items)} items of the history is known to the model: {some}")
    warnings.warn(
        f"{len(unknown)} of {len(items)} items of the history are not known to the model and were left out: {some}",
        UnknownItemsWarning,
        stacklevel=4,
    )
