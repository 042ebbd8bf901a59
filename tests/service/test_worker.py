"""The thread that owns the model."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from conv4rec.service.problems import Problem
from conv4rec.service.worker import Worker


@pytest.fixture
def sizes() -> list[int]:
    """How many jobs ran together, run by run."""
    return []


@pytest.fixture
def worker(sizes: list[int]) -> Iterator[Worker]:
    """A worker that has not begun."""
    made = Worker(batch=4, limit=6, seen=sizes.append)
    yield made
    made.stop()


def doubled(numbers: Sequence[int]) -> list[int]:
    """Twice each, all together; ValueError where one is 13."""
    if 13 in numbers:
        raise ValueError("13")
    return [2 * number for number in numbers]


async def held(worker: Worker, jobs: Sequence[tuple[str, int]]) -> list[Any]:
    """The results of jobs that all wait before the thread takes the first."""
    go = threading.Event()
    first = asyncio.ensure_future(worker.call(go.wait))
    await asyncio.sleep(0)
    rest = [asyncio.ensure_future(worker.do(key, number, doubled)) for key, number in jobs]
    await asyncio.sleep(0)
    worker.start()
    go.set()
    await first
    return await asyncio.gather(*rest, return_exceptions=True)


def test_jobs_of_one_key_that_wait_are_run_together(worker: Worker, sizes: list[int]) -> None:
    results = asyncio.run(held(worker, [("a", 1), ("b", 2), ("a", 3), ("a", 4), ("a", 5)]))
    assert results == [2, 4, 6, 8, 10]
    assert sizes == [1, 2, 1, 2]  # the one that held, of three that came with it; then the last two


def test_a_fault_is_of_its_own_job_alone(worker: Worker) -> None:
    results = asyncio.run(held(worker, [("a", 1), ("a", 13), ("a", 3)]))
    assert results[0] == 2
    assert isinstance(results[1], ValueError)
    assert results[2] == 6


def test_too_many_jobs(worker: Worker) -> None:
    results = asyncio.run(held(worker, [("a", 1)] * 6))
    assert results[:5] == [2] * 5
    assert isinstance(results[5], Problem)
    assert (results[5].status, results[5].reason) == (503, "too much to do: 6 requests wait")


def test_a_job_that_nobody_waits_for_is_not_run(worker: Worker, sizes: list[int]) -> None:
    async def give_up() -> None:
        waiting = asyncio.ensure_future(worker.do("a", 1, doubled))
        await asyncio.sleep(0)
        waiting.cancel()
        worker.start()
        assert await worker.do("b", 2, doubled) == 4

    asyncio.run(give_up())
    assert sizes == [1]
