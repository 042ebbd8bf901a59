"""Named data sets."""

from pathlib import Path

import platformdirs
import polars as pl
import pytest

from conv4rec.config import DataConfig
from conv4rec.data import coat, named
from conv4rec.data.download import Download
from conv4rec.data.named import NAMED_SETS, NamedSet, find, given_parts, load_named, named_test_part
from conv4rec.data.ratings import Ratings
from conv4rec.data.simulator import simulate
from conv4rec.data.sources import load_ratings
from conv4rec.errors import DataError, DatasetNotFoundError

STARS = ["1", "2", "3", "4", "5"]
HALVES = ["0.5", "1", "1.5", "2", "2.5", "3", "3.5", "4", "4.5", "5"]


@pytest.fixture
def data(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONV4REC_DATA", str(data_folder))
    return data_folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and nothing else."""
    monkeypatch.delenv("CONV4REC_DATA", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_args, **_kwargs: tmp_path)
    return tmp_path


def labels(ratings: Ratings) -> list[str]:
    return [t.label for t in ratings.types.outcomes]


@pytest.mark.parametrize(
    ("name", "n_rows", "n_users", "n_items", "scale"),
    [
        ("ml-100k", 100_000, 943, 1682, STARS),
        ("ml-1m", 1_000_209, 6040, 3706, STARS),
        ("ml-latest-small", 100_004, 671, 9066, HALVES),
        ("movietweetings", 100_000, 16_554, 10_506, ["0", *STARS, "6", "7", "8", "9", "10"]),
        ("yahoo-r3", 311_704, 15_400, 1000, STARS),
        ("coat", 6960, 290, 300, STARS),
    ],
)
@pytest.mark.usefixtures("data")
def test_the_sets_are_what_they_are_said_to_be(
    name: str, n_rows: int, n_users: int, n_items: int, scale: list[str]
) -> None:
    ratings = load_ratings(name)
    assert (len(ratings), ratings.n_users, ratings.n_items) == (n_rows, n_users, n_items)
    assert labels(ratings) == scale
    assert ratings.name == name
    assert "no repeated events (keep=last)" in ratings.notes


@pytest.mark.usefixtures("data")
def test_the_published_fold_has_one_interaction_type() -> None:
    parts = given_parts("ml-1m-fold")
    assert parts is not None
    train, test = parts
    assert (len(train), len(test), train.n_users, train.n_items) == (454_860, 116_671, 5949, 2810)
    assert labels(train) == labels(test) == ["unrated"]
    assert train.frame.columns == ["user_id", "item_id"]
    assert test.frame.columns == ["user_id", "item_id", "timestamp"]
    assert train.frame.row(0) == (1, 1)
    assert any("the third column is left out" in note for note in train.notes)
    assert not train.frame.join(test.frame, on=["user_id", "item_id"], how="semi").height


@pytest.mark.usefixtures("cache")
def test_the_published_fold_cannot_be_downloaded() -> None:
    with pytest.raises(DatasetNotFoundError, match=r"^ml-1m-fold: not in .*put train.tsv.gz and test.tsv.gz into"):
        load_named("ml-1m-fold")


@pytest.mark.usefixtures("data")
def test_titles() -> None:
    titles = {name: load_ratings(name).items for name in ("ml-100k", "ml-1m", "ml-latest-small", "movietweetings")}
    for items in titles.values():
        assert items is not None
        assert items.columns == ["item_id", "title", "tags"]
    million = titles["ml-1m"]
    assert million is not None
    assert million.filter(item_id=1).row(0) == (1, "Toy Story (1995)", ["Animation", "Children's", "Comedy"])
    assert million.filter(pl.col("title").str.contains("Misérables")).height > 0


@pytest.mark.usefixtures("data")
def test_leading_zeros_of_imdb_survive() -> None:
    items = load_ratings("movietweetings").frame["item_id"]
    assert items.dtype == pl.String
    assert "0104257" in items


@pytest.mark.parametrize(
    ("name", "n_train", "n_test"), [("ml-100k", 80_000, 20_000), ("yahoo-r3", 311_704, 54_000), ("coat", 6960, 4640)]
)
@pytest.mark.usefixtures("data")
def test_given_test_parts(name: str, n_train: int, n_test: int) -> None:
    parts = given_parts(name, config=DataConfig(min_user=2))
    assert parts is not None
    train, test = parts
    assert (len(train), len(test)) == (n_train, n_test)
    assert train.types == test.types
    assert train.frame.schema == test.frame.schema
    assert test.name == f"{name} test part"
    alone = named_test_part(name)
    assert alone is not None
    assert alone.frame.equals(test.frame)


def test_a_set_without_test_part() -> None:
    assert given_parts("ml-1m") is None
    assert named_test_part("simulated") is None


def test_simulated() -> None:
    made, read = simulate().ratings, load_ratings("simulated")
    assert read.frame.equals(made.frame)
    assert read.types == made.types
    assert made.items is not None
    assert read.items is not None
    assert read.items.equals(made.items)
    assert load_named("simulated", config=DataConfig(min_item=60)).n_items < made.n_items


@pytest.mark.usefixtures("data")
def test_settings_hold_for_named_sets() -> None:
    assert len(labels(load_ratings("coat", config=DataConfig(bins=2)))) == 2
    with pytest.raises(DataError, match=r"train\.ascii:\d+: rating \d\.0 is not one of 1, 2"):
        load_ratings("coat", config=DataConfig(scale=(1, 2)))


def test_publishers_files_are_found_too(cache: Path) -> None:
    (cache / "ml-1m").mkdir()
    (cache / "ml-1m" / "ratings.dat").write_text("1::1193::5::978300760\n1::661::3::978302109\n")
    (cache / "ml-1m" / "movies.dat").write_bytes("661::L\u00e9on::Crime|Drama\n".encode("latin-1"))
    assert find("ml-1m") == cache / "ml-1m"
    ratings = load_ratings("ml-1m")
    assert ratings.frame.row(0) == (1, 1193, 5.0, 978300760)
    assert labels(ratings) == STARS
    assert ratings.items is not None
    assert ratings.items.row(0) == (661, "Léon", ["Crime", "Drama"])


def test_the_environment_comes_before_the_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for root in (cache, cache / "own"):
        (root / "coat").mkdir(parents=True)
        (root / "coat" / "train.ascii").write_text("0 1\n2 0\n")
    assert find("coat") == cache / "coat"
    monkeypatch.setenv("CONV4REC_DATA", str(cache / "own"))
    assert find("coat") == cache / "own" / "coat"


def test_a_set_that_nobody_offers(cache: Path) -> None:
    with pytest.raises(DatasetNotFoundError) as caught:
        load_ratings("yahoo-r3")
    assert str(caught.value) == (
        f"yahoo-r3: not in {cache}, and no publisher offers it for download; "
        f"put user.txt and random.txt into {cache}/yahoo-r3 or set CONV4REC_DATA"
    )


def test_offline_is_one_clear_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = NamedSet("about", "free", ratings=("a.csv",), downloads=(Download("http://127.0.0.1:9/a.csv", ("a.csv",)),))
    monkeypatch.setitem(NAMED_SETS, "lonely", known)
    with pytest.raises(DatasetNotFoundError) as caught:
        load_ratings("lonely")
    assert str(caught.value) == (
        "lonely: cannot be downloaded: http://127.0.0.1:9/a.csv: Connection refused; "
        f"not in {cache}: put a.csv into {cache}/lonely or set CONV4REC_DATA"
    )


def test_a_download_is_used(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(_name: str, _downloads: object, folder: Path, _progress: object) -> None:
        folder.mkdir()
        (folder / "u.data").write_text("1\t2\t3\t4\n")

    monkeypatch.setattr(named, "fetch", fetch)
    assert load_ratings("ml-100k").frame.rows() == [(1, 2, 3.0, 4)]
    with pytest.raises(DatasetNotFoundError, match=rf"ml-100k: {cache}/ml-100k has no u1\.base"):
        given_parts("ml-100k")


def test_names_that_do_not_exist() -> None:
    with pytest.raises(
        DatasetNotFoundError, match=r"'ml-10m' is neither a file nor a named data set; did you mean 'ml-1.*'\?"
    ):
        load_ratings("ml-10m")
    with pytest.raises(
        DatasetNotFoundError, match=r"'zzz' is neither .*; named data sets: ml-100k, ml-1m, .*simulated"
    ):
        load_ratings("zzz")
    with pytest.raises(DatasetNotFoundError, match="'zzz' is neither a file nor a named data set"):
        find("zzz")


def test_matrices_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "train.ascii").write_text("0 1\n2\n")
    with pytest.raises(DataError, match=r"train\.ascii: not a matrix of integers: "):
        coat.read_matrix(tmp_path / "train.ascii")
    (tmp_path / "f.ascii").write_text("0 1\n")
    (tmp_path / "f_map.txt").write_text("a\n")
    with pytest.raises(DataError, match=r"f\.ascii: 2 columns; expected 1, as in f_map\.txt"):
        coat.read_features(tmp_path / "f.ascii")
