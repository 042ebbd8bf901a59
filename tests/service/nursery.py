"""Processes of `conv4rec serve` without the seconds of their imports: one process imports everything, and then forks.

What it makes are processes like any other, with memory, sockets and a death of their own. Told by JSON lines on
standard input, it answers by lines on standard output: a process id, an exit code, or null for one that still runs.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PRELOADED = ("uvloop", "httptools", "psycopg", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql.psycopg")
ALONE = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
"""A process that has threads cannot be forked; and servers share few cores here."""


class Nursery:
    """The process that forks, seen from the tests."""

    def __init__(self) -> None:
        command = [sys.executable, "-W", "error", "-m", "tests.service.nursery"]
        root = Path(__file__).parents[2]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen(command, cwd=root, env=os.environ | ALONE, **pipes)

    def launch(self, folder: Path, words: list[str], errors: Path) -> int:
        """Start `conv4rec WORDS` in a folder, standard error in the file `errors`; the id of its process."""
        return int(self._ask({"folder": str(folder), "words": words, "errors": str(errors)}))

    def poll(self, process: int) -> int | None:
        """The exit code, negative for a signal; None while it runs. Asked once after the end."""
        code: int | None = self._ask({"poll": process})
        return code

    def close(self) -> None:
        """End at once; what it started goes on."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def main() -> None:
    """Import, then do as told until there is nobody left to tell."""
    import importlib

    import conv4rec.service.app  # noqa: F401

    for name in PRELOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        told = json.loads(line)
        if "poll" in told:
            found, status = os.waitpid(told["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if found else None
        else:
            answer = os.fork()
            if answer == 0:
                become(told)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def become(told: dict[str, Any]) -> None:
    """Be `conv4rec WORDS` from now on; does not return."""
    from conv4rec.cli import main as conv4rec

    for number, path in enumerate((os.devnull, os.devnull, told["errors"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    os.chdir(told["folder"])
    sys.argv = ["conv4rec", *told["words"]]
    code = 1
    try:
        conv4rec()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
