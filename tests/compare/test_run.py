"""Which jobs are done, and what becomes of those that go wrong. The processes are stood in for: see tests/cli."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conv4rec.compare import run
from conv4rec.compare.events import Event
from conv4rec.compare.jobs import Job, Limits, Request, RunFolder, Tuned
from conv4rec.compare.process import Ended
from conv4rec.compare.run import Repeat, run_jobs
from conv4rec.config import Config, make_config
from conv4rec.errors import QueryError
from conv4rec.records import Budget, Record, read_records, write_record

GOOD = Ended(None, False, "measuring", 1.0)
BUDGET = Budget(trials=3, failed=2, seconds=9.0, monitor="rmse", value=0.9)


def requests(*models: str, config: Config | None = None, limits: Limits | None = None) -> list[Request]:
    settings = Config() if config is None else config
    return [Request(job=Job(model=m, data="d", recipe="r"), config=settings, limits=limits) for m in models]


@dataclass
class Heard:
    """A listener that keeps what it hears."""

    ended: list[tuple[str, bool]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    interrupts: list[str] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)

    def on_start(self, job: Job, *, number: int, total: int) -> None:  # noqa: ARG002
        self.places.append((number, total))

    def on_event(self, job: Job, event: Event) -> None:  # noqa: ARG002
        self.events.append(event)

    def on_interrupt(self, job: Job, *, pause: float) -> None:  # noqa: ARG002
        self.interrupts.append(job.model)

    def on_end(self, job: Job, record: Record, *, was_there: bool) -> None:
        assert record.model == job.model
        self.ended.append((job.model, was_there))


Behave = Callable[[RunFolder, str, list[str]], Ended]


@dataclass
class Workers:
    """Processes that do at once what a test wants."""

    folder: RunFolder
    behave: dict[str, Behave] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)

    def __call__(
        self, words: Sequence[str], *, log: Path, hear: Callable[[Event], None], timeout: float | None
    ) -> Ended:
        action, _, name, *rest = words
        assert log == self.folder.log(name, action)
        assert timeout == 5.0
        hear({"stage": action})
        request = self.folder.read_request(name)
        assert request is not None
        self.calls.append([action, request.job.model, *rest])
        behave = self.behave.get(f"{action} {request.job.model}", succeed)
        return behave(self.folder, name, rest)


def succeed(folder: RunFolder, name: str, _: list[str]) -> Ended:
    request = folder.read_request(name)
    assert request is not None
    write_record(folder.root, request.job.record(metrics={"rmse": 0.9}))
    return GOOD


def end_with(error: str, *, was_killed: bool = False, stage: str = "fitting") -> Behave:
    return lambda *_: Ended(error, was_killed, stage, 7.5)


def tuned(folder: RunFolder, name: str, _: list[str]) -> Ended:
    folder.write_tuned(name, Tuned(params={"a": 1}, budget=BUDGET))
    return GOOD


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workers:
    stand_in = Workers(RunFolder(tmp_path))
    monkeypatch.setattr(run, "run_worker", stand_in)
    return stand_in


def go(workers: Workers, wanted: list[Request], **options: Any) -> Heard:
    heard = Heard()
    run_jobs(wanted, workers.folder, listener=heard, timeout=5.0, **options)
    return heard


def by_model(workers: Workers) -> dict[str, Record]:
    return {record.model: record for record in read_records(workers.folder.root)}


def test_every_job_has_a_record_whatever_becomes_of_it(workers: Workers) -> None:
    workers.behave = {"fit b": end_with("out of memory"), "fit c": lambda *_: GOOD}
    heard = go(workers, requests("a", "b", "c", "d"))
    found = by_model(workers)
    assert {model: record.error for model, record in found.items()} == {
        "a": None,
        "b": "out of memory",
        "c": "the process ended without a record",
        "d": None,
    }
    assert found["b"].config == Config().model_dump(mode="json")
    assert heard.places == [(n, 4) for n in (1, 2, 3, 4)]
    assert heard.ended == [(model, False) for model in "abcd"]
    assert heard.events == [{"stage": "fit"}] * 4


def test_what_has_a_record_is_not_repeated(workers: Workers) -> None:
    workers.behave = {"fit b": end_with("no")}
    go(workers, requests("a", "b"))
    assert go(workers, requests("a", "b", "c")).ended == [("a", True), ("b", True), ("c", False)]
    assert workers.calls == [["fit", "a"], ["fit", "b"], ["fit", "c"]]


def test_what_failed_or_all_is_repeated_where_it_is_asked_for(workers: Workers) -> None:
    workers.behave = {"fit b": end_with("no")}
    go(workers, requests("a", "b"))
    workers.behave = {}
    workers.calls.clear()
    go(workers, requests("a", "b"), repeat=Repeat(failed=True))
    assert workers.calls == [["fit", "b"]]
    assert by_model(workers)["b"].error is None
    go(workers, requests("a", "b"), repeat=Repeat(all=True))
    assert workers.calls[1:] == [["fit", "a"], ["fit", "b"]]


def test_other_settings_are_not_mixed_into_a_run(workers: Workers) -> None:
    go(workers, requests("a"))
    other = requests("b", "a", config=make_config({"train": {"epochs": 3}}))
    message = (
        r"d__r__a__s0__w1 was done with other settings \(train.epochs None, now 3\); name another --run, or repeat"
    )
    with pytest.raises(QueryError, match=message):
        go(workers, other)
    assert workers.calls == [["fit", "a"]]
    go(workers, other, repeat=Repeat(all=True))
    assert len(workers.calls) == 3


def test_a_job_without_a_record_takes_new_settings(workers: Workers) -> None:
    (old,), (new,) = requests("a"), requests("a", limits=Limits(trials=1))
    workers.folder.write_request(old)
    workers.folder.write_tuned(old.job.name, Tuned(params={"stale": 1}, budget=BUDGET))
    workers.behave = {"tune a": end_with("no search")}
    go(workers, [new])
    assert workers.folder.read_request(new.job.name) == new
    assert by_model(workers)["a"].params == {}


def test_with_limits_a_search_comes_first(workers: Workers) -> None:
    workers.behave = {"tune a": tuned, "tune b": end_with("all trials failed"), "fit c": end_with("no")}
    workers.behave["tune c"] = tuned
    go(workers, requests("a", "b", "c", limits=Limits(trials=3)))
    assert workers.calls == [
        ["tune", "a", "0.0"],
        ["fit", "a"],
        ["tune", "b", "0.0"],
        ["tune", "c", "0.0"],
        ["fit", "c"],
    ]
    found = by_model(workers)
    assert (found["b"].error, found["b"].budget) == ("all trials failed", None)
    assert (found["c"].error, found["c"].budget, found["c"].params) == ("no", BUDGET, {"a": 1})


def test_a_trial_that_kills_the_process_does_not_end_the_search(workers: Workers) -> None:
    lives = iter([end_with("killed", was_killed=True, stage="trial 2"), tuned])
    workers.behave = {"tune a": lambda *words: next(lives)(*words)}
    go(workers, requests("a", limits=Limits(trials=3)))
    assert workers.calls == [["tune", "a", "0.0"], ["tune", "a", "7.5"], ["fit", "a"]]


def test_a_process_that_dies_before_any_trial_ends_the_search(workers: Workers) -> None:
    workers.behave = {"tune a": end_with("killed while loading", was_killed=True, stage="loading")}
    go(workers, requests("a", limits=Limits(trials=3)))
    assert by_model(workers)["a"].error == "killed while loading"
    assert len(workers.calls) == 1


def interrupt(*_: object) -> Ended:
    raise KeyboardInterrupt


def test_an_interruption_ends_the_job_and_the_run_goes_on(workers: Workers) -> None:
    workers.behave = {"fit a": interrupt}
    pauses: list[float] = []
    heard = go(workers, requests("a", "b"), sleep=pauses.append)
    assert {m: r.error for m, r in by_model(workers).items()} == {"a": "interrupted", "b": None}
    assert (heard.interrupts, pauses) == (["a"], [run.PAUSE])


def test_a_second_interruption_ends_the_run_without_a_record_of_the_job(workers: Workers) -> None:
    workers.behave = {"fit b": interrupt}
    with pytest.raises(KeyboardInterrupt):
        go(workers, requests("a", "b", "c"), sleep=interrupt)
    assert list(by_model(workers)) == ["a"]
    workers.behave = {}
    assert go(workers, requests("a", "b", "c")).ended == [("a", True), ("b", False), ("c", False)]
