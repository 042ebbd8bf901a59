"""The store of the service as a source: its feedback, and the users who were erased."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from conv4rec.errors import DataError, MissingExtraError

BACKENDS = ("sqlite", "postgresql")


@dataclass(frozen=True)
class StoreFacts:
    """What a store tells beside its events.

    Attributes:
        salt: of the hashes.
        erased: salted hashes of the ids of users who were erased.
        n_events: rows of feedback.
    """

    salt: str
    erased: frozenset[str]
    n_events: int

    def erased_among(self, users: pl.Series) -> pl.Series:
        """Those of the ids who were erased."""
        known = users.unique()
        return known.filter(pl.Series([hash_of(user, self.salt) in self.erased for user in known], dtype=pl.Boolean))


def hash_of(user: int | str, salt: str) -> str:
    """What stays of an erased user."""
    return hashlib.sha256(f"{salt}{user}".encode()).hexdigest()


def is_store(source: Any) -> bool:
    """Whether a source is the URL of a database without the name of a table: then it is meant as a store."""
    if not isinstance(source, str) or "#" in source:
        return False
    kind, colon, _ = source.partition("://")
    return bool(colon) and kind.split("+")[0] in BACKENDS


def events_of(url: str) -> str:
    """The table of events of a store, as a source.

    Raises:
        MissingExtraError: SQLAlchemy is not installed.
        DataError: the file is not there, or that is no URL.
    """
    sa = _sqlalchemy()
    try:
        path = sa.make_url(url).database
    except (sa.exc.ArgumentError, ValueError):  # the latter for a port that is no number
        raise DataError("not the URL of a store; expected one such as sqlite:///conv4rec.db") from None
    if url.startswith("sqlite") and not Path(str(path)).exists():  # connecting would make an empty one
        raise DataError(f"sqlite:///{path}: there is no such store")
    return f"{url}#feedback"


def read_facts(url: str) -> StoreFacts:
    """The erased users of a store, and how many events it has.

    Raises:
        MissingExtraError: SQLAlchemy is not installed.
        DataError: there is no such file, the database refuses, or it holds no store.
    """
    sa = _sqlalchemy()
    events_of(url)
    try:
        engine = sa.create_engine(url)
        try:
            with engine.connect() as connection:
                salt = connection.execute(sa.text("select value from meta where name = 'salt'")).scalar_one()
                erased = frozenset(connection.execute(sa.text("select hash from erased")).scalars())
                n_events = connection.execute(sa.text("select count(*) from feedback")).scalar_one()
        finally:
            engine.dispose()
    except ImportError:
        raise MissingExtraError("a store in PostgreSQL needs psycopg: pip install 'conv4rec[postgres]'") from None
    except sa.exc.SQLAlchemyError:
        raise DataError("the database is out of reach, or no store of `conv4rec serve`; expected URL#TABLE") from None
    return StoreFacts(salt, erased, n_events)


def _sqlalchemy() -> Any:
    try:
        import sqlalchemy
    except ImportError:
        raise MissingExtraError("a store needs SQLAlchemy: pip install 'conv4rec[sql]'") from None
    return sqlalchemy
