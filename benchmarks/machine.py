"""What a result was measured on, and how a benchmark is run in turns."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any


def machine(*packages: str) -> dict[str, Any]:
    """Commit, processor, threads and versions, of these packages too."""
    import torch  # the process of a peak may do without

    root = Path(__file__).parents[1]
    told = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    processor = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "commit": told.stdout.strip() or "unknown",
        "processor": processor[0] if processor else platform.processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),
        "versions": {name: version(name) for name in ("conv4rec", "torch", "numpy", "polars", *packages)}
        | {"python": platform.python_version()},
    }


def in_turns(jobs: Mapping[str, Callable[[], object]], runs: int = 5) -> dict[str, float]:
    """Median seconds of every job, which take turns; each is run once before, and not counted."""
    for job in jobs.values():
        job()
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(each) for name, each in seconds.items()}
