"""Splits: nothing lost, nothing leaked, the same again with the same seed, and clear words where it cannot be done."""

import re
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conv4rec.config import SplitConfig
from conv4rec.data.ratings import Ratings
from conv4rec.data.split import HoldOut, Split, given_split, split, split_windows
from conv4rec.errors import DataError
from conv4rec.vocabulary import InteractionTypes

STARS = InteractionTypes.of([1.0, 2.0, 3.0, 4.0, 5.0])
Recipe = Literal["random", "user", "time", "leave-last-out"]
RECIPES: list[Recipe] = ["random", "user", "time", "leave-last-out"]


def table(users: list[int], times: list[int | None] | None = None, name: str = "toy") -> Ratings:
    """One row per entry of `users`; the item is the number of the row, so that a row is known by its item."""
    columns = {"user_id": users, "item_id": list(range(len(users))), "rating": [3.0] * len(users)}
    frame = pl.DataFrame(columns, schema_overrides={"user_id": pl.Int64, "item_id": pl.Int64})
    if times is not None:
        frame = frame.with_columns(pl.Series("timestamp", times, dtype=pl.Int64))
    return Ratings(frame, STARS, name, items=pl.DataFrame({"item_id": [0], "title": ["Zero"]}))


def random_table(seed: int, n: int = 200) -> Ratings:
    generator = np.random.default_rng(seed)
    return table(generator.integers(0, 12, n).tolist(), generator.integers(0, 60, n).tolist())


def rows(ratings: Ratings) -> set[int]:
    return set(ratings.frame["item_id"].to_list())


def users(ratings: Ratings) -> set[int]:
    return set(ratings.frame["user_id"].to_list())


def parts(result: Split) -> list[Ratings]:
    held_out = [result.validation, *([result.test] if result.test is not None else [])]
    return [result.train, *(part for hold_out in held_out for part in (hold_out.history, hold_out.targets))]


def final(result: Split) -> HoldOut:
    assert result.test is not None
    return result.test


@given(st.sampled_from(RECIPES), st.integers(0, 50), st.booleans())
@settings(max_examples=60)
def test_every_interaction_lands_in_exactly_one_part(recipe: Recipe, seed: int, with_test: bool) -> None:
    ratings = random_table(seed)
    share = 0.2 if with_test or recipe == "leave-last-out" else 0.0
    result = split(ratings, SplitConfig(recipe=recipe, validation=0.2, test=share, seed=seed))
    pieces = [result.train, result.validation.targets]
    pieces += [result.validation.history] if recipe == "user" else []
    if result.test is not None:
        pieces += [result.test.targets, *([result.test.history] if recipe == "user" else [])]
    assert (result.test is not None) == (share > 0)
    assert sum(len(piece) for piece in pieces) == len(ratings)
    assert set().union(*map(rows, pieces)) == rows(ratings)


def test_a_random_test_is_asked_from_train_and_lists_leave_validation_out() -> None:
    result = split(random_table(3), SplitConfig(recipe="random"))
    test = final(result)
    assert rows(result.validation.history) == rows(test.history) == rows(result.train)
    assert test.excluded is not None
    assert rows(test.excluded) == rows(result.validation.targets)


@pytest.mark.parametrize("recipe", ["time", "leave-last-out"])
def test_history_is_everything_known_before(recipe: Recipe) -> None:
    result = split(random_table(3), SplitConfig(recipe=recipe))
    assert rows(result.validation.history) == rows(result.train)
    assert rows(final(result).history) == rows(result.train) | rows(result.validation.targets)
    assert not rows(final(result).history) & rows(final(result).targets)


@pytest.mark.parametrize("recipe", RECIPES)
def test_same_seed_same_split(recipe: Recipe) -> None:
    config = SplitConfig(recipe=recipe, seed=7)
    first, second = (split(random_table(1), config) for _ in range(2))
    assert all(a.frame.equals(b.frame) for a, b in zip(parts(first), parts(second), strict=True))
    assert first.recipe == second.recipe


@pytest.mark.parametrize("recipe", ["random", "user"])
def test_another_seed_another_split(recipe: Recipe) -> None:
    first, second = (split(random_table(1), SplitConfig(recipe=recipe, seed=seed)) for seed in (0, 1))
    assert rows(first.train) != rows(second.train)


@pytest.mark.parametrize("recipe", RECIPES)
def test_parts_keep_types_items_name_and_the_order_of_rows(recipe: Recipe) -> None:
    ratings = random_table(2)
    for part in parts(split(ratings, SplitConfig(recipe=recipe))):
        assert part.types is ratings.types
        assert part.items is ratings.items
        assert part.name == ratings.name
        assert part.frame["item_id"].is_sorted()


def test_random_split_has_the_asked_sizes_and_says_so() -> None:
    result = split(table([0] * 50), SplitConfig(validation=0.1, test=0.2, seed=4))
    assert [len(result.train), len(result.validation.targets), len(final(result).targets)] == [35, 5, 10]
    expected = "random, seed 4: of 50 interactions 35 train, 5 validation, 10 test, each drawn for itself"
    assert result.recipe == expected


def test_user_split_keeps_held_out_users_out_of_train() -> None:
    ratings = table([u for u in range(20) for _ in range(10)] + [100, 101])
    result = split(ratings, SplitConfig(recipe="user", validation=0.2, test=0.3, fold_in=0.7, seed=1))
    test = final(result)
    assert users(test.history) == users(test.targets)
    assert users(result.validation.history) == users(result.validation.targets)
    assert (len(users(test.targets)), len(users(result.validation.targets))) == (6, 4)
    assert not users(result.train) & users(test.targets)
    assert not users(result.train) & users(result.validation.targets)
    assert not users(test.targets) & users(result.validation.targets)
    assert (len(test.history), len(test.targets)) == (42, 18)
    assert {100, 101} <= users(result.train)
    assert result.recipe == (
        "user, seed 1: of 22 users 12 train, 4 validation, 6 test; a held-out user's history is 0.7 of their "
        "interactions, at least one and not all; 2 users with 1 interaction have nothing to hold out and stay in train"
    )


@pytest.mark.parametrize("fold_in", [0.01, 0.99])
def test_user_split_leaves_every_held_out_user_a_history_and_a_target(fold_in: float) -> None:
    ratings = table([u for u in range(20) for _ in range(2 + u % 2)])
    result = split(ratings, SplitConfig(recipe="user", validation=0.4, test=0.4, fold_in=fold_in))
    for hold_out in (result.validation, final(result)):
        assert users(hold_out.history) == users(hold_out.targets)


def test_time_split_never_looks_ahead_and_keeps_ties_together() -> None:
    ratings = random_table(5)
    result = split(ratings, SplitConfig(recipe="time", validation=0.2, test=0.2))
    train, validation, test = (
        part.frame["timestamp"].to_numpy() for part in (result.train, result.validation.targets, final(result).targets)
    )
    assert train.max() < validation.min()
    assert validation.max() < test.min()
    assert len(test) >= 40


def test_time_split_tells_where_it_cut() -> None:
    result = split(table([0] * 10, [day * 86_400 for day in range(10)]), SplitConfig(recipe="time"))
    assert result.recipe == (
        "time: of 10 interactions 8 train, 1 validation, 1 test; validation starts 1970-01-09 00:00, "
        "test 1970-01-10 00:00; equal times stay together"
    )


def test_time_split_tells_dates_far_away() -> None:
    result = split(table([0] * 10, [10**12 + day for day in range(10)]), SplitConfig(recipe="time"))
    assert "validation starts 33658-09-27 01:46" in result.recipe


def test_time_split_without_test() -> None:
    result = split(table([0] * 10, list(range(10))), SplitConfig(recipe="time", validation=0.3, test=0))
    assert rows(result.validation.targets) == {7, 8, 9}
    assert result.recipe.endswith("validation starts 1970-01-01 00:00; equal times stay together")


def targets(part: HoldOut | None) -> set[int]:
    assert part is not None
    return rows(part.targets)


def test_rolling_windows_by_hand() -> None:
    ratings = table([0] * 10, [day * 86_400 for day in (3, 1, 2, 0, 4, 5, 6, 9, 8, 7)])
    first, second = split_windows(ratings, SplitConfig(recipe="rolling", windows=2, validation=0.1, test=0.2))
    assert (rows(first.train), targets(first.validation), targets(first.test)) == ({0, 1, 2, 3, 4}, {5}, {6, 9})
    assert (rows(second.train), targets(second.validation)) == ({0, 1, 2, 3, 4, 5, 6}, {9})
    assert targets(second.test) == {7, 8}
    assert rows(final(first).history) == {0, 1, 2, 3, 4, 5}
    assert first.recipe == (
        "rolling, window 1 of 2: of 10 interactions 5 train, 1 validation, 2 test; validation starts 1970-01-06 00:00, "
        "test 1970-01-07 00:00, which ends before 1970-01-09 00:00; 2 later ones are in no part; "
        "equal times stay together"
    )
    assert second.recipe == (
        "rolling, window 2 of 2: of 10 interactions 7 train, 1 validation, 2 test; validation starts 1970-01-08 00:00, "
        "test 1970-01-09 00:00; equal times stay together"
    )
    cold = ("cold: 2 of 2 items of the test part are not in the train part, 2 of 2 rows",)
    assert first.warnings == second.warnings == cold


def test_rolling_windows_keep_equal_times_together() -> None:
    # the second test slice would begin at row 8, but row 7 has the same time
    ratings = table([0] * 10, [0, 1, 2, 3, 5, 6, 6, 8, 8, 9])
    first, second = split_windows(ratings, SplitConfig(recipe="rolling", windows=2, validation=0.2, test=0.2))
    assert (rows(first.train), targets(first.validation), targets(first.test)) == ({0, 1, 2, 3}, {4}, {5, 6})
    assert (targets(second.validation), targets(second.test)) == ({5, 6}, {7, 8, 9})


def test_the_last_window_is_the_split_by_time() -> None:
    ratings = random_table(5)
    by_time = split(ratings, SplitConfig(recipe="time", validation=0.2, test=0.15))
    windows = split_windows(ratings, SplitConfig(recipe="rolling", validation=0.2, test=0.15, windows=3))
    assert len(windows) == 3
    assert list(map(rows, parts(windows[-1]))) == list(map(rows, parts(by_time)))


@given(
    st.lists(st.integers(0, 3), min_size=40, max_size=120).map(lambda gaps: np.cumsum(gaps).tolist()),
    st.randoms(use_true_random=False),
    st.integers(1, 4),
    st.sampled_from([0.05, 0.1, 0.2]),
    st.sampled_from([0.05, 0.1, 0.15]),
)
def test_windows_move_forward_and_never_look_ahead(
    times: list[int], order: Random, n_windows: int, validation: float, test: float
) -> None:
    order.shuffle(times)
    ratings = table([0] * len(times), list(times))
    settings = SplitConfig(recipe="rolling", windows=n_windows, validation=validation, test=test)
    try:
        windows = split_windows(ratings, settings)
    except DataError:  # so many equal times that a part would be empty
        return
    tested: set[int] = set()
    trained: set[int] = set()
    last = -1
    for window in windows:
        pieces = [window.train, window.validation.targets, final(window).targets]
        spans = [(piece.frame["timestamp"].min(), piece.frame["timestamp"].max()) for piece in pieces]
        assert all(len(piece) for piece in pieces)
        assert spans[0][1] < spans[1][0]  # type: ignore[operator]
        assert spans[1][1] < spans[2][0]  # type: ignore[operator]
        assert last < spans[2][0]  # type: ignore[operator]
        last = spans[2][1]  # type: ignore[assignment]
        assert trained <= rows(window.train)
        assert rows(final(window).history) == rows(window.train) | rows(window.validation.targets)
        trained = rows(window.train)
        tested |= rows(final(window).targets)
    assert sum(len(final(window).targets) for window in windows) == len(tested)
    first_test = min(min(rows_times(ratings, rows(final(window).targets))) for window in windows)
    assert tested == {row for row, time in enumerate(times) if time >= first_test}


def rows_times(ratings: Ratings, wanted: set[int]) -> list[int]:
    times = ratings.frame["timestamp"].to_list()
    return [times[row] for row in wanted]


def test_rolling_is_not_one_split() -> None:
    with pytest.raises(DataError, match="toy: the recipe rolling makes several splits: use split_windows"):
        split(table([0] * 9, list(range(9))), SplitConfig(recipe="rolling"))


def test_leave_last_out_by_hand() -> None:
    #        rows: 0  1  2  3 | 4  5  6 | 7  8 | 9
    ratings = table([1, 1, 1, 1, 2, 2, 2, 3, 3, 4], [9, 5, 7, 1, 4, 4, 4, 1, 2, 0])
    result = split(ratings, SplitConfig(recipe="leave-last-out"))
    assert rows(final(result).targets) == {0, 6}
    assert rows(result.validation.targets) == {2, 5}
    assert rows(result.train) == {1, 3, 4, 7, 8, 9}
    assert result.recipe == (
        "leave-last-out: of 10 interactions 6 train, 2 validation, 2 test, one of each user in validation and in test; "
        "2 of 4 users have fewer than 3 and stay in train"
    )


def test_given_split_keeps_the_test_set() -> None:
    train, test = table([0] * 20), table([0, 1], name="official")
    result = given_split(train, test, validation=0.25, seed=3)
    assert final(result) == HoldOut(train, test)
    assert [len(result.train), len(result.validation.targets)] == [15, 5]
    assert rows(result.train) | rows(result.validation.targets) == rows(train)
    assert result.recipe == (
        "given, seed 3: of 20 given train interactions 15 train, 5 validation; 2 given test interactions"
    )


def test_several_types_of_a_pair_are_separate_interactions() -> None:
    shop = InteractionTypes.of([], rated=[], unrated=["view", "buy"])
    frame = pl.DataFrame({"user_id": [0] * 40, "item_id": [1] * 40, "type": ["view", "buy"] * 20})
    result = split(Ratings(frame, shop), SplitConfig(seed=0))
    assert len(result.train) == 32
    assert result.train.frame["type"].n_unique() == 2


def test_leave_last_out_warns_of_later_train_interactions() -> None:
    ratings = table([1, 1, 1, 2, 2, 2, 3], [1, 2, 3, 4, 5, 6, 7])
    # the first test interaction is at 3; those at 4 and 7 are in train and later
    assert split(ratings, SplitConfig(recipe="leave-last-out")).warnings == (
        "leak: 2 of 3 train interactions (66.7%) are later than the first test interaction (1970-01-01 00:00)",
        "cold: 2 of 2 items of the test part are not in the train part, 2 of 2 rows",
    )


@pytest.mark.parametrize("recipe", ["user", "leave-last-out", "random"])
def test_splits_that_mix_times_always_say_so(recipe: Recipe) -> None:
    (leak, *_) = split(random_table(1), SplitConfig(recipe=recipe)).warnings
    assert leak.startswith("leak: ")
    assert "are later than the first test interaction" in leak


def test_a_split_by_time_has_no_leak() -> None:
    assert not [text for text in split(random_table(1), SplitConfig(recipe="time")).warnings if text[:4] == "leak"]


def test_new_users_are_no_surprise_to_a_split_by_users() -> None:
    warnings = split(random_table(1), SplitConfig(recipe="user")).warnings
    assert not [text for text in warnings if "users of the test part" in text]


def test_no_test_part_no_warnings() -> None:
    assert split(random_table(1), SplitConfig(test=0)).warnings == ()


def test_given_parts_may_share_pairs() -> None:
    train, test = table([0] * 20), table([0, 1], name="official")
    assert given_split(train, test, validation=0.25, seed=3).warnings == (
        "leak: 1 of 2 test rows are of a user and item that the history has too",
        "cold: 1 of 2 users of the test part are not in the train part, 1 of 2 rows",
    )


@pytest.mark.parametrize(
    ("config", "ratings", "message"),
    [
        (
            SplitConfig(validation=0.5, test=0.5),
            table([0] * 9),
            "validation 0.5 + test 0.5 leave nothing to train on: expected a sum below 1",
        ),
        (
            SplitConfig(recipe="time"),
            table([0] * 9),
            "toy: a time split needs time stamps, and there are none; use random or user",
        ),
        (
            SplitConfig(recipe="leave-last-out"),
            table([0] * 4, [1, None, None, None]),
            "toy: a leave-last-out split needs a time stamp for every interaction, and 75% of 4 have none; "
            "use random or user",
        ),
        (
            SplitConfig(recipe="leave-last-out"),
            table([0, 0, 1], [1, 2, 3]),
            "toy: the validation part would be empty, with 3 interactions of 2 users; "
            "expected a larger share, or more data",
        ),
        (
            SplitConfig(),
            table([0, 1, 2]),
            "toy: the validation part would be empty, with 3 interactions of 3 users; "
            "expected a larger share, or more data",
        ),
        (
            SplitConfig(recipe="user"),
            table([0, 0, 1, 1]),
            "toy: the validation part would be empty, with 4 interactions of 2 users; "
            "expected a larger share, or more data",
        ),
        (
            SplitConfig(recipe="time"),
            table([0] * 4, [1, 2, 3, 4]),
            "toy: the validation part would be empty, with 4 interactions of 1 users; "
            "expected a larger share, or more data",
        ),
        (
            SplitConfig(recipe="time", validation=0.4, test=0.59),
            table([0] * 10, list(range(10))),
            "toy: the train part would be empty, with 10 interactions of 1 users; "
            "expected a larger share, or more data",
        ),
        (
            SplitConfig(recipe="rolling", validation=0.1, test=0.4),
            table([0] * 9, list(range(9))),
            "validation 0.1 + 3 windows x test 0.4 leave nothing to train on: expected a sum below 1",
        ),
        (
            SplitConfig(recipe="rolling", test=0),
            table([0] * 9, list(range(9))),
            "split.test = 0 leaves the windows of rolling nothing to test on: expected a share above 0",
        ),
        (
            SplitConfig(recipe="rolling"),
            table([0] * 9),
            "toy: a rolling split needs time stamps, and there are none; use random or user",
        ),
        (
            SplitConfig(recipe="rolling", windows=2, test=0.2),
            table([0] * 10, [0, 1, 2, 3, 4, 5, 5, 5, 5, 9]),
            "toy: the validation part of window 1 would be empty, with 10 interactions of 1 users; "
            "expected a larger share, or more data",
        ),
        (
            SplitConfig(recipe="rolling", windows=2, test=0.1),
            table([0] * 10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]),
            "toy: the test part of window 1 would be empty, with 10 interactions of 1 users; "
            "expected a larger share, or more data",
        ),
        (
            SplitConfig(recipe="time"),
            table([0] * 20, [5] * 20),
            "toy: the train part would be empty, with 20 interactions of 1 users; "
            "expected a larger share, or more data",
        ),
    ],
)
def test_impossible_splits_say_why(config: SplitConfig, ratings: Ratings, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        split_windows(ratings, config)


def test_impossible_given_splits_say_why() -> None:
    train, test = table([0] * 20), table([0, 1], name="official")
    with pytest.raises(DataError, match=r"^train has the types 1, 2, 3, 4, 5; test has 1: load both with the same"):
        given_split(train, replace(test, types=InteractionTypes.of([1.0])), validation=0.1, seed=0)
    texts = replace(test, frame=test.frame.with_columns(pl.col("user_id").cast(pl.String)))
    with pytest.raises(DataError, match=r"^user_id is Int64 in train and String in test: expected the same kind of id"):
        given_split(train, texts, validation=0.1, seed=0)
    with pytest.raises(DataError, match=r"^official: the given test part is empty, expected at least one interaction$"):
        given_split(train, replace(test, frame=test.frame.clear()), validation=0.1, seed=0)
    with pytest.raises(DataError, match=r"^validation 1.5: expected a share between 0 and 1$"):
        given_split(train, test, validation=1.5, seed=0)


def test_movielens_100k(data_folder: Path) -> None:
    columns = ["user_id", "item_id", "rating", "timestamp"]
    source = data_folder / "ml-100k" / "u.data"
    frame = pl.read_csv(source, separator="\t", has_header=False, new_columns=columns)
    ratings = Ratings(frame.with_columns(pl.col("rating").cast(pl.Float64)), STARS, "ml-100k")
    result = split(ratings, SplitConfig(recipe="time"))
    assert result.train.frame["timestamp"].max() < final(result).targets.frame["timestamp"].min()  # type: ignore[operator]
    assert len(final(result).targets) == pytest.approx(10_000, rel=0.01)
    last_out = split(ratings, SplitConfig(recipe="leave-last-out"))
    assert len(final(last_out).targets) == 943
    first = final(last_out).targets.frame["timestamp"].min()
    later = last_out.train.frame.filter(pl.col("timestamp") > first).height
    assert last_out.warnings[0].startswith(f"leak: {later:,} of {len(last_out.train):,} train interactions")


def test_the_recipe_given_needs_the_given_parts(checkerboard: Ratings) -> None:
    with pytest.raises(DataError, match="checkerboard: the recipe given needs the given parts"):
        split(checkerboard, SplitConfig(recipe="given"))
