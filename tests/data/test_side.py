"""Titles and tags."""

from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from conv4rec.data.sources import load_ratings
from conv4rec.errors import DataError, DatasetNotFoundError

NUMBERS = pl.DataFrame({"user": [1, 1], "item": [1, 2]})
WORDS = pl.DataFrame({"user": [1, 1], "item": ["01", "2"]})
SEVEN = "1|Seven (1995)|01-Jan-1995||http://x|" + "|".join("1" if n in (6, 16) else "0" for n in range(19))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("movies.csv", b'movieId,title,genres\n1,"Seven, or not",Crime|Thriller\n3,Other,(no genres listed)\n'),
        ("movies.dat", b"1::Seven, or not::Crime|Thriller\n3::Other::\n"),
        (
            "ml.item",
            b"item_id:token\tmovie_title:token_seq\tclass:token_seq\n1\tSeven, or not\tCrime Thriller\n3\tOther\t\n",
        ),
        ("movies.jsonl", b'{"item": 1, "title": "Seven, or not", "tags": ["Crime", "Thriller"]}\n'),
    ],
)
def test_formats(tmp_path: Path, name: str, text: bytes) -> None:
    (tmp_path / name).write_bytes(text)
    ratings = load_ratings(NUMBERS, items=tmp_path / name)
    assert ratings.items is not None
    assert ratings.items.row(0) == (1, "Seven, or not", ["Crime", "Thriller"])
    assert ratings.items.columns == ["item_id", "title", "tags"]
    assert ratings.notes[-1] == f"{name}: 1 of 2 items are in the side table"
    assert ratings.items["tags"].to_list()[1:] in ([[]], [])


def test_u_item(tmp_path: Path) -> None:
    (tmp_path / "u.item").write_bytes(SEVEN.replace("Seven", "S\u00e9ven").encode("latin-1") + b"\n")
    items = load_ratings(NUMBERS, items=tmp_path / "u.item").items
    assert items is not None
    assert items.rows() == [(1, "S\u00e9ven (1995)", ["Crime", "Thriller"])]


def test_frames_and_string_ids() -> None:
    items = load_ratings(WORDS, items=pd.DataFrame({"item": ["01", "01"], "name": ["first", "again"]})).items
    assert items is not None
    assert items.rows() == [("01", "first")]


def test_ids_take_the_type_of_the_ratings(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("movieId,title\n01,One\n2,Two\n")
    words = load_ratings(WORDS, items=tmp_path / "movies.csv").items
    assert words is not None
    assert words["item_id"].to_list() == ["01", "2"]
    pl.DataFrame({"item": [1, 2], "title": ["One", "Two"]}).write_parquet(tmp_path / "movies.parquet")
    numbers = load_ratings(NUMBERS, items=tmp_path / "movies.parquet").items
    assert numbers is not None
    assert numbers["item_id"].to_list() == [1, 2]


def test_side_tables_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("movieId,title\n1,One\ntt2,Two\n")
    with pytest.raises(DataError, match=r"movies\.csv: item id 'tt2'; expected integers, as in the ratings"):
        load_ratings(NUMBERS, items=tmp_path / "movies.csv")
    with pytest.raises(DataError, match="items: no item column; found a; call it item_id"):
        load_ratings(NUMBERS, items=pl.DataFrame({"a": [1]}))
    with pytest.raises(DatasetNotFoundError, match=r"none\.csv: no such file"):
        load_ratings(NUMBERS, items=tmp_path / "none.csv")
    with pytest.raises(DataError, match="int '5' is neither a named data set"):
        load_ratings(NUMBERS, items=5)
