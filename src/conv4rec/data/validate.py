"""From a table as it was read to ratings: every check that data pass on their way in, in order."""

from concurrent.futures import ThreadPoolExecutor

import polars as pl

from conv4rec.config import DataConfig
from conv4rec.data.duplicates import k_core, repeated_rows, settle_repeats
from conv4rec.data.ratings import Ratings
from conv4rec.data.scale import bin_ratings, find_scale, interaction_types, refuse_contradiction
from conv4rec.data.table import Notes, Table
from conv4rec.data.times import timestamps
from conv4rec.data.values import ids, ratings, type_names
from conv4rec.errors import DataError


def validated(table: Table, config: DataConfig) -> Ratings:
    """Check a table and make it ratings; `notes` tells everything that was dropped or assumed.

    Raises:
        DataError: one line that names the place, the value met and what was expected.
        ConfigError: settings that contradict each other.
    """
    refuse_contradiction(config)
    table = table.without_blank_rows()
    if not table.frame.height:
        raise DataError(f"{table.name}: no ratings; expected at least one row")
    frame, time_notes = typed(table, config)
    with ThreadPoolExecutor(1) as beside:  # sorting leaves the interpreter to others
        repeats = beside.submit(repeated_rows, frame)
        frame, bin_notes = _binned(frame, config)
        scale = find_scale(frame["rating"], config, table.place, table.name) if "rating" in frame.columns else ()
    frame, repeat_notes = settle_repeats(frame, repeats.result(), config, table.place)
    frame, core_notes = k_core(frame, config)
    notes = (*table.notes, *time_notes, *bin_notes, *repeat_notes, *core_notes)
    return Ratings(frame, interaction_types(frame, scale), name=table.name, notes=notes)


def typed(table: Table, config: DataConfig) -> tuple[pl.DataFrame, Notes]:
    """Every column checked for itself and of its final type, under the names of `Ratings.frame`; and what was assumed.

    Raises DataError as `values` and `times` do.
    """
    columns = {"user_id": ids(table, "user"), "item_id": ids(table, "item")}
    notes: Notes = ()
    if "rating" in table.frame.columns:
        columns["rating"] = ratings(table)
    if "type" in table.frame.columns:
        columns["type"] = type_names(table)
    if "timestamp" in table.frame.columns:
        columns["timestamp"], notes = timestamps(table, config.timestamp_unit)
    return pl.DataFrame(columns), notes


def _binned(frame: pl.DataFrame, config: DataConfig) -> tuple[pl.DataFrame, Notes]:
    if config.bins is None or "rating" not in frame.columns:
        return frame, ()
    rating, notes = bin_ratings(frame["rating"], config.bins)
    return frame.with_columns(rating.alias("rating")), notes
