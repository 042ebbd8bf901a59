"""Tables of the verbs: indices become ids and titles here."""

from typing import Any

import numpy as np
import polars as pl

from conv4rec.data.interactions import Interactions
from conv4rec.metrics.ranking import Indices
from conv4rec.predictions import Predictions, p_like
from conv4rec.tables import with_titles
from conv4rec.verbs.explain import Explanation
from conv4rec.verbs.familiarity import Reading
from conv4rec.verbs.segments import Segments
from conv4rec.vocabulary import InteractionTypes, Vocabulary

MEASURES = {"consume": "p_consume", "rating": "expected_rating", "like": "p_like"}
"""What an explanation can go by, and the column that has it."""


def history_table(history: Interactions, vocabulary: Vocabulary) -> pl.DataFrame:
    """`item_id`, `rating` and `type`, null where not known, a row for every interaction of a history of one user."""
    kinds = [vocabulary.types.channels[channel] for channel in history.channels]
    columns = {
        "item_id": vocabulary.items.take(history.items),
        "rating": pl.Series([kind.rating for kind in kinds], dtype=pl.Float64),
        "type": pl.Series([kind.name for kind in kinds], dtype=pl.String),
    }
    return pl.DataFrame(columns)


def items_table(history: Interactions, vocabulary: Vocabulary) -> pl.DataFrame:
    """`item_id`, `interactions` (labels of its types) and `rating` (the last), a row for every item of a history."""
    labels = [vocabulary.types.channels[channel].label for channel in history.channels]
    table = history_table(history, vocabulary).with_columns(interactions=pl.Series(labels, dtype=pl.String))
    last = pl.col("rating").drop_nulls().last()
    return table.group_by("item_id", maintain_order=True).agg(pl.col("interactions").str.join(", "), last)


def reasons_table(found: Explanation, given: pl.DataFrame, vocabulary: Vocabulary, k: int, by: str) -> pl.DataFrame:
    """A row for the whole history and k for its items, for every item asked about; `given` is an `items_table`."""
    table = pl.concat([_reasons(found, place, vocabulary, k, by) for place in range(len(found.asked))])
    given = given.rename({"item_id": "history_item_id"})
    return table.join(given, on="history_item_id", how="left", maintain_order="left")


def with_history_titles(table: pl.DataFrame, items: pl.DataFrame | None) -> pl.DataFrame:
    """The table with the `history_title` of every item of the history, where a side table has titles."""
    if items is None or "title" not in items.columns:
        return table
    titles = items.select(history_item_id="item_id", history_title="title").unique("history_item_id", keep="first")
    return table.join(titles, on="history_item_id", how="left", maintain_order="left")


def segments_table(
    segments: Segments, history: Interactions, names: list[list[str]], *, laws: dict[str, Predictions], like: float
) -> pl.DataFrame:
    """A row for every segment, the largest in the history first; `names` are those of its examples.

    `laws` are the columns of p_like and the predictions, of one row, that they come from.
    """
    counts, share, lift = segments.of_history(history)
    columns: dict[str, Any] = {
        "segment": segments.names,
        "n_items": segments.n_items,
        "examples": names,
        "n_interactions": counts.astype(np.int64),
        "share": share,
        "population_share": segments.share,
        "lift": lift,
    }
    for column, law in laws.items():
        columns[column] = segments.mean(p_like(law.p_rating_grid()[0], law.types, like))
    return pl.DataFrame(columns).sort("share", descending=True, maintain_order=True)


def reading_table(reading: Reading, given: pl.DataFrame, vocabulary: Vocabulary) -> pl.DataFrame:
    """A history item by item, the most typical first; `given` is an `items_table`."""
    columns: dict[str, Any] = {
        "item_id": vocabulary.items.take(reading.items),
        "p_consume": np.exp(reading.claims["consume"]),
        "popularity": reading.popularity,
        "lift": reading.lift,
        "unusual": reading.unusual,
    }
    if "rating" in reading.claims:
        columns["expected_rating"] = reading.claims["rating"]
    table = given.join(pl.DataFrame(columns), on="item_id", maintain_order="left")
    return table.sort("lift", descending=True, maintain_order=True)


def names_of(items: Indices, vocabulary: Vocabulary, side: pl.DataFrame | None) -> list[str]:
    """Titles where there are any, ids otherwise."""
    table = with_titles(pl.DataFrame({"item_id": vocabulary.items.take(items)}), side)
    ids = pl.col("item_id").cast(pl.String)
    named = pl.coalesce("title", ids) if "title" in table.columns else ids
    return table.select(named.alias("name"))["name"].to_list()


def rated_laws(types: InteractionTypes, mine: Predictions, blank: Predictions) -> dict[str, Predictions]:
    """The columns of `segments_table` that need ratings: none where nothing is rated."""
    return {"p_like": mine, "population_p_like": blank} if types.n_levels else {}


def _reasons(found: Explanation, place: int, vocabulary: Vocabulary, k: int, by: str) -> pl.DataFrame:
    order, ids = found.order(by, place, k), vocabulary.items
    columns: dict[str, Any] = {
        "item_id": ids.take(np.repeat(found.asked[place], len(order) + 1)),
        "left_out": ["all"] + ["item"] * len(order),
        "rank": np.arange(len(order) + 1),
        "history_item_id": pl.concat([pl.Series([None], dtype=ids.values.dtype), ids.take(found.items[order])]),
    }
    for measure in found.whole:
        columns |= _effect_columns(found, measure, place, order)
    return pl.DataFrame(columns)


def _effect_columns(found: Explanation, measure: str, place: int, order: Indices) -> dict[str, Any]:
    """What is claimed, what would be, and the effect: nats of p_consume, units of the rating, or probability."""
    whole, nothing = found.whole[measure][place], found.nothing[measure][place]
    without = np.concatenate([[nothing], found.without[measure][order, place]])
    show = np.exp if measure == "consume" else np.asarray
    column = MEASURES[measure]
    return {
        column: np.full(len(without), show(whole)),
        f"{column}_without": show(without),
        f"effect_{measure}": whole - without,
    }
