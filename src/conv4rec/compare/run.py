"""A run: every job that has no record yet, one after the other, whatever becomes of each."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from conv4rec.compare.events import Event
from conv4rec.compare.jobs import Job, Request, RunFolder
from conv4rec.compare.process import Ended, run_worker
from conv4rec.errors import QueryError
from conv4rec.records import Record, write_record

PAUSE = 2.0
"""Seconds after an interruption in which a second one ends the run."""


class Listener(Protocol):
    """Hears of every job."""

    def on_start(self, job: Job, *, number: int, total: int) -> None: ...

    def on_event(self, job: Job, event: Event) -> None: ...

    def on_interrupt(self, job: Job, *, pause: float) -> None: ...

    def on_end(self, job: Job, record: Record, *, was_there: bool) -> None: ...


@dataclass(frozen=True)
class Repeat:
    """Which jobs are done though they have a record: `all`, or those that `failed`."""

    all: bool = False
    failed: bool = False

    def wants(self, record: Record) -> bool:
        """Whether a job with this record is done again."""
        return self.all or (self.failed and record.error is not None)


def run_jobs(
    requests: Sequence[Request],
    folder: RunFolder,
    *,
    listener: Listener,
    repeat: Repeat | None = None,
    timeout: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Give every request a record, with figures or with the reason why there are none.

    Jobs that have a record are left alone, so that a run that was killed goes on where it was. Each of the others gets
    a process of its own; with limits of a search, one more before it, so that the search is not in its costs.
    KeyboardInterrupt ends the job at hand, and a second one within two seconds ends the run, which then holds no
    record of that job.

    Args:
        requests: what is to be done.
        folder: what has been done.
        listener: hears of every job.
        repeat: which jobs are done again. None: none.
        timeout: seconds for one step of a job: loading, one fit, measuring. None: no limit.
        sleep: waits for a second interruption.

    Raises:
        QueryError: a job was done with other settings in this folder; nothing has been started then.
    """
    wanted = Repeat() if repeat is None else repeat
    there = {request.job: _record_of(request, folder, wanted) for request in requests}
    for number, request in enumerate(requests, start=1):
        job, record = request.job, there[request.job]
        listener.on_start(job, number=number, total=len(requests))
        if record is None:
            record = _Doing(request, folder, listener, timeout).do(sleep)
            listener.on_end(job, record, was_there=False)
        else:
            listener.on_end(job, record, was_there=True)


def _record_of(request: Request, folder: RunFolder, repeat: Repeat) -> Record | None:
    """The record that a request has already and keeps."""
    name = request.job.name
    record = folder.read_record(name)
    if record is None or repeat.wants(record):
        return None
    before = folder.read_request(name)
    if before is not None and before != request:
        raise QueryError(
            f"{folder.root}: {name} was done with other settings ({_first_difference(before, request)}); name another "
            "--run, or repeat it with --again"
        )
    return record


def _first_difference(before: Request, now: Request) -> str:
    old, new = _flat(before.model_dump(mode="json")), _flat(now.model_dump(mode="json"))
    name = next(name for name in {**old, **new} if old.get(name) != new.get(name))
    return f"{name.removeprefix('config.')} {old.get(name)}, now {new.get(name)}"


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {name: value}
    return {key: v for part, inner in value.items() for key, v in _flat(inner, f"{name}.{part}".strip(".")).items()}


@dataclass(frozen=True)
class _Doing:
    """One job while it is done."""

    request: Request
    folder: RunFolder
    listener: Listener
    timeout: float | None

    def do(self, sleep: Callable[[float], None]) -> Record:
        """Make the record of the job."""
        job = self.request.job
        self.folder.forget(job.name)
        self.folder.write_request(self.request)
        try:
            error = self._search() if self.request.limits is not None else None
            error = self._work("fit").error if error is None else error
        except KeyboardInterrupt:
            error = "interrupted"
            self.listener.on_interrupt(job, pause=PAUSE)
            sleep(PAUSE)
        return self._made(error)

    def _made(self, error: str | None) -> Record:
        record = self.folder.read_record(self.request.job.name)
        if error is None and record is not None:
            return record
        tuned = self.folder.read_tuned(self.request.job.name)
        failed = self.request.job.record(
            error="the process ended without a record" if error is None else error,
            params=self.request.params if tuned is None else tuned.params,
            budget=None if tuned is None else tuned.budget,
            config=self.request.config.model_dump(mode="json"),
        )
        write_record(self.folder.root, failed)
        return failed

    def _search(self) -> str | None:
        """Why there is no result of the search. A trial that kills the process has failed, and the next one begins."""
        lost = 0.0
        while True:
            ended = self._work("tune", str(lost))
            if not (ended.was_killed and ended.stage.startswith("trial ")):
                return ended.error
            lost = ended.stage_seconds

    def _work(self, action: str, *words: str) -> Ended:
        name = self.request.job.name
        return run_worker(
            [action, str(self.folder.root), name, *words],
            log=self.folder.log(name, action),
            hear=lambda event: self.listener.on_event(self.request.job, event),
            timeout=self.timeout,
        )
