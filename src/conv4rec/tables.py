"""Result tables: one row for a pair of user and item, with every probability the law gives for it."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.predictions import Floats, expected_rating, p_like, rating_marginal
from conv4rec.vocabulary import InteractionTypes


def law_columns(
    types: InteractionTypes, log_p_consume: Floats, log_p_type: Floats, like: float
) -> dict[str, NDArray[np.floating]]:
    """Columns for N pairs of a user and an item, of which (N,) and (N, L) log-probabilities are known.

    `p_consume`; `p_type_<name>` where types have names; and where there are ratings `p_rating_<value>`,
    `expected_rating`, `p_like` (a rating of `like` or more).
    """
    columns: dict[str, NDArray[np.floating]] = {"p_consume": np.exp(log_p_consume)}
    if any(outcome.name is not None for outcome in types.outcomes):
        named = zip(types.outcomes, np.exp(log_p_type).T, strict=True)
        columns |= {f"p_type_{outcome.label}": column for outcome, column in named}
    if types.n_levels:
        columns |= _rating_columns(rating_marginal(log_p_type, types), types, like)
    return columns


def _rating_columns(
    p_rating: NDArray[np.floating], types: InteractionTypes, like: float
) -> dict[str, NDArray[np.floating]]:
    named = zip(types.rating_values, p_rating.T, strict=True)
    return {
        **{f"p_rating_{value:g}": column for value, column in named},
        "expected_rating": expected_rating(p_rating, types),
        "p_like": p_like(p_rating, types, like),
    }


def with_titles(table: pl.DataFrame, items: pl.DataFrame | None) -> pl.DataFrame:
    """The table with the `title` of every item, where a side table has titles."""
    if items is None or "title" not in items.columns:
        return table
    titles = items.select("item_id", "title").unique("item_id", keep="first")
    return table.join(titles, on="item_id", how="left", maintain_order="left")
