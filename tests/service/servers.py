"""Services on threads and in processes of their own, and a PostgreSQL server of our own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from conv4rec.client import Client
from conv4rec.service.app import create_app
from conv4rec.service.settings import ServiceSettings
from tests.service.nursery import Nursery

PATIENCE = 90.0
"""Seconds to wait for a process to start; the machine may be busy."""


@contextmanager
def served(settings: ServiceSettings, key: str | None = None) -> Iterator[httpx.Client]:
    """A service on a thread of this process, and who asks it."""
    port = free_port()
    app = create_app(settings)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
            client.app_under_test = app  # type: ignore[attr-defined]
            yield client
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class Server:
    """A running service.

    Attributes:
        nursery: what started it.
        process: the id of the process of `conv4rec serve`.
        port: where it listens.
        log: the file of what it writes to standard error.
        code: how it ended; None while it runs.
    """

    nursery: Nursery
    process: int
    port: int
    log: Path
    code: int | None = None

    @classmethod
    def launch(cls, nursery: Nursery, folder: Path, words: Sequence[str | Path]) -> "Server":
        """Start `conv4rec serve WORDS` in a folder, without waiting until it listens."""
        port = free_port()
        log = folder / f"log-{port}"
        return cls(nursery, nursery.launch(folder, ["serve", *map(str, words), "--port", str(port)], log), port, log)

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        if self.code is None:
            self.code = self.nursery.poll(self.process)
        return self.code

    def wait(self) -> None:
        """Until it listens. AssertionError with the log where it ends instead."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.poll() is None, self.log.read_text()
            if listens(self.port):
                return
            time.sleep(0.02)
        raise AssertionError(f"does not listen after {PATIENCE} s: {self.log.read_text()}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str | None = None) -> Client:
        """A client of it."""
        return Client(self.url, key)

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end, and wait."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        os.kill(self.process, how)
        deadline = time.monotonic() + PATIENCE
        while self.poll() is None:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.005)
        return int(self.code or 0)


@dataclass
class Postgres:
    """A PostgreSQL server of our own, in a folder of its own; root gives it to the user `postgres` or `nobody`."""

    programs: Path
    folder: Path
    port: int
    user: str | None

    @classmethod
    def make(cls) -> "Postgres | str":
        """A new server that does not run yet, or why there can be none.

        Its folder is not below that of pytest, which every session of pytest closes to other users.
        """
        programs = find_programs()
        if programs is None:
            return "needs PostgreSQL's initdb and pg_ctl: apt-get install postgresql"
        user = None
        folder = Path(tempfile.mkdtemp(prefix="conv4rec-postgres-"))
        if os.geteuid() == 0:
            user = "postgres" if user_exists("postgres") else "nobody"
            shutil.chown(folder, user)
        made = cls(programs, folder / "data", free_port(), user)
        made.run("initdb", "--auth=trust", "--username=tester", "--no-sync", "-D", str(made.folder))
        return made

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://tester@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self.run("pg_ctl", "-D", str(self.folder), "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop at once, as a machine does that loses power."""
        self.run("pg_ctl", "-D", str(self.folder), "-w", "-m", "immediate", "stop")

    def remove(self) -> None:
        """Stop, and delete everything."""
        self.stop()
        shutil.rmtree(self.folder.parent)

    def run(self, program: str, *words: str) -> None:
        """Run one of its programs, as a user who is not root."""
        command = [str(self.programs / program), *words]
        done = subprocess.run(
            command,
            user=self.user,
            cwd=self.folder.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, f"{program} ended with {done.returncode}"


def find_programs() -> Path | None:
    """The folder of initdb and pg_ctl, of the newest version there is."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found is not None else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    return next((path for path in places if (path / "initdb").exists() and (path / "pg_ctl").exists()), None)


def user_exists(name: str) -> bool:
    """Whether this machine has a user of that name."""
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def listens(port: int) -> bool:
    """Whether somebody listens on a port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
