"""Pictures of the training, and of the parts of the test data."""

from collections.abc import Mapping
from typing import Literal

import altair as alt

from conv4rec.records import Epoch, Record
from conv4rec.report.drawing import CLOSE, HEIGHT, Drawn, Panel, Picture, Row, drawn, missing, opacity, tooltip
from conv4rec.report.groups import Group, unique
from conv4rec.report.looks import Look
from conv4rec.report.measures import Measure, measure_of, pick
from conv4rec.report.overview import by_label

Looks = Mapping[str, Look]
By = Literal["popularity", "history"]
LOSSES = {
    "loss_consume": Measure("loss", "nats per masked interaction"),
    "loss_rating": Measure("loss", "nats per masked interaction"),
}
NAMES = {"loss_consume": "training, consumption", "loss_rating": "training, ratings"}
VALIDATED = ("ndcg", "recall", "rmse", "nll", "nll_consume", "nll_rating")
"""Figures of validation whose course is drawn."""
SLICED = ("rmse", "nll_rating", "ndcg")
BY: dict[By, str] = {"popularity": "by popularity of the item", "history": "by length of the user's history"}


def training(group: Group, looks: Looks) -> Picture:
    """Losses and validation figures by epoch."""
    rows = [row for record in group.measured for epoch in record.epochs for row in _course(group, record, epoch)]
    met = list(unique(row["figure"] for row in rows))
    names = [name for name in LOSSES if name in met] + pick(met, VALIDATED)
    found = drawn([row for row in rows if row["figure"] in names], looks, fields=["value"])
    return Picture(
        "training",
        "Training curves",
        "Training losses are on the interactions that are masked, all other figures on the validation part. "
        "A ring marks the epoch whose weights were kept.",
        [_course_panel(name, found.only(figure=name)) for name in names if found.only(figure=name).rows],
        found.models,
        (*found.absent, *missing(group, {"epochs": found})),
    )


def _course(group: Group, record: Record, epoch: Epoch) -> list[Row]:
    figures = {"loss_consume": epoch.loss_consume, "loss_rating": epoch.loss_rating} | epoch.validation
    best = epoch.number == record.best_epoch
    return [
        group.row(record, epoch=epoch.number, figure=name, value=value, best=best) for name, value in figures.items()
    ]


def _course_panel(name: str, found: Drawn) -> Panel:
    measure = LOSSES.get(name, measure_of(name))
    domain = [1, max(2, *(row["epoch"] for row in found.rows))]
    base = alt.Chart(found.data).encode(
        x=alt.X("epoch:Q", title="epoch (number)", axis=alt.Axis(tickMinStep=1), scale=alt.Scale(domain=domain)),
        y=alt.Y("value:Q", title=measure.title, scale=alt.Scale(zero=False)),
        color=found.colour,
        opacity=opacity(),
        tooltip=tooltip("epoch", "value"),
    )
    lines = base.mark_line(strokeWidth=2).encode(detail="run:N", strokeDash=found.dash)
    points = base.mark_point(filled=True, size=28).encode(shape=found.shape)
    rings = base.mark_point(filled=False, size=170, strokeWidth=2, shape="circle").transform_filter("datum.best")
    title = NAMES.get(name, f"validation, {measure.label}")
    return (lines + points + rings).properties(height=HEIGHT, title=title)


def slices(group: Group, looks: Looks) -> Picture:
    """Errors and ranking on parts of the test data."""
    rows = [row for record in group.measured for row in _parts(group, record)]
    names = pick(list(unique(row["figure"] for row in rows)), SLICED)
    found = drawn([row for row in rows if row["figure"] in names], looks, fields=["value"])
    panels = {(name, by): found.only(figure=name, by=by) for name in names for by in BY}
    return Picture(
        "slices",
        "Error and ranking by popularity and by history",
        "Each row is a third: of the catalogue by number of interactions, or of the users by length of their history. "
        "Scales do not start at zero.",
        [_slice_panel(name, by, each) for (name, by), each in panels.items() if each.rows],
        found.models,
        (*found.absent, *missing(group, by_label(found, names, more=" of parts"))),
        columns=2,
    )


def _parts(group: Group, record: Record) -> list[Row]:
    """A row a slice and figure; where runs differ, labels without the counts in them, which differ as well."""
    return [
        group.row(
            record,
            by=part.by,
            label=part.label.partition(" (")[0] if len(group.runs) > 1 else part.label,
            figure=name,
            value=value,
            interactions=part.counts.get("interactions"),
        )
        for part in record.slices
        for name, value in part.metrics.items()
    ]


def _slice_panel(name: str, by: By, found: Drawn) -> Panel:
    measure = measure_of(name)
    labels = unique(row["label"] for row in found.rows)
    axis = alt.Axis(labelExpr="split(replace(datum.label, ')', ''), ' (')", labelLimit=130, ticks=False, grid=True)
    chart = alt.Chart(found.data).mark_point(filled=True, size=60)
    return chart.encode(
        x=alt.X("value:Q", title=measure.title, scale=CLOSE, axis=alt.Axis(tickCount=5)),
        y=alt.Y("label:N", title=None, sort=list(labels), axis=axis, scale=alt.Scale(paddingInner=0.35)),
        yOffset=alt.YOffset("model:N", sort=list(found.models)),
        color=found.colour,
        shape=found.shape,
        opacity=opacity(),
        tooltip=[*tooltip("value", "interactions"), "label:N"],
    ).properties(height=len(labels) * max(44, 13 * len(found.models)), title=f"{measure.label} {BY[by]}")
