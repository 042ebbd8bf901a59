"""Ids and their indices."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.errors import DataError, UnknownIdError
from conv4rec.ids import Ids


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1))
def test_integer_ids_come_back(values: list[int]) -> None:
    ids = Ids.fit(pl.Series(values, dtype=pl.Int64), kind="user")
    assert ids.take(ids.indices(values)).to_list() == values
    assert len(ids) == len(set(values))


@given(st.lists(st.text(), min_size=1))
def test_string_ids_come_back(values: list[str]) -> None:
    ids = Ids.fit(pl.Series(values, dtype=pl.String), kind="item")
    assert ids.take(ids.indices(values)).to_list() == values


@given(st.sets(st.integers(-100, 100), min_size=1), st.lists(st.integers(-(10**6), 10**6)))
def test_find_marks_what_is_not_there(known: set[int], asked: list[int]) -> None:
    ids = Ids.fit(pl.Series(sorted(known)), kind="user")
    assert ((ids.find(asked) >= 0) == [i in known for i in asked]).all()


def test_narrow_and_unsigned_integers_and_categories_are_ids() -> None:
    assert Ids.fit(pl.Series([3, 1], dtype=pl.UInt8), kind="user").values.to_list() == [1, 3]
    assert Ids.fit(pl.Series(["b", "a"], dtype=pl.Categorical), kind="user").values.to_list() == ["a", "b"]


def test_ids_that_cannot_be() -> None:
    with pytest.raises(DataError, match="item id missing in row 1: expected an id in every row"):
        Ids.fit(pl.Series([1, None, 2]), kind="item")
    with pytest.raises(
        DataError, match=r"user ids must be integers or strings; the column is Float64, first value 1\.5"
    ):
        Ids.fit(pl.Series([1.5]), kind="user")


def test_an_id_beyond_64_bits() -> None:
    with pytest.raises(DataError, match="user id 18446744073709551615 does not fit 64 bits with a sign"):
        Ids.fit(pl.Series([1, 2**64 - 1], dtype=pl.UInt64), kind="user")


def test_queries_that_have_no_answer() -> None:
    ids = Ids.fit(pl.Series([1, 2]), kind="user")
    with pytest.raises(UnknownIdError, match="user 9 and 1 more not known to this model, which has 2 users"):
        ids.indices([1, 9, 8, 9])
    with pytest.raises(DataError, match="user ids are integers here; got 'x'"):
        ids.indices(["x"])
    with pytest.raises(DataError, match="user ids must be all integers or all strings; got 1 and 'a'"):
        ids.find([1, "a"])
    with pytest.raises(DataError, match="user id missing in row 1: expected an id in every row"):
        ids.find(pl.Series([1, None]))
    assert ids.find([]).tolist() == []
