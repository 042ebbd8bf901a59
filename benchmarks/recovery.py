"""How near fitted laws come to the law of simulated worlds: larger, and over more seeds, than `conv4rec recovery`.

    python -m benchmarks.recovery              # writes benchmarks/results/recovery.json and pictures; about 20 minutes

Beside the study of `conv4rec.theory.recovery` it holds, without any fit, what a loss that weighs each interaction by
its rating would recover at best: the law proportional to rating x p*(item, rating), and its distance from p*.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.machine import machine

from conv4rec.data.simulator import Simulation, SimulatorConfig, simulate
from conv4rec.report.recovery import write_pictures
from conv4rec.theory.distances import total_variation
from conv4rec.theory.recovery import Found, RecoverySettings, recover, reweigh
from conv4rec.theory.recovery_result import RecoveryResult

RESULT = Path(__file__).parent / "results" / "recovery.json"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 30, 90, 270, 810])
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    settings = RecoverySettings(
        sizes=tuple(asked.sizes),
        seeds=asked.seeds,
        weighted_seeds=asked.seeds,
        n_users=asked.users,
        n_items=asked.items,
    )
    started = time.perf_counter()
    result = RecoveryResult(settings, recover(settings, report=tell), reweigh(settings, report=tell))
    told = {
        "command": " ".join(sys.argv),
        **result.to_dict(),
        "weighted_by_rating": {world: weighted_by_rating(settings, world) for world in settings.worlds},
        "seconds": round(time.perf_counter() - started),
        "machine": machine(),
    }
    asked.out.write_text(json.dumps(told, indent=1) + "\n")
    write_pictures(result, asked.out.parent)
    print(json.dumps({name: told[name] for name in ("claims", "rates", "weighted_by_rating")}, indent=1))


def tell(found: Found) -> None:
    """A line for each fit."""
    place = (found.world, found.seed, found.interactions, found.model, found.weight)
    print(*place, round(found.closeness.tv_joint, 4), file=sys.stderr, flush=True)


def weighted_by_rating(settings: RecoverySettings, world: str) -> dict[str, float]:
    """Mean distance from the truth of the law that a loss weighted by the rating has its minimum at."""
    config = {"tastes": world, "n_users": settings.n_users, "n_items": settings.n_items, "replace": True}
    drawn = simulate(SimulatorConfig.model_validate(config))
    p, q = _joint(drawn, np.ones(len(drawn.config.scale))), _joint(drawn, np.array(drawn.config.scale))
    joint = total_variation(p.reshape(len(p), -1), q.reshape(len(q), -1))
    return {"tv_joint": float(joint.mean()), "tv_consume": float(total_variation(p.sum(2), q.sum(2)).mean())}


def _joint(drawn: Simulation, weights: Any) -> Any:
    """(U, I, L) proportional to weight x p*."""
    law = np.exp(drawn.log_p_consume[:, :, None] + drawn.log_p_type) * weights
    return law / law.sum(axis=(1, 2), keepdims=True)


if __name__ == "__main__":
    main()
