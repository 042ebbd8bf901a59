"""Side tables: the titles and tags of items, for display only."""

import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from conv4rec.data.columns import USUAL_NAMES, plain
from conv4rec.data.files import JSON_LINES, PARQUET, kind, open_file, whole
from conv4rec.data.frames import to_polars
from conv4rec.data.ratings import Ratings
from conv4rec.errors import DataError

TITLES = ("title", "movietitle", "name", "itemname", "itemtitle")
TAGS = ("tags", "genres", "genre", "class", "categories", "category")
ML_100K_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""The last 19 columns of `u.item`, one per genre."""


def with_items(ratings: Ratings, source: Any) -> Ratings:
    """Ratings with the titles and tags of a side table, a path or a data frame.

    Raises:
        DataError: no column of item ids, or ids of another type than those of the ratings.
    """
    is_path = isinstance(source, str | os.PathLike)
    name = Path(source).name if is_path else "items"
    table = _read(Path(source)) if is_path else to_polars(source, name)
    items = _clean(table, name, ratings.frame["item_id"].dtype)
    titled = ratings.frame["item_id"].unique().is_in(items["item_id"].implode()).sum()
    note = f"{name}: {titled} of {ratings.n_items} items are in the side table"
    return replace(ratings, items=items, notes=(*ratings.notes, note))


def _read(path: Path) -> pl.DataFrame:
    contents = open_file(path)
    if kind(path) in PARQUET:
        return pl.read_parquet(io.BytesIO(contents) if isinstance(contents, bytes) else contents)
    data = _utf8(whole(contents))
    if kind(path) in JSON_LINES:
        return pl.read_ndjson(data, infer_schema_length=None)
    if path.name == "u.item":
        return _read_u_item(data)
    if kind(path) == ".dat":
        return _read_csv(data.replace(b"::", b"\x1f"), "\x1f", ["item_id", "title", "genres"])
    return _read_csv(data, "," if kind(path) == ".csv" else "\t", None)


def _read_csv(data: bytes, separator: str, names: list[str] | None) -> pl.DataFrame:
    """Text columns; with a header if no names are given."""
    return pl.read_csv(
        data,
        separator=separator,
        has_header=names is None,
        new_columns=names,
        infer_schema=False,
        quote_char='"' if separator == "," else None,
    )


def _read_u_item(data: bytes) -> pl.DataFrame:
    names = ["item_id", "title", "date", "video_date", "url", *ML_100K_GENRES]
    table = _read_csv(data, "|", names)
    tags = [pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in ML_100K_GENRES]
    return table.select("item_id", "title", pl.concat_list(tags).list.drop_nulls().alias("tags"))


def _utf8(data: bytes) -> bytes:
    """Bytes that are not UTF-8 are Latin-1, as in the older MovieLens sets."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1").encode()
    return data


def _clean(table: pl.DataFrame, name: str, id_type: pl.DataType) -> pl.DataFrame:
    """Columns `item_id` of the type that the ratings have, `title`, `tags`; the first row of every item."""
    found = _column(table, USUAL_NAMES["item"])
    if found is None:
        raise DataError(f"{name}: no item column; found {', '.join(table.columns)}; call it item_id")
    columns = [_ids(table[found], name, id_type)]
    title, tags = _column(table, TITLES), _column(table, TAGS)
    if title is not None:
        columns.append(table[title].cast(pl.String).alias("title"))
    if tags is not None:
        columns.append(_split(table[tags]).alias("tags"))
    return (
        pl.DataFrame(columns)
        .filter(pl.col("item_id").is_not_null())
        .unique("item_id", keep="first", maintain_order=True)
    )


def _ids(ids: pl.Series, name: str, id_type: pl.DataType) -> pl.Series:
    try:
        return ids.cast(id_type).alias("item_id")
    except pl.exceptions.PolarsError:
        wanted = "integers" if id_type == pl.Int64 else "strings"
        odd = ids.filter(ids.cast(id_type, strict=False).is_null() & ids.is_not_null())[0]
        raise DataError(f"{name}: item id {odd!r}; expected {wanted}, as in the ratings") from None


def _column(table: pl.DataFrame, usual: tuple[str, ...]) -> str | None:
    known = {plain(name): name for name in reversed(table.columns)}
    return next((known[name] for name in usual if name in known), None)


def _split(tags: pl.Series) -> pl.Series:
    """Lists of tags from text such as `Comedy|Drama`, or with blanks between them in RecBole's `:token_seq`."""
    if isinstance(tags.dtype, pl.List):
        return tags.cast(pl.List(pl.String))
    text = tags.cast(pl.String).fill_null("").replace("(no genres listed)", "")
    lists = text.str.split(" " if tags.name.endswith(":token_seq") else "|")
    return lists.list.eval(pl.element().filter(pl.element() != ""))
