"""The store, in SQLite and in PostgreSQL."""

import threading
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from conv4rec.data.sources import load_ratings
from conv4rec.errors import ConfigError, QueryError, StoreError
from conv4rec.service.store.store import Appended, Store
from conv4rec.service.store.tables import Event, Kinds, ShownList
from tests.service.servers import Postgres

KINDS = Kinds(integer_users=True, integer_items=False)
TRICK = "'; drop table feedback; --"


def fresh(postgres: Postgres) -> str:
    """The URL of the PostgreSQL server, emptied."""
    engine = sa.create_engine(postgres.url)
    with engine.begin() as connection:
        connection.execute(sa.text("drop schema public cascade"))
        connection.execute(sa.text("create schema public"))
    engine.dispose()
    return postgres.url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'a %20 folder.db'}"
    return fresh(request.getfixturevalue("postgres"))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store, not used yet."""
    made = Store.open(url, KINDS)
    yield made
    made.close()


def test_events_come_back_in_order_of_time_then_of_arrival(store: Store) -> None:
    events = [
        Event(1, "a", 3.0, None, 20),
        Event(1, "b", None, "view", 10),
        Event(2, TRICK, 1.5, None, 10),
        Event(1, "a", 4.0, None, 20),
    ]
    assert store.append(events) == (4, 0)
    told = store.remembered([1, 2, 3])
    assert told.events == {1: [events[1], events[0], events[3]], 2: [events[2]]}
    assert told.erased == frozenset()


def test_all_events_or_none(store: Store) -> None:
    store.append([Event(1, "a", 3.0, None, 20, "k")])
    with pytest.raises(QueryError, match="key 'k': came before with another event"):
        store.append([Event(1, "b", 3.0, None, 20, "new"), Event(1, "a", 4.0, None, 20, "k")])
    assert len(store.remembered([1]).events[1]) == 1


def test_one_event_sent_by_many_at_once_is_stored_once(store: Store) -> None:
    store.prepare()
    counts: list[Appended] = []
    go = threading.Barrier(4)

    def send() -> None:
        go.wait()
        counts.extend(store.append([Event(1, "a", 3.0, None, 20, f"k{number}")]) for number in range(20))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(stored for stored, _ in counts) == 20
    assert sum(known for _, known in counts) == 60


def test_erased_users_are_remembered_by_a_hash(store: Store) -> None:
    store.append([Event(1, "a", 3.0, None, 20), Event(2, "a", 3.0, None, 20)])
    store.record([ShownList("x" * 32, 1, 5, "m", "consume", ["a"])])
    assert store.erase(1, 30) == (1, 1)
    assert store.erase(1, 31) == (0, 0)
    told = store.remembered([1, 2])
    assert (told.erased, list(told.events)) == (frozenset([1]), [2])
    with store.engine.connect() as connection:
        rows = connection.execute(sa.select(store.tables.erased)).all()
    assert [len(row[0]) for row in rows] == [64]
    assert rows[0][1] == 30


def test_shown_lists_and_events_as_tables(store: Store) -> None:
    store.record([ShownList("x" * 32, 1, 5, "m", "consume", ["a", "b"]), ShownList("y" * 32, 2, 9, "m", "enjoy", [])])
    assert store.shown(6).rows() == [(2, 9, "m", "enjoy", [])]
    assert store.shown(0).schema["item_id"] == pl.List(pl.String)
    store.append([Event(1, "a", None, None, 3)])
    assert store.events(0).rows() == [(1, "a", 3)]
    assert store.events(4).schema == store.events(0).schema


def test_switches_are_told_newest_first(store: Store) -> None:
    store.switched("a", 1)
    store.switched("b", 2)
    assert store.switches() == [("b", 2), ("a", 1)]


def test_the_tables_are_a_source_of_ratings(store: Store, url: str) -> None:
    store.append([Event(5, "a", 3.0, None, 20), Event(5, "a", 4.0, None, 20), Event(6, "b", None, None, 10)])
    ratings = load_ratings(f"{url}#feedback")
    assert ratings.frame.select("user_id", "item_id", "rating", "timestamp").rows() == [
        (5, "a", 4.0, 20),
        (6, "b", None, 10),
    ]
    store.erase(7, 30)
    before = pl.DataFrame([(5, "a", 1.0), (7, "a", 2.0)], schema=["user_id", "item_id", "rating"], orient="row")
    assert load_ratings([before, url]).frame.select("user_id", "rating").rows() == [(5, 4.0), (6, None)]


def test_migrating_twice_and_together_changes_nothing(url: str) -> None:
    stores = [Store.open(url, KINDS) for _ in range(4)]
    threads = [threading.Thread(target=each.prepare) for each in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each._salt for each in stores}) == 1
    for each in stores:
        each.close()


def test_a_new_file_is_set_up_by_many_at_once(tmp_path: Path) -> None:
    """Each try of many, since they seldom meet."""
    for number in range(30):
        stores, start = [Store.open(f"sqlite:///{tmp_path}/{number}.db", KINDS) for _ in range(8)], threading.Barrier(8)
        failed: list[StoreError] = []

        def check(store: Store, start: threading.Barrier = start, failed: list[StoreError] = failed) -> None:
            start.wait()
            try:
                store.check()
            except StoreError as error:
                failed.append(error)

        threads = [threading.Thread(target=check, args=(store,)) for store in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for store in stores:
            store.close()
        assert failed == []


def test_ids_of_another_kind_need_another_store(store: Store, url: str) -> None:
    store.prepare()
    other = Store.open(url, Kinds(integer_users=True, integer_items=True))
    with pytest.raises(ConfigError, match="the store holds integers as users and strings as items, the model has int"):
        other.check()
    other.close()


def test_strings_as_users(url: str) -> None:
    store = Store.open(url, Kinds(integer_users=False, integer_items=True))
    store.append([Event("7", 2**62, 1.0, None, 5)])
    assert store.remembered(["7"]).events == {"7": [Event("7", 2**62, 1.0, None, 5)]}
    assert store.events(0).rows() == [("7", 2**62, 5)]
    store.close()


def test_what_the_database_refuses_is_told_without_the_data(store: Store) -> None:
    store.prepare()
    with store.engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text("drop table feedback"))
    with pytest.raises(StoreError) as caught:
        store.append([Event(987654, "secret", 1.0, None, 5)])
    assert "987654" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_connection_in_time(url: str) -> None:
    store = Store.open(url, KINDS, timeout=0.1)
    store.prepare()
    taken = [store.engine.connect() for _ in range(4)]
    with pytest.raises(StoreError, match="the store is busy: no connection was free in time"):
        store.check()
    for each in taken:
        each.close()
    store.check()
    store.close()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("sqlite://", "a database in memory is lost with the process; name a file: sqlite:///FILE"),
        ("mysql://x@y/z", r"store mysql://\.\.\.: expected sqlite:// or postgresql\+psycopg://"),
        ("user:secret@nowhere", "store: not the URL of a database; expected one such as sqlite:///conv4rec.db"),
        ("postgresql+nodriver://x@y/z", "store: not the URL of a database"),
    ],
)
def test_urls_that_are_no_store(address: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Store.open(address, KINDS)
    assert "secret" not in str(caught.value)


def test_a_store_that_is_out_of_reach() -> None:
    nowhere = Store.open("sqlite:////nowhere/at/all.db", KINDS)
    with pytest.raises(StoreError, match="the store cannot be written: its disk is full or out of reach"):
        nowhere.check()
    closed = Store.open("postgresql+psycopg://x@127.0.0.1:1/z", KINDS, timeout=1)
    with pytest.raises(StoreError, match="the store cannot be reached: its database is down or refuses connections"):
        closed.check()
