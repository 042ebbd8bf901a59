"""What several Ray workers cost and gain on one machine, in time and in memory, and that they train the same model.

    python -m benchmarks.scale            # writes benchmarks/results/scale.json

One thread a process. Epochs of one process, of two workers with whole item tables and of two that share them are on the
same data, in one run; seconds of an epoch are medians. `difference` is the largest of any weight from that of one
process, over the largest weight. Memory is the largest peak of a worker (VmHWM) in runs over two catalogues; what an
item takes is the difference, so that Python, Ray, batches and blocks of logits do not count, beside the formula of
`conv4rec.training.tables`.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from benchmarks.machine import machine

from conv4rec import Conv4Rec
from conv4rec.config import Config, override
from conv4rec.data.interactions import Interactions
from conv4rec.evaluation import Validation
from conv4rec.model.network import Network
from conv4rec.model.statistics import Statistics
from conv4rec.scale.cluster import import_ray
from conv4rec.scale.recommend import RayScoring
from conv4rec.scale.training import RayTraining
from conv4rec.training import TrainingResult, train
from conv4rec.training.source import InMemory, Share
from conv4rec.training.tables import training_bytes
from conv4rec.training.world import World
from conv4rec.vocabulary import InteractionTypes

RESULT = Path(__file__).parent / "results" / "scale.json"
USERS, ITEMS, PER_USER, WORKERS, EPOCHS = 10_000, 5_000, 50, 2, 5
CATALOGUES, FEW_USERS, NARROW = (50_000, 100_000), 1_000, 64
"""Items of two catalogues, their users, and D: 0.16 and 0.32 GiB of weights."""
TYPES = InteractionTypes.of([1, 2, 3, 4, 5])
WAYS = {"one_worker": (1, "whole"), "two_whole": (2, "whole"), "two_sharded": (2, "sharded")}


def main() -> None:
    """Measure and write down."""
    torch.set_num_threads(1)
    started = time.perf_counter()
    ray = import_ray()
    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    result = {
        "command": " ".join(sys.argv),
        "machine": machine(),
        "ray": ray.__version__,
        "data": {"users": USERS, "items": ITEMS, "interactions": USERS * PER_USER},
        "start_of_ray_seconds": round(time.perf_counter() - started, 2),
        "scoring": scoring(),
        "training": training(),
        "memory": memory(),
    }
    ray.shutdown()
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def drawn(users: int, items: int, per_user: int) -> Interactions:
    """Users who take popular items, rated 1 to 5."""
    rng, n = np.random.default_rng(0), users * per_user
    return Interactions.from_triples(
        np.sort(rng.integers(0, users, n)).astype(np.int32),
        np.floor(items * rng.random(n) ** 2.5).astype(np.int32),
        rng.integers(0, 5, n).astype(np.uint8),
        n_users=users,
        n_items=items,
    )


def network_of(known: Interactions, config: Config) -> Network:
    """The same one every time."""
    torch.manual_seed(0)
    return Network(config.model, Statistics.of(known, TYPES))


def training() -> dict[str, Any]:
    """Epochs of one process, and of two workers who share users or items."""
    known = drawn(USERS, ITEMS, PER_USER)
    config = override(Config(), [f"train.epochs={EPOCHS}", "train.device=cpu"])
    alone = network_of(known, config)
    one = _epoch(train(alone, known, TYPES, config.train))
    found: dict[str, Any] = {"epoch_of_one_process": one}
    for tables in ("whole", "sharded"):
        network = network_of(known, config)
        settings = config.train.model_copy(update={"item_tables": tables})
        started = time.perf_counter()
        two = RayTraining(WORKERS)(network, known, TYPES, settings)
        whole = time.perf_counter() - started
        found[tables] = {
            "epoch_of_two_workers": _epoch(two),
            "ratio": round(_epoch(two) / one, 3),
            "start_and_end_seconds": round(whole - two.seconds, 2),
            "difference": _apart(alone, network),
        }
    return found | {"gradient_bytes_a_step_of_whole": sum(4 * p.numel() for p in alone.parameters())}


def _apart(one: Network, two: Network) -> float:
    theirs = two.state_dict()
    largest = max(float(value.abs().max()) for value in one.state_dict().values())
    return max(float((value - theirs[name]).abs().max()) for name, value in one.state_dict().items()) / largest


@dataclass(frozen=True)
class Weighed:
    """A source that writes down the peak of the process that it is read in."""

    inner: InMemory
    folder: Path

    @property
    def fingerprint(self) -> str:
        """That of the inner source, as all else."""
        return self.inner.fingerprint

    @property
    def n_users(self) -> int:
        """Users."""
        return self.inner.n_users

    @property
    def n_interactions(self) -> int:
        """Interactions."""
        return self.inner.n_interactions

    def shares(self, size: int, world: World) -> Iterator[Share]:
        """The batches; the second pass sees what validation and checkpoint of the first took."""
        yield from self.inner.shares(size, world)
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        (self.folder / str(World.here().rank)).write_text(str(round(peak / 1024)))


def memory() -> dict[str, Any]:
    """Peak MiB of a worker with two catalogues, and what an item takes, as measured and by the formula."""
    config = override(Config(), ["train.epochs=2", "train.device=cpu", f"model.embedding_dim={NARROW}"])
    known = {items: drawn(FEW_USERS, items, 20) for items in CATALOGUES}
    found: dict[str, Any] = {}
    for name, (workers, tables) in WAYS.items():
        peaks = {items: max(_peaks(data, config, workers, tables)) for items, data in known.items()}
        parts = workers if tables == "sharded" else 1
        formula = {
            items: training_bytes(network_of(data, config), parts, lean=False) / 2**20 for items, data in known.items()
        }
        found[name] = {
            "peak_mib": peaks,
            "formula_mib": {items: round(each) for items, each in formula.items()},
            "bytes_an_item": _slope(peaks),
            "bytes_an_item_by_formula": _slope(formula),
        }
    return found


def _slope(of_items: Mapping[int, float]) -> int:
    (few, low), (many, high) = of_items.items()
    return round((high - low) * 2**20 / (many - few))


def _peaks(known: Interactions, config: Config, workers: int, tables: str) -> list[int]:
    if workers == 1:
        tables = "auto"  # nobody to share with
    settings = config.train.model_copy(update={"item_tables": tables})
    some = known.select(np.arange(10))
    with tempfile.TemporaryDirectory() as folder:
        source = Weighed(InMemory.of(known, torch.device("cpu")), Path(folder))
        asked = Validation(some, some)
        RayTraining(workers)(network_of(known, config), source, TYPES, settings, validation=asked)
        return [int(file.read_text()) for file in Path(folder).iterdir()]


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
