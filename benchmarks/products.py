"""Is one law better than the best pair of specialists? Likelihoods of a comparison's records, put together.

    python benchmarks/products.py benchmarks/results/compare-ml-1m.json

A product says the item by one peer's scores through its likeliest monotone link, and the rating by another peer's law:
its nats are the sum of the two (docs/peers.md). Ours is one model. All on the same test parts.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean

OURS = "conv4rec"
Key = tuple[str, str]


def main() -> None:
    """Print, for every data set and recipe, ours and the five best products, means over the seeds."""
    for path in map(Path, sys.argv[1:]):
        for (data, recipe), models in sorted(by_model(json.loads(path.read_text())["records"]).items()):
            print(f"{data}, {recipe}: {OURS} {mean(models[OURS]['nll']):.3f} nats")
            for nats, taken, rated in products(models)[:5]:
                print(f"  {nats:.3f}  {taken} x {rated}")


def by_model(records: list[dict[str, object]]) -> dict[Key, dict[str, dict[str, list[float]]]]:
    """Metrics of all seeds, by data set and recipe, model, and name."""
    found: dict[Key, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for record in records:
        metrics = record.get("metrics")
        if isinstance(metrics, dict):
            for name, value in metrics.items():
                found[str(record["data"]), str(record["recipe"])][str(record["model"])][name].append(float(value))
    return found


def products(models: dict[str, dict[str, list[float]]]) -> list[tuple[float, str, str]]:
    """Nats, the model of what is taken, the model of how it is rated; the best first, ours in neither place."""
    others = {name: values for name, values in models.items() if name != OURS}
    return sorted(
        (mean(taken["nll_consume"]) + mean(rated["nll_rating"]), one, other)
        for one, taken in others.items()
        if "nll_consume" in taken
        for other, rated in others.items()
        if "nll_rating" in rated
    )


if __name__ == "__main__":
    main()
