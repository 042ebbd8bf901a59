"""Pictures of kernels, types, histograms, bounds and sets."""

from typing import Any

import numpy as np
import pytest

from conv4rec.insights import (
    BoundRow,
    CoverageRow,
    HeldOutRow,
    HistogramShift,
    Insights,
    KernelWeight,
    TypeDistance,
)
from conv4rec.records import Record
from conv4rec.report import bounds, kernels
from conv4rec.report.drawing import page_spec, png
from conv4rec.report.groups import Group, groups_of
from conv4rec.report.looks import Look, looks_of
from tests.made_records import make_record

KERNEL = np.array([[1.0, 0.0, 0.5], [-2.0, 1.0, 0.5], [0.5, 2.0, -1.0]])
TYPES = ("1", "2", "3")


def insights(kernel: Any = KERNEL) -> Insights:
    weights = [
        KernelWeight(path="rating", type=kind, channel=c, weight=kernel[k, c])
        for c in range(kernel.shape[1])
        for k, kind in enumerate(TYPES)
    ]
    pairs = [
        TypeDistance(path="rating", type=a, other=b, likeness=1.0 - abs(i - j), distance=float(abs(i - j)))
        for i, a in enumerate(TYPES)
        for j, b in enumerate(TYPES)
    ]
    shifted = [
        HistogramShift(of="user", name="7", place="middle", rating=r, everyone=0.5, own=own, predicted=0.5)
        for r, own in ((1.0, 0.25), (2.0, 0.75))
    ]
    rows: dict[str, Any] = {"n_samples": 900, "uniform": 7.0, "fitted": 5.0, "unseen": 5.5}
    bound = BoundRow(path="joint", unit="users", by_norm=120.0, by_count=900.0, leading=30.0, tv=1.0, **rows)
    held_out = HeldOutRow(unit="users", n_scalars=15, bound=3.0, **(rows | {"unseen": 4.0}))
    covered = [
        CoverageRow(asked=0.9, group=g, coverage=c, size=2.5, empty=0.0, n=50)
        for g, c in (("all", 0.91), ("new", 0.88))
    ]
    return Insights(
        kernels=tuple(weights),
        distances=tuple(pairs),
        shifts=tuple(shifted),
        bounds=(bound,),
        held_out=(held_out,),
        coverage=tuple(covered),
    )


def of(*records: Record) -> tuple[Group, dict[str, Look]]:
    (group,) = groups_of(records)
    return group, looks_of(group.models)


def ours(seed: int = 0, **fields: Any) -> Record:
    return make_record("conv4rec", seed=seed, insights=insights(**fields))


def rows(panel: Any, layer: int = 0) -> list[dict[str, Any]]:
    """What a layer of a panel is drawn from."""
    spec = page_spec(panel)
    own = spec.get("layer", [spec])[layer]
    return list(spec["datasets"][(own.get("data") or spec["data"])["name"]])


def test_a_kernel_is_drawn_cell_by_cell() -> None:
    picture = kernels.kernels(*of(ours()))
    found = np.zeros((3, 3))
    for row in rows(picture.panels[0]):
        found[TYPES.index(row["type"]), row["channel"] - 1] = row["weight"]
    assert found == pytest.approx(KERNEL)
    paint = {row["weight"]: (row["fill"], row["ink"]) for row in rows(picture.panels[0])}
    assert paint[0.0] == ("#ffffff", "#1b1f24")
    assert paint[-2.0] == ("#2363aa", "#ffffff")
    assert paint[2.0] == ("#b25410", "#ffffff")


def test_a_second_run_is_drawn_in_the_frame_of_the_first() -> None:
    shuffled = KERNEL[:, [2, 0, 1]] * [-3.0, 0.5, 2.0]
    first, second = kernels.kernels(*of(ours(), ours(1, kernel=shuffled))).panels
    weights = [{(r["type"], r["channel"]): r["weight"] for r in rows(panel)} for panel in (first, second)]
    assert weights[0] == pytest.approx(weights[1])


def test_distances_and_the_map_that_keeps_them() -> None:
    group, looks = of(ours())
    matrix = rows(kernels.type_distances(group, looks).panels[0])
    assert [row["distance"] for row in matrix] == [0, 1, 2, 1, 0, 1, 2, 1, 0]
    places = rows(kernels.type_map(group, looks).panels[0])
    x = [row["x"] for row in places]
    assert np.abs(np.diff(x)) == pytest.approx([1.0, 1.0])
    assert [row["y"] for row in places] == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)


def test_a_map_of_a_single_type_is_a_point() -> None:
    assert kernels.scaled(np.zeros((1, 1))).tolist() == [[0.0, 0.0]]


def test_three_histograms_a_panel() -> None:
    picture = kernels.shifts(*of(ours(), ours(1)))
    assert len(picture.panels) == 1  # of the first run alone
    told = {(row["histogram"], row["rating"]): row["share"] for row in rows(picture.panels[0])}
    assert told["own ratings", 2.0] == 0.75
    assert {name for name, _ in told} == {"all ratings", "own ratings", "p_rating"}


def test_bounds_have_a_panel_for_each_reading() -> None:
    picture = bounds.bounds(*of(ours()))
    titles = [page_spec(panel)["title"] for panel in picture.panels]
    assert titles == ["conv4rec: joint, N = 900 users", "conv4rec: whole law, N = 900 users"]
    told = {row["figure"]: row["value"] for row in rows(picture.panels[0], 1)}
    assert told["measured gap"] == pytest.approx(0.5)
    assert told["bound by norms"] == 120.0
    whole = {row["figure"]: row["value"] for row in rows(picture.panels[1], 1)}
    assert whole["measured gap"] == bounds.LEAST  # it was below zero


def test_coverage_by_group() -> None:
    picture = bounds.coverage(*of(ours()))
    assert [page_spec(panel)["title"] for panel in picture.panels] == ["coverage by group", "size by group"]
    assert [row["coverage"] for row in rows(picture.panels[0])] == [0.91, 0.88]


def test_what_a_model_of_others_does_not_have_is_said() -> None:
    group, looks = of(ours(), make_record("ease"))
    for draw in (kernels.kernels, kernels.type_map, kernels.shifts, bounds.bounds, bounds.coverage):
        assert any("not in the records of ease" in text for text in draw(group, looks).absent)


def test_all_of_them_are_png() -> None:
    group, looks = of(ours())
    for draw in (kernels.kernels, kernels.type_distances, kernels.type_map, kernels.shifts, bounds.bounds):
        assert png(draw(group, looks)).startswith(b"\x89PNG")
