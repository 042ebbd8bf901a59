"""How long the step waits for batches, from memory and from shards on disk, and what shards cost to make.

    python -m benchmarks.loading            # writes benchmarks/results/loading.json

Interactions are drawn: users take popular items, ratings 1 to 5. One pass over all users from each source, the same
network; `waits` is the share of the pass in which the step had no batch to work on. Peak memory is that of a process
of its own.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from benchmarks.machine import machine

from conv4rec.config import Config, DataConfig, SplitConfig
from conv4rec.data.sharding import shards_of
from conv4rec.data.shards import Shards, stack
from conv4rec.model.network import Network
from conv4rec.model.statistics import Statistics
from conv4rec.training import train
from conv4rec.training.source import InMemory, Share, Source
from conv4rec.training.streamed import Streamed
from conv4rec.training.world import World

RESULT = Path(__file__).parent / "results" / "loading.json"
ITEMS, PER_USER, FILE = 10_000, 50, 1 << 20
SIZES = (1_000_000, 4_000_000, 8_000_000)
"""Interactions."""
SHARD, HELD = 1 << 19, 1 << 20
"""Rows of a shard and of a buffer: smaller than usual, so that there are several."""


def main() -> None:
    """Measure every size, each step in a process of its own, and write it down."""
    sizes = [int(size) for size in sys.argv[1:]] or list(SIZES)
    with tempfile.TemporaryDirectory() as folder:
        rows = [_measure(size, Path(folder) / str(size)) for size in sizes]
    seconds, n = np.array([row["make"]["seconds"] for row in rows]), np.array(sizes)
    result = {
        "command": " ".join(sys.argv),
        "machine": machine(),
        "rows": rows,
        "exponent_of_making": round(float(np.polyfit(np.log(n), np.log(seconds), 1)[0]), 3) if len(n) > 1 else None,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def _measure(n: int, folder: Path) -> dict[str, Any]:
    write_ratings(folder / "data", n)
    steps = {name: _alone(name, folder) for name in ("make", "disk", "memory")}
    return {
        "interactions": n,
        "parquet_bytes": _bytes(folder / "data"),
        "shard_bytes": _bytes(folder / "shards"),
    } | steps


def _alone(step: str, folder: Path) -> dict[str, Any]:
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.loading", step, folder], check=True, capture_output=True, text=True
    ).stdout
    found: dict[str, Any] = json.loads(told)
    return found


def step(name: str, folder: Path) -> None:
    """What a process of its own does: make the shards, or train a pass from disk or from memory."""
    before = _peak()
    started = time.perf_counter()
    told = make(folder) if name == "make" else one_pass(Shards.open(folder / "shards"), from_disk=name == "disk")
    told |= {"seconds": round(time.perf_counter() - started, 3), "peak_mib": _peak(), "peak_before_mib": before}
    print(json.dumps(told))


def make(folder: Path) -> dict[str, Any]:
    """Shards from Parquet."""
    split = SplitConfig(validation=0.01, test=0.01)
    shards = shards_of(folder / "data", folder / "shards", DataConfig(keep="all"), split, shard=SHARD)
    return {"shards": len(shards)}


class Watched:
    """A source that counts the seconds for which its batches were waited for."""

    def __init__(self, inner: Source) -> None:
        self.inner, self.waited, self.batches = inner, 0.0, 0
        self.fingerprint, self.n_users, self.n_interactions = inner.fingerprint, inner.n_users, inner.n_interactions

    def shares(self, size: int, world: World) -> Iterator[Share]:
        """The batches of the inner source."""
        shares = iter(self.inner.shares(size, world))
        while True:
            started = time.perf_counter()
            share = next(shares, None)
            self.waited += time.perf_counter() - started
            if share is None:
                return
            self.batches += 1
            yield share


def one_pass(shards: Shards, *, from_disk: bool) -> dict[str, Any]:
    """Train for one pass with the default network."""
    device, config = torch.device("cpu"), Config()
    torch.manual_seed(0)
    network = Network(config.model, Statistics.of(shards, shards.types))
    source = Watched(Streamed(shards, device, HELD) if from_disk else InMemory.of(stack(list(shards)), device))
    settings = config.train.model_copy(update={"epochs": 1, "device": "cpu"})
    started = time.perf_counter()
    train(network, source, shards.types, settings)
    seconds = time.perf_counter() - started
    return {"pass": round(seconds, 3), "waits": round(source.waited / seconds, 5), "batches": source.batches}


def write_ratings(folder: Path, n: int) -> None:
    """Parquet files of a million rows each."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, start in enumerate(range(0, n, FILE)):
        rows = min(FILE, n - start)
        items = np.floor(ITEMS * rng.random(rows) ** 2.5).astype(np.int64)
        users = rng.integers(0, n // PER_USER, rows)
        frame = pl.DataFrame(
            {"user_id": users, "item_id": items, "rating": rng.integers(1, 6, rows).astype(np.float64)}
        )
        frame.write_parquet(folder / f"{number:05d}.parquet")


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _peak() -> int:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in ("make", "disk", "memory"):
        step(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
