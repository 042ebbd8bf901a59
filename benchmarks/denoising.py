"""What inverse learning is worth against false negatives and wrong labels: MovieLens 1M, four models, five seeds.

    python -m benchmarks.denoising                 # every fit a line of results/denoising.jsonl; a killed run goes on;
                                                   # at the end, as --summarise
    python -m benchmarks.denoising --summarise     # writes results/denoising.json from whole seeds, and shows the
                                                   # tables of docs/denoising.md

Labels: a rating above 2 is positive. 60/20/20 at random, a split for every seed. Unlabelled pairs: uniform among the
items that the user has no training label for, one for every labelled pair, drawn anew every epoch. Conditions: a share
of the labels of train and validation flipped (test labels never are); and planted: of every user a tenth of the
training pairs, positive and negative, lose their label and lie among the unlabelled ones.

Losses: labelled pairs alone; cross entropy, to which unlabelled pairs are negatives; inverse dual loss; inverse
gradient. Hyper-parameters are chosen by validation AUC with the first seed, for every condition and model: the penalty
with the labelled loss (smaller ones are tried too where all leave it at chance), then the weight of the unlabelled
pairs for each other loss; the epoch in every fit. Seeds are outermost, so that what is finished of them is whole. The
same seed has the same split, flips and start for every loss.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from benchmarks.denoising_tables import CONDITIONS, LOSSES, MODELS, K, Row, as_markdown, chosen, summarise
from numpy.typing import NDArray

from conv4rec import __version__, load_ratings
from conv4rec.config import ModelConfig, SplitConfig
from conv4rec.data.split import split
from conv4rec.denoising import (
    GMF,
    MLP,
    CollapseWarning,
    ConsumptionLogit,
    NeuMF,
    PairConfig,
    Pairs,
    PairTraining,
    Unlabelled,
    fit_pairs,
    inverse_weights,
    measure_pairs,
    score_pairs,
)
from conv4rec.denoising.measures import pooled_auc
from conv4rec.denoising.step import PairModel

RESULT = Path(__file__).parent / "results" / "denoising.json"
ROWS = RESULT.with_suffix(".jsonl")
ABOVE, WIDTH, PLANTED, LISTED_USERS = 2.0, 32, 0.1, 500
PENALTIES, WEIGHTS = (1e-5, 3e-5), (0.1, 1.0)
SMALLER, AT_CHANCE = (3e-6, 1e-6), 0.51
"""Penalties that are tried too where validation AUC is at chance with all the others."""
FIXED: dict[str, Any] = {"learning_rate": 0.01, "batch_size": 8192, "epochs": 14, "patience": 2, "warmup": 2}


class Task(NamedTuple):
    """A seed's data under one condition."""

    train: Pairs
    validation: Pairs
    test: Pairs
    drawn: Pairs  # users of the positive test pairs, each with an item that they rated in no part
    planted: Pairs | None


@lru_cache(maxsize=1)
def parts(seed: int) -> tuple[Pairs, Pairs, Pairs]:
    """Train, validation and test of a seed, as they are."""
    ratings = load_ratings("ml-1m")
    cut = split(ratings, SplitConfig(validation=0.2, test=0.2, seed=seed))
    assert cut.test is not None
    tables = (cut.train, cut.validation.targets, cut.test.targets)
    train, validation, test = (Pairs.from_ratings(t, ratings.vocabulary(), above=ABOVE) for t in tables)
    return train, validation, test


def make_task(seed: int, condition: str) -> Task:
    """What a condition makes of a seed's data."""
    train, validation, test = parts(seed)
    everything = np.concatenate([train.keys, validation.keys, test.keys])
    known = Unlabelled(np.unique(everything), train.n_items)
    users = test.users[test.labels > 0]
    items = known.draw(users, np.random.default_rng([seed, 21]))
    drawn = Pairs(users, items, np.zeros(len(users), dtype=np.float32), train.n_users, train.n_items)
    if condition == "planted":
        is_planted = _a_tenth_of_each(train.users, np.random.default_rng([seed, 22]))
        return Task(train.take(~is_planted), validation, test, drawn, train.take(is_planted))
    share = CONDITIONS[condition]
    return Task(train.flip(share, seed), validation.flip(share, seed + 1000), test, drawn, None)


def _a_tenth_of_each(users: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    order = np.lexsort((rng.random(len(users)), users))
    starts = np.searchsorted(users[order], users[order])
    counts = np.bincount(users)
    chosen = np.empty(len(users), dtype=bool)
    chosen[order] = np.arange(len(users)) - starts < np.floor(PLANTED * counts[users[order]])
    return chosen


def make_model(name: str, task: Task, seed: int) -> PairModel:
    """A model as initialised by a seed."""
    torch.manual_seed(seed)
    if name == "Conv4Rec":
        return ConsumptionLogit.of(task.train, ModelConfig(embedding_dim=WIDTH))
    kinds: dict[str, type[GMF | MLP | NeuMF]] = {"GMF": GMF, "MLP": MLP, "NeuMF": NeuMF}
    return kinds[name](task.train.n_users, task.train.n_items, WIDTH)


def fit(key: Row, task: Task) -> Row:
    """One fit and everything that is measured on it."""
    config = PairConfig(
        **FIXED, **(LOSSES[key["loss"]] | {"unlabelled_weight": key["weight"]}), weight_decay=key["penalty"],
        seed=key["seed"],
    )  # fmt: skip
    model = make_model(key["model"], task, key["seed"])
    wall, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        training = fit_pairs(
            model, task.train, task.validation, config, unlabelled=Unlabelled.beside(task.train, task.planted)
        )
    spent = {"seconds": round(time.perf_counter() - wall, 2), "cpu_seconds": round(time.process_time() - cpu, 2)}
    figures = measure(model, task, key["seed"])
    return key | _course(training) | spent | {"test": {name: round(value, 5) for name, value in figures.items()}}


def _course(training: PairTraining) -> Row:
    kept = training.epochs[training.best_epoch - 1]
    return {
        "validation_auc": round(kept.auc, 5),
        "best_epoch": training.best_epoch,
        "epochs": len(training.epochs),
        "collapsed_at": training.collapsed_at,
        "weights": {name: round(value, 4) for name, value in kept.weights.items()},
        "choices": {name: sum(e.choices.get(name, 0) for e in training.epochs) for name in kept.choices},
    }


def measure(model: PairModel, task: Task, seed: int) -> dict[str, float]:
    """Test figures, and where pairs were planted, how w+ tells the positive ones from the others."""
    test, scores = task.test, score_pairs(model, task.test.users, task.test.items)
    told = measure_pairs(test.users, test.labels, scores, k=K)
    beside = score_pairs(model, task.drawn.users, task.drawn.items)
    told["auc_drawn"] = _auc(scores[test.labels > 0], beside)
    told[f"ndcg_catalogue@{K}"] = catalogue_ndcg(model, task, seed)
    if task.planted is not None:
        told |= separation(model, task, task.planted, beside)
    return told


def separation(model: PairModel, task: Task, planted: Pairs, beside: NDArray[np.float32]) -> dict[str, float]:
    """AUC of w+ of planted positives: against planted pairs rated 2 or less, and against items the user never rated."""
    weights, others = (
        inverse_weights(torch.from_numpy(x.astype(np.float64))).numpy()
        for x in (score_pairs(model, planted.users, planted.items), beside)
    )
    popularity = np.bincount(task.train.items, minlength=task.train.n_items).astype(np.float64)
    positive = planted.labels > 0
    known = popularity[planted.items]
    return {
        "w_auc": pooled_auc(planted.labels, weights),
        "w_auc_drawn": _auc(weights[positive], others),
        "w_positive": float(weights[positive].mean()),
        "w_negative": float(weights[~positive].mean()),
        "w_drawn": float(others.mean()),
        "popularity_auc": pooled_auc(planted.labels, known),
        "popularity_auc_drawn": _auc(known[positive], popularity[task.drawn.items]),
    }


def _auc(positive: NDArray[Any], negative: NDArray[Any]) -> float:
    labels = np.repeat([1.0, 0.0], [len(positive), len(negative)])
    return pooled_auc(labels, np.concatenate([positive, negative]))


def catalogue_ndcg(model: PairModel, task: Task, seed: int) -> float:
    """NDCG of the K best items out of all that the user has not rated in train or validation; some users."""
    train, test = task.train, task.test.take(task.test.labels > 0)
    users = np.sort(np.random.default_rng([seed, 23]).permutation(np.unique(test.users))[:LISTED_USERS])
    everything = np.tile(np.arange(train.n_items), len(users))
    scores = score_pairs(model, np.repeat(users, train.n_items), everything).reshape(len(users), -1)
    row = np.full(train.n_users, -1)
    row[users] = np.arange(len(users))
    for known in (train, task.validation, *(() if task.planted is None else (task.planted,))):
        inside = row[known.users] >= 0
        scores[row[known.users[inside]], known.items[inside]] = -np.inf
    relevant = np.zeros(scores.shape, dtype=bool)
    inside = row[test.users] >= 0
    relevant[row[test.users[inside]], test.items[inside]] = True
    best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    gain = 1 / np.log2(np.arange(K) + 2)
    ideal = np.cumsum(gain)[np.minimum(relevant.sum(1), K) - 1]
    return float(((np.take_along_axis(relevant, best, axis=1) * gain).sum(1) / ideal).mean())


def jobs(seed: int, condition: str, model: str, rows: list[Row]) -> Iterator[Row]:
    """The fits of a cell that are not among the rows, in an order in which each can be chosen from those before."""
    cell = {"seed": seed, "condition": condition, "model": model}
    for loss in LOSSES:
        while missing := _missing(cell | {"loss": loss}, candidates(cell, loss, rows), rows):
            yield missing[0]


def _missing(cell: Row, settings: list[Row], rows: list[Row]) -> list[Row]:
    return [cell | each for each in settings if not any(row.items() >= (cell | each).items() for row in rows)]


def candidates(cell: Row, loss: str, rows: list[Row]) -> list[Row]:
    """What is tried with the first seed; what was chosen with others, and the weight of the paper, which is one."""
    if cell["seed"] > 0:
        best = chosen(cell, loss, rows)
        full = [best | {"weight": 1.0}] if cell["condition"] == "0 % flipped" and 0 < best["weight"] < 1 else []
        return [best, *full]
    if loss == "labelled alone":
        return [{"penalty": penalty, "weight": 0.0} for penalty in penalties(cell, rows)]
    penalty = chosen(cell, "labelled alone", rows)["penalty"]
    return [{"penalty": penalty, "weight": weight} for weight in WEIGHTS]


def penalties(cell: Row, rows: list[Row]) -> tuple[float, ...]:
    """What is tried in a cell with the labelled loss, after what was."""
    wanted = cell | {"loss": "labelled alone"}
    tried = [row["validation_auc"] for row in rows if row.items() >= wanted.items() and row["penalty"] in PENALTIES]
    return PENALTIES + SMALLER if len(tried) == len(PENALTIES) and max(tried) < AT_CHANCE else PENALTIES


def run(path: Path, n_seeds: int) -> None:
    """Make every fit that is not in the file yet."""
    rows = read(path)
    for seed in range(n_seeds):
        for condition in CONDITIONS:
            task = None
            for model in MODELS:
                for key in jobs(seed, condition, model, rows):
                    task = make_task(seed, condition) if task is None else task
                    rows.append(fit(key, task))
                    with path.open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")


def read(path: Path) -> list[Row]:
    """The finished fits; a last line that a kill has cut is left out and made again."""
    if not path.exists():
        return []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    return [json.loads(line) for line in whole.splitlines()]


def machine() -> Row:
    """What the figures were measured with."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    versions = {"conv4rec": __version__, "torch": torch.__version__, "python": platform.python_version()}
    return {"commit": commit, **versions, "machine": platform.platform(), "cores": os.cpu_count(), "threads": 1}


def main() -> None:
    """Run what is missing, or write the results file from what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, default=ROWS, help="every finished fit, a line of JSON each")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--summarise", action="store_true", help="only write the results file")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--commit", help="of the tree that made the fits; default: that of now")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.summarise:
        run(arguments.rows, arguments.seeds)
    told = summarise(read(arguments.rows), arguments.seeds)
    about = {"command": "python -m benchmarks.denoising", "data": "ml-1m", "settings": FIXED | {"width": WIDTH}}
    made = machine() | ({} if arguments.commit is None else {"commit": arguments.commit})
    arguments.out.write_text(json.dumps(about | told | {"machine": made}, indent=1) + "\n")
    print(f"{told['fits']} fits, whole seeds {told['seeds']}: {arguments.out}", file=sys.stderr)
    if told["seeds"]:
        print(as_markdown(told))


if __name__ == "__main__":
    main()
