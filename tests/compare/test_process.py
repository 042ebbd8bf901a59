"""How the processes of jobs end, and what is said of it."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from conv4rec.compare import process
from conv4rec.compare.process import Ended, run_worker

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def light_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CODE", "tests.compare.child")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def watch(action: str, folder: Path, *, timeout: float | None = None) -> tuple[Ended, list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []
    ended = run_worker([action], log=folder / "logs" / "job.log", hear=heard.append, timeout=timeout)
    return ended, heard


def is_gone(pid: int, *, within: float = 10.0) -> bool:
    """Whether a process ends, or is a zombie, soon."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
    return False


def test_events_are_heard_and_a_good_end_has_no_error(tmp_path: Path) -> None:
    ended, heard = watch("events", tmp_path)
    assert (ended.error, ended.was_killed, ended.stage) == (None, False, "fitting")
    assert [sorted(event)[-1] for event in heard] == ["stage", "trial", "value", "stage"]


def test_a_killed_process_says_by_what_and_at_what(tmp_path: Path) -> None:
    ended, _ = watch("dies", tmp_path)
    assert ended.error == "killed by SIGKILL, perhaps because memory ran out, while trial 7"
    assert (ended.was_killed, ended.stage) == (True, "trial 7")
    assert 0 <= ended.stage_seconds < 60


def test_an_error_is_told_by_the_process_itself(tmp_path: Path) -> None:
    ended, _ = watch("raises", tmp_path)
    assert (ended.error, ended.was_killed) == ("no figures", False)
    assert (tmp_path / "logs" / "job.log").read_text().startswith("Traceback")


def test_a_process_that_leaves_has_its_last_words_told(tmp_path: Path) -> None:
    assert watch("leaves", tmp_path)[0].error == "exit status 3 while loading: last words"


def test_a_step_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    ended, heard = watch("waits", tmp_path, timeout=2.0)
    assert (ended.error, ended.was_killed) == ("stopped after 2 s of fitting", True)
    assert is_gone(heard[-1]["pid"])


@pytest.mark.skipif(os.name != "posix", reason="groups of processes")
def test_what_the_process_started_ends_with_it(tmp_path: Path) -> None:
    _, heard = watch("waits with a child", tmp_path, timeout=2.0)
    assert is_gone(heard[-1]["pid"])


def test_an_interruption_ends_the_process_and_goes_on_up(tmp_path: Path) -> None:
    pids = []

    def interrupt(event: dict[str, Any]) -> None:
        if "pid" in event:
            pids.append(event["pid"])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_worker(["waits"], log=tmp_path / "job.log", hear=interrupt)
    assert is_gone(pids[0])
