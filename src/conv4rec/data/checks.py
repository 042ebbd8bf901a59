"""What is odd about ratings: nothing here stops anyone, and every finding is a line to read before training."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import polars as pl

from conv4rec.data.duplicates import exact_copies, repeated_rows
from conv4rec.data.leaks import cold, shared_pairs
from conv4rec.data.ratings import Ratings

DAY = 86_400
YEAR_1990 = 631_152_000
"""Seconds; earlier time stamps of ratings are taken for an error of unit."""
RARE = 0.001
"""A rating value below this share of the rated interactions is called rare."""
FEW = 5
"""Users and items with fewer interactions than this are called cold."""
BIASED = 0.1
"""Shares of time stamps that differ by more than this between rating values make a split by time biased."""


@dataclass(frozen=True)
class Finding:
    """One thing noticed.

    Attributes:
        about: repeats, cold, ratings, time, ids, items or leak.
        text: a line for people.
        count: how many rows, users, items or values it concerns.
        is_warning: whether it may spoil a result, or is only good to know.
    """

    about: str
    text: str
    count: int
    is_warning: bool = True

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)


def check(ratings: Ratings, test: Ratings | None = None) -> list[Finding]:
    """Everything odd about ratings, and about a given test part beside them.

    Load with `DataConfig(keep="all")`, or the repeats are gone before they can be counted.
    """
    findings = [*_repeats(ratings), *_cold(ratings), *_ids(ratings), *_levels(ratings), *_times(ratings)]
    findings += _titles(ratings)
    return findings if test is None else [*findings, *_leaks(ratings, test)]


def _repeats(ratings: Ratings) -> Iterator[Finding]:
    rows = repeated_rows(ratings.frame)
    if not len(rows):
        return
    copies = exact_copies(ratings.frame[rows])
    text = f"{len(rows)} events of the same user, item and type, {copies} of them exact copies of another"
    yield Finding("repeats", text, len(rows))


def _cold(ratings: Ratings) -> Iterator[Finding]:
    for kind in ("user", "item"):
        counts = ratings.frame[f"{kind}_id"].value_counts()["count"]
        once, few = int((counts == 1).sum()), int((counts < FEW).sum())
        if few:
            text = f"{few} of {len(counts)} {kind}s have fewer than {FEW} interactions, {once} have one"
            yield Finding("cold", text, few, is_warning=False)


def _ids(ratings: Ratings) -> Iterator[Finding]:
    for kind in ("user", "item"):
        ids = ratings.frame[f"{kind}_id"].unique()
        if ids.dtype == pl.String:
            alike = len(ids) - ids.str.strip_chars().str.to_lowercase().n_unique()
            if alike:
                yield Finding("ids", f"{alike} {kind} ids differ from another in case or outer blanks only", alike)


def _levels(ratings: Ratings) -> Iterator[Finding]:
    if "rating" not in ratings.frame.columns:
        return
    known = ratings.frame["rating"].drop_nulls()
    unrated = len(ratings) - len(known)
    if unrated:
        share = unrated / len(ratings)
        yield Finding("ratings", f"{unrated} interactions ({share:.1%}) have no rating", unrated, is_warning=False)
    counts = dict(known.value_counts().iter_rows())
    if len(counts) == 1:
        yield Finding("ratings", f"every rating is {known[0]:g}: there is nothing to learn about ratings", len(known))
    for value in ratings.types.rating_values.tolist():
        count = counts.get(value, 0)
        if count < RARE * len(known):
            yield Finding("ratings", f"rating {value:g} is rare: {count} of {len(known)}", count)
    yield from _gaps(ratings.types.rating_values.tolist())


def _gaps(scale: list[float]) -> Iterator[Finding]:
    neighbours = list(pairwise(scale))
    step = min((high - low for low, high in neighbours), default=0.0)
    for low, high in neighbours:
        if high - low > 1.5 * step:
            yield Finding("ratings", f"no rating between {low:g} and {high:g}: the scale has a gap", 1)


def _titles(ratings: Ratings) -> Iterator[Finding]:
    if ratings.items is None:
        return
    missing = ratings.frame["item_id"].unique().is_in(ratings.items["item_id"].implode())
    count = int((~missing).sum())
    if count:
        yield Finding("items", f"{count} items are not in the side table", count, is_warning=False)


def _times(ratings: Ratings) -> Iterator[Finding]:
    if not ratings.has_timestamps:
        return
    times = ratings.frame["timestamp"].drop_nulls()
    missing = len(ratings) - len(times)
    if missing:
        yield _missing_times(ratings, missing)
    if len(times):
        yield from _units(times)
        yield from _hours(times)


def _missing_times(ratings: Ratings, missing: int) -> Finding:
    """Missing time stamps, and whether they depend on the rating: then a split by time is not a fair sample."""
    text = f"time stamps in {1 - missing / len(ratings):.0%} of the rows"
    if ratings.frame.get_column("rating", default=pl.Series([None])).count():
        has_time = pl.col("timestamp").is_not_null().mean().alias("share")
        shares = ratings.frame.drop_nulls("rating").group_by("rating").agg(has_time).sort("share", "rating")
        (low, least), (high, most) = shares.row(0), shares.row(-1)
        if most - least > BIASED:
            text += f", from {least:.0%} at rating {low:g} to {most:.0%} at {high:g}: a split by time would be biased"
    return Finding("time", text, missing)


def _units(times: pl.Series) -> Iterator[Finding]:
    now = time.time()
    if (count := int((times > now * 100).sum())) > len(times) / 2:
        yield Finding("time", f"{count} time stamps lie centuries ahead: probably milliseconds, not seconds", count)
    elif count := int((times > now).sum()):
        yield Finding("time", f"{count} time stamps lie in the future", count)
    if count := int((times < YEAR_1990).sum()):
        yield Finding("time", f"{count} time stamps lie before 1990: another unit, or not known", count)


def _hours(times: pl.Series) -> Iterator[Finding]:
    hours = (times % DAY).unique()
    if len(hours) == 1 and len(times) > 1:
        seconds = int(hours[0])
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
        zone = "" if seconds == 0 else ", so they were dates in another time zone"
        text = f"all time stamps are at {clock} UTC{zone}: the order within a day is not known"
        yield Finding("time", text, len(times))


def _leaks(ratings: Ratings, test: Ratings) -> Iterator[Finding]:
    if (shared := shared_pairs(ratings, test, part="train part")) is not None:
        yield Finding("leak", shared.text, shared.count)
    for kind in ("user", "item"):
        if (unknown := cold(ratings, test, kind=kind)) is not None:
            yield Finding("cold", unknown.text, unknown.count)
    if ratings.has_timestamps and test.has_timestamps:
        yield from _future(ratings, test)


def _future(ratings: Ratings, test: Ratings) -> Iterator[Finding]:
    """Users whose train part goes on after their test part began."""
    last = ratings.frame.group_by("user_id").agg(pl.col("timestamp").max().alias("last"))
    first = test.frame.group_by("user_id").agg(pl.col("timestamp").min().alias("first"))
    both = last.join(first, on="user_id").drop_nulls()
    count = both.filter(pl.col("last") > pl.col("first")).height
    if count:
        text = f"{count} of {both.height} users have train interactions after their first test one: not a split by time"
        yield Finding("leak", text, count, is_warning=False)
