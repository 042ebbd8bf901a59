"""Figures of the default settings on held-out data, beside popularity and biases, on the same split.

python benchmarks/quality.py [name ...]: trains on each named data set (random 80/10/10, seed 0), writes
benchmarks/results/quality.json and prints the table of the README. The test part is used once, after training.
"""

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from conv4rec import Conv4Rec, __version__
from conv4rec.baselines import MostPopular
from conv4rec.config import Config
from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import load_parts
from conv4rec.evaluation import evaluate
from conv4rec.progress import ProgressBar
from conv4rec.training import Validation

RESULTS = Path(__file__).parent / "results" / "quality.json"
NAMES = ("ml-1m", "ml-100k", "ml-latest-small", "movietweetings", "yahoo-r3")
SHOWN = ("ndcg@20", "recall@20", "rmse", "nll")


def measure(name: str) -> dict[str, Any]:
    """Train on one data set; test figures of the model and of the baseline."""
    config = Config()
    parts = load_parts(name, config)
    model = Conv4Rec(config)
    with ProgressBar(config.train.epochs) as bar:
        model.fit_split(parts.split, parts.known, listener=bar)
    assert parts.split.test is not None
    vocabulary = model.vocabulary
    train = Interactions.from_ratings(parts.split.train, vocabulary)
    test = Validation.of(parts.split.test, vocabulary)
    popular = MostPopular.fit(train, vocabulary.types)
    measured = evaluate(popular, test.history, test.targets, config.evaluate, exclude=test.excluded)
    return {
        "recipe": parts.split.recipe,
        "fit_seconds": round(model.training.seconds, 1),
        "best_epoch": model.training.best_epoch,
        "conv4rec": model.evaluate(parts.split.test).metrics,
        "most popular + biases": measured.metrics,
    }


def machine() -> dict[str, Any]:
    """What the figures were measured with."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "commit": commit,
        "conv4rec": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.platform(),
        "threads": torch.get_num_threads(),
    }


def table(results: dict[str, Any]) -> str:
    """The README's table: conv4rec, then the baseline in brackets."""
    lines = ["| test part | NDCG@20 | Recall@20 | RMSE | nats | fit |", "|---|---|---|---|---|---|"]
    for name, result in results.items():
        ours, popular = result["conv4rec"], result["most popular + biases"]
        figures = " | ".join(f"**{ours[key]:.3f}** ({popular[key]:.3f})" for key in SHOWN)
        lines.append(f"| {name} | {figures} | {result['fit_seconds']:.0f} s |")
    return "\n".join(lines)


def main() -> None:
    """Measure, store, print."""
    names = sys.argv[1:] if len(sys.argv) > 1 else list(NAMES)
    results = {name: measure(name) for name in names}
    RESULTS.write_text(
        json.dumps({"command": " ".join(sys.argv), "with": machine(), "results": results}, indent=1) + "\n"
    )
    print(table(results))


if __name__ == "__main__":
    main()
