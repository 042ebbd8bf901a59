"""Several sources as one: the last of a pair stands, whoever was erased is left out, one scale for all."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from conv4rec.config import DataConfig
from conv4rec.data.sources import load_ratings
from conv4rec.data.store import is_store
from conv4rec.errors import DataError, MissingExtraError
from conv4rec.service.store.store import Store
from conv4rec.service.store.tables import Event, Kinds

OLD = [(1, 10, 3.0, 100), (1, 11, 5.0, 100), (2, 10, 1.0, 100), (3, 11, 4.0, 300)]
FILE = pl.DataFrame(OLD, schema=["user_id", "item_id", "rating", "timestamp"], orient="row")
KINDS = Kinds(integer_users=True, integer_items=True)


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a store with two events, in which user 2 was erased and came back."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    made = Store.open(url, KINDS)
    made.erase(2, 150)
    made.append([Event(1, 10, 5.0, None, 200, "k"), Event(2, 12, None, None, 200), Event(3, 11, 1.0, None, 200)])
    made.close()
    return url


def rows(ratings: Any) -> list[Any]:
    """Interactions, in order of ids."""
    frame = ratings.frame.select("user_id", "item_id", "rating", "timestamp")
    return sorted(frame.rows(), key=lambda row: row[:2])


def test_the_latest_stands_and_the_erased_are_left_out(store: str) -> None:
    told = load_ratings([FILE, store])
    assert rows(told) == [(1, 10, 5.0, 200), (1, 11, 5.0, 100), (2, 12, None, 200), (3, 11, 4.0, 300)]
    assert told.name == "data frame + feedback"
    assert told.types.rating_values.tolist() == [1.0, 3.0, 4.0, 5.0]
    assert "data frame: left out 1 users who were erased, with 1 interactions" in told.notes
    assert any("dropped 2 rows" in note for note in told.notes)


def test_titles_are_those_of_the_first(store: str, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("user,item,rating,ts\n1,10,3,100\n2,11,4,100\n")
    titles = pl.DataFrame({"item_id": [10], "title": ["Ten"]})
    told = load_ratings([tmp_path / "old.csv", store], items=titles, config=DataConfig(timestamp="ts"))
    assert told.items is not None
    assert told.items["title"].to_list() == ["Ten"]
    assert told.n_items == 3  # 2 was erased, and with them 11 of the file, which 3 took since


def test_bins_are_those_of_the_first(store: str) -> None:
    fine = FILE.with_columns(rating=pl.Series([0.5, 4.5, 9.5, 8.25]))
    told = load_ratings([fine, store], config=DataConfig(bins=9))
    assert told.types.rating_values.tolist() == [1.0, 5.0, 8.0]


def test_a_list_of_one_is_that_one() -> None:
    assert_frame_equal(load_ratings([FILE]).frame, load_ratings(FILE).frame)


def test_files_without_times_come_before_what_has_them(store: str) -> None:
    told = load_ratings([FILE.drop("timestamp"), store])
    assert rows(told)[0] == (1, 10, 5.0, 200)
    assert rows(told)[-1] == (3, 11, 1.0, 200)


def test_a_k_core_is_that_of_all_together(store: str) -> None:
    assert load_ratings([FILE, store], config=DataConfig(min_user=2)).frame["user_id"].to_list() == [1, 1]


def test_a_store_alone_and_a_store_without_events(store: str, tmp_path: Path) -> None:
    assert len(load_ratings(store, config=DataConfig(user="who"))) == 3  # the names of its columns are known
    empty = f"sqlite:///{tmp_path / 'empty.db'}"
    Store.open(empty, KINDS).prepare()
    assert len(load_ratings([FILE, empty])) == 4
    with pytest.raises(DataError, match="no events in any of the stores; expected a source with at least one row"):
        load_ratings([empty])


def test_what_cannot_be_joined(store: str, tmp_path: Path) -> None:
    words = FILE.with_columns(pl.col("item_id").cast(pl.String))
    with pytest.raises(DataError, match="item_id: texts in data frame, integers in feedback; expected the same in all"):
        load_ratings([words, store])
    with pytest.raises(DataError, match=r"data frame \+ data frame, row 4: user 1, item 10 occurs again"):
        load_ratings([FILE, FILE], config=DataConfig(keep="error"))
    with pytest.raises(DataError, match=r"feedback, row 0: rating 5\.0 is not one of 1, 2"):
        load_ratings(
            [FILE.with_columns(rating=pl.Series([1.0, 2.0, 1.0, 1.0])), store], config=DataConfig(scale=(1, 2))
        )
    with pytest.raises(DataError, match="an empty list of sources"):
        load_ratings([])
    with pytest.raises(DataError, match="a query is for one source"):
        load_ratings([FILE], query="select 1")
    with pytest.raises(DataError, match=r"nowhere\.db: there is no such store"):
        load_ratings([FILE, f"sqlite:///{tmp_path / 'nowhere.db'}"])
    (tmp_path / "other.db").touch()
    with pytest.raises(DataError, match="the database is out of reach, or no store of `conv4rec serve`"):
        load_ratings([FILE, f"sqlite:///{tmp_path / 'other.db'}"])
    assert not (tmp_path / "nowhere.db").exists()
    with pytest.raises(DataError, match="not the URL of a store; expected one such as sqlite:///conv4rec.db"):
        load_ratings("postgresql://x:y:z/q")
    with pytest.raises(MissingExtraError, match="a store in PostgreSQL needs psycopg: pip install"):
        load_ratings([FILE, "postgresql+psycopg2://nobody@nowhere/x"])


def test_what_is_meant_as_a_store() -> None:
    assert is_store("sqlite:///a.db")
    assert is_store("postgresql+psycopg://me@here/shop")
    assert not any(map(is_store, ("sqlite", "sqlite:///a.db#events", "https://here/a", Path("sqlite"), 5)))
