"""`conv4rec ictr`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from conv4rec.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `conv4rec ictr` with these words."""

    def run_it(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["conv4rec", "ictr", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run_it


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, Path, str, Path]:
    """A log of two models, and interactions of which one pair is there twice, first within the window."""
    shown = pl.DataFrame({"user_id": [1, 2], "timestamp": [100, 100], "item_id": [[5, 6], [5]], "model": ["a", "b"]})
    shown = shown.with_columns(place=pl.Series(["top", "end"]))
    shown.write_parquet(tmp_path / "log.parquet")
    (tmp_path / "data.csv").write_text("user,item,timestamp\n1,6,150\n1,6,2000\n2,5,800\n")
    return "--shown", tmp_path / "log.parquet", "--data", tmp_path / "data.csv"


def test_every_event_counts_and_the_window_is_ten_minutes(run: Run, files: tuple[str, ...]) -> None:
    code, out, err = run(*files, "--json", "--set", "evaluate.bootstrap=0")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["data"] == "data.csv"
    counts = {"shown": 1, "low": None, "high": None, "unfinished": 0}
    assert told["rows"] == [
        {"model": "a", "within": 600.0, "taken": 1, "ictr": 1.0, **counts},
        {"model": "b", "within": 600.0, "taken": 0, "ictr": 0.0, **counts},
    ]


def test_several_windows_and_other_groups(run: Run, files: tuple[str, ...]) -> None:
    told = json.loads(run(*files, "--within", "700", "--within", "50", "--by", "place", "--json")[1])
    assert [(row["place"], row["within"], row["taken"]) for row in told["rows"]] == [
        ("end", 50.0, 0),
        ("end", 700.0, 1),
        ("top", 50.0, 1),
        ("top", 700.0, 1),
    ]


def test_for_people(run: Run, files: tuple[str, ...]) -> None:
    code, out, _ = run(*files, "--within", "5000")
    assert code == 0
    assert "model" in out
    assert "ictr" in out
    assert "up to 1 lists a row have a window that ends after the last interaction in data.csv" in out


def test_data_without_times_are_refused_in_one_line(run: Run, files: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("user,item\n1,6\n")
    code, out, err = run(*files)
    assert (code, out) == (2, "")
    assert err == "conv4rec: interactions: no column 'timestamp'; found user_id, item_id\n"
