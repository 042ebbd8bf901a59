"""From a source to its parts."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from conv4rec.config import make_config
from conv4rec.data.parts import load_all_parts, load_parts
from conv4rec.data.ratings import Ratings
from conv4rec.errors import DataError

GIVEN = make_config({"split": {"recipe": "given"}})


def test_a_source_is_split_by_the_settings(checkerboard: Ratings) -> None:
    parts = load_parts(checkerboard.frame, make_config({"split": {"test": 0.2}}))
    assert parts.split.test is not None
    n = len(checkerboard)
    assert len(parts.known) == n
    assert len(parts.split.test.targets) == round(0.2 * n)


def test_a_test_source_is_read_on_the_scale_of_the_first(checkerboard: Ratings) -> None:
    one_level = checkerboard.frame.filter(pl.col("rating") == 5).head(10)
    parts = load_parts(checkerboard.frame, make_config({}), test=one_level)
    assert parts.split.test is not None
    assert parts.split.test.targets.types == parts.split.train.types
    assert len(parts.known) == len(checkerboard) + 10


def test_a_test_source_off_the_scale(checkerboard: Ratings) -> None:
    off = checkerboard.frame.head(3).with_columns(rating=pl.lit(9.0))
    with pytest.raises(DataError, match="rating 9"):
        load_parts(checkerboard.frame, make_config({}), test=off)


def test_the_parts_of_the_publisher(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONV4REC_DATA", str(data_folder))
    parts = load_parts("ml-100k", GIVEN)
    assert parts.split.test is not None
    assert (len(parts.split.test.history), len(parts.split.test.targets)) == (80_000, 20_000)
    assert len(parts.split.train) + len(parts.split.validation.targets) == 80_000


@pytest.mark.parametrize(
    ("source", "test", "message"),
    [
        ("simulated", None, "split.recipe = given: simulated has no given parts"),
        ("file.csv", None, "split.recipe = given: file.csv has no given parts"),
        ("ml-100k", "test.csv", "takes the test part of the publisher: give no other test part"),
    ],
)
def test_parts_that_nobody_gives(source: Any, test: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_parts(source, GIVEN, test=test)


def clock(n: int = 40) -> pl.DataFrame:
    """One interaction a second, four of each user; every item once."""
    columns = {"user_id": [i // 4 for i in range(n)], "item_id": list(range(n)), "timestamp": list(range(n))}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64))


def test_a_window_knows_nothing_that_is_later_than_its_test() -> None:
    windows = load_all_parts(clock(), make_config({"split": {"recipe": "rolling", "windows": 2}}))
    assert [len(parts.known) for parts in windows] == [36, 40]
    for parts in windows:
        test = parts.split.test
        assert test is not None
        assert parts.known.frame["timestamp"].max() == test.targets.frame["timestamp"].max()
        assert len(parts.known) == len(test.history) + len(test.targets)
    assert windows[0].known.n_users == 9
    assert windows[0].known.notes == windows[1].known.notes


def test_one_window_is_one_split() -> None:
    (parts,) = load_all_parts(clock(), make_config({"split": {"recipe": "rolling", "windows": 1}}))
    assert len(parts.known) == 40
    assert load_parts(clock(), make_config({"split": {"recipe": "rolling", "windows": 1}})).split.recipe == (
        parts.split.recipe
    )


def test_several_windows_are_not_one_split() -> None:
    with pytest.raises(DataError, match="split.recipe = rolling makes 3 splits: use load_all_parts"):
        load_parts(clock(), make_config({"split": {"recipe": "rolling"}}))


def test_a_test_part_of_ones_own_comes_before_windows() -> None:
    (parts,) = load_all_parts(clock(), make_config({"split": {"recipe": "rolling"}}), test=clock(4))
    assert parts.split.recipe.startswith("given")
