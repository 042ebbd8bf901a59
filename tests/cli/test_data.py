"""`conv4rec data`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest

from conv4rec.cli import main
from conv4rec.cli.output import download_bar
from conv4rec.data.named import NAMED_SETS
from conv4rec.recipes import RECIPES

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `conv4rec data` with these words, where no named data set is."""
    monkeypatch.delenv("CONV4REC_DATA", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_args, **_kwargs: tmp_path / "cache")

    def run_it(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["conv4rec", "data", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run_it


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating\n1,1,3\n1,1,3\n2,2,5\n")
    return path


def test_list(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cache" / "coat").mkdir(parents=True)
    (tmp_path / "cache" / "coat" / "train.ascii").touch()
    code, out, err = run("list", "--json")
    told = json.loads(out)["sets"]
    assert (code, err) == (0, "")
    assert list(told) == list(NAMED_SETS)
    assert told["coat"]["place"] == str(tmp_path / "cache" / "coat")
    assert told["ml-100k"]["place"] == "can be downloaded"
    assert told["yahoo-r3"]["place"] == "to be asked for from its publisher"
    assert told["simulated"]["place"] == "built in"
    assert "simulated" in run("list")[1]


def test_recipes(run: Run) -> None:
    code, out, err = run("recipes", "--json")
    told = json.loads(out)["recipes"]
    assert (code, err) == (0, "")
    assert list(told) == list(RECIPES)
    assert told["u1"]["sources"] == ["ml-100k"]
    assert told["rolling"]["settings"]["split"]["windows"] == 3
    said = run("recipes")[1]
    assert "rolling         the cut of `time` moved forward" in said
    assert "data: yahoo-r3 or coat; relevant: held-out ratings of 4 or more" in said


def test_check(run: Run, ratings: Path) -> None:
    code, out, err = run("check", ratings, "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert told["findings"][0] == {
        "about": "repeats",
        "text": "2 events of the same user, item and type, 1 of them exact copies of another",
        "count": 2,
        "is_warning": True,
    }
    assert told["notes"] == ["kept all of 2 repeated events (keep=all)"]
    assert "repeats  2 events of the same user" in run("check", ratings)[1]


def test_check_against_a_test_part(run: Run, ratings: Path, tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("user,item,rating\n1,1,3\n")
    leaks = json.loads(run("check", ratings, "--test", tmp_path / "test.csv", "--json")[1])["findings"]
    assert "1 of 1 test rows are of a user and item that the train part has too" in [found["text"] for found in leaks]


def test_check_of_a_named_set_takes_its_test_part(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "coat"
    folder.mkdir(parents=True)
    (folder / "train.ascii").write_text("1 5\n3 0\n")
    (folder / "test.ascii").write_text("0 4\n0 2\n")
    assert json.loads(run("check", "coat", "--json")[1])["test"] == "coat test part"
    assert "coat: 3 interactions and 2 test interactions" in run("check", "coat")[1]


def test_describe(run: Run, ratings: Path) -> None:
    code, out, _ = run("describe", ratings, "--set", "data.keep=all", "--json")
    assert code == 0
    assert json.loads(out)["ratings"] == {"3": 2, "5": 1}
    assert "interactions" in run("describe", ratings)[1]


def test_an_error_is_one_line_and_status_2(run: Run) -> None:
    assert run("describe", "none.csv") == (2, "", "conv4rec: none.csv: no such file\n")


def test_the_bar_says_nothing_where_nothing_is_downloaded(capsys: pytest.CaptureFixture[str]) -> None:
    with download_bar():
        pass
    assert capsys.readouterr().err == ""
    with download_bar() as progress:
        progress("a.zip", 10, 20)
        progress("a.zip", 20, None)
    assert capsys.readouterr().out == ""
