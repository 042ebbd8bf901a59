"""Train, validation and test: which interactions are known, and which are to be predicted from them.

An interaction is a row: the several types of one user and item (view, purchase) may end up in different parts.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from conv4rec.config import SplitConfig
from conv4rec.data.ratings import Ratings
from conv4rec.errors import DataError
from conv4rec.ids import Ids

Labels = NDArray[np.int8]
TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclass(frozen=True)
class HoldOut:
    """What is known about some users, and what is asked: `targets` are predicted from `history`."""

    history: Ratings
    targets: Ratings


@dataclass(frozen=True)
class Split:
    """The parts of a data set, and one sentence that tells how they were made."""

    train: Ratings
    validation: HoldOut
    test: HoldOut | None
    recipe: str


def split(ratings: Ratings, config: SplitConfig | None = None) -> Split:
    """Divide ratings by the recipe of the settings; the same table and seed give the same split.

    random: every interaction for itself. time: one cut for all users, so that everything in train is earlier than
    everything in validation, and that than test; equal times stay together. leave-last-out: the last interaction
    of each user goes to test, the one before to validation; equal times are taken in the order of the rows. In
    these three, all that was known before is the history: train for validation, train and validation for test.
    user: validation and test users do not occur in train; a share of their interactions is their history.

    Raises DataError where a part would be empty, or where a recipe needs time stamps that are missing.
    """
    settings = SplitConfig() if config is None else config
    if settings.recipe == "leave-last-out":
        return _leave_last_out(ratings)
    if settings.validation + settings.test >= 1:
        raise DataError(
            f"validation {settings.validation:g} + test {settings.test:g} leave nothing to train on: "
            "expected a sum below 1"
        )
    if settings.recipe == "given":
        raise DataError(f"{ratings.name}: the recipe given needs the given parts: use load_parts or given_split")
    recipes = {"random": _at_random, "time": _by_time, "user": _by_user}
    return recipes[settings.recipe](ratings, settings)


def given_split(train: Ratings, test: Ratings, *, validation: float, seed: int) -> Split:
    """Keep a published test set, and draw a share of the train interactions for validation.

    All of `train` is the history of the test. Raises DataError where the two tables have different interaction
    types or kinds of id, or where a part would be empty.
    """
    if train.types != test.types:
        first, second = (", ".join(t.label for t in part.types.outcomes) for part in (train, test))
        raise DataError(f"train has the types {first}; test has {second}: load both with the same rating scale")
    for column in ("user_id", "item_id"):
        kinds = [part.frame.schema[column] for part in (train, test)]
        if kinds[0] != kinds[1]:
            raise DataError(f"{column} is {kinds[0]} in train and {kinds[1]} in test: expected the same kind of id")
    if not len(test):
        raise DataError(f"{test.name}: the given test part is empty, expected at least one interaction")
    if not 0 < validation < 1:
        raise DataError(f"validation {validation:g}: expected a share between 0 and 1")
    labels = _draw(len(train), validation=validation, test=0.0, seed=seed)
    parts = _cumulative(train, labels, with_test=False)
    recipe = (
        f"given, seed {seed}: of {len(train):,} given train interactions {_tell(labels, with_test=False)}; "
        f"{len(test):,} given test interactions"
    )
    return replace(parts, test=HoldOut(train, test), recipe=recipe)


def _at_random(ratings: Ratings, config: SplitConfig) -> Split:
    labels = _draw(len(ratings), validation=config.validation, test=config.test, seed=config.seed)
    sizes = _tell(labels, with_test=config.test > 0)
    recipe = f"random, seed {config.seed}: of {len(ratings):,} interactions {sizes}, each drawn for itself"
    return replace(_cumulative(ratings, labels, with_test=config.test > 0), recipe=recipe)


def _draw(n: int, *, validation: float, test: float, seed: int) -> Labels:
    """A part for each of n things, drawn without replacement in the given shares."""
    n_validation, n_test = round(validation * n), round(test * n)
    labels = np.full(n, TRAIN, dtype=np.int8)
    order = np.random.default_rng(seed).permutation(n)
    labels[order[:n_test]] = TEST
    labels[order[n_test : n_test + n_validation]] = VALIDATION
    return labels


def _by_time(ratings: Ratings, config: SplitConfig) -> Split:
    times, n, with_test = _times(ratings, "time"), len(ratings), config.test > 0
    n_validation, n_test = round(config.validation * n), round(config.test * n)
    if n_validation + n_test >= n or not n_validation:
        raise _empty(ratings, "train" if n_validation else "validation")
    ordered = np.sort(times)
    first, second = ordered[n - n_validation - n_test], ordered[n - n_test] if n_test else ordered[-1] + 1
    labels = ((times >= first).astype(np.int8) + (times >= second)).astype(np.int8)
    cuts = f"validation starts {_date(first)}" + (f", test {_date(second)}" if with_test else "")
    recipe = f"time: of {n:,} interactions {_tell(labels, with_test=with_test)}; {cuts}; equal times stay together"
    return replace(_cumulative(ratings, labels, with_test=with_test), recipe=recipe)


def _leave_last_out(ratings: Ratings) -> Split:
    times, users = _times(ratings, "leave-last-out"), _user_indices(ratings)
    rank, counts = _rank_within(users, times)
    enough = counts >= 3
    after = np.where(enough[users], counts[users] - 1 - rank, 2)  # how many of the user's come later
    labels = np.select([after == 0, after == 1], [TEST, VALIDATION], TRAIN).astype(np.int8)
    n_short = int(np.count_nonzero(~enough))
    recipe = (
        f"leave-last-out: of {len(ratings):,} interactions {_tell(labels, with_test=True)}, one of each user in "
        f"validation and in test; {n_short:,} of {len(counts):,} users have fewer than 3 and stay in train"
    )
    return replace(_cumulative(ratings, labels, with_test=True), recipe=recipe)


def _by_user(ratings: Ratings, config: SplitConfig) -> Split:
    users, with_test = _user_indices(ratings), config.test > 0
    shuffled = np.random.default_rng([config.seed, 1]).permutation(len(users))
    rank, counts = _rank_within(users, shuffled)
    eligible = np.flatnonzero(counts >= 2)
    parts = np.full(len(counts), TRAIN, dtype=np.int8)
    parts[eligible] = _draw(len(eligible), validation=config.validation, test=config.test, seed=config.seed)
    n_targets = np.clip(np.rint((1 - config.fold_in) * counts), 1, np.maximum(counts - 1, 1))
    labels, asked = parts[users], rank < n_targets[users]
    recipe = (
        f"user, seed {config.seed}: of {len(counts):,} users {_tell(parts, with_test=with_test)}; a held-out user's "
        f"history is {config.fold_in:g} of their interactions, at least one and not all; "
        f"{len(counts) - len(eligible):,} users with 1 interaction have nothing to hold out and stay in train"
    )
    validation = _fold_in(ratings, labels == VALIDATION, asked, "validation")
    test = _fold_in(ratings, labels == TEST, asked, "test") if with_test else None
    return Split(_part(ratings, labels == TRAIN, "train"), validation, test, recipe)


def _fold_in(ratings: Ratings, mask: NDArray[np.bool_], asked: NDArray[np.bool_], part: str) -> HoldOut:
    targets = _part(ratings, mask & asked, part)
    return HoldOut(_part(ratings, mask & ~asked, f"{part} history"), targets)


def _cumulative(ratings: Ratings, labels: Labels, *, with_test: bool) -> Split:
    """Parts in which everything known before is the history."""
    train = _part(ratings, labels == TRAIN, "train")
    validation = HoldOut(train, _part(ratings, labels == VALIDATION, "validation"))
    if not with_test:
        return Split(train, validation, None, "")
    test = HoldOut(_part(ratings, labels != TEST, "test history"), _part(ratings, labels == TEST, "test"))
    return Split(train, validation, test, "")


def _part(ratings: Ratings, mask: NDArray[np.bool_], part: str) -> Ratings:
    if not mask.any():
        raise _empty(ratings, part)
    return replace(ratings, frame=ratings.frame[np.flatnonzero(mask)])


def _empty(ratings: Ratings, part: str) -> DataError:
    return DataError(
        f"{ratings.name}: the {part} part would be empty, with {len(ratings):,} interactions of "
        f"{ratings.n_users:,} users; expected a larger share, or more data"
    )


def _times(ratings: Ratings, recipe: str) -> NDArray[np.int64]:
    if not ratings.has_timestamps:
        raise DataError(f"{ratings.name}: a {recipe} split needs time stamps, and there are none; use random or user")
    times = ratings.frame["timestamp"]
    if missing := times.null_count():
        raise DataError(
            f"{ratings.name}: a {recipe} split needs a time stamp for every interaction, and "
            f"{missing / len(times):.0%} of {len(times):,} have none; use random or user"
        )
    return times.to_numpy()


def _user_indices(ratings: Ratings) -> NDArray[np.int32]:
    column = ratings.frame["user_id"]
    return Ids.fit(column, kind="user").indices(column)


def _rank_within(users: NDArray[np.int32], keys: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) place of every row among the rows of its user, by key and then by row, and (n_users,) their counts."""
    order = np.lexsort((keys, users))
    counts = np.bincount(users)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(users), dtype=np.int64)
    rank[order] = np.arange(len(users)) - np.repeat(starts, counts)
    return rank, counts


def _tell(labels: Labels, *, with_test: bool) -> str:
    sizes = np.bincount(labels, minlength=3)
    named = [f"{sizes[TRAIN]:,} train", f"{sizes[VALIDATION]:,} validation"]
    return ", ".join([*named, f"{sizes[TEST]:,} test"] if with_test else named)


def _date(seconds: int) -> str:
    return str(np.datetime64(int(seconds), "s").astype("datetime64[m]")).replace("T", " ")  # any year
