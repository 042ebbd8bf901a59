"""Which fits the denoising benchmark asks for, one after the other."""

from typing import Any

from benchmarks.denoising import PENALTIES, SMALLER, WEIGHTS, jobs
from benchmarks.denoising_tables import LOSSES


def asked(seed: int, rows: list[dict[str, Any]], aucs: dict[float, float], condition: str = "planted") -> list[Any]:
    """The settings of all fits of a cell, whose validation AUC is that of their penalty, less a tenth of the weight."""
    told = []
    for key in jobs(seed, condition, "GMF", rows):
        told.append((key["loss"], key["penalty"], key["weight"]))
        rows.append(key | {"validation_auc": aucs[key["penalty"]] - 0.1 * key["weight"]})
    return told


def test_the_first_seed_searches_and_the_others_take_what_was_chosen() -> None:
    rows: list[dict[str, Any]] = []
    told = asked(0, rows, {1e-5: 0.7, 3e-5: 0.8})
    alone = [("labelled alone", penalty, 0.0) for penalty in PENALTIES]
    assert told == alone + [(loss, 3e-5, weight) for loss in list(LOSSES)[1:] for weight in WEIGHTS]
    assert asked(0, rows, {}) == []
    assert asked(1, rows, {3e-5: 0.8}) == [(loss, 3e-5, 0.1 * (loss != "labelled alone")) for loss in LOSSES]


def test_full_weight_is_fitted_with_every_seed_where_labels_are_as_they_are() -> None:
    rows: list[dict[str, Any]] = []
    asked(0, rows, {1e-5: 0.8, 3e-5: 0.7}, "0 % flipped")
    told = asked(2, rows, {1e-5: 0.8}, "0 % flipped")
    assert [weight for _, _, weight in told] == [0.0, 0.1, 1.0, 0.1, 1.0, 0.1, 1.0]


def test_smaller_penalties_are_tried_where_all_leave_it_at_chance() -> None:
    told = asked(0, [], {1e-5: 0.5, 3e-5: 0.5, 3e-6: 0.6, 1e-6: 0.55})
    assert [penalty for _, penalty, _ in told[:4]] == [*PENALTIES, *SMALLER]
    assert {penalty for _, penalty, _ in told[4:]} == {3e-6}
