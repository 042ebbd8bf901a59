"""A catalogue of a million items with ten rating levels: trained and asked in bounded memory.

    python -m benchmarks.million               # writes benchmarks/results/million.json

200,000 users with 5,000,000 interactions of 1,000 tastes: a taste is a thousand items, a user has three of them, and
items are as popular within each as Zipf says. Training and asking are processes of their own, so that the peak of each
is its own (VmHWM). Likelihoods are those of held-out interactions given the rest, nats, normalised over all items.

Formula for training, sampled softmax: 4 P + 4 I (C + C' + 3) bytes of weights and optimiser, P = I ((C + 1) D + 2 C' W
+ L + 1), besides the data (16 bytes an interaction) and 4 B (2 S + 3 n (C + 1) D) for a batch of B users, S draws and n
interactions a user.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.machine import machine
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file

from conv4rec.config import ModelConfig, TrainConfig
from conv4rec.data.interactions import Interactions
from conv4rec.model.batch import Batch
from conv4rec.model.lists import Size, best_items
from conv4rec.model.network import Network
from conv4rec.model.softmax import Output, Pairs, block_of_logits
from conv4rec.model.statistics import Statistics
from conv4rec.training import Silent, train
from conv4rec.vocabulary import InteractionTypes

RESULT = Path(__file__).parent / "results" / "million.json"
ITEMS, USERS, PER_USER, TASTES = 1_000_000, 200_000, 25, 1000
TYPES = InteractionTypes.of(range(1, 11))
MODEL = ModelConfig(embedding_dim=64)
TRAIN = TrainConfig(epochs=3, batch_size=1024)
LIMITS = {"training_gb": 6.0, "asking_gb": 4.0}
BLOCK = 16_384
MEMORY_MB = 512


def world(seed: int = 0) -> tuple[Interactions, Interactions]:
    """Histories, and one held-out interaction of every user."""
    rng = np.random.default_rng(seed)
    place = (ITEMS // TASTES * (rng.random((USERS, PER_USER + 1)) ** 3)).astype(np.int64)  # many of the first few
    taste = rng.integers(0, TASTES, (USERS, 3))[np.arange(USERS)[:, None], rng.integers(0, 3, place.shape)]
    items = (place * TASTES + taste).astype(np.int32)
    levels = np.clip(5 + (items // 7 + taste) % 4 + rng.integers(-1, 2, items.shape), 0, 9).astype(np.uint8)
    return _grouped(items[:, 1:], levels[:, 1:]), _grouped(items[:, :1], levels[:, :1])


def _grouped(items: NDArray[np.int32], levels: NDArray[np.uint8]) -> Interactions:
    indptr = np.arange(len(items) + 1) * items.shape[1]
    return Interactions(indptr, np.ascontiguousarray(items).ravel(), np.ascontiguousarray(levels).ravel(), ITEMS)


class Clock(Silent):
    """Tells the loss of every epoch."""

    def on_epoch(self, epoch: Any, *, is_best: bool) -> None:  # noqa: ARG002
        print(
            f"epoch {epoch.number}: {epoch.loss_consume:.3f} + {epoch.loss_rating:.3f}, {epoch.seconds:.0f} s",
            file=sys.stderr,
        )


def training(path: Path) -> dict[str, Any]:
    """Fit, save the weights, and tell the peak."""
    history, _ = world()
    torch.manual_seed(0)
    network = Network(MODEL, Statistics.of(history, TYPES))
    result = train(network, history, TYPES, TRAIN, listener=Clock())
    peak = _peak()
    save_file(network.state_dict(), path)
    parameters = sum(value.numel() for value in network.parameters())
    return {
        "peak_gb": peak,
        "seconds": result.seconds,
        "softmax": result.softmax,
        "parameters_gb": 4 * parameters / 2**30,
    }


def asking(path: Path, users: int = 10_000) -> dict[str, Any]:
    """The best 100 items of users, exactly, and the likelihood of what was held out of them."""
    history, held_out = world()
    with torch.device("meta"):  # no memory yet
        network = Network(MODEL, Statistics.blank(ITEMS, TYPES))
    network.rating = None  # its tables are not asked
    with safe_open(path, framework="pt") as file:
        weights = {name: file.get_tensor(name) for name in network.state_dict()}
    network.load_state_dict(weights, assign=True)
    del weights
    some, started = np.arange(users), time.perf_counter()
    asked = history.select(some)
    lists = best_items(network, asked, 100, Size.within(MEMORY_MB, network), without=asked)
    seconds, peak = time.perf_counter() - started, _peak()
    return {"peak_gb": peak, "seconds": seconds, "users": len(lists.items)} | likelihoods(network, history, held_out)


@torch.inference_mode()
def likelihoods(network: Network, history: Interactions, held_out: Interactions, users: int = 2000) -> dict[str, float]:
    """Nats of the held-out items of some users: the model's, and that of popularity, one added to every item."""
    network.eval()
    popularity = np.bincount(history.items, minlength=ITEMS) + 1.0
    target = held_out.items[:users]
    total, path = 0.0, network.consumption
    for part in np.array_split(np.arange(users), users // 250):
        batch = Batch.of(history.select(part), torch.device("cpu"))
        output, seen = Output(path.encode(batch), path.decoder, path.bias, path.repeat), Pairs(batch.rows, batch.items)
        normaliser = torch.full((len(part),), -torch.inf)
        logit = torch.empty(len(part))
        for start in range(0, ITEMS, BLOCK):
            logits = block_of_logits(output, seen, start, min(start + BLOCK, ITEMS))
            normaliser = torch.logaddexp(normaliser, torch.logsumexp(logits, 1))
            inside = np.flatnonzero((target[part] >= start) & (target[part] < start + logits.shape[1]))
            logit[inside] = logits[inside, target[part][inside] - start]
        total += float((normaliser - logit).sum())
    return {
        "nll_consume": total / users,
        "nll_of_popularity": float(-np.log(popularity[target] / popularity.sum()).mean()),
    }


def _peak() -> float:
    """GB that this process has held at most."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


def main() -> None:
    """Train in one process and ask in another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=["training", "asking"])
    parser.add_argument("--weights", type=Path)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps((training if arguments.part == "training" else asking)(arguments.weights)))
        return
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights"
        parts = {part: _run(part, weights) for part in ("training", "asking")}
    result = {"command": " ".join(sys.argv), **parts, "limits": LIMITS, "machine": machine()}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def _run(part: str, weights: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.million", "--part", part, "--weights", str(weights)]
    told: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return told


if __name__ == "__main__":
    main()
