"""Leaks into a test part, counted by hand."""

import polars as pl
import pytest

from conv4rec.data.leaks import Found, cold, later_than_test, leak_warnings, shared_pairs
from conv4rec.data.ratings import Ratings
from conv4rec.vocabulary import InteractionTypes

UNRATED = InteractionTypes.of((), rated=(), unrated=(None,))
DAY = 86_400


def table(*rows: tuple[int, int, int | None], times: bool = True) -> Ratings:
    """Rows of user, item and day."""
    columns = {"user_id": pl.Int64, "item_id": pl.Int64, "timestamp": pl.Int64}
    frame = pl.DataFrame([(u, i, None if d is None else d * DAY) for u, i, d in rows], schema=columns, orient="row")
    return Ratings(frame if times else frame.drop("timestamp"), UNRATED)


TRAIN = table((1, 10, 0), (1, 11, 5), (2, 10, 6), (2, 12, 3))
TEST = table((1, 12, 4), (2, 10, 9), (3, 99, 8), (3, 10, 7), (3, 10, 7))


def test_later_than_the_first_test_interaction() -> None:
    # the test begins on day 4; the train interactions of days 5 and 6 are later
    text = "2 of 4 train interactions (50.0%) are later than the first test interaction (1970-01-05 00:00)"
    assert later_than_test(TRAIN, TEST) == Found(2, text)


def test_the_same_moment_is_not_later() -> None:
    found = later_than_test(TRAIN, table((9, 9, 6)))
    assert found is not None
    assert found.count == 0
    assert found.text.startswith("0 of 4 train interactions (0.0%)")


def test_partial_time_stamps_are_told() -> None:
    train = table((1, 10, 0), (1, 11, None), (2, 10, 6))
    text = (
        "1 of 2 train interactions (50.0%) are later than the first test interaction (1970-01-05 00:00); "
        "counted where time stamps are known, on 2 of 3 train and 1 of 2 test interactions"
    )
    assert later_than_test(train, table((1, 1, 4), (1, 2, None))) == Found(1, text)


@pytest.mark.parametrize(
    ("train", "test", "known"),
    [
        (table((1, 10, 0), times=False), TEST, "0 of 1 train and 5 of 5 test"),
        (TRAIN, table((1, 10, None)), "4 of 4 train and 0 of 1 test"),
    ],
)
def test_time_stamps_of_one_part_alone(train: Ratings, test: Ratings, known: str) -> None:
    text = f"train interactions later than the test cannot be counted: time stamps are known of {known} interactions"
    assert later_than_test(train, test) == Found(0, text)


def test_without_time_stamps_nothing_is_said_of_time() -> None:
    bare = table((1, 10, 0), times=False)
    assert later_than_test(bare, bare) is None
    assert later_than_test(bare, table((1, 10, None))) is None


def test_shared_pairs() -> None:
    assert shared_pairs(TRAIN, TEST, part="history") == Found(
        1, "1 of 5 test rows are of a user and item that the history has too"
    )
    assert shared_pairs(table((1, 1, 0), (1, 1, 0)), table((1, 1, 0), (1, 1, 1)), part="x") is not None
    assert shared_pairs(TRAIN, table((1, 99, 0)), part="history") is None


def test_cold() -> None:
    assert cold(TRAIN, TEST, kind="user") == Found(
        3, "1 of 3 users of the test part are not in the train part, 3 of 5 rows"
    )
    assert cold(TRAIN, TEST, kind="item") == Found(
        1, "1 of 3 items of the test part are not in the train part, 1 of 5 rows"
    )
    assert cold(TRAIN, TRAIN, kind="item") is None


@pytest.mark.parametrize(
    ("by_time", "by_user", "starts"),
    [
        (False, False, ["leak: 2 of 4", "leak: 1 of 5 test rows", "cold: 1 of 3 users", "cold: 1 of 3 items"]),
        (True, False, ["leak: 1 of 5 test rows", "cold: 1 of 3 users", "cold: 1 of 3 items"]),
        (False, True, ["leak: 2 of 4", "leak: 1 of 5 test rows", "cold: 1 of 3 items"]),
    ],
)
def test_warnings_leave_out_what_a_split_does_on_purpose(by_time: bool, by_user: bool, starts: list[str]) -> None:
    told = leak_warnings(TRAIN, TRAIN, TEST, by_time=by_time, by_user=by_user)
    assert [text.startswith(start) for text, start in zip(told, starts, strict=True)] == [True] * len(starts)


def test_a_clean_test_part_has_no_warnings() -> None:
    bare = table((1, 1, 0), (2, 2, 0), times=False)
    assert leak_warnings(bare, bare, table((1, 2, 0), times=False), by_time=False, by_user=False) == ()
