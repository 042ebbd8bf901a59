"""How time and memory grow with users, items, levels, interactions and width: curves with their exponents, drawn.

    python -m benchmarks.growth                # writes benchmarks/results/growth.json and docs/images/growth.png

Each point is two epochs of training on random interactions in a process of its own; seconds are those of the second
epoch, memory is the peak of the process beyond what it held before the data. One thing grows, the others stay. An
exponent e is that of seconds ~ x^e between the two largest points, and by least squares over all: below 1 at the small
end, where what does not grow is most of the time.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import torch
from benchmarks.machine import machine

from conv4rec.config import ModelConfig, TrainConfig
from conv4rec.data.interactions import Interactions
from conv4rec.model.network import Network
from conv4rec.model.statistics import Statistics
from conv4rec.training import train
from conv4rec.vocabulary import InteractionTypes

FOLDER = Path(__file__).parents[1]
RESULT, PICTURE = FOLDER / "benchmarks/results/growth.json", FOLDER / "docs/images/growth.png"
BASE = {"users": 4096, "items": 8000, "levels": 5, "per_user": 50, "width": 128}
GROWING = {
    "users": [2048, 4096, 8192, 16384],
    "items": [4000, 8000, 16000, 32000, 64000],
    "levels": [2, 5, 10, 20],
    "per_user": [25, 50, 100, 200],
    "width": [64, 128, 256, 512],
}


def measure(sizes: dict[str, int]) -> dict[str, float]:
    """Seconds of the second epoch, and MiB beyond those before."""
    rng, n_users = np.random.default_rng(0), sizes["users"]
    before = _status("VmRSS")
    share = 1.0 / (np.arange(sizes["items"]) + 50.0)
    shape = n_users, sizes["per_user"]
    items = rng.choice(sizes["items"], size=shape, p=share / share.sum()).astype(np.int32).ravel()
    channels = rng.integers(0, sizes["levels"], items.size).astype(np.uint8)
    indptr = np.arange(n_users + 1, dtype=np.int64) * sizes["per_user"]
    data, types = Interactions(indptr, items, channels, sizes["items"]), InteractionTypes.of(range(sizes["levels"]))
    model = ModelConfig(embedding_dim=sizes["width"])
    network = Network(model, Statistics.of(data, types))
    result = train(network, data, types, TrainConfig(epochs=2, batch_size=256, softmax="exact"))
    return {"seconds": result.epochs[1].seconds, "mib": _status("VmHWM") - before}


def _status(name: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def curves() -> list[dict[str, Any]]:
    """A row for every point."""
    rows = []
    for name, values in GROWING.items():
        for value in values:
            sizes = json.dumps(BASE | {name: value})
            command = [sys.executable, "-m", "benchmarks.growth", "--measure", sizes]
            told = [_told(command), _told(command)]
            rows.append({"growing": name, "value": value, **min(told, key=lambda each: each["seconds"])})
            print(rows[-1], file=sys.stderr)
    return rows


def _told(command: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return found


def exponents(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """By least squares over a curve, and between its two largest points."""
    found = {}
    for name in GROWING:
        mine = [row for row in rows if row["growing"] == name]
        x = np.log([row["value"] for row in mine])
        for what in ("seconds", "mib"):
            y = np.log([row[what] for row in mine])
            last = (y[-1] - y[-2]) / (x[-1] - x[-2])
            found[f"{name}, {what}"] = {"all": float(np.polyfit(x, y, 1)[0]), "last": float(last)}
    return found


def draw(rows: list[dict[str, Any]], found: dict[str, dict[str, float]]) -> alt.HConcatChart:
    """Seconds and memory, a panel for what grows, on scales of logarithms."""
    panels = []
    for name in GROWING:
        mine = [row for row in rows if row["growing"] == name]
        time, memory = (found[f"{name}, {what}"]["last"] for what in ("seconds", "mib"))
        title = f"{name}: time^{time:.2f}, memory^{memory:.2f}"
        base = alt.Chart(alt.InlineData(values=mine)).encode(
            x=alt.X("value:Q", title=name, scale=alt.Scale(type="log"))
        )
        lines = [
            base.mark_line(point=True, color=color).encode(
                y=alt.Y(f"{what}:Q", title=label, scale=alt.Scale(type="log"))
            )
            for what, label, color in (("seconds", "seconds an epoch", "#1f6feb"), ("mib", "MiB", "#b35900"))
        ]
        panels.append(alt.vconcat(*(line.properties(width=170, height=130) for line in lines), title=title))
    return alt.hconcat(*panels)


def main() -> None:
    """Measure all points, or one in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", type=json.loads)
    parser.add_argument("--draw", action="store_true", help="draw the points measured before")
    arguments = parser.parse_args()
    if arguments.measure:
        torch.manual_seed(0)
        print(json.dumps(measure(arguments.measure)))
        return
    if not arguments.draw:
        rows = curves()
        told = {
            "command": " ".join(sys.argv),
            "base": BASE,
            "rows": rows,
            "exponents": exponents(rows),
            "machine": machine(),
        }
        RESULT.write_text(json.dumps(told, indent=1) + "\n")
    result = json.loads(RESULT.read_text())
    draw(result["rows"], result["exponents"]).save(PICTURE, scale_factor=1.5)
    print(json.dumps(result["exponents"], indent=1))


if __name__ == "__main__":
    main()
