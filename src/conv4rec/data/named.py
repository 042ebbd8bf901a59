"""Data sets with a name: where they are looked for, what their files are, and where they come from."""

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs

from conv4rec.config import DataConfig
from conv4rec.data.coat import is_matrix, read_features, read_matrix
from conv4rec.data.download import Download, Progress, fetch
from conv4rec.data.ratings import Ratings
from conv4rec.data.reading import read_file
from conv4rec.data.side import with_items
from conv4rec.data.table import Table, by_row
from conv4rec.data.validate import validated
from conv4rec.errors import DatasetNotFoundError

MOVIELENS = "https://files.grouplens.org/datasets/movielens"
TWEETINGS = "https://raw.githubusercontent.com/sidooms/MovieTweetings/master/snapshots/100K"
GROUPLENS = "GroupLens: research, no redistribution"
FIVE = (1.0, 2.0, 3.0, 4.0, 5.0)


@dataclass(frozen=True)
class NamedSet:
    """What is known of a named data set. Of alternative file names the first that exists is taken.

    Attributes:
        about: what it is, in a line.
        licence: under which terms its publisher gives it.
        scale: its rating values; empty where nothing is rated: then what stands in the place of a rating is left out.
        ratings: the file of all ratings, or of those that users chose to give.
        train: the train part of the given split; empty where it is `ratings`.
        test: the test part of the given split; empty where there is none.
        items: the side table.
        folders: names its folder may have besides its own.
        downloads: what the publisher offers; empty where they ask for a request or a form.
    """

    about: str
    licence: str
    scale: tuple[float, ...] = FIVE
    ratings: tuple[str, ...] = ()
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    downloads: tuple[Download, ...] = ()


NAMED_SETS: dict[str, NamedSet] = {
    "ml-100k": NamedSet(
        about="MovieLens 100K: 943 users, 1,682 films, 1998",
        licence=GROUPLENS,
        ratings=("u.data",),
        train=("u1.base",),
        test=("u1.test",),
        items=("u.item", "ml-100k.item"),
        downloads=(
            Download(
                f"{MOVIELENS}/ml-100k.zip",
                ("ml-100k/u.data", "ml-100k/u.item", "ml-100k/u1.base", "ml-100k/u1.test", "ml-100k/README"),
                md5="0e33842e24a9c977be4e0107933c0723",
            ),
        ),
    ),
    "ml-1m": NamedSet(
        about="MovieLens 1M: 6,040 users, 3,706 films, 2000",
        licence=GROUPLENS,
        ratings=("ratings.dat", "ratings.csv.gz"),
        items=("movies.dat",),
        downloads=(
            Download(
                f"{MOVIELENS}/ml-1m.zip",
                ("ml-1m/ratings.dat", "ml-1m/movies.dat", "ml-1m/users.dat", "ml-1m/README"),
                md5="c4d9eecfca2ab87c1945afe126590906",
            ),
        ),
    ),
    "ml-1m-fold": NamedSet(
        about="MovieLens 1M, a published fold of a Top-N study: ratings of 4 and 5, 10-core",
        licence=GROUPLENS,
        scale=(),
        ratings=("train.tsv.gz",),
        test=("test.tsv.gz",),
        folders=("sisinflab-ml-1m/fold0",),
    ),
    # The two below change at their publishers, who state no lasting hash.
    "ml-latest-small": NamedSet(
        about="MovieLens, a recent sample of 100,000 ratings in halves",
        licence="GroupLens: non-commercial, redistribution under the same terms",
        scale=tuple(half / 2 for half in range(1, 11)),
        ratings=("ratings.csv",),
        items=("movies.csv",),
        downloads=(
            Download(
                f"{MOVIELENS}/ml-latest-small.zip",
                ("ml-latest-small/ratings.csv", "ml-latest-small/movies.csv", "ml-latest-small/README.txt"),
            ),
        ),
    ),
    "movietweetings": NamedSet(
        about="MovieTweetings 100K: ratings from 0 to 10 that were tweeted in 2013",
        licence="MIT",
        scale=tuple(float(value) for value in range(11)),
        ratings=("ratings.dat",),
        items=("movies.dat",),
        folders=("movietweetings-100k",),
        downloads=(
            Download(f"{TWEETINGS}/ratings.dat", ("ratings.dat",)),
            Download(f"{TWEETINGS}/movies.dat", ("movies.dat",)),
        ),
    ),
    "yahoo-r3": NamedSet(
        about="Yahoo! R3: songs that users chose to rate; test: songs drawn at random for them",
        licence="Yahoo Webscope: academic use, on request, no redistribution",
        ratings=("user.txt", "ydata-ymusic-rating-study-v1_0-train.txt"),
        test=("random.txt", "ydata-ymusic-rating-study-v1_0-test.txt"),
    ),
    "coat": NamedSet(
        about="Coats that users chose to rate; test: coats drawn at random for them (Schnabel et al. 2016)",
        licence="research",
        ratings=("train.ascii",),
        test=("test.ascii",),
        items=("user_item_features/item_features.ascii",),
    ),
    "simulated": NamedSet(about="ratings made by the simulator of this package, whose law is known", licence="MIT"),
}


def find(name: str) -> Path | None:
    """The folder of a named data set on this machine: below CONV4REC_DATA, then in the user's cache; None: not here."""
    known = _known(name)
    folders = [root / folder for root in _roots() for folder in (name, *known.folders)]
    return next((folder for folder in folders if _first(folder, known.ratings) is not None), None)


def load_named(name: str, *, config: DataConfig | None = None, progress: Progress | None = None) -> Ratings:
    """The ratings of a named data set, downloaded first where that is needed and can be done.

    Of `yahoo-r3` and `coat` these are the ratings that users chose to give.

    Raises:
        DatasetNotFoundError: an unknown name, or a set that is not here and cannot be downloaded.
    """
    settings = DataConfig() if config is None else config
    return _simulated(settings) if name == "simulated" else _load(name, _known(name).ratings, settings, progress)


def given_parts(
    name: str, *, config: DataConfig | None = None, progress: Progress | None = None
) -> tuple[Ratings, Ratings] | None:
    """The train and the test part that the publisher gives, of the same types; None where they give none.

    `min_user` and `min_item` of `config` hold for the train part only.
    """
    known = _known(name)
    if not known.test:
        return None
    settings = DataConfig() if config is None else config
    train = _load(name, known.train if known.train else known.ratings, settings, progress)
    whole = settings.model_copy(update={"min_user": 0, "min_item": 0})
    test = _load(name, known.test, whole, progress)
    return train, replace(test, name=f"{name} test part", types=train.types)


def named_test_part(name: str, *, config: DataConfig | None = None, progress: Progress | None = None) -> Ratings | None:
    """The test part of `given_parts`; None where there is none."""
    parts = given_parts(name, config=config, progress=progress)
    return None if parts is None else parts[1]


def unknown_name(name: str) -> DatasetNotFoundError:
    """The error for a text that is neither a file nor a named data set."""
    near = difflib.get_close_matches(name, NAMED_SETS, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else f"; named data sets: {', '.join(NAMED_SETS)}"
    return DatasetNotFoundError(f"{name!r} is neither a file nor a named data set{hint}")


def _simulated(config: DataConfig) -> Ratings:
    from conv4rec.data.simulator import simulate

    made = simulate().ratings
    frame = made.frame.rename({"user_id": "user", "item_id": "item"})
    ratings = validated(
        Table(frame, made.name, by_row(made.name)), _on_scale(config, made.types.rating_values.tolist())
    )
    return replace(ratings, items=made.items, notes=(*made.notes, *ratings.notes))


def _on_scale(config: DataConfig, scale: Sequence[float]) -> DataConfig:
    """The settings with this scale, unless there is none, or they ask for another or for bins."""
    if not scale or config.scale is not None or config.bins is not None:
        return config
    return config.model_copy(update={"scale": tuple(scale)})


def _load(name: str, files: tuple[str, ...], config: DataConfig, progress: Progress | None) -> Ratings:
    known = _known(name)
    folder = find(name)
    if folder is None:
        folder = _download(name, known, progress)
    path = _first(folder, files)
    if path is None:
        raise DatasetNotFoundError(f"{name}: {folder} has no {' or '.join(files)}")
    config = _on_scale(config, known.scale)
    table = read_matrix(path) if is_matrix(path) else read_file(path, config)
    table = table if known.scale else _unrated(table)
    ratings = replace(validated(table, config), name=name)
    side = _first(folder, known.items)
    return ratings if side is None else with_items(ratings, read_features(side) if is_matrix(side) else side)


def _unrated(table: Table) -> Table:
    note = "every row is an interaction without a rating: the third column is left out"
    return replace(table, frame=table.frame.drop("rating"), notes=(*table.notes, note))


def _download(name: str, known: NamedSet, progress: Progress | None) -> Path:
    cache = _roots()[-1]
    put = f"put {' and '.join(f[0] for f in (known.ratings, known.test) if f)} into {cache / name} or set CONV4REC_DATA"
    if not known.downloads:
        raise DatasetNotFoundError(f"{name}: not in {_searched()}, and no publisher offers it for download; {put}")
    try:
        fetch(name, known.downloads, cache / name, progress)
    except DatasetNotFoundError as error:
        raise DatasetNotFoundError(f"{error}; not in {_searched()}: {put}") from None
    return cache / name


def _known(name: str) -> NamedSet:
    if name not in NAMED_SETS:
        raise unknown_name(name)
    return NAMED_SETS[name]


def _roots() -> list[Path]:
    """Where named data sets are looked for, the user's cache last."""
    named = os.environ.get("CONV4REC_DATA")
    cache = platformdirs.user_cache_path("conv4rec", appauthor=False)
    return [cache] if not named else [Path(named), cache]


def _searched() -> str:
    return " or ".join(str(root) for root in _roots())


def _first(folder: Path, files: tuple[str, ...]) -> Path | None:
    return next((folder / file for file in files if (folder / file).is_file()), None)
