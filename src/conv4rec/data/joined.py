"""Several sources as one table of ratings, such as a file and the feedback that came since."""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from conv4rec.config import DataConfig
from conv4rec.data.duplicates import k_core, repeated_rows, settle_repeats
from conv4rec.data.ratings import Ratings
from conv4rec.data.scale import find_scale, interaction_types
from conv4rec.data.store import StoreFacts
from conv4rec.data.table import by_row
from conv4rec.errors import DataError


def joined(parts: Sequence[Ratings], config: DataConfig) -> Ratings:
    """All interactions of `parts`, which were read with keep = all and without a k-core; both are done here.

    Of a repeated event the last stands: by time stamp, one whose time is not known before all others, then by the order
    of the parts. The scale is that of all parts together, the side table that of the first.

    Raises:
        DataError: ids that are integers in one part and texts in another, or a repeat that `config` does not allow.
    """
    first = parts[0]
    for part in parts[1:]:
        _refuse_other_ids(first, part)
    frame = pl.concat([part.frame for part in parts], how="diagonal")
    name = " + ".join(part.name for part in parts)
    scale = find_scale(frame["rating"], config, by_row(name), name) if "rating" in frame.columns else ()
    frame, repeats = settle_repeats(frame, repeated_rows(frame), config, by_row(name))
    frame, core = k_core(frame, config)
    notes = (*(f"{part.name}: {note}" for part in parts for note in part.notes), *repeats, *core)
    return replace(first, frame=frame, types=interaction_types(frame, scale), name=name, notes=notes)


def without_erased(ratings: Ratings, store: StoreFacts) -> Ratings:
    """Ratings without the users who were erased from a store, and a note how many they were."""
    users = store.erased_among(ratings.frame["user_id"])
    if not len(users):
        return ratings
    kept = ratings.frame.filter(~pl.col("user_id").is_in(users.implode()))
    note = f"left out {len(users)} users who were erased, with {len(ratings) - kept.height} interactions"
    return replace(ratings, frame=kept, notes=(*ratings.notes, note))


def _refuse_other_ids(first: Ratings, part: Ratings) -> None:
    for name in ("user_id", "item_id"):
        one, other = (_kind(table.frame[name]) for table in (first, part))
        if one != other:
            raise DataError(f"{name}: {one} in {first.name}, {other} in {part.name}; expected the same in all sources")


def _kind(ids: pl.Series) -> str:
    return "integers" if ids.dtype == pl.Int64 else "texts"
