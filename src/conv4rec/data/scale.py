"""The rating scale and the interaction types that a data set has."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.config import DataConfig
from conv4rec.data.table import Notes, first
from conv4rec.errors import ConfigError, DataError
from conv4rec.ids import blocks
from conv4rec.vocabulary import InteractionTypes

MAX_VALUES = 50
"""More distinct ratings than this are taken for a continuous scale."""


def bin_ratings(rating: pl.Series, bins: int) -> tuple[pl.Series, Notes]:
    """Cut ratings into bins of equal width and give each the centre of its bin; ratings that are all equal stay."""
    low, high = rating.min(), rating.max()
    if not isinstance(low, float) or not isinstance(high, float) or low == high:
        return rating, ("data.bins is not used: fewer than two distinct ratings",)
    width = (high - low) / bins
    place = ((rating - low) / width).floor().clip(0, bins - 1)
    note = f"ratings from {low:g} to {high:g} cut into {bins} bins of width {width:g}, each rated by its centre"
    return low + width * (place + 0.5), (note,)


def find_scale(rating: pl.Series, config: DataConfig, place: Callable[[int], str], name: str) -> tuple[float, ...]:
    """The rating values, ascending: those declared in `config`, else those that occur; empty if nothing is rated.

    Raises:
        DataError: a rating that is not on the declared scale, or too many distinct ones.
    """
    values = distinct(rating)
    if config.scale is not None and values:
        scale = tuple(sorted(config.scale))
        _refuse_off_scale(rating, values, scale, place)
        return scale
    if len(values) > MAX_VALUES:
        raise DataError(
            f"{name}: {len(values)} distinct ratings from {values[0]:g} to {values[-1]:g}; "
            f"expected at most {MAX_VALUES}: cut them into bins with data.bins=10"
        )
    return values


def interaction_types(frame: pl.DataFrame, scale: tuple[float, ...]) -> InteractionTypes:
    """The types of a table: every type name that ever carries a rating is rated, the others are not."""
    if "type" not in frame.columns:
        return InteractionTypes.of(scale) if scale else InteractionTypes.of((), rated=(), unrated=(None,))
    is_rated = pl.col("rating").is_not_null().any() if "rating" in frame.columns else pl.lit(value=False)
    groups = frame.lazy().group_by("type").agg(is_rated.alias("is_rated")).sort("type", nulls_last=False).collect()
    rated = groups.filter("is_rated")["type"].to_list()
    return InteractionTypes.of(scale, rated=rated, unrated=groups.filter(~pl.col("is_rated"))["type"].to_list())


def distinct(rating: pl.Series) -> tuple[float, ...]:
    """The values that occur, ascending, without null."""
    known = rating.drop_nulls()
    halves = _distinct_halves(known)
    return tuple(known.unique().sort().to_list() if halves is None else halves.tolist())


def _distinct_halves(rating: pl.Series) -> NDArray[np.float64] | None:
    """The values that occur if all are halves between -50 and 50, in one pass; None if some are not."""
    low, high = rating.min(), rating.max()
    if not isinstance(low, float) or not isinstance(high, float) or not -50 <= low <= high <= 50:
        return None
    seen = np.zeros(256, dtype=bool)
    for _, values in blocks(rating):
        doubled = values * 2
        whole = doubled.astype(np.int8)
        if not (whole == doubled).all():
            return None
        seen[whole.view(np.uint8)] = True
    return np.sort(np.flatnonzero(seen).astype(np.uint8).view(np.int8)) / 2


def _refuse_off_scale(
    rating: pl.Series, values: tuple[float, ...], scale: tuple[float, ...], place: Callable[[int], str]
) -> None:
    outside = [value for value in values if value not in scale]
    if outside:
        row = first(rating.is_in(outside))
        known = ", ".join(f"{value:g}" for value in scale)
        raise DataError(f"{place(row or 0)}: rating {rating[row or 0]} is not one of {known}")


def refuse_contradiction(config: DataConfig) -> None:
    """Bins make a scale of their own: a declared one beside them is an error."""
    if config.bins is not None and config.scale is not None:
        raise ConfigError("data.bins and data.scale are both set; bins make a scale of their own: set one of them")
