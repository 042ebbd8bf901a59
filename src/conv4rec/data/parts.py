"""From a source to its parts: load, split as the settings say, and keep what is known of it all."""

from typing import Any, NamedTuple

from conv4rec.config import Config
from conv4rec.data.download import Progress
from conv4rec.data.named import NAMED_SETS, given_parts
from conv4rec.data.ratings import Ratings, join, same_scale
from conv4rec.data.sources import load_ratings
from conv4rec.data.split import Split, given_split, split
from conv4rec.errors import DataError


class Parts(NamedTuple):
    """A split, and all of its interactions: the users' histories once the model is in use."""

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
        DataError: the recipe `given` for a source that has no given parts, or together with `test`.
    """
    if config.split.recipe == "given":
        return _given(source, config, test, progress)
    ratings = load_ratings(source, config=config.data, query=query, progress=progress)
    if test is None:
        return Parts(split(ratings, config.split), ratings)
    return _parts(ratings, load_ratings(test, config=same_scale(config.data, ratings)), config)


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
