"""What a request to the service costs, against the same call in Python: MovieLens 1M, fold-in, lists of 20.

    python -m benchmarks.service                    # writes benchmarks/results/service.json

The model has one epoch: it scores as slowly as any other. Histories are those of the users. The server is a process
of `conv4rec serve`, the clients live in another one, and the Python API is asked in this one. One request at a time and
the Python API take turns; then 16 clients ask at once, each for its next list as soon as it has the last; then requests
go on until `--requests` are answered, while the resident memory of the server is read.
"""

import argparse
import asyncio
import gc
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.machine import machine

K, CLIENTS, ROUNDS, PER_ROUND = 20, 16, 5, 100
RESULT = Path(__file__).parent / "results" / "service.json"
LIMITS = {
    "single_over_python": 3.0,
    "rate_of_16_over_python": 1.0,
    "p99_over_p50": 5.0,
    "memory_last_over_first": 1.05,
}
Histories = Sequence[dict[int, float]]


def main() -> None:
    """Run the benchmark, or, with --ask, be the process of the clients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="how many, for memory")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long 16 clients are measured")
    parser.add_argument("--model", type=Path, help="a fitted model of ML-1M; made where there is none")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--ask", nargs=3, metavar=("PORT", "CLIENTS", "FILE"), help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask is not None:
        port, clients, file = arguments.ask
        seconds = None if arguments.count else arguments.seconds
        print(json.dumps(asyncio.run(ask(int(port), int(clients), Path(file), seconds, arguments.count))))
        return
    with tempfile.TemporaryDirectory() as folder:
        result = {"command": " ".join(sys.argv), **measure(Path(folder), arguments)}
    result |= {"limits": LIMITS, "machine": machine("fastapi", "uvicorn", "orjson")}
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures."""
    from conv4rec import Conv4Rec

    path = folder / "ml-1m.conv4rec" if arguments.model is None else arguments.model
    if not path.exists():
        fit(path)
    model = Conv4Rec.load(path)
    histories = some_histories(model, 500)
    threads = fastest_threads(model, histories)
    requests = folder / "requests.json"
    requests.write_text(json.dumps([posted(history) for history in histories]))
    port = free_port()
    words = ["serve", str(path), "--port", str(port), "--store", f"sqlite:///{folder / 'store.db'}"]
    log = (folder / "log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "conv4rec", *words, "--set", "requests_per_second=1e9"], stderr=log
    )
    try:
        wait_for(port, server)
        call(port, requests, 1, count=PER_ROUND)  # warm
        figures = single(model, histories, port, requests)
        figures |= together(model, histories, port, requests, arguments.seconds)
        return {"python_threads": threads} | figures | memory(server.pid, port, requests, arguments.requests)
    finally:
        server.terminate()
        server.wait()
        log.close()


def fit(path: Path) -> None:
    """A model of one epoch."""
    from conv4rec import Conv4Rec
    from conv4rec.config import Config, override
    from conv4rec.data.parts import load_parts

    config = override(Config(), ["train.epochs=1"])
    parts = load_parts("ml-1m", config)
    Conv4Rec(config).fit_split(parts.split, parts.known).save(path)


def some_histories(model: Any, count: int) -> Histories:
    """The histories of users drawn at random."""
    users = np.random.default_rng(0).choice(model.vocabulary.users.values.to_numpy(), count, replace=False)
    found = []
    for user in users.tolist():
        frame = model.history_of(user)
        found.append(dict(zip(frame["item_id"].to_list(), frame["rating"].to_list(), strict=True)))
    return found


def fastest_threads(model: Any, histories: Histories) -> int:
    """Let this process compute on as many cores as make calls fastest: the service is measured against the best."""
    import torch

    took = {}
    for threads in {1, os.cpu_count() or 1}:
        torch.set_num_threads(threads)
        took[threads] = statistics.median(timed(lambda history: model.recommend_for(history, K), histories[:PER_ROUND]))
    best = min(took, key=lambda threads: took[threads])
    torch.set_num_threads(best)
    return best


def posted(history: dict[int, float]) -> dict[str, Any]:
    """The body of a request."""
    return {"histories": [[{"item_id": item, "rating": rating} for item, rating in history.items()]], "k": K}


def single(model: Any, histories: Histories, port: int, requests: Path) -> dict[str, Any]:
    """Milliseconds of a call and of a request, taking turns; medians of the rounds."""
    calls, answers = [], []
    for _ in range(ROUNDS):
        calls.append(statistics.median(timed(lambda history: model.recommend_for(history, K), histories[:PER_ROUND])))
        answers.append(call(port, requests, 1, count=PER_ROUND)["p50_ms"])
    one, other = statistics.median(calls) * 1000, statistics.median(answers)
    return {"python_ms": round(one, 3), "request_ms": round(other, 3), "single_over_python": round(other / one, 3)}


def together(model: Any, histories: Histories, port: int, requests: Path, seconds: float) -> dict[str, Any]:
    """Requests a second of 16 clients, against calls one by one, before and after."""
    before = rate_of_python(model, histories)
    call(port, requests, CLIENTS, count=CLIENTS * 20)
    told = call(port, requests, CLIENTS, seconds=seconds)
    python = (before + rate_of_python(model, histories)) / 2
    return {
        "python_per_second": round(python, 1),
        "rate_of_16_per_second": round(told["rate"], 1),
        "rate_of_16_over_python": round(told["rate"] / python, 3),
        "p50_ms": round(told["p50_ms"], 2),
        "p99_ms": round(told["p99_ms"], 2),
        "p99_over_p50": round(told["p99_ms"] / told["p50_ms"], 3),
        "failed": told["failed"],
    }


def memory(server: int, port: int, requests: Path, count: int) -> dict[str, Any]:
    """MiB of the server after each tenth of the requests; the first tenth warms up."""
    resident = []
    for _ in range(10):
        call(port, requests, CLIENTS, count=count // 10)
        resident.append(round(resident_mb(server), 1))
    ratio = round(resident[-1] / resident[0], 4)
    return {"requests": count, "resident_mb": resident, "memory_last_over_first": ratio}


def timed(ask: Callable[[Any], Any], questions: Sequence[Any]) -> list[float]:
    """Seconds of each."""
    seconds = []
    gc.collect()
    for question in questions:
        start = time.perf_counter()
        ask(question)
        seconds.append(time.perf_counter() - start)
    return seconds


def rate_of_python(model: Any, histories: Histories) -> float:
    """Calls a second."""
    return len(histories) / sum(timed(lambda history: model.recommend_for(history, K), histories))


def call(port: int, requests: Path, clients: int, *, count: int = 0, seconds: float = 0.0) -> dict[str, Any]:
    """What the process of the clients measures."""
    words = ["--ask", str(port), str(clients), str(requests), "--count", str(count), "--seconds", str(seconds)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.service", *words], check=True, capture_output=True, text=True
    )
    told: dict[str, Any] = json.loads(done.stdout)
    assert not told["failed"], told
    return told


async def ask(port: int, clients: int, file: Path, seconds: float | None, count: int) -> dict[str, Any]:
    """Clients that ask one after the other, each on a connection of its own, until the time or the count is over."""
    bodies = [json.dumps(body).encode() for body in json.loads(file.read_text())]
    lines = (b"POST /v1/recommend HTTP/1.1", b"Host: localhost", b"Content-Type: application/json")
    messages = [b"\r\n".join((*lines, b"Content-Length: %d" % len(body), b"", body)) for body in bodies]
    took: list[float] = []
    failed = 0
    end = None if seconds is None else time.perf_counter() + seconds

    async def client(number: int) -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        place = number * 31
        while len(took) < count if end is None else time.perf_counter() < end:
            start = time.perf_counter()
            writer.write(messages[place % len(messages)])
            failed += not await answered(reader)
            took.append(time.perf_counter() - start)
            place += 1
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    elapsed = time.perf_counter() - began
    p50, p99 = np.quantile(np.array(took) * 1000, [0.5, 0.99]).tolist()
    return {"rate": len(took) / elapsed, "p50_ms": p50, "p99_ms": p99, "failed": failed}


async def answered(reader: asyncio.StreamReader) -> bool:
    """Whether the next answer, which is read whole, is a success."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return head.startswith(b"HTTP/1.1 200")


def wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Until the server listens."""
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the server ended with {server.returncode}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def resident_mb(process: int) -> float:
    """Resident memory of a process, MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024


if __name__ == "__main__":
    main()
