"""The database under the store: how it is opened, migrated, and what its errors mean."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from conv4rec.errors import ConfigError, MissingExtraError, StoreError
from conv4rec.service.store.tables import Kinds

MIGRATING = 6_031_769_123
"""The advisory lock of PostgreSQL under which one process migrates; any number that nobody else uses."""
CONNECTIONS = 4
PRIMARY = 0xFF
"""Bits of a code of SQLite that say what went wrong; the rest are details."""
PAUSE = 0.01
"""Seconds between two attempts to set up a file that others set up."""
LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
UNWRITABLE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
DISK_FULL = "53100"
"""PostgreSQL's code of a full disk."""


def open_database(url: str, timeout: float) -> sa.Engine:
    """An engine that waits `timeout` seconds for a connection or a lock, and connects again where one was lost.

    Nothing is connected yet. Raises ConfigError for a URL that is none or is a database in memory, and
    MissingExtraError where the driver is not installed.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ConfigError(f"store {parsed.get_backend_name()}://...: expected sqlite:// or postgresql+psycopg://")
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(parsed, timeout)
        wait = {"connect_timeout": max(1, round(timeout)), "options": f"-c lock_timeout={round(timeout * 1000)}"}
        pool = {"pool_size": CONNECTIONS, "max_overflow": 0, "pool_timeout": timeout, "pool_pre_ping": True}
        return sa.create_engine(parsed, connect_args=wait, hide_parameters=True, **pool)
    except (ArgumentError, NoSuchModuleError):
        raise ConfigError("store: not the URL of a database; expected one such as sqlite:///conv4rec.db") from None
    except ImportError:
        raise MissingExtraError("a store in PostgreSQL needs psycopg: pip install 'conv4rec[postgres]'") from None


def _open_sqlite(url: sa.URL, timeout: float) -> sa.Engine:
    if url.database in (None, "", ":memory:"):
        raise ConfigError("store sqlite://: a database in memory is lost with the process; name a file: sqlite:///FILE")
    pool = {"pool_size": CONNECTIONS, "max_overflow": 0, "pool_timeout": timeout}
    engine = sa.create_engine(url, connect_args={"timeout": timeout}, hide_parameters=True, **pool)
    sa.event.listen(engine, "connect", partial(_set_up_sqlite, timeout))
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(timeout: float, connection: sqlite3.Connection, _record: object) -> None:
    """Readers beside a writer (WAL); a commit is on the disk when it returns; what is deleted is overwritten.

    SQLite does not wait for those who turn a new file to WAL at the same time, so that we do.
    """
    connection.isolation_level = None  # transactions begin where we say, see _begin_sqlite
    until = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(PAUSE)
    for pragma in ("synchronous=FULL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: sa.Connection) -> None:
    """A transaction that will write takes the lock at once, so that it never finds what it read overtaken."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrate(engine: sa.Engine, kinds: Kinds) -> None:
    """Bring the tables up to date, in one transaction; processes that start together wait for each other.

    Raises ConfigError where the tables are there, with ids of other types than `kinds`.
    """
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with engine.execution_options(writes=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATING)))
        settings.attributes.update(connection=connection, kinds=kinds)
        command.upgrade(settings, "head")
        found = _kinds(connection)
    if found != kinds:
        raise ConfigError(f"the store holds {found}, the model has {kinds}: give this model a store of its own")


def _kinds(connection: sa.Connection) -> Kinds:
    types: dict[str, Any] = {c["name"]: c["type"] for c in sa.inspect(connection).get_columns("feedback")}
    return Kinds(*(isinstance(types[name], sa.Integer) for name in ("user_id", "item_id")))


@contextmanager
def telling() -> Iterator[None]:
    """Turn what a driver says into a StoreError whose text holds nothing of the data, not even of the statement."""
    try:
        yield
    except PoolTimeoutError:
        raise StoreError("the store is busy: no connection was free in time") from None
    except DBAPIError as error:
        raise StoreError(_reason(error)) from None
    except SQLAlchemyError as error:
        raise StoreError(f"the store refuses: {type(error).__name__}") from None


def _reason(error: DBAPIError) -> str:
    code = getattr(error.orig, "sqlite_errorcode", None)
    primary = None if code is None else code & PRIMARY
    if primary in UNWRITABLE or getattr(error.orig, "sqlstate", None) == DISK_FULL:
        return "the store cannot be written: its disk is full or out of reach"
    if primary in LOCKED:
        return "the store is locked by another process"
    if isinstance(error, sa.exc.OperationalError) or error.connection_invalidated:
        return "the store cannot be reached: its database is down or refuses connections"
    return f"the store refuses: {type(error.orig).__name__}"
