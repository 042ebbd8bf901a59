"""Pictures of generalization bounds beside the measured gap, and of the coverage of conformal sets."""

from collections.abc import Mapping

import altair as alt

from conv4rec.records import Record
from conv4rec.report.drawing import Drawn, Panel, Picture, Row, drawn, log_axis, missing
from conv4rec.report.groups import Group, unique
from conv4rec.report.looks import Look

Looks = Mapping[str, Look]
NAMES = {
    "measured": "measured gap",
    "by_norm": "bound by norms",
    "by_count": "bound by parameters",
    "leading": "leading term",
    "uniform": "uniform law (vacuous above)",
}
HELD_OUT = {"measured": "measured gap", "bound": "bound", "uniform": "uniform law (vacuous above)"}
FEW = alt.Axis(tickCount=5)
LEAST = 1e-3
"""Nats below which a gap is drawn on the edge."""


def bounds(group: Group, looks: Looks) -> Picture:
    """Bounds and gaps on one logarithmic axis, a panel a model, path and reading of N."""
    rows = [row for record in group.measured for row in _rows(group, record)]
    found = drawn(rows, looks, fields=["value"])
    titles = unique(row["panel"] for row in found.rows)
    return Picture(
        "bounds",
        "Generalization bounds and the measured gap",
        "Nats, on a logarithmic axis. A bound to the right of the loss of the uniform law says nothing: it is vacuous. "
        "The leading term is that of the norm bound without its constants and logarithms. N counts users, which are "
        "independent, or interactions, which are not. Bounds by norms and by parameters are of the network alone, from "
        "training to test; that of the whole law is of the scalars chosen on validation data, from there to test. A "
        f"gap below {LEAST:g} is drawn there.",
        [_panel(found.only(panel=title), found, title) for title in titles],
        found.models,
        (*found.absent, *missing(group, {"bounds": found})),
        with_key=False,
    )


def coverage(group: Group, looks: Looks) -> Picture:
    """Coverage and size of conformal sets by group of users."""
    rows = [
        group.row(record, each, label=f"{record.model}{_run(group, record)}, {each.group}", order=n)
        for record in group.measured
        for n, each in enumerate(record.insights.coverage)
    ]
    found = drawn(rows, looks, fields=["coverage", "size"])
    return Picture(
        "coverage",
        "Conformal sets of ratings",
        "Sets calibrated on one random half of the test ratings, each third of the users by length of history for "
        "itself, and measured on the other half. Line: the coverage asked for. The smaller a set that covers, the more "
        "the law knows.",
        [_coverage_panel(found), _size_panel(found)] if found.rows else [],
        found.models,
        (*found.absent, *missing(group, {"conformal sets": found})),
        columns=2,
    )


def _run(group: Group, record: Record) -> str:
    run = group.run_of(record)
    return f", {run}" if run else ""


def _rows(group: Group, record: Record) -> list[Row]:
    insights = record.insights
    rows: list[Row] = []
    for each in insights.bounds:
        title = f"{record.model}{_run(group, record)}: {each.path}, N = {each.n_samples:,} {each.unit}"
        values = {"measured": max(LEAST, each.unseen - each.fitted)} | each.model_dump(include=set(NAMES))
        rows += [group.row(record, panel=title, figure=told, value=values[key]) for key, told in NAMES.items()]
    for held_out in insights.held_out:
        title = f"{record.model}{_run(group, record)}: whole law, N = {held_out.n_samples:,} {held_out.unit}"
        values = {"measured": max(LEAST, held_out.unseen - held_out.fitted)} | held_out.model_dump(
            include=set(HELD_OUT)
        )
        rows += [group.row(record, panel=title, figure=told, value=values[key]) for key, told in HELD_OUT.items()]
    return rows


def _panel(own: Drawn, every: Drawn, title: str) -> Panel:
    scale, axis = log_axis(row["value"] for row in every.rows if row["value"] > 0)
    names = list(unique(row["figure"] for row in own.rows))
    x = alt.X("value:Q", title="nats", scale=scale, axis=axis)
    y = alt.Y("figure:N", title=None, sort=names, axis=alt.Axis(labelLimit=180, ticks=False, grid=True))
    base = alt.Chart(own.data).encode(x=x, y=y)
    words = [alt.Tooltip("figure:N"), alt.Tooltip("value:Q", format=".4~g")]
    colour = own.looks[own.models[0]].colour
    points = base.mark_point(filled=True, size=80, color=colour).encode(tooltip=words)
    uniform = [row for row in own.rows if row["figure"] == NAMES["uniform"]]
    line = alt.Chart(alt.InlineData(values=uniform)).mark_rule(style="reference", strokeDash=[4, 4]).encode(x=x)
    return (line + points).properties(height=28 * len(names), title=title)


def _coverage_panel(found: Drawn) -> Panel:
    x = alt.X("coverage:Q", title="true rating in the set (share)", scale=alt.Scale(zero=False, padding=12), axis=FEW)
    line = alt.Chart(found.data).mark_rule(style="reference", strokeDash=[4, 4]).encode(x=alt.X("asked:Q"))
    return _by_group(found, x, line, "coverage by group")


def _size_panel(found: Drawn) -> Panel:
    x = alt.X("size:Q", title="ratings in a set (mean number)", scale=alt.Scale(zero=False, padding=12), axis=FEW)
    return _by_group(found, x, None, "size by group")


def _by_group(found: Drawn, x: alt.X, line: Panel, title: str) -> Panel:
    labels = list(unique(row["label"] for row in found.rows))
    y = alt.Y("label:N", title=None, sort=labels, axis=alt.Axis(labelLimit=220, ticks=False, grid=True))
    words = [
        alt.Tooltip("label:N"),
        alt.Tooltip("coverage:Q", format=".4f"),
        alt.Tooltip("size:Q", format=".3f"),
        "n:Q",
    ]
    points = (
        alt.Chart(found.data)
        .mark_point(filled=True, size=80)
        .encode(x=x, y=y, color=found.colour, shape=found.shape, tooltip=words)
    )
    both = points if line is None else alt.layer(line, points)
    return both.properties(height=32 * len(labels), title=title)
