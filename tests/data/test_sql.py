"""Ratings from a database."""

import builtins
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from conv4rec.config import DataConfig
from conv4rec.data import sql
from conv4rec.data.sources import load_ratings
from conv4rec.errors import DataError, MissingExtraError

ROWS = [(1, "a", 4.0, 10), (1, "b", None, 20), (2, "a", 5.0, None)]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with a table of events."""
    address = f"sqlite:///{tmp_path / 'r.db'}"
    engine = sqlalchemy.create_engine(address)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create table events (who integer, item text, rating real, ts integer)"))
        for row in ROWS:
            values = dict(zip(("who", "item", "rating", "ts"), row, strict=True))
            connection.execute(sqlalchemy.text("insert into events values (:who, :item, :rating, :ts)"), values)
    engine.dispose()
    return address


def test_url_engine_and_connection(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "ROWS", 2)  # several parts, of which the last has no time stamp
    query = "select who as user, item, rating, ts from events"
    engine = sqlalchemy.create_engine(url)
    assert load_ratings(url, query=query).frame.rows() == ROWS
    assert load_ratings(engine, query=query).frame.rows() == ROWS
    with engine.connect() as connection:
        assert load_ratings(connection, query=query).frame.rows() == ROWS
    engine.dispose()


def test_columns_are_mapped_after_the_query(url: str) -> None:
    query = "select * from events where item = 'a'"
    assert load_ratings(url, query=query, config=DataConfig(user="who")).frame.height == 2


def test_nothing_is_put_into_the_query(url: str) -> None:
    with pytest.raises(DataError, match=r"no column '1; drop table events' \(data\.user\)"):
        load_ratings(url, query="select * from events", user="1; drop table events")
    assert len(load_ratings(url, query="select * from events", user="who")) == 3


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select * from elsewhere", "query: no such table: elsewhere"),
        ("select * from events", "query: no user column; found who, item, rating, ts; name it with data.user=<column>"),
        ("select who as user, item from events where who = 9", "query: no ratings; expected at least one row"),
        ("select who as user, item, 'x' as rating from events", "query, row 0: rating 'x' is not a number"),
        ("select x'00' as user, 1 as item union all select 5.5, 2", "query: "),
        (
            "select 1 as user, 1 as item union all select 'a', 2",
            "query: column user mixes integers and strings; expected columns of one type each",
        ),
    ],
)
def test_queries_that_give_no_ratings(url: str, query: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        load_ratings(url, query=query)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_sources_that_are_no_database() -> None:
    with pytest.raises(DataError, match="query: cannot run on a int; expected a database URL or an engine"):
        load_ratings(5, query="select 1")
    with pytest.raises(DataError, match="query: Could not parse SQLAlchemy URL") as caught:
        load_ratings("user:secret@nowhere", query="select 1")
    assert "secret" not in str(caught.value)
    with pytest.raises(DataError, match=r"mysql://\.\.\.: a database needs a table, URL#TABLE, or a query"):
        load_ratings("mysql:///r.db")


def test_without_sqlalchemy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("sqlalchemy"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "sqlalchemy", raising=False)
    with pytest.raises(MissingExtraError, match=r"a query needs SQLAlchemy: pip install 'conv4rec\[sql\]'"):
        load_ratings("sqlite://", query="select 1")
    with pytest.raises(MissingExtraError, match=r"a table needs SQLAlchemy: pip install 'conv4rec\[sql\]'"):
        load_ratings("sqlite:///r.db#events")
    with pytest.raises(MissingExtraError, match=r"a store needs SQLAlchemy: pip install 'conv4rec\[sql\]'"):
        load_ratings("sqlite:///r.db")


def test_a_table_is_read_in_the_order_of_its_key(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 't.db'}"
    engine = sqlalchemy.create_engine(address)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create table rated (id integer primary key, user_id, item_id, rating, ts)"))
        rows = [(2, "u", "a", 3.0, 50), (1, "u", "a", 5.0, 50), (3, "v", "b", None, 60)]
        for row in rows:
            values = ", ".join("null" if value is None else repr(value) for value in row)
            connection.execute(sqlalchemy.text(f"insert into rated values ({values})"))  # noqa: S608 - our own values
    engine.dispose()
    ratings = load_ratings(f"{address}#rated")
    assert ratings.frame.rows() == [("u", "a", 3.0, 50), ("v", "b", None, 60)]  # of two at once, the later row
    assert ratings.name == "rated"
    assert "columns not used: id" in ratings.notes


def test_tables_that_give_no_ratings(url: str) -> None:
    with pytest.raises(DataError, match="table nowhere: there is no such table in the database"):
        load_ratings(f"{url}#nowhere")
    with pytest.raises(DataError, match="table events: no user column; found who, item, rating, ts"):
        load_ratings(f"{url}#events")
    with pytest.raises(DataError, match="table x: unable to open database file"):
        load_ratings("sqlite:////nowhere/at/all.db#x")
    assert len(load_ratings(f"{url}#events", user="who")) == 3
