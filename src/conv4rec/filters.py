"""Which items may be recommended: candidates, exclusions and tags, from ids to a mask of the catalogue."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.errors import QueryError
from conv4rec.vocabulary import Vocabulary

ListOfIds = Iterable[int | str] | pl.Series
Mask = NDArray[np.bool_]
NAMED = 30
"""Tags that an error names at most."""


def listed(ids: ListOfIds) -> list[Any] | pl.Series:
    """Ids as a list or a column; a single id, which would be read letter by letter, raises QueryError."""
    if isinstance(ids, pl.Series):
        return ids
    if isinstance(ids, int | str):
        raise QueryError(f"expected a list of ids, got the single id {ids!r}; write [{ids!r}]")
    return list(ids)


def chosen(ids: ListOfIds, vocabulary: Vocabulary) -> Mask:
    """(I,) the items of these ids; others raise UnknownIdError."""
    mask = np.zeros(len(vocabulary.items), dtype=np.bool_)
    mask[vocabulary.items.indices(listed(ids))] = True
    return mask


def tagged(tags: Iterable[str], vocabulary: Vocabulary, items: pl.DataFrame | None) -> Mask:
    """(I,) the items that have any of these tags.

    Raises QueryError for a single tag that is no list, for a tag that no item has, and where the model knows no tags.
    """
    if isinstance(tags, str):
        raise QueryError(f"expected a list of tags, got the single tag {tags!r}; write [{tags!r}]")
    wanted = list(tags)
    pairs = item_tags(vocabulary, items)
    if pairs is None:
        raise QueryError("this model knows no tags of its items: train it on data with a side table that has tags")
    unknown = [tag for tag in wanted if tag not in set(pairs["tag"])]
    if unknown:
        raise QueryError(f"tag {unknown[0]!r} is of no item; expected one of {_some(pairs['tag'])}")
    mask = np.zeros(len(vocabulary.items), dtype=np.bool_)
    mask[pairs.filter(pl.col("tag").is_in(wanted))["item"].to_numpy()] = True
    return mask


def item_tags(vocabulary: Vocabulary, items: pl.DataFrame | None) -> pl.DataFrame | None:
    """`item` (index) and `tag`, a row for every tag of an item of the catalogue; None where there are no tags."""
    if items is None or "tags" not in items.columns:
        return None
    found = vocabulary.items.find(items["item_id"])
    pairs = items.select("tags").with_columns(item=pl.Series(found)).filter(pl.col("item") >= 0)
    pairs = pairs.explode("tags").drop_nulls("tags").select("item", pl.col("tags").alias("tag")).unique()
    return pairs.sort("item", "tag") if pairs.height else None


def _some(tags: pl.Series) -> str:
    names = tags.unique().sort().to_list()
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
