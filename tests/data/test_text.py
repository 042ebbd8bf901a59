"""Delimited text: every layout that is promised, and every way a file can be wrong."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.config import DataConfig
from conv4rec.data.ratings import Ratings
from conv4rec.data.sources import load_ratings
from conv4rec.errors import DataError, DatasetNotFoundError


def load(folder: Path, text: str | bytes, name: str = "ratings.csv", **settings: object) -> Ratings:
    """Write a file and load it."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_ratings(path, config=DataConfig(**settings))  # type: ignore[arg-type]


def rows(ratings: Ratings) -> list[tuple[object, ...]]:
    return ratings.frame.rows()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("u.data", "1\t10\t3\t100\n2\t20\t4\t200\n"),
        ("u1.base", "1\t10\t3\t100\n2\t20\t4\t200\n"),
        ("ratings.dat", "1::10::3::100\n2::20::4::200\n"),
        ("ratings.csv", "userId,movieId,rating,timestamp\n1,10,3.0,100\n2,20,4.0,200\n"),
        ("ratings.csv", "timestamp,rating,item,user\n100,3,10,1\n200,4,20,2\n"),
        ("ratings.csv", "1,10,3,100\n2,20,4,200\n"),
        ("ratings.csv", "user;item;rating;time\r\n1;10;3;100\r\n2;20;4;200\r\n"),
        ("ratings.tsv", "user\titem\trating\ttimestamp\n1\t10\t3\t100\n2\t20\t4\t200\n"),
        ("ratings.txt", "1 10 3 100\n2 20 4 200"),
        ("ratings.csv", "\ufeffuser,item,rating,timestamp\n1,10,3,100\n2,20,4,200\n"),
        ("ratings.csv", 'user,item,rating,timestamp\n"1","10",3,100\n"2","20",4,200\n'),
        ("ratings.csv", "\nuser,item,rating,timestamp\n1,10,3,100\n2,20,4,200\n"),
        ("x.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t10\t3\t100\n2\t20\t4\t200\n"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_layout_gives_the_same_rows(tmp_path: Path, name: str, text: str, packed: bool) -> None:
    data = gzip.compress(text.encode()) if packed else text.encode()
    ratings = load(tmp_path, data, f"{name}.gz" if packed else name)
    assert rows(ratings) == [(1, 10, 3.0, 100), (2, 20, 4.0, 200)]
    assert ratings.frame.columns == ["user_id", "item_id", "rating", "timestamp"]
    assert [t.label for t in ratings.types.outcomes] == ["3", "4"]


def test_what_was_assumed_is_told(tmp_path: Path) -> None:
    ratings = load(tmp_path, "1,10,3,100,x\n")
    assert ratings.notes[:2] == (
        "no header: columns taken as user, item, rating, timestamp",
        "columns not used: column_5",
    )
    assert "columns not used: title" in load(tmp_path, "user,item,rating,title\n1,2,3,x\n").notes


def test_columns_are_named_by_option(tmp_path: Path) -> None:
    text = "who,what,stars,when\na,b,3,5\n"
    ratings = load(tmp_path, text, user="who", item="what", timestamp="when")
    assert rows(ratings) == [("a", "b", 3.0, 5)]
    assert rows(load_ratings(tmp_path / "ratings.csv", user="who", item="what")) == [("a", "b", 3.0)]
    assert rows(load(tmp_path, "3,b,a\n", user="column_3", item="column_2", header=False)) == [("a", "b")]


def test_a_separator_by_option(tmp_path: Path) -> None:
    assert rows(load(tmp_path, "user||item||rating\n1||2||3\n", "r.log", separator="||")) == [(1, 2, 3.0)]


def test_an_option_that_is_none_is_as_if_not_given(tmp_path: Path) -> None:
    load(tmp_path, "user,item\n1,2\n")
    assert rows(load_ratings(tmp_path / "ratings.csv", user=None)) == [(1, 2)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["1", "2"], [1, 2]),
        (["-3", "2"], [-3, 2]),
        (["-0", "2"], ["-0", "2"]),
        (["0", "10"], [0, 10]),
        (["007", "8"], ["007", "8"]),
        (["+7", "8"], ["+7", "8"]),
        ([" 7", "8"], [" 7", "8"]),
        (["7 ", "8"], ["7 ", "8"]),
        (["1.0", "2"], ["1.0", "2"]),
        (["1", "a"], ["1", "a"]),
        (["true", "false"], ["true", "false"]),
        (["99999999999999999999", "1"], ["99999999999999999999", "1"]),
        (["tt0104257", "x::y"], ["tt0104257", "x::y"]),
    ],
)
@pytest.mark.parametrize("far_apart", [False, True])
def test_ids_come_back_as_they_came(tmp_path: Path, written: list[str], read: list[object], far_apart: bool) -> None:
    first, last = written if written[0] != read[0] else reversed(written)
    between = ["5"] * (200_000 if far_apart else 0)
    lines = [f"{user},{row},1" for row, user in enumerate([str(last), *between, str(first)], start=100)]
    ratings = load(tmp_path, "user,item,rating\n" + "\n".join(lines) + "\n")
    found = ratings.frame["user_id"].to_list()
    assert {found[0], found[-1]} == set(read)


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters='\r\n",\0'), min_size=1), min_size=1)
)
def test_text_ids_round_trip(tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> None:
    path = tmp_path_factory.mktemp("ids") / "r.csv"
    pl.DataFrame({"user": ids, "item": [f"i{n}" for n in range(len(ids))]}).write_csv(path, quote_style="always")
    found = load_ratings(path).frame["user_id"].to_list()
    assert [str(i) for i in found] == ids


def test_a_missing_rating_is_unrated_and_a_missing_time_is_null(tmp_path: Path) -> None:
    ratings = load(tmp_path, "user,item,rating,timestamp\n1,2,,\n1,3,4,5\n")
    assert rows(ratings) == [(1, 2, None, None), (1, 3, 4.0, 5)]
    assert [t.label for t in ratings.types.partial] == ["unrated"]


def test_blank_lines_are_skipped_and_told(tmp_path: Path) -> None:
    ratings = load(tmp_path, "user,item,rating\n1,2,3\n\n4,5,6\n\n\n")
    assert rows(ratings) == [(1, 2, 3.0), (4, 5, 6.0)]
    assert "skipped 3 blank rows" in ratings.notes


HEADER = "user,item,rating,timestamp\n"
GOOD = "".join(f"1,{item},3,100\n" for item in range(2, 17))
"""Lines 2 to 16."""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ratings.csv: empty file; expected ratings"),
        ("\n\n", "ratings.csv: empty file; expected ratings"),
        (HEADER, "ratings.csv: no ratings; expected at least one row"),
        ("user,rating\n1,2\n", "ratings.csv: no item column; found user, rating; name it with data.item=<column>"),
        ("foo,bar,baz\nx,y,z\n", "ratings.csv:1: cannot tell whether foo, bar, baz are names of columns or data; "),
        ("5\n6\n", "ratings.csv:1: one column; expected user and item at least, or set data.separator"),
        (HEADER + GOOD + "1,99,abc,5\n", "ratings.csv:17: rating 'abc' is not a number"),
        (HEADER + GOOD + "1,99,NaN,5\n", "ratings.csv:17: rating nan is not finite; leave it empty if it is not known"),
        (HEADER + GOOD + "1,99,-inf,5\n", "ratings.csv:17: rating -inf is not finite"),
        (HEADER + GOOD + "1,99,3,-5\n", "ratings.csv:17: timestamp -5 is negative; expected seconds since 1970"),
        (HEADER + GOOD + "1,99,3,soon\n", "ratings.csv:17: timestamp 'soon' is not a number"),
        (
            HEADER + GOOD + "1,99,3,1260759144000\n",
            "ratings.csv:17: timestamp 1260759144000 lies after the year 2100; "
            "expected seconds since 1970, or data.timestamp_unit=ms",
        ),
        (HEADER + GOOD + ",99,3,5\n", "ratings.csv:17: user id missing; expected an id in every row"),
        (HEADER + GOOD + "1,,3,5\n", "ratings.csv:17: item id missing; expected an id in every row"),
        (HEADER + GOOD + "1,99,3\n", "ratings.csv:17: 3 fields; expected 4"),
        (HEADER + GOOD + "1,9", "ratings.csv:17: 2 fields; expected 4"),
        (HEADER + GOOD + "1,99,3,5,6\n", "ratings.csv:17: 5 fields; expected 4"),
        (HEADER + "\n\n" + GOOD + "1,99,abc,5\n", "ratings.csv:19: rating 'abc' is not a number"),
        (HEADER + GOOD + '1,"99,3,5\n', "ratings.csv:17: a quote is not closed, or stands inside a field"),
        ('user,item\n1,"2"x\n', "ratings.csv: could not parse"),
        ("user,item\r1,2\r", "ratings.csv: lines end in a carriage return alone; expected a line feed"),
    ],
)
def test_a_fault_is_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_the_place_in_files_with_other_separators(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ratings\.dat:2: rating 'x' is not a number"):
        load(tmp_path, "1::2::3::4\n1::3::x::4\n", "ratings.dat")
    with pytest.raises(DataError, match=r"r\.tsv\.gz:3: rating 'x' is not a number"):
        load(tmp_path, gzip.compress(b"user\titem\trating\n1\t2\t3\n1\t3\tx\n"), "r.tsv.gz")


def test_a_rating_off_the_declared_scale(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^ratings\.csv:17: rating 7\.0 is not one of 1, 2, 3, 4, 5$"):
        load(tmp_path, HEADER + GOOD + "1,99,7,5\n", scale=(1, 2, 3, 4, 5))
    with pytest.raises(DataError, match=r"^ratings\.csv:18: rating 7\.0 is not one of"):
        load(tmp_path, HEADER + "\n" + GOOD + "1,99,7,5\n", scale=(1, 2, 3, 4, 5))


def test_a_repeat_under_keep_error(tmp_path: Path) -> None:
    message = "ratings.csv:17: user 1, item 4 occurs again, first in ratings.csv:4; expected no repeats"
    with pytest.raises(DataError, match=message):
        load(tmp_path, HEADER + GOOD + "1,4,5,5\n", keep="error")


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ratings\.csv:3: byte 0xe9 is not UTF-8; save the file as UTF-8"):
        load(tmp_path, b"user,item,rating\n1,2,3\n1,caf\xe9,3\n")
    with pytest.raises(DataError, match=r"ratings\.csv:1: byte 0xff is not UTF-8"):
        load(tmp_path, "user,item\n1,2\n".encode("utf-16"))


def test_gzip_that_is_damaged(tmp_path: Path) -> None:
    packed = gzip.compress(b"user,item,rating\n" + b"1,2,3\n" * 1000)
    with pytest.raises(DataError, match=r"r\.csv\.gz: the gzip file is cut short; fetch it again"):
        load(tmp_path, packed[:-20], "r.csv.gz")
    with pytest.raises(DataError, match=r"r\.csv\.gz: not a sound gzip file"):
        load(tmp_path, b"user,item\n1,2\n", "r.csv.gz")


def test_paths_that_are_no_file_of_ratings(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"none\.csv: no such file"):
        load_ratings(tmp_path / "none.csv")
    (tmp_path / "a.csv").touch()
    with pytest.raises(DataError, match=r"a folder; expected a file, such as one of those in it: a\.csv"):
        load_ratings(tmp_path)
    with pytest.raises(DataError, match=r"r\.xlsx: format \.xlsx is not known; expected \.csv, .*each also \.gz"):
        load(tmp_path, "x", "r.xlsx")


def test_a_file_that_changes_its_mind_after_the_first_megabyte(tmp_path: Path) -> None:
    lines = [f"{n},{n},3" for n in range(200_000)]
    ratings = load(tmp_path, "user,item,rating\n" + "\n".join([*lines, "late,1,4"]) + "\n")
    assert ratings.frame["user_id"].dtype == pl.String
    assert ratings.frame.row(-1) == ("late", 1, 4.0)


def test_one_user_or_one_item_is_allowed(tmp_path: Path) -> None:
    assert load(tmp_path, "user,item,rating\n1,2,3\n").n_users == 1
