"""One thread that owns the model: requests that wait are scored together."""

import asyncio
import queue
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from conv4rec.service.problems import Problem

Run = Callable[[Sequence[Any]], Sequence[Any]]
"""Payloads of jobs with one key, to their results in the same order."""


@dataclass(frozen=True)
class _Job:
    key: Hashable
    payload: Any
    run: Run
    answer: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop


@dataclass
class Worker:
    """A queue of jobs, and the thread that empties it.

    What waits when the thread is free is taken at once, up to `batch` jobs, and jobs of the same key run together. So a
    request that comes alone waits for nobody, and the more come at once, the less each of them costs. Source: ours.

    Attributes:
        batch: most jobs taken at once.
        limit: most jobs that may wait.
        seen: called with the number of jobs that ran together.
        begin: called on the thread before its first job.
    """

    batch: int
    limit: int
    seen: Callable[[int], None] = lambda _: None
    begin: Callable[[], None] = lambda: None
    _queue: "queue.SimpleQueue[_Job | None]" = field(default_factory=queue.SimpleQueue)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._work, name="conv4rec-worker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let what waits be done, then end the thread."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return self._queue.qsize()

    async def do(self, key: Hashable, payload: Any, run: Run) -> Any:
        """The result of a job; jobs of equal `key` may be run in one call of the `run` of any of them.

        Raises Problem 503 where too many jobs wait, and whatever `run` raises for this job alone.
        """
        if self.waiting >= self.limit:
            raise Problem(503, f"too much to do: {self.limit} requests wait", headers={"Retry-After": "1"})
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._queue.put(_Job(key, payload, run, answer, loop))
        return await answer

    async def call(self, ask: Callable[[], Any]) -> Any:
        """The result of a function that runs on the thread of the model, alone."""
        return await self.do(object(), None, lambda _: [ask()])

    def _work(self) -> None:
        self.begin()
        while True:
            jobs, goes_on = self._take()
            groups: dict[Hashable, list[_Job]] = {}
            for job in jobs:
                if not job.answer.cancelled():  # nobody waits for it any more
                    groups.setdefault(job.key, []).append(job)
            for group in groups.values():
                self._run(group)
            if not goes_on:
                return

    def _take(self) -> tuple[list[_Job], bool]:
        """The jobs that wait, at least one; and whether more may come."""
        jobs: list[_Job] = []
        while len(jobs) < self.batch:
            try:
                job = self._queue.get(block=not jobs)
            except queue.Empty:
                break
            if job is None:
                return jobs, False
            jobs.append(job)
        return jobs, True

    def _run(self, jobs: Sequence[_Job]) -> None:
        """Run jobs of one key; where that fails, each alone, so that no request suffers from another's fault."""
        self.seen(len(jobs))
        try:
            results = jobs[0].run([job.payload for job in jobs])
        except Exception as error:  # noqa: BLE001 - whoever asked gets it
            if len(jobs) == 1:
                jobs[0].loop.call_soon_threadsafe(_fail, jobs[0].answer, error)
                return
            for job in jobs:
                self._run([job])
            return
        jobs[0].loop.call_soon_threadsafe(_give, [job.answer for job in jobs], results)


def _give(answers: "Sequence[asyncio.Future[Any]]", results: Sequence[Any]) -> None:
    for answer, result in zip(answers, results, strict=True):
        if not answer.done():
            answer.set_result(result)


def _fail(answer: "asyncio.Future[Any]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
