"""The tables of the denoising benchmark: whole seeds, chosen settings, intervals, paired differences."""

from typing import Any

import pytest
from benchmarks.denoising_tables import (
    CONDITIONS,
    LOSSES,
    MEASURED,
    MODELS,
    SEPARATION,
    as_markdown,
    chosen,
    interval,
    summarise,
)
from scipy.stats import ttest_1samp


def row(seed: int, condition: str, model: str, loss: str, **changes: Any) -> dict[str, Any]:
    """A fit whose every figure is a tenth of the seed, more by one half for idl."""
    value = 0.1 * seed + 0.2 + 0.5 * (loss == "idl")
    told: dict[str, Any] = {
        "seed": seed, "condition": condition, "model": model, "loss": loss, "penalty": 1e-5, "weight": 1.0,
        "validation_auc": 0.8, "best_epoch": 3, "collapsed_at": None, "weights": {"q25": 0.5}, "choices": {},
        "cpu_seconds": 2.0, "test": dict.fromkeys((*MEASURED, *SEPARATION), value),
    }  # fmt: skip
    return told | changes


def rows(n_seeds: int) -> list[dict[str, Any]]:
    return [row(seed, c, m, loss) for seed in range(n_seeds) for c in CONDITIONS for m in MODELS for loss in LOSSES]


def test_a_seed_counts_when_it_is_whole() -> None:
    assert summarise(rows(3)[:-1], 5)["seeds"] == [0, 1]
    assert summarise(rows(1)[:-1], 5) | {"paper": ""} == {"seeds": [], "fits": 79, "paper": ""}


def test_settings_are_chosen_by_validation_with_the_first_seed() -> None:
    tried = [
        row(0, "planted", "GMF", "idl", weight=0.1, validation_auc=0.7),
        row(0, "planted", "GMF", "idl", weight=1.0, validation_auc=0.8),
        row(1, "planted", "GMF", "idl", weight=0.1, validation_auc=0.9),
        row(0, "planted", "GMF", "ig", weight=0.1, validation_auc=0.95),
    ]
    assert chosen({"condition": "planted", "model": "GMF"}, "idl", tried) == {"penalty": 1e-5, "weight": 1.0}


def test_means_intervals_and_differences() -> None:
    told = summarise(rows(3), 5)
    cell = next(one for one in told["table"] if one["loss"] == "idl" and one["condition"] == "planted")
    assert cell["w_auc"] == interval([0.7, 0.8, 0.9])
    assert cell["auc"]["mean"] == pytest.approx(0.8)
    limits = ttest_1samp([0.7, 0.8, 0.9], 0).confidence_interval(0.95)
    assert cell["auc"]["interval"] == pytest.approx([limits.low, limits.high], abs=1e-5)
    difference = next(one for one in told["differences"] if one["loss"] == "idl")
    assert difference["auc"] == {"mean": 0.5, "interval": [0.5, 0.5], "relative_percent": pytest.approx(166.67)}


def test_one_seed_has_no_interval_and_a_line_for_every_cell() -> None:
    told = summarise(rows(1), 5)
    assert interval([0.5]) == {"mean": 0.5, "interval": None}
    assert "| 20 % flipped, NeuMF | 20.00 | 20.00 | 70.00 | 20.00 |" in as_markdown(told).splitlines()


def test_differences_are_marked_where_they_are_apart_from_zero() -> None:
    made = [one | {"test": one["test"] | {"auc": 0.1 * (-1) ** one["seed"]}} if one["loss"] == "ig" else one
            for one in rows(2)]  # fmt: skip
    line = next(line for line in as_markdown(summarise(made, 5)).splitlines() if line.startswith("| planted, GMF | +"))
    cells = line.split(" | ")
    assert (cells[1], cells[5]) == ("+50.00 ± 0.00*", "+0.00 ± 0.00 |")
    assert not cells[2].endswith("*")


def test_weights_that_are_all_positive_are_a_collapse() -> None:
    made = [one | {"weights": {"q25": 0.999}} if one["loss"] == "idl" else one for one in rows(2)]
    told = {(one["loss"], one["collapsed"]) for one in summarise(made, 5)["table"]}
    assert told == {("labelled alone", 0), ("cross entropy", 0), ("idl", 2), ("ig", 0)}


def test_full_weight_is_set_against_cross_entropy() -> None:
    told = summarise(rows(2), 5)["at full weight"][0]
    assert told["idl"]["seeds"] == [0, 1]
    assert told["idl"]["auc over cross entropy, percent"] == interval([250.0, 100 * (0.8 / 0.3 - 1)])
    assert told["cross entropy"]["auc over cross entropy, percent"]["mean"] == 0
