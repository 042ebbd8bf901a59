"""The command line, command by command: what it prints, and what it refuses in one line."""

import importlib.metadata
import json
import sys
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from conv4rec.cli import main
from conv4rec.config import Config, make_config
from conv4rec.data.ratings import Ratings
from conv4rec.recommender import Conv4Rec

SMALL = ["model.embedding_dim=8", "model.rating_embedding_dim=4", "train.epochs=4", "train.device=cpu"]
SETS = [part for setting in SMALL for part in ("--set", setting)]


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `conv4rec` with these words in this process."""

    def run_it(*words: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["conv4rec", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        code = left.value.code
        return Done(code if isinstance(code, int) else 0, said.out, said.err)

    return run_it


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, fitted: Conv4Rec) -> Path:
    return fitted.save(tmp_path_factory.mktemp("model") / "m.conv4rec")


def test_train_then_evaluate_say_the_same(run: Run, csv: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.conv4rec"
    trained = run("train", "--data", csv, "--model", path, *SETS, "--json")
    assert trained.code == 0
    told = trained.json
    assert told["model"] == str(path)
    assert told["epochs"] == 4
    assert told["fit_seconds"] > 0
    assert {"ndcg@20", "recall@20", "mrr@20", "coverage@20", "rmse", "mae", "nll"} <= told["metrics"]["test"].keys()
    assert any("random, seed 0" in note for note in told["notes"])
    assert told["config"]["train"]["epochs"] == 4
    evaluated = run("evaluate", path, "--data", csv, "--json")
    assert evaluated.json["metrics"]["test"] == pytest.approx(told["metrics"]["test"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.conv4rec"]


def test_train_says_it_to_people_too(run: Run, csv: Path, tmp_path: Path) -> None:
    done = run("train", "--data", csv, "--model", tmp_path / "m", *SETS)
    assert done.code == 0
    for word in ("ndcg@20", "rmse", "divide by min(k, relevant items)", "saved to"):
        assert word in done.out.replace("\n", " ").replace("  ", " ")


def test_a_given_test_part(run: Run, checkerboard: Ratings, tmp_path: Path) -> None:
    frame = checkerboard.frame.sample(fraction=1, shuffle=True, seed=1)
    frame[60:].write_csv(tmp_path / "train.csv")
    frame[:60].write_csv(tmp_path / "test.csv")
    files = ("--data", tmp_path / "train.csv", "--test", tmp_path / "test.csv")
    trained = run("train", *files, "--model", tmp_path / "m", *SETS, "--json").json
    assert trained["counts"]["interactions"] == 60
    assert run("evaluate", tmp_path / "m", *files, "--json").json["metrics"] == {
        "test": pytest.approx(trained["metrics"]["test"])
    }


def test_evaluate_refuses_other_data(run: Run, model: Path, checkerboard: Ratings, tmp_path: Path) -> None:
    checkerboard.frame[:-1].write_csv(tmp_path / "other.csv")
    done = run("evaluate", model, "--data", tmp_path / "other.csv")
    assert (done.code, done.out) == (2, "")
    assert "is not the data the model was trained on (checkerboard)" in done.err


def test_without_a_test_part_there_are_no_test_figures(run: Run, csv: Path, tmp_path: Path) -> None:
    words = ("train", "--data", csv, "--model", tmp_path / "m", *SETS, "--set", "split.test=0")
    assert run(*words, "--json").json["metrics"].keys() == {"validation"}
    done = run("evaluate", tmp_path / "m", "--data", csv)
    assert "trained without a test part (split.test = 0): give one as --test" in done.err


def test_recommend_is_the_python_answer(run: Run, model: Path, fitted: Conv4Rec) -> None:
    told = run("recommend", model, "--user", "100", "--user", "101", "-k", "3", "--rank-by", "enjoy", "--json").json
    assert told["rows"] == 6
    expected = fitted.recommend([100, 101], 3, rank_by="enjoy").to_dicts()
    assert told["recommendations"] == [pytest.approx(row) for row in expected]


def test_recommend_from_a_history(run: Run, model: Path, fitted: Conv4Rec) -> None:
    done = run("recommend", model, "--history", "i00=5", "--history", "i02", "-k", "4", "--json")
    expected = fitted.recommend_for({"i00": 5.0, "i02": None}, 4)
    assert [row["item_id"] for row in done.json["recommendations"]] == expected["item_id"].to_list()


def test_recommend_options(run: Run, model: Path) -> None:
    words = ("--user", "101", "--candidate", "i02", "--candidate", "i04", "--include-seen", "--like", "5")
    rows = run("recommend", model, *words, "--json").json["recommendations"]
    assert sorted(row["item_id"] for row in rows) == ["i02", "i04"]
    assert all(row["p_like"] == pytest.approx(row["p_rating_5"]) for row in rows)


def test_recommend_without_the_law(run: Run, model: Path, fitted: Conv4Rec) -> None:
    done = run("recommend", model, "--user", "100", "-k", "3", "--no-law", "--json")
    expected = fitted.recommend([100], 3, law=False).to_dicts()
    assert done.json["recommendations"] == [pytest.approx(row) for row in expected]
    assert "p_consume" not in run("recommend", model, "--history", "i00=5", "-k", "2", "--no-law").out


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_recommend_everybody_to_a_file(run: Run, model: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    done = run("recommend", model, "--all-users", "-k", "2", "-o", path, "--json")
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".parquet": pl.read_parquet,
        ".csv": pl.read_csv,
        ".jsonl": pl.read_ndjson,
    }
    read = readers[suffix](path)
    assert done.json == {"model": str(model), "rows": read.height, "out": str(path)}
    assert read["user_id"].n_unique() == 60


def test_recommend_prints_a_table(run: Run, model: Path) -> None:
    done = run("recommend", model, "--user", "100", "-k", "2")
    assert "expected_rating" in done.out
    assert "p_rating" not in done.out


def test_predict(run: Run, model: Path, fitted: Conv4Rec, tmp_path: Path) -> None:
    pairs = pl.DataFrame({"user": [100, 101, 100], "item": ["i00", "i01", "i00"]})
    pairs.write_csv(tmp_path / "pairs.csv")
    from_file = run("predict", model, "--pairs", tmp_path / "pairs.csv", "--json").json["predictions"]
    words = ("--user", "100", "--item", "i00", "--user", "101", "--item", "i01", "--user", "100", "--item", "i00")
    assert run("predict", model, *words, "--json").json["predictions"] == from_file
    expected = fitted.predict(pairs.rename({"user": "user_id", "item": "item_id"})).to_dicts()
    assert from_file == [pytest.approx(row) for row in expected]


def test_config_prints_toml_that_can_be_read(run: Run, tmp_path: Path) -> None:
    text = run("config", "--set", "train.epochs=7", "--set", "data.scale=[1,2,3]").out
    assert make_config(tomllib.loads(text)) == make_config({"train": {"epochs": 7}, "data": {"scale": [1, 2, 3]}})
    assert "# Passes over the users" in text
    (tmp_path / "c.toml").write_text(text)
    assert (
        run("config", "--config", tmp_path / "c.toml", "--set", "train.seed=3", "--json").json["train"]["epochs"] == 7
    )
    assert run("config", "--json").json == Config().model_dump(mode="json")


def test_doctor(run: Run) -> None:
    told = run("doctor", "--json").json
    assert told["version"]["torch"].startswith("2")
    assert told["torch"]["threads"] >= 1
    assert "ml-100k" in told["data"]
    assert told["version"]["conv4rec"] is not None
    assert {"fastapi", "uvicorn", "orjson", "alembic"} <= told["extra serve"].keys()
    assert told["extra serve"]["fastapi"] == importlib.metadata.version("fastapi")
    assert {"version torch", "extra serve fastapi"} <= {line[:26].strip() for line in run("doctor").out.splitlines()}


REFUSED = [
    (("recommend", "MODEL"), "expected one of --user, --users, --all-users, --shards and --history"),
    (
        ("recommend", "MODEL", "--user", "100", "--all-users"),
        "expected one of --user, --users, --all-users, --shards and --history",
    ),
    (("recommend", "MODEL", "--user", "abc"), "user 'abc': the user ids of this model are integers"),
    (("recommend", "MODEL", "--user", "7"), "user 7 not known to this model"),
    (("recommend", "MODEL", "--user", "100", "-k", "0"), "k = 0: expected 1 to 24"),
    (("recommend", "MODEL", "--history", "i00=x"), "--history 'i00=x': rating 'x' is not a number"),
    (("recommend", "MODEL", "--user", "100", "-o", "out.xls"), "expected a name that ends in .parquet, .csv, .jsonl"),
    (("recommend", "none"), "expected one of"),
    (("recommend", "none", "--user", "1"), "none: cannot be read: No such file"),
    (("predict", "MODEL"), "predict: expected --pairs, or --user and --item"),
    (("predict", "MODEL", "--user", "100"), "predict: 1 --user and 0 --item: expected as many of each"),
    (("train", "--data", "CSV", "--set", "train.epoch=3"), "setting train.epoch does not exist"),
    (("train", "--data", "CSV", "--set", "epochs=3"), "expected section.field=value, such as train.epochs=5"),
    (("train", "--data", "CSV", "--set", "split.recipe=time"), "needs time stamps"),
    (("train", "--data", "CSV", "--recipe", "rolling"), "a rolling split needs time stamps"),
    (("train", "--data", "CSV", "--recipe", "u1"), "recipe u1 is for the data set ml-100k; got "),
    (("train", "--data", "CSV", "--recipe", "rondom"), "recipe 'rondom' does not exist; did you mean 'random'?"),
    (("train", "--data", "CSV", "--recipe", "random", "--test", "CSV"), "recipe random makes the test part itself"),
    (("train", "--data", "CSV", "--config", "none.toml"), "none.toml: cannot be read: No such file"),
    (("train", "--data", "nowhere.csv"), "nowhere.csv"),
    (("train", "--data", "CSV", "--set", "train.device=cuda:99"), "device 'cuda:99' cannot be used here"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_a_refusal_is_one_line_and_exit_status_2(
    run: Run,
    csv: Path,
    model: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"CSV": str(csv), "MODEL": str(model)}
    done = run(*(files.get(word, word) for word in words))
    assert (done.code, done.out) == (2, "")
    line = done.err.splitlines()[-1]
    assert line.startswith("conv4rec: ")
    assert message in line


def test_a_model_that_cannot_be_saved_leaves_nothing(run: Run, csv: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("train", "--data", csv, "--model", tmp_path / "file" / "m", *SETS)
    assert done.code == 2
    assert "cannot be written" in done.err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_parts_of_the_publisher(
    run: Run, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONV4REC_DATA", str(data_folder))
    words = ("--data", "coat", "--model", tmp_path / "m", "--set", "split.recipe=given", *SETS, "--json")
    told = run("train", *words).json
    assert told["counts"]["interactions"] == 4640
    again = run("evaluate", tmp_path / "m", "--data", "coat", "--json").json
    assert again["metrics"]["test"] == pytest.approx(told["metrics"]["test"])


def test_a_recipe_says_its_rules(run: Run, csv: Path, tmp_path: Path) -> None:
    words = ("train", "--data", csv, "--model", tmp_path / "m", *SETS, "--recipe", "strong")
    told = run(*words, "--json").json
    assert told["recipe"] == "strong"
    assert told["config"]["split"]["recipe"] == "user"
    assert "relevant: every held-out interaction whose item is not in the history" in told["notes"]
    assert any(note.startswith("denominators: ") for note in told["notes"])
    said = " ".join(run(*words, "--set", "evaluate.relevant=4").out.split())
    assert "recipe strong (changed): strong generalization" in said
    assert "relevant: held-out ratings of 4 or more" in said


def test_set_goes_before_a_recipe_and_a_recipe_before_a_file(run: Run, csv: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[split]\ntest = 0.3\nvalidation = 0.3\nseed = 4\n")
    words = ("train", "--data", csv, "--model", tmp_path / "m", *SETS, "--config", tmp_path / "c.toml", "--json")
    split = run(*words, "--recipe", "random", "--set", "split.test=0.2").json["config"]["split"]
    assert (split["test"], split["validation"], split["seed"]) == (0.2, 0.1, 4)
    assert run(*words).json["recipe"] is None


@pytest.fixture(scope="module")
def timed_csv(tmp_path_factory: pytest.TempPathFactory, checkerboard: Ratings) -> Path:
    """The checkerboard, its interactions one a second in a random order."""
    path = tmp_path_factory.mktemp("data") / "timed.csv"
    frame = checkerboard.frame.sample(fraction=1, shuffle=True, seed=2)
    frame.with_columns(timestamp=pl.int_range(pl.len())).write_csv(path)
    return path


def test_rolling_windows_are_trained_one_by_one(run: Run, timed_csv: Path, tmp_path: Path) -> None:
    words = ("train", "--data", timed_csv, "--model", tmp_path / "m", "--recipe", "rolling", *SETS)
    told = run(*words, "--json").json
    windows = told["windows"]
    assert [f"window {n} of 3" in window["notes"][0] for n, window in enumerate(windows, 1)] == [True] * 3
    for name, mean in told["metrics"]["test"].items():
        assert mean == pytest.approx(sum(window["metrics"]["test"][name] for window in windows) / 3)
    assert told["notes"][-1] == "metrics: plain mean over 3 windows; saved: the model of the last one"
    evaluated = run("evaluate", tmp_path / "m", "--data", timed_csv, "--json").json
    assert evaluated["metrics"]["test"] == pytest.approx(windows[-1]["metrics"]["test"])
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    said = run(*words).out
    assert "window 1  window 2  window 3  mean" in said
    assert f"{told['metrics']['test']['ndcg@20']:.4f}" in said


def test_leaks_are_warned_of(run: Run, timed_csv: Path, tmp_path: Path) -> None:
    words = ("train", "--data", timed_csv, "--model", tmp_path / "m", "--recipe", "leave-last-out", *SETS, "--json")
    done = run(*words)
    warned = [line for line in done.err.splitlines() if line.startswith("conv4rec: warning: ")]
    assert warned == [f"conv4rec: warning: {text}" for text in done.json["warnings"]]
    after = pl.col("timestamp").rank("ordinal", descending=True).over("user_id")
    frame = pl.read_csv(timed_csv).with_columns(after=after)
    first = frame.filter(after=1)["timestamp"].min()
    later = frame.filter((pl.col("after") > 2) & (pl.col("timestamp") > first)).height
    assert f": leak: {later} of {frame.height - 120} train interactions" in warned[0]
    again = run("evaluate", tmp_path / "m", "--data", timed_csv, "--json")
    assert again.json["warnings"] == done.json["warnings"]
    assert warned[0] in again.err


def test_ratings_from_a_database(run: Run, checkerboard: Ratings, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'db'}"
    checkerboard.frame.write_database("taken", url, engine="sqlalchemy")
    words = ("--data", url, "--query", "select * from taken", "--model", tmp_path / "m", *SETS, "--json")
    assert run("train", *words).json["counts"]["rated_interactions"] > 0


def test_resume_without_a_checkpoint_says_so(run: Run, csv: Path, tmp_path: Path) -> None:
    done = run("train", "--data", csv, "--model", tmp_path / "m", *SETS, "--resume", "--json")
    assert done.code == 0
    assert "m.checkpoint: starting anew" in done.err.replace("\n", "")


def test_a_warning_is_one_line_and_not_on_standard_output(run: Run, model: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        done = run("recommend", model, "--history", "i00=5", "--history", "new=5", "-k", "1", "--json")
    assert done.json["rows"] == 1
    assert done.err.startswith("conv4rec: 1 of 2 items of the history are not known")
    assert done.err.count("\n") == 1
