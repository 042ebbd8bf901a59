"""The figures that describe ratings."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from conv4rec.data.ratings import Ratings


def describe(ratings: Ratings) -> dict[str, Any]:
    """Counts, density, rating scale and time span of ratings, as plain values for people or JSON.

    `density` is the share of user-item pairs with an interaction, counting rows; `ratings` counts every value of the
    scale; `time` is null where there are no time stamps.
    """
    n_users, n_items = ratings.n_users, ratings.n_items
    return {
        "name": ratings.name,
        "interactions": len(ratings),
        "users": n_users,
        "items": n_items,
        "density": len(ratings) / (n_users * n_items),
        "per_user": _spread(ratings.frame["user_id"]),
        "per_item": _spread(ratings.frame["item_id"]),
        "types": [outcome.label for outcome in ratings.types.outcomes],
        "ratings": _ratings(ratings),
        "mean_rating": _mean(ratings),
        "names": _names(ratings),
        "time": _span(ratings),
        "titles": ratings.items is not None and "title" in ratings.items.columns,
        "notes": list(ratings.notes),
    }


def _spread(ids: pl.Series) -> dict[str, float]:
    counts = ids.value_counts()["count"].to_numpy()
    return {"min": float(counts.min()), "median": float(np.median(counts)), "max": float(counts.max())}


def _ratings(ratings: Ratings) -> dict[str, int]:
    if "rating" not in ratings.frame.columns:
        return {"unrated": len(ratings)}
    counts = dict(ratings.frame["rating"].value_counts().iter_rows())
    told = {f"{value:g}": counts.get(value, 0) for value in ratings.types.rating_values.tolist()}
    return told | ({"unrated": counts[None]} if None in counts else {})


def _mean(ratings: Ratings) -> float | None:
    known = ratings.frame["rating"].drop_nulls() if "rating" in ratings.frame.columns else pl.Series(dtype=pl.Float64)
    return float(known.sum()) / len(known) if len(known) else None


def _names(ratings: Ratings) -> dict[str, int]:
    if "type" not in ratings.frame.columns:
        return {}
    counts = ratings.frame["type"].fill_null("unnamed").value_counts(sort=True)
    return dict(counts.iter_rows())


def _span(ratings: Ratings) -> dict[str, Any] | None:
    known = ratings.frame["timestamp"].drop_nulls() if ratings.has_timestamps else pl.Series(dtype=pl.Int64)
    first, last = known.min(), known.max()
    if not isinstance(first, int) or not isinstance(last, int):
        return None
    return {"first": _day(first), "last": _day(last), "share": len(known) / len(ratings)}


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).date().isoformat()
