"""What a test part should not share with what is known: later events, pairs, and the users and items it lacks."""

from dataclasses import dataclass

import polars as pl

from conv4rec.data.ratings import Ratings
from conv4rec.data.times import moment


@dataclass(frozen=True)
class Found:
    """How often something was met, and the words for it."""

    count: int
    text: str


def leak_warnings(
    train: Ratings, history: Ratings, targets: Ratings, *, by_time: bool, by_user: bool
) -> tuple[str, ...]:
    """What to know before figures of a test part are believed, a sentence each; counts are of rows.

    Args:
        train: what the weights are fitted on.
        history: what is given when the test is asked.
        targets: what is asked.
        by_time: one cut in time for all users, so that nothing in train is later than the test.
        by_user: the users of `targets` are not in `train` on purpose.
    """
    told = {
        "leak": [
            None if by_time else later_than_test(train, targets),
            shared_pairs(history, targets, part="history"),
        ],
        "cold": [cold(train, targets, kind=kind) for kind in ("user", "item") if not (by_user and kind == "user")],
    }
    return tuple(f"{about}: {found.text}" for about, each in told.items() for found in each if found is not None)


def later_than_test(train: Ratings, targets: Ratings) -> Found | None:
    """How many train interactions are later than the earliest target, also where none is; None without time stamps."""
    ours, theirs = _times(train), _times(targets)
    if not len(ours) and not len(theirs):
        return None
    told = f"{len(ours):,} of {len(train):,} train and {len(theirs):,} of {len(targets):,} test interactions"
    first = theirs.min()
    if not len(ours) or not isinstance(first, int):
        return Found(0, f"train interactions later than the test cannot be counted: time stamps are known of {told}")
    later = int((ours > first).sum())
    text = (
        f"{later:,} of {len(ours):,} train interactions ({later / len(ours):.1%}) are later than the first test "
        f"interaction ({moment(first)})"
    )
    partly = len(ours) < len(train) or len(theirs) < len(targets)
    return Found(later, f"{text}; counted where time stamps are known, on {told}" if partly else text)


def shared_pairs(known: Ratings, test: Ratings, *, part: str) -> Found | None:
    """Test rows whose user and item are in `known`, which is called `part`; None where there are none."""
    pairs = ["user_id", "item_id"]
    count = test.frame.join(known.frame.select(pairs), on=pairs, how="semi").height
    text = f"{count:,} of {len(test):,} test rows are of a user and item that the {part} has too"
    return Found(count, text) if count else None


def cold(train: Ratings, test: Ratings, *, kind: str) -> Found | None:
    """Users or items (`kind`) of the test part that train does not have; None where it has all."""
    column = f"{kind}_id"
    rows = test.frame.join(train.frame.select(column), on=column, how="anti")
    if not rows.height:
        return None
    ids = f"{rows[column].n_unique():,} of {test.frame[column].n_unique():,} {kind}s"
    text = f"{ids} of the test part are not in the train part, {rows.height:,} of {len(test):,} rows"
    return Found(rows.height, text)


def _times(ratings: Ratings) -> pl.Series:
    return ratings.frame["timestamp"].drop_nulls() if ratings.has_timestamps else pl.Series(dtype=pl.Int64)
