"""From a source to its parts: load, split as the settings say, and keep what is known of it all."""

from dataclasses import replace
from typing import Any, NamedTuple

from conv4rec.config import Config
from conv4rec.data.download import Progress
from conv4rec.data.named import NAMED_SETS, given_parts
from conv4rec.data.ratings import Ratings, join, same_scale
from conv4rec.data.sources import load_ratings
from conv4rec.data.split import HoldOut, Split, given_split, split_windows
from conv4rec.errors import DataError


class Parts(NamedTuple):
    """A split, and all interactions up to the end of its test part: the users' histories once the model is in use."""

    split: Split
    known: Ratings


def load_parts(
    source: Any, config: Config, *, test: Any = None, query: str | None = None, progress: Progress | None = None
) -> Parts:
    """Load ratings and divide them by `config.split`.

    Args:
        source: as for `load_ratings`.
        config: sections `data` and `split`. The recipe `given` takes the parts that the publisher of a named data set
            gives, and draws validation from the train part.
        test: a source of its own for the test part; then validation is drawn from `source`.
        query: SQL, where `source` is a database.
        progress: as for `load_ratings`.

    Raises:
        DataError: the recipe `given` for a source that has no given parts, or together with `test`; the recipe
            `rolling`, which makes several splits.
    """
    windows = load_all_parts(source, config, test=test, query=query, progress=progress)
    if len(windows) > 1:
        raise DataError(f"split.recipe = rolling makes {len(windows)} splits: use load_all_parts")
    return windows[0]


def load_all_parts(
    source: Any, config: Config, *, test: Any = None, query: str | None = None, progress: Progress | None = None
) -> tuple[Parts, ...]:
    """Like `load_parts`; several for the recipe `rolling`, in the order of time, and one for every other.

    What is later than the test part of a window is in none of its tables, so that its model knows no user or item
    from then.
    """
    if config.split.recipe == "given":
        return (_given(source, config, test, progress),)
    ratings = load_ratings(source, config=config.data, query=query, progress=progress)
    if test is not None:
        return (_parts(ratings, load_ratings(test, config=same_scale(config.data, ratings)), config),)
    windows = split_windows(ratings, config.split)
    if len(windows) == 1:
        return (Parts(windows[0], ratings),)
    return tuple(Parts(window, _until(window.test, ratings)) for window in windows)


def _until(test: HoldOut | None, ratings: Ratings) -> Ratings:
    """The ratings that are not later than the test part of their window."""
    return ratings if test is None else replace(join(test.history, test.targets), notes=ratings.notes)


def _given(source: Any, config: Config, test: Any, progress: Progress | None) -> Parts:
    if test is not None:
        raise DataError("split.recipe = given takes the test part of the publisher: give no other test part")
    named = isinstance(source, str) and source in NAMED_SETS
    given = given_parts(source, config=config.data, progress=progress) if named else None
    if given is None:
        raise DataError(f"split.recipe = given: {source} has no given parts; name a test part, or another recipe")
    return _parts(*given, config)


def _parts(train: Ratings, test: Ratings, config: Config) -> Parts:
    settings = config.split
    return Parts(given_split(train, test, validation=settings.validation, seed=settings.seed), join(train, test))
