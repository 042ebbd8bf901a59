"""Data frames of any library, and Parquet."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.config import DataConfig
from conv4rec.data.sources import load_ratings
from conv4rec.errors import DataError, MissingExtraError

COLUMNS: dict[str, list[Any]] = {"user": [1, 2], "item": ["a", "b"], "rating": [3.0, None], "timestamp": [5, 6]}
ROWS = [(1, "a", 3.0, 5), (2, "b", None, 6)]


class Stream:
    """Nothing but the Arrow stream protocol."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame(COLUMNS),
        pl.LazyFrame(COLUMNS),
        pd.DataFrame(COLUMNS),
        pd.DataFrame(COLUMNS).astype({"item": "category"}),
        pd.DataFrame(COLUMNS, index=[7, 3]),
        pa.table(COLUMNS),
        pa.table(COLUMNS).to_batches()[0],
        Stream(pa.table(COLUMNS)),
    ],
    ids=["polars", "lazy", "pandas", "category", "index", "arrow", "batch", "protocol"],
)
def test_any_frame(frame: Any) -> None:
    ratings = load_ratings(frame)
    assert ratings.frame.rows() == ROWS
    assert ratings.name == "data frame"


IDS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.lists(st.text(), min_size=1),
)


@given(IDS, st.data())
def test_any_frame_gives_the_same_rows(users: list[int] | list[str], data: st.DataObject) -> None:
    some = st.lists(st.one_of(st.none(), st.integers(1, 10)), min_size=len(users), max_size=len(users))
    ratings = [None if value is None else value / 2 for value in data.draw(some)]
    items = list(range(len(users)))
    frame = pl.DataFrame(
        {"user": users, "item": items, "rating": ratings},
        schema_overrides={"user": pl.Int64 if isinstance(users[0], int) else pl.String, "rating": pl.Float64},
    )
    read = load_ratings(frame, config=DataConfig(keep="all"))
    assert read.frame.rows() == list(zip(users, items, ratings, strict=True))
    vocabulary = read.vocabulary()
    assert vocabulary.users.take(vocabulary.users.indices(read.frame["user_id"])).to_list() == users


def test_digits_in_a_frame_stay_strings() -> None:
    assert load_ratings(pl.DataFrame({"user": ["1"], "item": ["2"]})).frame.rows() == [("1", "2")]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            pl.DataFrame({"user": pl.Series([1, "a"], dtype=pl.Object), "item": [1, 2]}),
            "data frame, row 1: user id 'a', but 1 in the first row; expected ids that are all integers or all strings",
        ),
        (
            pl.DataFrame({"user": pl.Series([1.5, 2.5], dtype=pl.Object), "item": [1, 2]}),
            "data frame, row 0: user id 1.5 is a float; expected an integer or a string",
        ),
        (pd.DataFrame({"user": [1, "a"], "item": [1, 2]}), "data frame: Could not convert 'a' with type str"),
        (pl.DataFrame({"user": [1.0], "item": [1]}), "data frame, row 0: user id 1.0 is Float64; expected an integer"),
        (pl.DataFrame({"user": [True], "item": [1]}), "data frame, row 0: user id True is Boolean; expected"),
        (pl.DataFrame({"user": [2**63], "item": [1]}), "data frame, row 0: user id 9223372036854775808 does not fit"),
        (pl.DataFrame({"user": [1, None], "item": [1, 2]}), "data frame, row 1: user id missing; expected an id in"),
        (pl.DataFrame({"user": [1], "item": [2], "rating": [float("nan")]}), "data frame, row 0: rating nan is not"),
        (pl.DataFrame({"user": [1], "item": [2], "rating": [np.inf]}), "data frame, row 0: rating inf is not finite"),
        (pl.DataFrame({"user": [1], "item": [2], "rating": ["x"]}), "data frame, row 0: rating 'x' is not a number"),
        (pl.DataFrame({"user": [1], "item": [2], "rating": [True]}), "data frame, row 0: rating True is Boolean"),
        (pl.DataFrame({"user": [1], "item": [2], "type": [1.5]}), "data frame, row 0: interaction type 1.5 is Float64"),
        (pl.DataFrame({"user": [1], "thing": [2]}), "data frame: no item column; found user, thing; name it with"),
        (pl.DataFrame({"user": [], "item": []}), "data frame: no ratings; expected at least one row"),
        (
            {"user": [1], "item": [2]},
            "dict \"{'user': [1], 'item': [2]}\" is neither a named data set, a path, nor a data frame with",
        ),
    ],
)
def test_frames_that_cannot_be(frame: Any, message: str) -> None:
    with pytest.raises(DataError) as caught:
        load_ratings(frame)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_objects_of_one_kind_are_ids() -> None:
    frame = pl.DataFrame({"user": pl.Series([1, 2], dtype=pl.Object), "item": [1, 2]})
    assert load_ratings(frame).frame["user_id"].to_list() == [1, 2]


def test_a_place_counts_blank_rows() -> None:
    frame = pl.DataFrame({"user": [None, 1], "item": [None, None]}, schema={"user": pl.Int64, "item": pl.Int64})
    with pytest.raises(DataError, match="data frame, row 1: item id missing"):
        load_ratings(frame)


def test_a_frame_whose_library_lacks_another() -> None:
    class Lacking:
        def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
            raise ImportError("Missing optional dependency 'pyarrow'.")

    with pytest.raises(MissingExtraError, match=r"data frame: Missing optional dependency 'pyarrow'\."):
        load_ratings(Lacking())


def test_parquet(tmp_path: Path) -> None:
    pl.DataFrame(COLUMNS).with_columns(title=pl.lit("x")).write_parquet(tmp_path / "r.parquet")
    ratings = load_ratings(tmp_path / "r.parquet")
    assert ratings.frame.rows() == ROWS
    assert "columns not used: title" in ratings.notes
    pl.DataFrame({"item": [1], "title": [1]}).write_parquet(tmp_path / "r.parquet")
    with pytest.raises(DataError, match=r"r\.parquet: no user column; found item, title"):
        load_ratings(tmp_path / "r.parquet")


def test_parquet_that_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "r.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match=r"^r\.parquet: not a sound Parquet file: .*$"):
        load_ratings(tmp_path / "r.parquet")


def test_a_place_in_parquet(tmp_path: Path) -> None:
    pl.DataFrame({"user": [1, 2], "item": [1, 2], "rating": [1.0, np.nan]}).write_parquet(tmp_path / "r.parquet")
    with pytest.raises(DataError, match=r"r\.parquet, row 1: rating nan is not finite"):
        load_ratings(tmp_path / "r.parquet")
