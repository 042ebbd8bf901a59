"""Whether the learned 1x1 convolutions say the same with every seed, and whether what they say is so.

    python -m benchmarks.kernels             # writes benchmarks/results/kernels.json

seeds: networks on ML-100K that differ in their seed alone; kernels aligned before they are compared, and the same of
their weights before training; where 3 lies between 2 and 4. relations: worlds of view, cart and purchase with a planted
relation, drawn with and without repetition; the likeness of every pair by path.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from benchmarks.machine import machine

from conv4rec import Conv4Rec, load_ratings
from conv4rec.config import Config, make_config, override
from conv4rec.data.simulator import SimulatorConfig, simulate
from conv4rec.theory.certificate import initial_network
from conv4rec.theory.kernels import leaning, nearest, stability
from conv4rec.verbs.type_map import TypeMap, type_map

RESULT = Path(__file__).parent / "results" / "kernels.json"
SEEDS = (0, 1, 2)
RELATIONS = ((0.1, 0.9, 0.3), (0.9, 0.1, 0.3), (0.1, 0.2, 0.9))
ALONE = ["experts.neighbours=0", "experts.factors=[]"]
"""Experts have no kernels."""
SMALL: dict[str, dict[str, Any]] = {
    "model": {"embedding_dim": 16, "rating_embedding_dim": 8, "dropout": 0.0},
    "train": {"epochs": 12, "learning_rate": 0.02, "batch_size": 64, "rating_weight_decay": 0.01},
    "experts": {"neighbours": 0, "factors": []},
}


def main() -> None:
    """Measure both and write them down."""
    result = {
        "command": " ".join(sys.argv),
        "seeds": seeds("ml-100k"),
        "relations": [related(r, seed, replace=again) for again in (True, False) for r in RELATIONS for seed in (0, 1)],
        "machine": machine(),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def seeds(data: str) -> dict[str, Any]:
    """Stability by path, and where the middle rating lies, seed by seed."""
    ratings, maps, before = load_ratings(data), [], []
    for seed in SEEDS:
        model = Conv4Rec(override(Config(), [f"train.seed={seed}", *ALONE])).fit(ratings)
        maps.append(model.interaction_types())
        before.append(_untrained(model))
    return {
        "stability": [asdict(each) for each in stability(maps, before)],
        "leaning of 3 from 2 (0) to 4 (1)": [leaning(each, "2", "3", "4") for each in maps],
        "nearest": [nearest(each).to_dicts() for each in maps],
    }


def related(relation: tuple[float, float, float], seed: int, *, replace: bool) -> dict[str, Any]:
    """Likeness of purchase and view, purchase and cart, view and cart, by path."""
    size: dict[str, Any] = {"n_users": 400, "n_items": 40, "n_interactions": 60}
    world = simulate(SimulatorConfig(types="related", relation=relation, replace=replace, seed=seed, **size))
    settings = SMALL | {"train": SMALL["train"] | {"seed": seed}}
    found = Conv4Rec(make_config(settings)).fit(world.ratings).interaction_types()
    return {"relation": relation, "seed": seed, "replace": replace, "likeness": _pairs(found)}


def _pairs(found: TypeMap) -> dict[str, dict[str, float]]:
    rows = found.alike.filter(pl.col("type") > pl.col("other")).to_dicts()
    told: dict[str, dict[str, float]] = {}
    for row in rows:
        told.setdefault(row["path"], {})[f"{row['type']}, {row['other']}"] = row["effect_cosine"]
    return told


def _untrained(model: Conv4Rec) -> TypeMap:
    """The map of the weights that training started from; ratings are standardised as in the trained one."""
    network, trained = initial_network(model), model.exact_predictor.network
    met = np.array(
        [each.label in set(model.interaction_types().strength["type"]) for each in model.vocabulary.types.channels]
    )
    if network.rating is not None and trained.rating is not None:
        network.rating.value, network.rating.rated = trained.rating.value, trained.rating.rated
    return type_map(network, model.vocabulary.types, met)


if __name__ == "__main__":
    main()
