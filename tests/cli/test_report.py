"""`conv4rec report` at the command line."""

import json
import subprocess
import sys
from pathlib import Path

from conv4rec.records import Record
from tests.made_records import make_run


def conv4rec(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "conv4rec", *map(str, words)], check=False, capture_output=True, text=True
    )


def test_the_report_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    bare = Record(model="popularity", data="ml-1m", recipe="random", metrics={"ndcg@20": 0.134})
    run = make_run(tmp_path / "run", models=(), extra=[bare])
    done = conv4rec("report", run, "-o", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["page"] == str(tmp_path / "out" / "report.html")
    assert told["pictures"] == [str(tmp_path / "out" / "ml-1m__random__figures.png")]
    assert all(Path(path).exists() for path in (told["page"], *told["pictures"]))


def test_a_run_without_records_is_one_line(tmp_path: Path) -> None:
    done = conv4rec("report", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"conv4rec: {tmp_path}: no records there; ")
    assert done.stderr.count("\n") == 1
