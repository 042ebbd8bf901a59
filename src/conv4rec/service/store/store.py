"""What the service remembers: feedback, shown lists, erased users, switches of the model."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from conv4rec.data.store import hash_of
from conv4rec.errors import QueryError
from conv4rec.service.store.database import migrate, open_database, telling
from conv4rec.service.store.tables import Event, Id, Kinds, ShownList, Tables

T = TypeVar("T")

PART = 10_000
"""Ids asked for in one statement."""


class Appended(NamedTuple):
    """How many events were stored, and how many had been, under the same keys."""

    stored: int
    known: int


class Erased(NamedTuple):
    """How many events and shown lists of a user were deleted."""

    events: int
    shown: int


class Remembered(NamedTuple):
    """What the store knows of some users: their events, oldest first, and who of them was erased."""

    events: dict[Id, list[Event]]
    erased: frozenset[Id]


@dataclass
class Store:
    """A database of feedback. Every method may raise StoreError, and works again when the database does.

    The tables are brought up to date when the store is first used, so that a service may start before its database.
    """

    engine: sa.Engine
    kinds: Kinds
    tables: Tables
    _salt: str | None = None
    _preparing: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, url: str, kinds: Kinds, *, timeout: float = 5.0) -> "Store":
        """A store for ids of these kinds; nothing is connected yet. `timeout` is in seconds."""
        return cls(open_database(url, timeout), kinds, Tables.of(kinds))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def prepare(self) -> None:
        """Bring the tables up to date, once. Raises ConfigError for a store of ids of other kinds."""
        with self._preparing:
            if self._salt is not None:
                return
            with telling():
                migrate(self.engine, self.kinds)
                with self.engine.connect() as connection:
                    meta = self.tables.meta
                    self._salt = connection.execute(sa.select(meta.c.value).where(meta.c.name == "salt")).scalar_one()

    def check(self) -> None:
        """Raise StoreError where the database does not answer."""
        with self._connected() as connection:
            connection.execute(sa.select(1))

    def append(self, events: Sequence[Event]) -> Appended:
        """Store events, all or none; when this returns, they survive the death of the process.

        An event whose key is in the store is not stored again. Raises QueryError for a key that came with another
        event.
        """
        keyed = _by_key(events)
        with self._connected(writes=True) as connection:
            known = self._known(connection, keyed)
            new = [e for e in events if e.key is None or (e.key not in known and keyed[e.key] is e)]
            if new:
                connection.execute(sa.insert(self.tables.feedback), [event._asdict() for event in new])
        return Appended(len(new), len(events) - len(new))

    def remembered(self, users: Sequence[Id]) -> Remembered:
        """The events of these users, and who of them was erased."""
        table = self.tables.feedback
        columns = [table.c[name] for name in Event._fields]
        query = sa.select(*columns).order_by(table.c.timestamp, table.c.id)
        events: dict[Id, list[Event]] = {}
        with self._connected() as connection:
            hashes = {self._hash(user): user for user in users}
            for some in _parts(users):
                for row in connection.execute(query.where(table.c.user_id.in_(some))):
                    events.setdefault(row[0], []).append(Event(*row))
            known = self.tables.erased.c.hash
            gone = [
                hashed
                for some in _parts(list(hashes))
                for hashed in connection.execute(sa.select(known).where(known.in_(some))).scalars()
            ]
        return Remembered(events, frozenset(hashes[hashed] for hashed in gone))

    def erase(self, user: Id, timestamp: int) -> Erased:
        """Delete everything of a user; a salted hash of the id stays, so that the model's history is not used again."""
        feedback, shown = self.tables.feedback, self.tables.shown
        with self._connected(writes=True) as connection:
            events = connection.execute(sa.delete(feedback).where(feedback.c.user_id == user)).rowcount
            lists = connection.execute(sa.delete(shown).where(shown.c.user_id == user)).rowcount
            self._mark(connection, self._hash(user), timestamp)
        self._empty_log()
        return Erased(events, lists)

    def record(self, lists: Sequence[ShownList]) -> None:
        """Store lists that were shown."""
        with self._connected(writes=True) as connection:
            connection.execute(sa.insert(self.tables.shown), [each._asdict() for each in lists])

    def shown(self, since: int) -> pl.DataFrame:
        """Lists shown at or after a time: `user_id, timestamp, model, rank_by, item_id` (a list a row)."""
        table = self.tables.shown
        names = ("user_id", "timestamp", "model", "rank_by", "item_id")
        query = sa.select(*(table.c[name] for name in names)).where(table.c.timestamp >= since)
        users, items = self._types()
        schema: dict[str, type[pl.DataType] | pl.DataType] = {
            "user_id": users,
            "timestamp": pl.Int64,
            "model": pl.String,
            "rank_by": pl.String,
            "item_id": pl.List(items),
        }
        with self._connected() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        return pl.DataFrame(rows, schema=schema, orient="row")

    def events(self, since: int) -> pl.DataFrame:
        """`user_id, item_id, timestamp` of every event at or after a time."""
        table = self.tables.feedback
        query = sa.select(table.c.user_id, table.c.item_id, table.c.timestamp).where(table.c.timestamp >= since)
        users, items = self._types()
        with self._connected() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        return pl.DataFrame(rows, schema={"user_id": users, "item_id": items, "timestamp": pl.Int64}, orient="row")

    def switched(self, model: str, timestamp: int) -> None:
        """Remember that this model answers from now on."""
        with self._connected(writes=True) as connection:
            connection.execute(sa.insert(self.tables.switches).values(model=model, timestamp=timestamp))

    def switches(self) -> list[tuple[str, int]]:
        """The last hundred models that were switched to, with times, the newest first."""
        table = self.tables.switches
        query = sa.select(table.c.model, table.c.timestamp).order_by(table.c.id.desc()).limit(100)
        with self._connected() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    @contextmanager
    def _connected(self, *, writes: bool = False) -> Iterator[sa.Connection]:
        self.prepare()
        with telling(), self.engine.execution_options(writes=writes).begin() as connection:
            yield connection

    def _known(self, connection: sa.Connection, keyed: dict[str, Event]) -> set[str]:
        """The keys that are in the store, with the same events."""
        table = self.tables.feedback
        columns = [table.c[name] for name in Event._fields]
        if self.engine.dialect.name == "postgresql" and keyed:  # SQLite has one writer at a time as it is
            connection.execute(sa.text("lock table feedback in share row exclusive mode"))
        known = set()
        for some in _parts(sorted(keyed)):
            for row in connection.execute(sa.select(*columns).where(table.c.key.in_(some))):
                event = Event(*row)
                _refuse_another(event, keyed[str(event.key)])
                known.add(str(event.key))
        return known

    def _mark(self, connection: sa.Connection, hashed: str, timestamp: int) -> None:
        insert = insert_sqlite if self.engine.dialect.name == "sqlite" else insert_postgresql
        values = {"hash": hashed, "timestamp": timestamp}
        connection.execute(insert(self.tables.erased).values(values).on_conflict_do_nothing())

    def _hash(self, user: Id) -> str:
        return hash_of(user, str(self._salt))

    def _types(self) -> tuple[type[pl.DataType], type[pl.DataType]]:
        users, items = (pl.Int64 if each else pl.String for each in self.kinds)
        return users, items

    def _empty_log(self) -> None:
        """Write SQLite's log back into the file and empty it: it still holds what was deleted."""
        if self.engine.dialect.name == "sqlite":
            with telling(), self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _by_key(events: Sequence[Event]) -> dict[str, Event]:
    keyed: dict[str, Event] = {}
    for event in events:
        if event.key is not None:
            _refuse_another(keyed.setdefault(event.key, event), event)
    return keyed


def _refuse_another(first: Event, second: Event) -> None:
    """QueryError where two events with one key differ in more than the time, which the service may have filled in."""
    if first._replace(timestamp=0) != second._replace(timestamp=0):
        raise QueryError(f"key {first.key!r}: came before with another event; expected a key of its own for each event")


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), PART):
        yield values[start : start + PART]
