"""`load_ratings`: one way in for named data sets, files, data frames and databases."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from conv4rec.config import DataConfig, make_config
from conv4rec.data.download import Progress
from conv4rec.data.frames import read_frame
from conv4rec.data.joined import joined, without_erased
from conv4rec.data.named import NAMED_SETS, load_named, unknown_name
from conv4rec.data.ratings import Ratings, same_scale
from conv4rec.data.reading import read_file
from conv4rec.data.side import with_items
from conv4rec.data.sql import read_query, read_table
from conv4rec.data.store import events_of, is_store, read_facts
from conv4rec.data.validate import validated
from conv4rec.errors import DataError


class Columns(TypedDict, total=False):
    """Names of columns, for sources that call them otherwise than usual."""

    user: str | None
    item: str | None
    rating: str | None
    timestamp: str | None
    type: str | None


def load_ratings(
    source: Any,
    *,
    config: DataConfig | None = None,
    query: str | None = None,
    items: Any = None,
    progress: Progress | None = None,
    **columns: Unpack[Columns],
) -> Ratings:
    """Read ratings, check them, and tell in `notes` what was assumed or dropped.

    Args:
        source: the name of a data set (`NAMED_SETS`), a path, a data frame (polars, pandas, Arrow, or anything with
            `__arrow_c_stream__`), a table of a database as `URL#TABLE`, the feedback in a store of the service as
            `URL`, or, with `query`, a SQLAlchemy engine or database URL. A list of them: all together, the repeats
            settled over all, without the users that were erased from any store among them.
        config: how to read; `config.user`, `config.item`, ... name columns that are not recognised by themselves.
        query: SQL whose result is the ratings; it runs as it stands.
        items: side table of titles and tags, a path or a data frame; a named data set brings its own.
        progress: called with a file name, the bytes so far and their total, while a named data set is downloaded.
        **columns: user, item, rating, timestamp, type: short for the same fields of `config`.

    Raises:
        DataError: one line naming the place (`ratings.csv:17`), the value met and what was expected.
        DatasetNotFoundError: no such file, no such named data set, or it cannot be downloaded.
        MissingExtraError: a query without SQLAlchemy, or a pandas frame without pyarrow.
    """
    settings = _with_columns(DataConfig() if config is None else config, columns)
    if isinstance(source, list | tuple):
        ratings = _load_all(source, settings, query, progress)
    elif query is not None:
        ratings = validated(read_query(source, query, settings), settings)
    elif isinstance(source, str) and source in NAMED_SETS:
        ratings = load_named(source, config=settings, progress=progress)
    elif is_store(source):
        own = DataConfig(keep=settings.keep, scale=settings.scale)  # its columns and units are known
        ratings = validated(read_table(events_of(source), own), own)
    elif isinstance(source, str) and "://" in source and "#" in source:
        ratings = validated(read_table(source, settings), settings)
    elif isinstance(source, str | os.PathLike):
        ratings = validated(read_file(_path(source), settings), settings)
    else:
        ratings = validated(read_frame(source, settings), settings)
    return ratings if items is None else with_items(ratings, items)


def _load_all(sources: Sequence[Any], config: DataConfig, query: str | None, progress: Progress | None) -> Ratings:
    """Read one after the other and join them; where ratings are cut into bins, the first has the bins of all."""
    if query is not None:
        raise DataError("a query is for one source; got a list of sources")
    if not sources:
        raise DataError("an empty list of sources; expected at least one")
    whole = config.model_copy(update={"keep": "all", "min_user": 0, "min_item": 0})
    stores = {source: read_facts(source) for source in sources if is_store(source)}
    parts: list[Ratings] = []
    for source in sources:
        if is_store(source) and not stores[source].n_events:
            continue  # nobody has told anything yet
        binned = same_scale(whole, parts[0]) if parts and config.bins is not None else whole
        part = load_ratings(source, config=binned, progress=progress)
        for facts in stores.values() if not is_store(source) else ():
            part = without_erased(part, facts)
        parts.append(part)
    if not parts:
        raise DataError("no events in any of the stores; expected a source with at least one row")
    return joined(parts, config)


def _with_columns(config: DataConfig, columns: Columns) -> DataConfig:
    named = {role: name for role, name in columns.items() if name is not None}
    return make_config({"data": config.model_dump() | named}).data if named else config


def _path(source: "str | os.PathLike[str]") -> Path:
    text = os.fspath(source)
    if "://" in text:
        kind = text.partition("://")[0]
        raise DataError(f"{kind}://...: a database needs a table, URL#TABLE, or a query, query='select ...'")
    path = Path(text)
    if isinstance(source, str) and not path.exists() and not path.suffix and path.name == text:
        raise unknown_name(text)
    return path
