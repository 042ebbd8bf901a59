"""The service as a process: killed, out of disk, without its database, and while its model is switched."""

import contextlib
import json
import resource
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from conv4rec.client import Client
from conv4rec.errors import ServiceError
from tests.service.servers import Postgres, Server

Launch = Callable[[Sequence[str | Path]], Server]
KILLS = 10
TRIES = 200


def event(number: int) -> dict[str, Any]:
    """An event of its own, which may be sent again."""
    return {"user_id": 100 + number % 7, "item_id": f"i{number % 24:02d}", "rating": 5, "key": f"event-{number}"}


def started(server: Server) -> Server:
    """The server, once it listens."""
    server.wait()
    return server


def stream(client: Client, first: int, acknowledged: list[int], sent: threading.Event) -> None:
    """Send events from `first` on, one a request, until nobody answers."""
    number = first
    try:
        while True:
            client.feedback([event(number)])
            acknowledged.append(number)
            number += 1
            if len(acknowledged) >= 3:
                sent.set()
    except ServiceError:
        sent.set()


def test_kill_9_loses_no_acknowledged_event_and_doubles_none(models: Path, tmp_path: Path, launch: Launch) -> None:
    words: list[str | Path] = [models / "first.conv4rec", "--store", f"sqlite:///{tmp_path / 'store.db'}"]
    every: set[int] = set()
    following = launch(words)
    for kill in range(KILLS):
        server = following
        server.wait()
        following = launch(words)  # starts meanwhile, on the same store
        acknowledged: list[int] = []
        sent = threading.Event()
        first = kill * 10_000
        with server.client() as client:
            streamer = threading.Thread(target=stream, args=(client, first, acknowledged, sent))
            streamer.start()
            assert sent.wait(60)
            server.kill()
            streamer.join()
        every |= set(acknowledged)
        following.wait()
        with following.client() as client:  # the one that was under way, and one that was told to be stored
            doubtful = first + len(acknowledged)
            client.feedback([event(doubtful), event(doubtful - 1)])
            every.add(doubtful)
    following.kill()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        stored = [key for (key,) in connection.execute("select key from feedback")]
    connection.close()
    assert len(stored) == len(set(stored))
    assert set(stored) == {f"event-{number}" for number in every}


def ask_until(stop: threading.Event, client: Client, answers: list[str], faults: list[str]) -> None:
    """Ask for lists, noting who answered."""
    while not stop.is_set():
        try:
            answers.append(client.recommend(histories=[{"i00": 5, "i02": 4}], k=5)["model"])
        except ServiceError as error:
            faults.append(str(error))


def test_a_switch_under_load_drops_no_request(models: Path, tmp_path: Path, launch: Launch) -> None:
    server = started(launch([models, "--store", f"sqlite:///{tmp_path / 'store.db'}"]))
    stop, answers, faults = threading.Event(), list[str](), list[str]()
    clients = [server.client() for _ in range(4)]
    threads = [threading.Thread(target=ask_until, args=(stop, client, answers, faults)) for client in clients]
    for thread in threads:
        thread.start()
    with server.client() as admin:
        for name in ("second", "first") * 5:
            assert admin.activate(name)["active"] == name
            asked = len(answers)
            while len(answers) < asked + 8 and not faults:  # every model answers some
                admin.recommend(histories=[{"i00": 5}])
        assert admin.roll_back() == {"active": "second", "before": "first"}
    stop.set()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    assert faults == []
    assert set(answers) == {"first", "second"}
    assert server.stop() in (0, -15)


def refusal(ask: Callable[[], Any]) -> ServiceError:
    """What the service answers."""
    with pytest.raises(ServiceError) as caught:
        ask()
    return caught.value


def test_a_full_disk_is_503_with_a_reason_until_there_is_room(models: Path, tmp_path: Path, launch: Launch) -> None:
    store = tmp_path / "store.db"
    server = started(launch([models, "--store", f"sqlite:///{store}"]))
    with server.client() as client:
        client.feedback([event(0)])
        no_more = (0, resource.RLIM_INFINITY)  # no file of the process may grow
        resource.prlimit(server.process, resource.RLIMIT_FSIZE, no_more)
        fault = refusal(lambda: client.feedback([event(1)]))
        assert (fault.status, str(fault)) == (503, "the store cannot be written: its disk is full or out of reach")
        assert client.recommend(histories=[{"i00": 5}])["recommendations"]
        assert client.recommend(users=[100])["recommendations"]  # reading goes on
        resource.prlimit(server.process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert client.feedback([event(0), event(1)]) == {"stored": 1, "known": 1}
        assert client.ready()
    server.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full_in_truth(models: Path, launch: Launch, small_disk: Path) -> None:
    server = started(launch([models, "--store", f"sqlite:///{small_disk / 'store.db'}"]))
    with server.client() as client:
        client.feedback([event(0)])
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):  # no space left
            while file.write(b"0" * 512):
                pass
        faults = []
        for number in range(1, TRIES):  # pages that are there already may take some
            try:
                client.feedback([event(number)])
            except ServiceError as error:
                faults.append((error.status, str(error)))
                break
        assert faults == [(503, "the store cannot be written: its disk is full or out of reach")]
        ballast.unlink()
        assert client.feedback([event(9999)]) == {"stored": 1, "known": 0}
    server.stop()


def test_a_locked_store_is_503_until_it_is_free(models: Path, tmp_path: Path, launch: Launch) -> None:
    store = tmp_path / "store.db"
    words: list[str | Path] = [models, "--store", f"sqlite:///{store}", "--set", "store_timeout=0.2"]
    server = started(launch(words))
    with server.client() as client:
        client.feedback([event(0)])
        other = sqlite3.connect(store, isolation_level=None)
        other.execute("begin immediate")
        fault = refusal(lambda: client.feedback([event(1)]))
        assert (fault.status, str(fault)) == (503, "the store is locked by another process")
        other.execute("rollback")
        other.close()
        assert client.feedback([event(1)]) == {"stored": 1, "known": 0}
    server.stop()


def test_a_database_that_is_down_is_503_until_it_is_up(models: Path, launch: Launch, postgres: Postgres) -> None:
    postgres.stop()
    server = started(launch([models, "--store", postgres.url, "--set", "store_timeout=1"]))
    down = "the store cannot be reached: its database is down or refuses connections"
    try:
        with server.client() as client:
            for _ in range(2):  # down from the start, and once more after it has been up
                for ask in (lambda: client.feedback([event(0)]), lambda: client.recommend(users=[100])):
                    fault = refusal(ask)
                    assert (fault.status, str(fault)) == (503, down)
                assert not client.ready()
                assert client.recommend(histories=[{"i00": 5}])["recommendations"]  # needs no store
                postgres.start()
                assert client.ready()
                client.feedback([event(0)])
                assert client.recommend(users=[100])["recommendations"]
                postgres.stop()
    finally:
        postgres.start()
        server.stop()


def test_logs_are_json_and_hold_no_personal_data(models: Path, tmp_path: Path, launch: Launch) -> None:
    server = started(launch([models, "--store", f"sqlite:///{tmp_path / 'store.db'}"]))
    with server.client() as client:
        client.feedback([{"user_id": 987654, "item_id": "i00", "rating": 5, "key": "k-987654"}])
        client.history(987654)
        client.recommend(users=[987654])
        refusal(lambda: client.history(876543))
        refusal(lambda: client.recommend(users=[876543]))
        client.erase(987654)
    assert server.stop() in (0, -15)
    lines = server.log.read_text().splitlines()
    assert lines[0].startswith("conv4rec: NO KEYS")
    told = [json.loads(line) for line in lines if line.startswith("{")]
    routes = [each["route"] for each in told if each["event"] == "request"]
    assert routes[:2] == ["/v1/feedback", "/v1/users/{user_id:path}/history"]
    assert all({"time", "level", "request_id", "method", "status", "seconds", "key"} <= each.keys() for each in told)
    assert "987654" not in server.log.read_text()
    assert "876543" not in server.log.read_text()
