"""How fast 10 million rows of CSV become index-space triples, against polars' own `read_csv` of the same file.

    python -m benchmarks.load            # writes benchmarks/results/load.json

Each measurement is a process of its own; the two take turns, so that what else the machine does meets both alike.
Memory is the peak of the process beyond what it held after its imports.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from benchmarks.machine import machine

N_ROWS, N_USERS, N_ITEMS, RUNS = 10_000_000, 100_000, 60_000, 5
RESULT = Path(__file__).parent / "results" / "load.json"
LIMITS = {"time": 2.0, "memory": 3.0}


def main() -> None:
    """Run the benchmark, or, with --measure, one measurement in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=N_ROWS)
    parser.add_argument("--measure", choices=["polars", "conv4rec"])
    parser.add_argument("--file", type=Path)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        print(json.dumps(measure(arguments.measure, arguments.file)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        write(path, arguments.rows)
        result = compare(path, arguments.rows)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def write(path: Path, n_rows: int) -> None:
    """Distinct pairs in random order: popularity like a power law, half-star ratings, seconds."""
    random = np.random.default_rng(0)
    pairs = np.empty(0, dtype=np.int64)
    while len(pairs) < n_rows:
        users = random.integers(1, N_USERS + 1, n_rows)
        items = (N_ITEMS * random.beta(0.6, 3.0, n_rows)).astype(np.int64) + 1
        pairs = np.union1d(pairs, users * 2**20 + items)
    pairs = random.permutation(pairs)[:n_rows]
    columns = {
        "user": pairs // 2**20,
        "item": pairs % 2**20,
        "rating": random.integers(1, 11, n_rows) / 2,
        "timestamp": random.integers(900_000_000, 1_600_000_000, n_rows),
    }
    pl.DataFrame(columns).write_csv(path)


def measure(what: str, path: Path) -> dict[str, float]:
    """Seconds and peak memory of one reading."""
    from conv4rec.data.interactions import Interactions
    from conv4rec.data.sources import load_ratings

    before = resident("VmRSS")
    start = time.perf_counter()
    if what == "polars":
        n_rows = pl.read_csv(path).height
    else:
        ratings = load_ratings(path)
        n_rows = len(Interactions.from_ratings(ratings, ratings.vocabulary()))
    return {"seconds": time.perf_counter() - start, "bytes": resident("VmHWM") - before, "rows": n_rows}


def resident(field: str) -> int:
    """The resident size of this process, bytes, now (VmRSS) or at its largest (VmHWM). Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def compare(path: Path, n_rows: int) -> dict[str, Any]:
    """Both readers in turn, the medians of their times, and the ratios that are promised."""
    runs: dict[str, list[dict[str, float]]] = {"polars": [], "conv4rec": []}
    for turn in range(RUNS + 1):
        for what in sorted(runs, reverse=turn % 2 == 1):
            told = run(what, path)
            if turn > 0:  # the first turn brings the file into memory
                runs[what].append(told)
    seconds = {what: statistics.median(told["seconds"] for told in all_told) for what, all_told in runs.items()}
    columns = n_rows * 4 * 8
    used = max(told["bytes"] for told in runs["conv4rec"])
    return {
        "rows": n_rows,
        "file_bytes": path.stat().st_size,
        "column_bytes": columns,
        "median_seconds": seconds,
        "time_ratio": seconds["conv4rec"] / seconds["polars"],
        "peak_bytes": {what: max(told["bytes"] for told in all_told) for what, all_told in runs.items()},
        "memory_ratio": used / columns,
        "limits": LIMITS,
        "runs": runs,
        "machine": machine("scipy"),
    }


def run(what: str, path: Path) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.load", "--measure", what, "--file", str(path)]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


if __name__ == "__main__":
    main()
