"""What several Ray workers cost and gain on one machine, and that they end with the model of one process.

    python benchmarks/scale.py            # writes benchmarks/results/scale.json

One thread a process. An epoch of one process and of two workers are on the same data, in one run; seconds of an epoch
are medians. `difference` is the largest of any weight, over the largest weight.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from conv4rec import Conv4Rec
from conv4rec.config import Config, override
from conv4rec.data.interactions import Interactions
from conv4rec.model.network import Network
from conv4rec.model.statistics import Statistics
from conv4rec.scale.cluster import import_ray
from conv4rec.scale.recommend import RayScoring
from conv4rec.scale.training import RayTraining
from conv4rec.training import TrainingResult, train
from conv4rec.vocabulary import InteractionTypes

RESULT = Path(__file__).parent / "results" / "scale.json"
USERS, ITEMS, PER_USER, WORKERS, EPOCHS = 10_000, 5_000, 50, 2, 5


def main() -> None:
    """Measure and write down."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    ray = import_ray()
    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    result = {
        "command": " ".join(["python", *sys.argv]),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
        ).stdout.strip(),
        "versions": {"ray": ray.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "machine": {"cpu": platform.processor(), "cores": os.cpu_count()},
        "data": {"users": USERS, "items": ITEMS, "interactions": USERS * PER_USER},
        "start_of_ray_seconds": round(time.perf_counter() - started, 2),
        "training": training(),
        "scoring": scoring(),
    }
    ray.shutdown()
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def training() -> dict[str, Any]:
    """Epochs of one process and of two workers."""
    rng, types = np.random.default_rng(0), InteractionTypes.of([1, 2, 3, 4, 5])
    n = USERS * PER_USER
    known = Interactions.from_triples(
        np.sort(rng.integers(0, USERS, n)).astype(np.int32),
        np.floor(ITEMS * rng.random(n) ** 2.5).astype(np.int32),
        rng.integers(0, 5, n).astype(np.uint8),
        n_users=USERS,
        n_items=ITEMS,
    )
    config = override(Config(), [f"train.epochs={EPOCHS}", "train.device=cpu"])
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        networks.append(Network(config.model, Statistics.of(known, types)))
    one = train(networks[0], known, types, config.train)
    started = time.perf_counter()
    two = RayTraining(WORKERS)(networks[1], known, types, config.train)
    whole = time.perf_counter() - started
    weights = [network.state_dict() for network in networks]
    largest = max(float(value.abs().max()) for value in weights[0].values())
    apart = max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0])
    return {
        "epoch_of_one_process": _epoch(one),
        "epoch_of_two_workers": _epoch(two),
        "ratio": round(_epoch(two) / _epoch(one), 3),
        "start_and_end_seconds": round(whole - two.seconds, 2),
        "gradient_bytes_a_step": sum(4 * p.numel() for p in networks[0].parameters()),
        "difference": apart / largest,
    }


def scoring() -> dict[str, Any]:
    """Top 20 for all users of ML-1M, of a network after one epoch, which does not matter here."""
    model = Conv4Rec(override(Config(), ["train.epochs=1", "experts.neighbours=0", "experts.factors=[]"])).fit("ml-1m")
    users = model.vocabulary.users.values
    started = time.perf_counter()
    expected = model.recommend(users, 20)
    one = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder:
        path, out = model.save(Path(folder) / "model"), Path(folder) / "lists.parquet"
        started = time.perf_counter()
        rows = RayScoring(WORKERS)(path, users, out, 20, {})
        two = time.perf_counter() - started
        same = pl.read_parquet(out / "*.parquet").select("user_id", "item_id", "rank").equals(
            expected.select("user_id", "item_id", "rank")
        )  # fmt: skip
    return {"rows": rows, "one_process": round(one, 2), "two_workers_with_start": round(two, 2), "same_lists": same}


def _epoch(result: TrainingResult) -> float:
    return round(float(np.median([epoch.seconds for epoch in result.epochs])), 3)


if __name__ == "__main__":
    main()
