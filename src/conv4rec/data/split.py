"""Train, validation and test: which interactions are known, and which are to be predicted from them.

An interaction is a row: the several types of one user and item (view, purchase) may end up in different parts.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from conv4rec.config import SplitConfig
from conv4rec.data.labels import LATER, TEST, TRAIN, VALIDATION, Cuts, Labels, cut, draw, rank_within, tell
from conv4rec.data.leaks import leak_warnings
from conv4rec.data.ratings import Ratings, join
from conv4rec.data.times import moment
from conv4rec.errors import DataError
from conv4rec.ids import Ids


@dataclass(frozen=True)
class HoldOut:
    """What is known about some users, and what is asked: `targets` are predicted from `history`.

    `excluded`, where there is any, was taken as well; the model is not told, but it is no candidate for a list.
    """

    history: Ratings
    targets: Ratings
    excluded: Ratings | None = None


@dataclass(frozen=True)
class Split:
    """The parts of a data set.

    Attributes:
        train: what the weights are fitted on.
        validation: decides when to stop, and hyper-parameters.
        test: used once, at the end; None where none was asked for.
        recipe: one sentence that tells how the parts were made.
        warnings: leaks into the test part and users or items that only it has, a line each; see `leaks`.
    """

    train: Ratings
    validation: HoldOut
    test: HoldOut | None
    recipe: str
    warnings: tuple[str, ...] = ()


def split(ratings: Ratings, config: SplitConfig | None = None) -> Split:
    """Divide ratings by the recipe of the settings; the same table and seed give the same split.

    random: every interaction for itself; train is the history of validation and of test, and lists for the test leave
    out what is in validation. time: one cut for all users, so that everything in train is earlier than everything in
    validation, and that than test; equal times stay together. leave-last-out: the last interaction of each user goes
    to test, the one before to validation; equal times are taken in the order of the rows. In these two, all that was
    known before is the history: train for validation, train and validation for test. user: validation and test users
    do not occur in train; a share of their interactions is their history.

    Raises DataError where a part would be empty, where a recipe needs time stamps that are missing, and for rolling,
    which makes several splits.
    """
    settings = SplitConfig() if config is None else config
    if settings.recipe == "rolling":
        raise DataError(f"{ratings.name}: the recipe rolling makes several splits: use split_windows or load_all_parts")
    return split_windows(ratings, settings)[0]


def split_windows(ratings: Ratings, config: SplitConfig) -> tuple[Split, ...]:
    """Like `split`; several for rolling: cuts as for time, moved forward from window to window.

    Window w of W tests on the w-th of the last W slices of `config.test` of the interactions, validates on
    `config.validation` of them just before it, and trains on everything earlier, so that train grows and the last
    window is the split by time. What is later than its slice is in no part of a window. Slices do not overlap, equal
    times stay together, and a window with an empty part is an error.
    """
    if config.recipe == "given":
        raise DataError(f"{ratings.name}: the recipe given needs the given parts: use load_parts or given_split")
    if config.recipe == "leave-last-out":
        return (_leave_last_out(ratings),)
    _refuse_shares(config)
    if config.recipe == "rolling":
        return _rolling(ratings, config)
    recipes = {"random": _at_random, "time": _by_time, "user": _by_user}
    return (recipes[config.recipe](ratings, config),)


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
    labels = draw(len(train), validation=validation, test=0.0, seed=seed)
    parts = _cumulative(train, labels, with_test=False)
    recipe = (
        f"given, seed {seed}: of {len(train):,} given train interactions {tell(labels, with_test=False)}; "
        f"{len(test):,} given test interactions"
    )
    return _warned(replace(parts, test=HoldOut(train, test), recipe=recipe))


def _at_random(ratings: Ratings, config: SplitConfig) -> Split:
    labels = draw(len(ratings), validation=config.validation, test=config.test, seed=config.seed)
    sizes = tell(labels, with_test=config.test > 0)
    recipe = f"random, seed {config.seed}: of {len(ratings):,} interactions {sizes}, each drawn for itself"
    parts = _cumulative(ratings, labels, with_test=config.test > 0)
    if parts.test is not None:
        held_out = HoldOut(parts.train, parts.test.targets, excluded=parts.validation.targets)
        parts = replace(parts, test=held_out)
    return _warned(replace(parts, recipe=recipe))


def _by_time(ratings: Ratings, config: SplitConfig) -> Split:
    labels, cuts = _cut(ratings, config, slices=1)
    with_test = config.test > 0
    starts = f"validation starts {moment(cuts.validation)}" + (f", test {moment(cuts.test)}" if with_test else "")
    sizes = tell(labels, with_test=with_test)
    recipe = f"time: of {len(ratings):,} interactions {sizes}; {starts}; equal times stay together"
    return _warned(replace(_cumulative(ratings, labels, with_test=with_test), recipe=recipe), by_time=True)


def _rolling(ratings: Ratings, config: SplitConfig) -> tuple[Split, ...]:
    return tuple(_window(ratings, config, number) for number in range(1, config.windows + 1))


def _window(ratings: Ratings, config: SplitConfig, number: int) -> Split:
    labels, cuts = _cut(ratings, config, slices=config.windows - number + 1)
    later = np.count_nonzero(labels == LATER)
    end = f", which ends before {moment(cuts.end)}; {later:,} later ones are in no part" if later else ""
    recipe = (
        f"rolling, window {number} of {config.windows}: of {len(ratings):,} interactions "
        f"{tell(labels, with_test=True)}; validation starts {moment(cuts.validation)}, test {moment(cuts.test)}{end}; "
        "equal times stay together"
    )
    parts = _cumulative(ratings, labels, with_test=True, window=f" of window {number}")
    return _warned(replace(parts, recipe=recipe), by_time=True)


def _cut(ratings: Ratings, config: SplitConfig, *, slices: int) -> tuple[Labels, Cuts]:
    times, n = _times(ratings, config.recipe), len(ratings)
    n_validation, n_test = round(config.validation * n), round(config.test * n)
    if not n_validation or n_validation + slices * n_test >= n:
        raise _empty(ratings, "train part" if n_validation else "validation part")
    return cut(times, n_validation=n_validation, n_test=n_test, slices=slices)


def _leave_last_out(ratings: Ratings) -> Split:
    times, users = _times(ratings, "leave-last-out"), _user_indices(ratings)
    rank, counts = rank_within(users, times)
    enough = counts >= 3
    after = np.where(enough[users], counts[users] - 1 - rank, 2)  # how many of the user's come later
    labels = np.select([after == 0, after == 1], [TEST, VALIDATION], TRAIN).astype(np.int8)
    n_short = int(np.count_nonzero(~enough))
    recipe = (
        f"leave-last-out: of {len(ratings):,} interactions {tell(labels, with_test=True)}, one of each user in "
        f"validation and in test; {n_short:,} of {len(counts):,} users have fewer than 3 and stay in train"
    )
    return _warned(replace(_cumulative(ratings, labels, with_test=True), recipe=recipe))


def _by_user(ratings: Ratings, config: SplitConfig) -> Split:
    users, with_test = _user_indices(ratings), config.test > 0
    shuffled = np.random.default_rng([config.seed, 1]).permutation(len(users))
    rank, counts = rank_within(users, shuffled)
    eligible = np.flatnonzero(counts >= 2)
    parts = np.full(len(counts), TRAIN, dtype=np.int8)
    parts[eligible] = draw(len(eligible), validation=config.validation, test=config.test, seed=config.seed)
    n_targets = np.clip(np.rint((1 - config.fold_in) * counts), 1, np.maximum(counts - 1, 1))
    labels, asked = parts[users], rank < n_targets[users]
    recipe = (
        f"user, seed {config.seed}: of {len(counts):,} users {tell(parts, with_test=with_test)}; a held-out user's "
        f"history is {config.fold_in:g} of their interactions, at least one and not all; "
        f"{len(counts) - len(eligible):,} users with 1 interaction have nothing to hold out and stay in train"
    )
    validation = _fold_in(ratings, labels == VALIDATION, asked, "validation")
    test = _fold_in(ratings, labels == TEST, asked, "test") if with_test else None
    return _warned(Split(_part(ratings, labels == TRAIN, "train part"), validation, test, recipe), by_user=True)


def _fold_in(ratings: Ratings, mask: NDArray[np.bool_], asked: NDArray[np.bool_], part: str) -> HoldOut:
    targets = _part(ratings, mask & asked, f"{part} part")
    return HoldOut(_part(ratings, mask & ~asked, f"{part} history"), targets)


def _cumulative(ratings: Ratings, labels: Labels, *, with_test: bool, window: str = "") -> Split:
    """Parts in which everything known before is the history; `window` names them in errors."""
    train = _part(ratings, labels == TRAIN, f"train part{window}")
    validation = HoldOut(train, _part(ratings, labels == VALIDATION, f"validation part{window}"))
    if not with_test:
        return Split(train, validation, None, "")
    targets = _part(ratings, labels == TEST, f"test part{window}")
    return Split(train, validation, HoldOut(_part(ratings, labels < TEST, "test history"), targets), "")


def _warned(parts: Split, *, by_time: bool = False, by_user: bool = False) -> Split:
    """The split with the warnings that its test part calls for."""
    test = parts.test
    if test is None:
        return parts
    taken = test.history if test.excluded is None else join(test.history, test.excluded)
    return replace(parts, warnings=leak_warnings(parts.train, taken, test.targets, by_time=by_time, by_user=by_user))


def _part(ratings: Ratings, mask: NDArray[np.bool_], part: str) -> Ratings:
    if not mask.any():
        raise _empty(ratings, part)
    return replace(ratings, frame=ratings.frame[np.flatnonzero(mask)])


def _refuse_shares(config: SplitConfig) -> None:
    """Shares that leave nothing to train on, whatever the data."""
    slices = config.windows if config.recipe == "rolling" else 1
    if config.recipe == "rolling" and not config.test:
        raise DataError("split.test = 0 leaves the windows of rolling nothing to test on: expected a share above 0")
    if config.validation + slices * config.test >= 1:
        test = f"{slices} windows x test {config.test:g}" if slices > 1 else f"test {config.test:g}"
        raise DataError(f"validation {config.validation:g} + {test} leave nothing to train on: expected a sum below 1")


def _empty(ratings: Ratings, part: str) -> DataError:
    return DataError(
        f"{ratings.name}: the {part} would be empty, with {len(ratings):,} interactions of "
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
