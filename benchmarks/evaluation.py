"""What evaluating costs, against the scoring that it cannot do without: MovieLens 1M, every metric.

    python -m benchmarks.evaluation            # writes benchmarks/results/evaluation.json

Scoring is one prediction of every test user in batches of the default memory, with the log-probability and the type law
of every target. Evaluating is `evaluate` with k = 5, 10, 20 and 50 and 1,000 replicates. The two take turns in one
process, so that what else the machine does meets both alike. Memory is the peak of a process beyond what it held
before, with the users once and four times over.
"""

import argparse
import ctypes
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.machine import machine

from conv4rec import Conv4Rec
from conv4rec.config import Config, EvaluateConfig, override
from conv4rec.data.parts import load_parts
from conv4rec.evaluation import Validation, evaluate
from conv4rec.predictions import Predictor, users_per_batch

KS, RUNS = (5, 10, 20, 50), 5
RESULT = Path(__file__).parent / "results" / "evaluation.json"
LIMITS = {"time": 2.0, "memory_of_four_times_the_users": 1.1}


def main() -> None:
    """Run the benchmark, or, with --measure, one measurement of memory in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--measure", choices=["scoring", "evaluating"])
    parser.add_argument("--times", type=int, default=1, help="how often the users are repeated")
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        print(json.dumps(peak(World.load(arguments.model, arguments.times), arguments.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ml-1m.conv4rec"
        fit(path)
        result = {"command": " ".join(sys.argv), **compare(World.load(path, 1), arguments.runs), **memory(path)}
    RESULT.write_text(json.dumps(result | {"limits": LIMITS, "machine": machine("scipy")}, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def fit(path: Path) -> None:
    """A model of one epoch: it scores as slowly as any other."""
    config = override(Config(), ["train.epochs=1"])
    parts = load_parts("ml-1m", config)
    Conv4Rec(config).fit_split(parts.split, parts.known).save(path)


@dataclass(frozen=True)
class World:
    """The model, and what it is told and asked."""

    predictor: Predictor
    asked: Validation

    @classmethod
    def load(cls, path: Path, times: int) -> "World":
        """The test part of the default split, its users so many times over."""
        model = Conv4Rec.load(path)
        held_out = load_parts("ml-1m", Config()).split.test
        assert held_out is not None
        once = Validation.of(held_out, model.vocabulary)
        users = np.tile(np.arange(once.targets.n_users), times)
        excluded = None if once.excluded is None else once.excluded.select(users)
        return cls(model.predictor, Validation(once.history.select(users), once.targets.select(users), excluded))

    def scoring(self) -> None:
        """The law of every user, and what it says of the targets."""
        users = np.flatnonzero(self.asked.targets.counts)
        size = users_per_batch(self.asked.targets.n_items, self.predictor.types.n_types)
        for start in range(0, len(users), size):
            some = users[start : start + size]
            predictions = self.predictor.predict(self.asked.history.select(some))
            targets = self.asked.targets.select(some)
            predictions.log_p_consume[targets.users, targets.items].sum()
            predictions.type_law.pairs(targets.users, targets.items).sum()

    def evaluating(self) -> None:
        """Every metric with its interval."""
        asked, config = self.asked, EvaluateConfig(k=KS)
        evaluate(self.predictor, asked.history, asked.targets, config, exclude=asked.excluded)


def compare(world: World, n_runs: int) -> dict[str, Any]:
    """Both in turn, after one turn that is not counted."""
    runs: list[dict[str, Any]] = []
    for turn in range(n_runs + 1):
        told = {
            "load_average": os.getloadavg()[0],
            "scoring": timed(world.scoring),
            "evaluating": timed(world.evaluating),
        }
        if turn > 0:
            runs.append(told)
    targets = world.asked.targets
    found: dict[str, Any] = {"users": int(np.count_nonzero(targets.counts)), "targets": len(targets)}
    for clock in ("wall", "cpu"):
        for name, choose in (("median", statistics.median), ("least", min)):
            seconds = {what: choose([run[what][clock] for run in runs]) for what in ("scoring", "evaluating")}
            found[f"{name}_{clock}_seconds"] = seconds
            found[f"ratio_of_{name}_{clock}"] = seconds["evaluating"] / seconds["scoring"]
    return found | {"runs": runs}


def timed(work: Callable[[], None]) -> dict[str, float]:
    """Seconds on the clock of the wall and on those of the processors, all threads together."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def memory(path: Path) -> dict[str, Any]:
    """Peaks of processes of their own."""
    found = {}
    for what in ("scoring", "evaluating"):
        found[what] = {f"users_x{times}": in_a_process(path, what, times) for times in (1, 4)}
    peaks = found["evaluating"]
    return {"peak_bytes": found, "memory_of_four_times_the_users": peaks["users_x4"] / peaks["users_x1"]}


def in_a_process(path: Path, what: str, times: int) -> int:
    """The peak of one measurement."""
    words = ["--measure", what, "--times", str(times), "--model", str(path)]
    command = [sys.executable, "-m", "benchmarks.evaluation", *words]
    told: int = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


def peak(world: World, what: str) -> int:
    """Bytes beyond what the process held before; Linux only."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what loading has freed is not used again unseen
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = resident("VmRSS")
    getattr(world, what)()
    return resident("VmHWM") - before


def resident(field: str) -> int:
    """The resident size of this process, bytes, now (VmRSS) or at its largest (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    main()
