"""Pictures show what the records hold, with a unit on every axis, and say what they do not show."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from conv4rec.model_file import ReliabilityBin
from conv4rec.records import Curves, Epoch, PrecisionRecall, Record
from conv4rec.report import course, laws, overview
from conv4rec.report.drawing import Picture, log_axis, page_spec
from conv4rec.report.groups import Group, groups_of
from conv4rec.report.looks import Look, looks_of
from conv4rec.report.pictures import DRAW, draw_all
from tests.made_records import make_record

Looks = dict[str, Look]
Spec = dict[str, Any]


def layers(spec: Spec) -> list[Spec]:
    """The single charts of a panel, with the rows that they are drawn from."""
    found = spec.get("layer", [spec])
    return [layer | {"rows": spec["datasets"][(layer.get("data") or spec["data"])["name"]]} for layer in found]


def encodings(picture: Picture) -> Iterator[tuple[str, Spec]]:
    for panel in picture.panels:
        for layer in layers(page_spec(panel)):
            yield from layer["encoding"].items()


def rows_of(picture: Picture) -> list[Spec]:
    """The rows of all points, those of several layers once."""
    found = [row for panel in picture.panels for layer in layers(page_spec(panel)) for row in layer["rows"]]
    return [row for n, row in enumerate(found) if row not in found[:n] and "model" in row]


def of(*records: Record) -> tuple[Group, Looks]:
    (group,) = groups_of(records)
    return group, looks_of(group.models)


@pytest.fixture(scope="module")
def pictures(group: Group, looks: Looks) -> dict[str, Picture]:
    return {picture.slug: picture for picture in draw_all(group, looks)}


def test_all_pictures_are_drawn(pictures: dict[str, Picture]) -> None:
    assert {slug: len(picture.panels) for slug, picture in pictures.items() if picture.panels} == {
        "figures": 7,
        "cost": 2,
        "precision-recall": 1,
        "recall-beta": 4,
        "reliability-like": 4,
        "reliability-consume": 5,
        "ratings": 1,
        "slices": 6,
        "training": 6,
        "compression": 4,
    }


def test_every_axis_of_numbers_has_a_title_with_a_unit(pictures: dict[str, Picture]) -> None:
    for picture in (each for each in pictures.values() if each.panels):
        titled = [
            (spec["field"], spec["title"])
            for channel, spec in encodings(picture)
            if channel in ("x", "y") and spec.get("title") is not None
        ]
        assert titled
        assert all(title.endswith(")") and " (" in title for _, title in titled), titled
        untitled = [s for c, s in encodings(picture) if c in ("x", "y") and s.get("title") is None]
        assert {spec["field"] for spec in untitled} <= {"model", "label", "low", "predicted"}


def test_no_panel_has_a_key_of_its_own_in_the_page(pictures: dict[str, Picture]) -> None:
    keyed = [
        spec for p in pictures.values() for c, spec in encodings(p) if c in ("color", "shape", "strokeDash", "size")
    ]
    assert keyed
    assert all(spec["legend"] is None for spec in keyed)


def test_panels_beside_each_other_share_the_looks_of_models(pictures: dict[str, Picture], looks: Looks) -> None:
    for picture in pictures.values():
        scales = [spec["scale"] for channel, spec in encodings(picture) if channel == "color"]
        assert all(scale["domain"] == list(picture.models) for scale in scales)
        assert all(scale["range"] == [looks[model].colour for model in picture.models] for scale in scales)


def test_points_are_the_figures_of_the_records(group: Group, pictures: dict[str, Picture]) -> None:
    curve = [row for row in rows_of(pictures["precision-recall"]) if row["model"] == "ease"]
    record = next(record for record in group.records if record.model == "ease")
    assert [(row["k"], row["precision"], row["recall"]) for row in curve] == [
        (point.k, point.precision, point.recall) for point in record.curves.precision_recall
    ]
    figures = {(row["model"], row["figure"]): row for row in rows_of(pictures["figures"])}
    found = figures["ease", "ndcg@20"]
    assert (found["value"], found["low"], found["high"]) == (0.322, *record.intervals["ndcg@20"])


def test_what_is_absent_is_said_for_every_model(pictures: dict[str, Picture]) -> None:
    raters, rankers = "biased-mf, svd, user-item-bias", "ease, ials, item-knn, popularity"
    assert pictures["recall-beta"].absent == (f"recall@K^β: not in the records of {raters}.",)
    assert pictures["ratings"].absent == (f"laws of ratings: not in the records of {rankers}.",)
    assert f"NDCG@20, recall@20, ECE consume: not in the records of {raters}." in pictures["figures"].absent


def test_best_is_on_top(pictures: dict[str, Picture]) -> None:
    ndcg, _, rmse, *_ = (page_spec(panel) for panel in pictures["figures"].panels)
    assert layers(ndcg)[0]["encoding"]["y"]["sort"] == ["conv4rec", "ease", "ials", "item-knn", "popularity"]
    assert layers(rmse)[0]["encoding"]["y"]["sort"] == ["biased-mf", "conv4rec", "svd", "user-item-bias"]


def test_the_title_of_a_reliability_diagram_is_the_model_and_its_ece(
    pictures: dict[str, Picture], group: Group
) -> None:
    record = next(record for record in group.records if record.model == "biased-mf")
    title = page_spec(pictures["reliability-like"].panels[0])["title"]
    assert (title["text"], title["subtitle"]) == ("biased-mf", f"ECE {record.metrics['ece_like']:.4f}")


def test_ece_of_several_runs_is_their_mean() -> None:
    first = make_record("svd", metrics={"ece_like": 0.02})
    second = make_record("svd", seed=1, metrics={"ece_like": 0.03})
    none = make_record("other", metrics={}, curves=first.curves)
    likes = laws.reliability_like(*of(first, second, none))
    assert [page_spec(panel)["title"]["subtitle"] for panel in likes.panels] == [
        "ECE 0.0250 (mean of 2 runs)",
        "ECE not measured",
    ]


def test_the_diagonal_goes_from_corner_to_corner(pictures: dict[str, Picture]) -> None:
    diagonal = layers(page_spec(pictures["reliability-consume"].panels[0]))[0]
    low, high = diagonal["encoding"]["x"]["scale"]["domain"]
    assert diagonal["rows"] == [{"predicted": low, "observed": low}, {"predicted": high, "observed": high}]
    assert diagonal["encoding"]["x"]["scale"] == diagonal["encoding"]["y"]["scale"]
    assert diagonal["encoding"]["x"]["scale"]["type"] == "log"


def test_what_never_happened_is_drawn_hollow_on_the_edge_of_the_logarithmic_axis() -> None:
    bins = (
        ReliabilityBin(predicted=0.002, observed=0.0, weight=0.25),
        ReliabilityBin(predicted=0.03, observed=0.02, weight=0.75),
    )
    picture = laws.reliability_consume(*of(make_record("ease", curves=Curves(reliability_consume=bins))))
    assert "in the largest 75%" in picture.caption
    assert "bins of which nothing was consumed (1)" in picture.caption
    *_, seen, never = layers(page_spec(picture.panels[0]))
    assert (seen["mark"]["filled"], never["mark"]["filled"]) == (True, False)
    assert [(row["predicted"], row["observed"]) for row in seen["rows"]] == [(0.03, 0.02)]
    assert [(row["predicted"], row["observed"]) for row in never["rows"]] == [(0.002, 0.001)]


@pytest.mark.parametrize(
    ("values", "domain", "ticks"),
    [
        ([0.002, 0.03], [0.001, 0.1], [0.001, 0.01, 0.1]),
        ([10.0], [10.0, 100.0], [10.0, 100.0]),
        ([], [1.0, 10.0], [1.0, 10.0]),
    ],
)
def test_a_logarithmic_axis_spans_whole_powers_of_ten(
    values: list[float], domain: list[float], ticks: list[float]
) -> None:
    scale, axis = log_axis(values)
    assert scale.domain == pytest.approx(domain)
    assert axis.values == pytest.approx(ticks)


def test_a_long_logarithmic_axis_has_few_labels() -> None:
    _, axis = log_axis([1e-20, 1.0])
    assert len(axis.values) <= 6


def test_both_forms_of_recall_beta_share_a_scale(pictures: dict[str, Picture]) -> None:
    panels = [page_spec(panel) for panel in pictures["recall-beta"].panels]
    assert [panel["title"] for panel in panels] == [
        "K = 10, time-aware (LLOO)",
        "K = 10, not time-aware (LOO)",
        "K = 20, time-aware (LLOO)",
        "K = 20, not time-aware (LOO)",
    ]
    first, second, *_ = (layers(panel)[0]["encoding"]["y"]["scale"]["domain"] for panel in panels)
    assert first == second
    assert {row["beta"] for row in layers(panels[0])[0]["rows"]} == {step / 10 for step in range(11)}


def test_all_zero_recall_beta_has_an_axis_too() -> None:
    record = make_record("ease")
    zero = tuple(point.model_copy(update={"value": 0.0}) for point in record.curves.recall_beta)
    picture = overview.recall_beta(*of(make_record("ease", curves=Curves(recall_beta=zero))))
    assert layers(page_spec(picture.panels[0]))[0]["encoding"]["y"]["scale"]["domain"] == [0, 1]


def test_the_kept_epoch_is_ringed(pictures: dict[str, Picture]) -> None:
    loss = page_spec(pictures["training"].panels[0])
    *_, rings = layers(loss)
    assert rings["transform"] == [{"filter": "datum.best"}]
    assert [row["epoch"] for row in rings["rows"] if row["best"]] == [24]
    assert loss["title"] == "training, consumption"


def test_a_value_that_is_not_finite_is_said_and_not_drawn() -> None:
    epochs = tuple(
        Epoch(number=n, loss_consume=loss, loss_rating=1.0, validation={}, seconds=1.0)
        for n, loss in enumerate((2.0, math.inf, math.nan), start=1)
    )
    picture = course.training(*of(make_record("conv4rec", epochs=epochs)))
    assert picture.absent == ("2 values of conv4rec are not finite and are not drawn.",)
    assert [row["value"] for row in layers(page_spec(picture.panels[0]))[0]["rows"]] == [2.0]


def test_slices_keep_their_order(pictures: dict[str, Picture]) -> None:
    panel = page_spec(pictures["slices"].panels[0])
    assert panel["title"] == "RMSE by popularity of the item"
    assert panel["encoding"]["y"]["sort"] == [
        "least popular third (0 to 47 interactions)",
        "middle third",
        "most popular third",
    ]


def test_slices_of_several_runs_are_named_without_counts() -> None:
    picture = course.slices(*of(make_record("svd"), make_record("svd", seed=1)))
    assert page_spec(picture.panels[0])["encoding"]["y"]["sort"][0] == "least popular third"


def test_runs_are_drawn_one_by_one() -> None:
    picture = overview.intervals(*of(make_record("ease"), make_record("ease", seed=1)))
    encoding = layers(page_spec(picture.panels[0]))[0]["encoding"]
    assert encoding["yOffset"]["field"] == "run"
    assert {row["run"] for row in rows_of(picture)} == {"seed 0", "seed 1"}


def test_true_ratings_are_the_mean_over_the_runs() -> None:
    first, second = make_record("svd"), make_record("svd", seed=1)
    shifted = tuple(share.model_copy(update={"observed": share.observed / 2}) for share in first.curves.ratings)
    second = second.model_copy(update={"curves": Curves(ratings=shifted)})
    picture = laws.ratings(*of(first, second))
    truth = layers(page_spec(picture.panels[0]))[0]["rows"]
    assert truth[0] == {"rating": 1.0, "observed": pytest.approx(0.056 * 0.75)}


def test_marked_lists_are_named_in_the_caption() -> None:
    points = tuple(PrecisionRecall(k=k, precision=0.1, recall=0.1) for k in (1, 3, 10))
    picture = overview.precision_recall(*of(make_record("ease", curves=Curves(precision_recall=points))))
    assert "lists of k = 1, 10 items" in picture.caption


def test_models_without_a_fit_time_are_not_on_the_time_axis() -> None:
    bare = make_record("svd", cost=make_record("svd").cost.model_copy(update={"fit_seconds": None}))
    picture = overview.cost(*of(make_record("biased-mf"), bare))
    assert picture.models == ("biased-mf",)
    assert picture.absent == ("RMSE with a fit time: not in the records of svd.",)


def test_a_bare_record_gives_words_and_no_panels() -> None:
    group, looks = of(Record(model="bare", data="d", recipe="r", metrics={}))
    for draw in DRAW:
        picture = draw(group, looks)
        assert not picture.panels
        assert any("not in the records of bare" in text for text in picture.absent), picture.slug


def test_failed_records_alone_give_nothing_to_draw() -> None:
    group, looks = of(Record(model="broken", data="d", recipe="r", error="why"))
    assert all(not draw(group, looks).panels for draw in DRAW)
