"""`conv4rec compare` with real processes: rows that say why, resumption after kill -9, the same figures again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conv4rec.records import read_records, record_path
from tests.compare.worlds import write_small_csv

ROOT = Path(__file__).parents[2]
FAKES = "tests.compare.fakes"


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "r.csv"
    write_small_csv(path)
    return path


def command(csv: Path, run: Path, *words: str, models: tuple[str, ...] = ("POPULAR",)) -> list[str]:
    named = [word for model in models for word in ("--model", f"{FAKES}:{model}")]
    quick = ["--set", "evaluate.bootstrap=50", "--set", "evaluate.k=[5]", "--no-slices", "--no-report"]
    return [sys.executable, "-m", "conv4rec", "compare", "--data", str(csv), "--run", str(run), *named, *quick, *words]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def compare(*words: Any, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words[0], capture_output=True, text=True, check=False, cwd=ROOT, env=environment(**more))


def test_a_run_that_was_killed_goes_on_and_leaves_no_process_behind(csv: Path, tmp_path: Path) -> None:
    """The first job is interrupted, the second ends well, during the third the run is killed."""
    run, pid_file = tmp_path / "run", tmp_path / "pid"
    words = command(csv, run, models=("WAITS", "POPULAR", "WAITS_TOO"))
    with subprocess.Popen(
        words, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment(PID_FILE=str(pid_file)), preexec_fn=hear_interrupts
    ) as process:
        first = waiting(pid_file)
        process.send_signal(signal.SIGINT)
        wait_for(lambda: not is_running(first))
        second = waiting(pid_file, other_than=first)
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not is_running(second))
    interrupted, popular = sorted(read_records(run), key=lambda record: record.error is None)
    assert (interrupted.model, interrupted.error) == (f"{FAKES}:WAITS", "interrupted")
    assert popular.model == f"{FAKES}:POPULAR"
    written = record_path(run, popular.job).stat().st_mtime_ns

    done = compare(words, GO_ON="1")
    assert done.returncode == 0, done.stderr
    assert record_path(run, popular.job).stat().st_mtime_ns == written
    assert done.stderr.count("done before: ") == 2
    found = {record.model.rpartition(":")[2]: record for record in read_records(run)}
    assert found["WAITS"].error == "interrupted"
    assert found["WAITS_TOO"].metrics == found["POPULAR"].metrics
    assert found["WAITS_TOO"].intervals == found["POPULAR"].intervals
    assert (run / "compare.md").read_text() in done.stdout


def hear_interrupts() -> None:
    """A shell may have told background processes to ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def waiting(pid_file: Path, *, other_than: int = 0) -> int:
    """The process that says it waits, once it does."""

    def is_there() -> bool:
        return pid_file.exists() and pid_file.read_text() not in ("", str(other_than))

    wait_for(is_there)
    return int(pid_file.read_text())


def test_models_are_searched_within_a_budget_and_whatever_goes_wrong_is_told(csv: Path, tmp_path: Path) -> None:
    """The second trial of the one model kills its process; no trial of the other one comes to an end."""
    done = compare(command(csv, tmp_path / "run", "--trials", "2", "--json", models=("DELICATE", "FAILS")))
    assert done.returncode == 0, done.stderr
    delicate, fails = json.loads(done.stdout)["records"]
    assert delicate["error"] is None
    assert delicate["params"] == {"power": 0.25, "dull": 7}
    assert {name: delicate["budget"][name] for name in ("trials", "failed", "limit_trials", "limit_seconds")} == {
        "trials": 2,
        "failed": 1,
        "limit_trials": 2,
        "limit_seconds": None,
    }
    assert delicate["cost"]["peak_memory_bytes"] > 50e6
    assert fails["error"] == "fails: all of 2 trials failed, the last with: ValueError: no | such luck"
    assert "DELICATE: trial 1 failed: the process of the trial died" in done.stderr
    assert "FAILS: failed: fails: all of 2 trials failed" in done.stderr
    text = (tmp_path / "run" / "compare.md").read_text()
    assert "searched by nll\\_consume on validation, at most 2 trials a run; used 2 trials (1 failed)" in text
    assert (tmp_path / "run" / "tune.db").exists()


def wait_for(condition: Any, *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
