"""A process for every job, and a reason for every way in which it can end."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from conv4rec.compare.events import Event

Hear = Callable[[Event], None]
CODE = "conv4rec.compare.worker"
POLL = 0.2
"""Seconds between two looks at an interruption: polars handles SIGINT so that it does not end a wait without limit."""


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        error: why it did not do what it was to do; None where it did.
        was_killed: whether it had no say in it: a signal, or time was up.
        stage: what it was at.
        stage_seconds: how long that had taken.
    """

    error: str | None
    was_killed: bool
    stage: str
    stage_seconds: float


def run_worker(words: Sequence[str], *, log: Path, hear: Hear, timeout: float | None = None) -> Ended:
    """Run `conv4rec.compare.worker` with these words and wait for its end.

    Args:
        words: the action and its arguments.
        log: takes what the process writes on standard error.
        hear: is called with every event.
        timeout: seconds that may pass between two events, that is, for one step of the work: loading, one fit,
            measuring. None: no limit.

    An exception in here, such as KeyboardInterrupt, ends the process and goes on up.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", CODE, *words]
    with (
        log.open("wb") as errors,
        subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        ) as child,
    ):
        watch = _Watch(child, hear, timeout)
        try:
            is_late = watch.listen()
        finally:
            _kill(child)
    return watch.ended(log, is_late=is_late)


@dataclass
class _Watch:
    """What is known of a running process."""

    child: "subprocess.Popen[bytes]"
    hear: Hear
    timeout: float | None
    stage: str = "starting"
    error: str | None = None
    since: float = field(default_factory=time.monotonic)

    def listen(self) -> bool:
        """Hear events until the process ends; true where it took too long for one step."""
        lines: queue.Queue[bytes | None] = queue.Queue()
        assert self.child.stdout is not None  # noqa: S101 - a pipe was asked for
        threading.Thread(target=_pump, args=(self.child.stdout, lines), daemon=True).start()
        while not self._is_late:
            with contextlib.suppress(queue.Empty):
                line = lines.get(timeout=POLL)
                if line is None:
                    return not self._ends()
                self._take(json.loads(line))
        return True

    def ended(self, log: Path, *, is_late: bool) -> Ended:
        code = self.child.wait()
        lasted = time.monotonic() - self.since
        if is_late:
            return Ended(f"stopped after {self.timeout:g} s of {self.stage}", True, self.stage, lasted)
        if self.error is not None or code == 0:
            return Ended(self.error, False, self.stage, lasted)
        if code < 0:
            return Ended(f"killed by {_name(-code)} while {self.stage}", True, self.stage, lasted)
        return Ended(f"exit status {code} while {self.stage}: {_last_line(log)}", False, self.stage, lasted)

    @property
    def _is_late(self) -> bool:
        return self.timeout is not None and time.monotonic() > self.since + self.timeout

    def _ends(self) -> bool:
        """Wait for the end of a process that has no more to tell; false where it takes too long."""
        while not self._is_late:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(POLL)
                return True
        return False

    def _take(self, event: Event) -> None:
        if "error" in event and "tried" not in event:
            self.error = event["error"]
        if "stage" in event:
            self.stage = event["stage"]
        if "trial" in event:
            self.stage = f"trial {event['trial']}"
        self.since = time.monotonic()
        self.hear(event)


def _pump(source: IO[bytes], lines: "queue.Queue[bytes | None]") -> None:
    for line in source:
        lines.put(line)
    lines.put(None)


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """End the process and those that it started; one that has ended leaves nothing to be done."""
    if child.poll() is not None:
        return
    if os.name == "posix":
        os.killpg(child.pid, signal.SIGKILL)  # its own session, so that the group is its own, too
    else:
        child.kill()


def _name(number: int) -> str:
    name = signal.Signals(number).name
    return f"{name}, perhaps because memory ran out," if name == "SIGKILL" else name


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "nothing on standard error")
