"""Tables of the finished fits of benchmarks/denoising.py: means over seeds, intervals, differences paired by seed."""

from typing import Any

import numpy as np
from scipy.stats import t as student

from conv4rec.denoising.watch import DECIDED

Row = dict[str, Any]

K = 20
CONDITIONS = {"0 % flipped": 0.0, "planted": 0.0, "10 % flipped": 0.1, "20 % flipped": 0.2, "40 % flipped": 0.4}
"""What is done to the data, and the share of the labels of train and validation that it flips."""
MODELS = ("GMF", "MLP", "NeuMF", "Conv4Rec")
LOSSES: dict[str, dict[str, Any]] = {
    "labelled alone": {"denoise": "none", "unlabelled_weight": 0.0},
    "cross entropy": {"denoise": "none"},
    "idl": {"denoise": "idl"},
    "ig": {"denoise": "ig"},
}
PAIRED = (("idl", "cross entropy"), ("ig", "cross entropy"), ("idl", "labelled alone"), ("ig", "labelled alone"),
          ("labelled alone", "cross entropy"))  # fmt: skip
MEASURED = ("auc", f"ndcg@{K}", "mrr", "auc_by_user", "auc_drawn", f"ndcg_catalogue@{K}")
SEPARATION = ("w_auc", "w_auc_drawn", "w_positive", "w_negative", "w_drawn", "popularity_auc", "popularity_auc_drawn")
PAPER = "AUC up to +9.25 % over the best of the others (arXiv 2311.08302)"


def chosen(cell: Row, loss: str, rows: list[Row]) -> Row:
    """The settings of best validation AUC with the first seed."""
    wanted = {"condition": cell["condition"], "model": cell["model"], "seed": 0, "loss": loss}
    best = max((row for row in rows if row.items() >= wanted.items()), key=lambda row: float(row["validation_auc"]))
    return {name: best[name] for name in ("penalty", "weight")}


def summarise(rows: list[Row], n_seeds: int) -> Row:
    """Means over whole seeds with 95 % intervals (Student), and differences paired by seed."""
    cells = [(condition, model) for condition in CONDITIONS for model in MODELS]
    picked = {(*cell, loss): _picked(*cell, loss, rows) for cell in cells for loss in LOSSES}
    whole = [seed for seed in range(n_seeds) if all(seed in found for found in picked.values())]
    told = {"seeds": whole, "fits": len(rows), "paper": PAPER}
    if not whole:
        return told
    return told | {
        "table": [_cell(*name, [found[seed] for seed in whole]) for name, found in picked.items()],
        "differences": [_difference(*cell, *pair, whole, picked) for cell in cells for pair in PAIRED],
        "at full weight": [_at_full_weight(*cell, whole, rows) for cell in cells],
    }


def _picked(condition: str, model: str, loss: str, rows: list[Row]) -> dict[int, Row]:
    """By seed, the fits with the chosen settings; none where nothing was tried yet."""
    cell = {"condition": condition, "model": model, "loss": loss}
    if not any(row["seed"] == 0 and row.items() >= cell.items() for row in rows):
        return {}
    wanted = cell | chosen(cell, loss, rows)
    return {row["seed"]: row for row in rows if row.items() >= wanted.items()}


def _cell(condition: str, model: str, loss: str, rows: list[Row]) -> Row:
    return {
        "condition": condition,
        "model": model,
        "loss": loss,
        "penalty": rows[0]["penalty"],
        "weight": rows[0]["weight"],
        "best_epoch": [row["best_epoch"] for row in rows],
        "collapsed": sum(_is_collapsed(row) for row in rows),
        "cpu_seconds": round(float(np.mean([row["cpu_seconds"] for row in rows])), 1),
        "weights": rows[0]["weights"],
        "choices": rows[0]["choices"],
        **{name: interval([row["test"][name] for row in rows]) for name in _names(condition)},
    }


def _is_collapsed(row: Row) -> bool:
    """Whether the warning was given, or the weights of the kept epoch would give it."""
    return row["collapsed_at"] is not None or row["weights"].get("q25", 0.0) > DECIDED


def _names(condition: str) -> tuple[str, ...]:
    return (*MEASURED, *SEPARATION) if condition == "planted" else MEASURED


def _difference(
    condition: str, model: str, loss: str, other: str, seeds: list[int], picked: dict[tuple[str, str, str], Any]
) -> Row:
    """Of two losses, seed by seed, and relative to the other's mean."""
    mine, theirs = picked[condition, model, loss], picked[condition, model, other]
    told: Row = {"condition": condition, "model": model, "loss": loss, "against": other}
    for name in ("auc", f"ndcg@{K}", "auc_drawn"):
        values = [mine[seed]["test"][name] - theirs[seed]["test"][name] for seed in seeds]
        base = float(np.mean([theirs[seed]["test"][name] for seed in seeds]))
        told[name] = interval(values) | {"relative_percent": round(100 * float(np.mean(values)) / base, 2)}
    return told


def _at_full_weight(condition: str, model: str, seeds: list[int], rows: list[Row]) -> Row:
    """Where unlabelled pairs weigh as much as labelled ones, as in the paper: AUC, and how it stands to cross entropy.

    Of all whole seeds where labels are as they are, of the first in other conditions.
    """
    cell = {"condition": condition, "model": model}
    wanted = cell | {"weight": 1.0, "penalty": chosen(cell, "labelled alone", rows)["penalty"]}
    found = {(row["loss"], row["seed"]): row["test"] for row in rows if row.items() >= wanted.items()}
    told: Row = dict(cell)
    for loss in LOSSES:
        tests = {seed: found[loss, seed] for seed in seeds if {(loss, seed), ("cross entropy", seed)} <= found.keys()}
        if tests:
            ratios = [100 * (test["auc"] / found["cross entropy", seed]["auc"] - 1) for seed, test in tests.items()]
            told[loss] = {name: interval([test[name] for test in tests.values()]) for name in ("auc", "auc_drawn")}
            told[loss] |= {"seeds": list(tests), "auc over cross entropy, percent": interval(ratios)}
    return told


def interval(values: list[float]) -> dict[str, Any]:
    """Mean and 95 % interval of the mean, by Student's t; no interval of one value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return {"mean": round(mean, 5), "interval": None}
    half = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return {"mean": round(mean, 5), "interval": [round(mean - half, 5), round(mean + half, 5)]}


def as_markdown(told: Row) -> str:
    """The tables of docs/denoising.md."""
    lines = [f"Whole seeds: {len(told['seeds'])}.", ""]
    for title, name, percent in (
        ("AUC", "auc", 100),
        (f"NDCG@{K}", f"ndcg@{K}", 100),
        ("AUC, drawn", "auc_drawn", 100),
    ):
        lines += [f"| {title}, % | " + " | ".join(LOSSES) + " |", "|---|" + "---|" * len(LOSSES)]
        for condition in CONDITIONS:
            lines += [_line(told, condition, model, name, percent) for model in MODELS]
        lines.append("")
    lines += [*_paired_lines(told), ""]
    lines += [
        "| AUC at full weight, %, over cross entropy | " + " | ".join(LOSSES) + " |",
        "|---|" + "---|" * len(LOSSES),
    ]
    lines += [_line_at_full_weight(row) for row in told["at full weight"]] + [""]
    lines += ["| planted: w+ | " + " | ".join(LOSSES) + " |", "|---|" + "---|" * len(LOSSES)]
    for name in SEPARATION:
        lines += [_line(told, "planted", model, name, 1, note=f", {name}") for model in MODELS]
    return "\n".join(lines)


def _line(told: Row, condition: str, model: str, name: str, factor: float, *, note: str = "") -> str:
    cells = {row["loss"]: row for row in told["table"] if (row["condition"], row["model"]) == (condition, model)}
    return f"| {condition}, {model}{note} | " + " | ".join(_value(cells[loss][name], factor) for loss in LOSSES) + " |"


def _paired_lines(told: Row) -> list[str]:
    """Differences of AUC, seed by seed; with an asterisk where the interval leaves out zero."""
    titles = [f"{loss} less {other}" for loss, other in PAIRED]
    lines = ["| AUC, %, paired | " + " | ".join(titles) + " |", "|---|" + "---|" * len(titles)]
    for condition in CONDITIONS:
        for model in MODELS:
            cells = [row for row in told["differences"] if (row["condition"], row["model"]) == (condition, model)]
            values = [_value(row["auc"], 100, sign="+") + "*" * _is_apart(row["auc"]["interval"]) for row in cells]
            lines.append(f"| {condition}, {model} | " + " | ".join(values) + " |")
    return lines


def _is_apart(limits: list[float] | None) -> bool:
    return limits is not None and not limits[0] <= 0 <= limits[1]


def _line_at_full_weight(row: Row) -> str:
    cells = [
        f"{_value(row[loss]['auc'], 100)}, {row[loss]['auc over cross entropy, percent']['mean']:+.1f} %"
        if loss in row
        else ""
        for loss in LOSSES
    ]
    return f"| {row['condition']}, {row['model']} | " + " | ".join(cells) + " |"


def _value(cell: Row, factor: float, *, sign: str = "") -> str:
    digits = 2 if factor > 1 else 3
    half = "" if cell["interval"] is None else f" ± {factor * (cell['interval'][1] - cell['mean']):.{digits}f}"
    return f"{factor * cell['mean']:{sign}.{digits}f}{half}"
