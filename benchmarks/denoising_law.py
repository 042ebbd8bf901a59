"""What `train.denoise` does to the law of Conv4Rec, and what it costs: MovieLens 100K, network alone, five seeds.

    python benchmarks/denoising_law.py        # writes benchmarks/results/denoising-law.json

Random 80/10/10, a split for every seed. The weight of the unlabelled items is chosen by validation likelihood with the
first seed. Seconds are of the processor, for all the epochs of a fit on one thread; ratios are of one run.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from benchmarks.denoising import machine
from benchmarks.denoising_tables import interval

from conv4rec.config import Config, override
from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import load_parts
from conv4rec.denoising import CollapseWarning
from conv4rec.evaluation import Validation, validate
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.model.statistics import Statistics
from conv4rec.training import train

RESULT = Path(__file__).parent / "results" / "denoising-law.json"
DATA, SEEDS, WEIGHTS = "ml-100k", 5, (0.03, 0.1, 0.3, 1.0)
SHOWN = ("nll_consume", "ndcg@20", "recall@20", "auc", "coverage@20", "rmse")

Row = dict[str, Any]


def fit(denoise: str, weight: float, seed: int) -> Row:
    """One network: validation figures, test figures, seconds."""
    settings = [f"train.denoise={denoise}", f"train.denoise_weight={weight}", f"train.seed={seed}", "train.device=cpu"]
    config = override(Config(), [*settings, f"split.seed={seed}"])
    parts = load_parts(DATA, config)
    assert parts.split.test is not None
    vocabulary = parts.known.vocabulary()
    interactions = Interactions.from_ratings(parts.split.train, vocabulary)
    validation, test = (Validation.of(part, vocabulary) for part in (parts.split.validation, parts.split.test))
    torch.manual_seed(seed)
    network = Network(config.model, Statistics.of(interactions, vocabulary.types))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", CollapseWarning)
        started = time.process_time()
        training = train(network, interactions, vocabulary.types, config.train, validation=validation)
        seconds = time.process_time() - started
    kept, figures = (
        training.epochs[training.best_epoch - 1],
        validate(NetworkPredictor(network, vocabulary.types), test),
    )
    return {
        "denoise": denoise,
        "weight": weight,
        "seed": seed,
        "validation_nll_consume": kept.validation["nll_consume"],
        "test": {name: figures[name] for name in SHOWN},
        "weights": kept.weights,
        "epochs": len(training.epochs),
        "seconds": seconds,
        "collapsed": bool(heard),
    }


def main() -> None:
    """Choose the weights, fit every seed, write the table."""
    torch.set_num_threads(1)
    rows = [fit("none", 0.0, seed) for seed in range(SEEDS)]
    for denoise in ("idl", "ig"):
        tried = [fit(denoise, weight, 0) for weight in WEIGHTS]
        best = min(tried, key=lambda row: float(row["validation_nll_consume"]))
        rows += [*tried, *(fit(denoise, best["weight"], seed) for seed in range(1, SEEDS))]
    table = [_summary(denoise, rows) for denoise in ("none", "idl", "ig")]
    result = {"command": "python benchmarks/denoising_law.py", "data": DATA, "table": table, "rows": rows}
    RESULT.write_text(json.dumps(result | {"machine": machine()}, indent=1) + "\n")
    print(json.dumps(table, indent=1), file=sys.stderr)


def _summary(denoise: str, rows: list[Row]) -> Row:
    mine = [row for row in rows if row["denoise"] == denoise]
    weight = mine[-1]["weight"]
    mine = [row for row in mine if row["weight"] == weight]
    plain = {row["seed"]: row for row in rows if row["denoise"] == "none"}
    return {
        "denoise": denoise,
        "weight": weight,
        "test": {name: interval([row["test"][name] for row in mine]) for name in SHOWN},
        "less none": {name: interval([row["test"][name] - plain[row["seed"]]["test"][name] for row in mine])
                      for name in SHOWN},
        "seconds over none": interval([row["seconds"] / plain[row["seed"]]["seconds"] for row in mine]),
        "collapsed": sum(row["collapsed"] for row in mine),
        "weights": mine[0]["weights"],
    }  # fmt: skip


if __name__ == "__main__":
    main()
