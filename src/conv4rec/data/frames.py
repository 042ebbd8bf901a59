"""Data frames of any library, and Parquet files: sources whose columns have types."""

import io
from pathlib import Path
from typing import Any

import polars as pl

from conv4rec.config import DataConfig
from conv4rec.data.columns import assign_columns, unused_note
from conv4rec.data.files import Contents
from conv4rec.data.table import Table, by_row
from conv4rec.errors import DataError, MissingExtraError

NAME = "data frame"


class _Stream:
    """A frame reduced to the Arrow stream protocol, so that polars takes this way in and no special one."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)


def read_frame(source: Any, config: DataConfig) -> Table:
    """The columns with a role of a polars frame, or of any object with `__arrow_c_stream__`.

    Raises:
        DataError: not a frame, or a column that mixes types.
        MissingExtraError: the frame needs another package to give its columns, as pandas needs pyarrow.
    """
    return _with_roles(to_polars(source), NAME, config)


def to_polars(source: Any, name: str = NAME) -> pl.DataFrame:
    """Any data frame as a polars one; errors as in `read_frame`."""
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    if isinstance(source, pl.DataFrame):
        return source
    if not hasattr(source, "__arrow_c_stream__"):
        raise DataError(
            f"{type(source).__name__} {str(source)[:30]!r} is neither a named data set, a path, nor a data frame with "
            "__arrow_c_stream__; expected one of them (polars, pandas and Arrow frames have it)"
        )
    try:
        return pl.DataFrame(_Stream(source))
    except ImportError as error:
        raise MissingExtraError(f"{name}: {error}") from None
    except (ValueError, TypeError, pl.exceptions.PolarsError) as error:
        detail = "; ".join(str(part) for part in error.args).splitlines()[0]
        raise DataError(
            f"{name}: {detail}; expected columns of one type each, ids all integers or all strings"
        ) from None


def read_parquet(path: Path, contents: Contents, config: DataConfig) -> Table:
    """The columns with a role of a Parquet file. Raises DataError for a damaged one."""
    source = io.BytesIO(contents) if isinstance(contents, bytes) else contents
    try:
        names = list(pl.read_parquet_schema(source))
        columns = assign_columns(names, config, path.name)
        frame = pl.read_parquet(source, columns=list(columns.values()))
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path.name}: not a sound Parquet file: {str(error).splitlines()[0]}") from None
    return _with_roles(frame, path.name, config, all_names=names)


def _with_roles(frame: pl.DataFrame, name: str, config: DataConfig, *, all_names: list[str] | None = None) -> Table:
    names = frame.columns if all_names is None else all_names
    columns = assign_columns(names, config, name)
    picked = frame.select(pl.col(column).alias(role) for role, column in columns.items()).rechunk()
    return Table(picked, name, by_row(name), notes=unused_note(names, columns))
