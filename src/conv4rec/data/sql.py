"""Ratings from a database, through SQLAlchemy (the extra `sql`)."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from conv4rec.config import DataConfig
from conv4rec.data.columns import assign_columns, unused_note
from conv4rec.data.table import Table, by_row
from conv4rec.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Executable, Select

ROWS = 100_000
"""Rows fetched at a time."""


def read_query(source: Any, query: str, config: DataConfig) -> Table:
    """The columns with a role of what a query gives.

    The query runs as it stands, nothing is put into it; columns are picked from its result.

    Args:
        source: a SQLAlchemy engine, a connection, or the URL of a database.
        query: SQL, a `select`.
        config: names the columns that are not recognised.

    Raises:
        MissingExtraError: SQLAlchemy is not installed.
        DataError: the database refuses, or the result is not ratings.
    """
    try:
        import sqlalchemy
    except ImportError:
        raise MissingExtraError("a query needs SQLAlchemy: pip install 'conv4rec[sql]'") from None
    try:
        frame = _fetch(source, lambda _: sqlalchemy.text(query))
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise DataError(f"query: {_cause(error)}") from None
    columns = assign_columns(frame.columns, config, "query")
    picked = frame.select(pl.col(column).alias(role) for role, column in columns.items())
    return Table(picked, "query", by_row("query"), notes=unused_note(frame.columns, columns))


def read_table(source: str, config: DataConfig) -> Table:
    """The columns with a role of a table of a database, in the order of its primary key.

    Args:
        source: `URL#TABLE`, such as `sqlite:///conv4rec.db#feedback`, the store of `conv4rec serve`.
        config: names the columns that are not recognised.

    Raises:
        MissingExtraError: SQLAlchemy is not installed.
        DataError: there is no such table, the database refuses, or the table is not of ratings.
    """
    try:
        import sqlalchemy
    except ImportError:
        raise MissingExtraError("a table needs SQLAlchemy: pip install 'conv4rec[sql]'") from None
    url, _, name = source.rpartition("#")
    try:
        frame = _fetch(url, lambda connection: _all_rows(connection, name))
    except sqlalchemy.exc.NoSuchTableError:
        raise DataError(f"table {name}: there is no such table in the database") from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise DataError(f"table {name}: {_cause(error)}") from None
    columns = assign_columns(frame.columns, config, f"table {name}")
    picked = frame.select(pl.col(column).alias(role) for role, column in columns.items())
    return Table(picked, name, by_row(name), notes=unused_note(frame.columns, columns))


def _all_rows(connection: "Connection", name: str) -> "Select[Any]":
    import sqlalchemy

    table = sqlalchemy.Table(name, sqlalchemy.MetaData(), autoload_with=connection)
    return sqlalchemy.select(table).order_by(*table.primary_key)


def _fetch(source: "str | Engine | Connection", statement: "Callable[[Connection], Executable]") -> pl.DataFrame:
    import sqlalchemy

    if isinstance(source, sqlalchemy.Connection):
        return _collect(source, statement(source))
    engine = sqlalchemy.create_engine(source) if isinstance(source, str) else source
    if not isinstance(engine, sqlalchemy.Engine):
        raise DataError(f"query: cannot run on a {type(source).__name__}; expected a database URL or an engine")
    try:
        with engine.connect() as connection:
            return _collect(connection, statement(connection))
    finally:
        if engine is not source:  # nobody else will close its connections
            engine.dispose()


def _collect(connection: "Connection", statement: "Executable") -> pl.DataFrame:
    result = connection.execution_options(yield_per=ROWS).execute(statement)
    names = list(result.keys())
    kinds: dict[str, set[type]] = {name: set() for name in names}
    parts = [_frame(rows, kinds) for rows in result.partitions(ROWS)]
    return pl.concat(parts, how="vertical_relaxed", rechunk=True) if parts else pl.DataFrame(schema=names)


def _frame(rows: Sequence[Sequence[Any]], kinds: dict[str, set[type]]) -> pl.DataFrame:
    """Rows as a frame; `kinds` gathers the Python types of every column, because polars would turn 7 into "7"."""
    for name, values in zip(kinds, zip(*rows, strict=True), strict=True):
        kinds[name].update(map(type, values))
        if {int, str} <= kinds[name]:
            raise DataError(f"query: column {name} mixes integers and strings; expected columns of one type each")
    try:
        return pl.DataFrame([tuple(row) for row in rows], schema=list(kinds), orient="row", infer_schema_length=None)
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(f"query: {str(error).splitlines()[0]}; expected columns of one type each") from None


def _cause(error: Exception) -> str:
    """The first line of what the driver said, without the statement and without the URL."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]
