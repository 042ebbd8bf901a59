"""What each part of the law adds to each task, and how much a seed matters: MovieLens 1M, test part of one split.

    python -m benchmarks.ablation              # writes benchmarks/results/ablation.json

For every seed of the training one network is trained; each row gives it other experts, whose scalars are fitted on
validation data again. The test part decides nothing. Bars of the spread are those of the first column of rows: largest
minus smallest over the seeds.
"""

import argparse
import copy
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from benchmarks.machine import machine

from conv4rec.blending import fit_experts
from conv4rec.config import Config, EvaluateConfig, ExpertConfig, override
from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import load_parts
from conv4rec.evaluation import Validation, evaluate
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.model.statistics import Statistics
from conv4rec.training import train
from conv4rec.vocabulary import Vocabulary

RESULT = Path(__file__).parent / "results" / "ablation.json"
SHOWN = ("ndcg@20", "recall@20", "nll_consume", "ece_consume", "rmse", "nll_rating", "ece_like", "auc_like", "nll")
ROWS: dict[str, dict[str, Any]] = {
    "all of it": {},
    "network alone": {"neighbours": 0, "factors": ()},
    "without the item-item path": {"neighbours": 0},
    "without factors and neighbours of ratings": {"factors": ()},
    "without neighbours of ratings": {"rating_neighbours": 0},
}
LIMITS = {"ndcg@20": 0.003, "rmse": 0.002}


class World:
    """One split, in index space."""

    def __init__(self, data: str, config: Config) -> None:
        parts = load_parts(data, config)
        assert parts.split.test is not None
        vocabulary: Vocabulary = parts.known.vocabulary()
        self.config, self.types = config, vocabulary.types
        self.train = Interactions.from_ratings(parts.split.train, vocabulary)
        self.validation = Validation.of(parts.split.validation, vocabulary)
        self.test = Validation.of(parts.split.test, vocabulary)

    def network(self, seed: int) -> Network:
        torch.manual_seed(seed)
        network = Network(self.config.model, Statistics.of(self.train, self.types))
        settings = self.config.train.model_copy(update={"seed": seed})
        train(network, self.train, self.types, settings, validation=self.validation)
        return network

    def figures(self, network: Network, experts: ExpertConfig, seed: int) -> dict[str, float]:
        blended = copy.deepcopy(network)
        fit_experts(blended, self.train, self.types, experts, self.validation, seed=seed)
        predictor, asked = NetworkPredictor(blended, self.types), self.test
        settings = EvaluateConfig(k=(20,), bootstrap=0)
        report = evaluate(predictor, asked.history, asked.targets, settings, exclude=asked.excluded)
        return {name: report.metrics[name] for name in SHOWN}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    world = World(arguments.data, override(Config(), []))
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ROWS}
    for seed in range(arguments.seeds):
        network = world.network(seed)
        for name, changes in ROWS.items():
            found[name].append(world.figures(network, world.config.experts.model_copy(update=changes), seed))
        print(seed, {name: round(found["all of it"][-1][name], 4) for name in SHOWN}, file=sys.stderr, flush=True)
    whole = found["all of it"]
    result = {
        "command": " ".join(sys.argv),
        "data": arguments.data,
        "table": {name: {metric: summary(rows, metric) for metric in SHOWN} for name, rows in found.items()},
        "spread": {metric: max(r[metric] for r in whole) - min(r[metric] for r in whole) for metric in LIMITS},
        "limits": LIMITS,
        "machine": machine(),
    }
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({name: result[name] for name in ("table", "spread")}, indent=1))


def summary(rows: list[dict[str, float]], metric: str) -> dict[str, float]:
    """Mean and standard deviation over the seeds."""
    values = [row[metric] for row in rows]
    return {"mean": statistics.mean(values), "deviation": statistics.stdev(values) if len(values) > 1 else 0.0}


if __name__ == "__main__":
    main()
