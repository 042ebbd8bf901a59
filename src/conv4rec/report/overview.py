"""Pictures of how good the models are: figures with intervals, against time, over k and over beta."""

from collections.abc import Iterable, Mapping
from statistics import fmean

import altair as alt

from conv4rec.report.drawing import (
    CLOSE,
    HEIGHT,
    Drawn,
    Panel,
    Picture,
    Row,
    drawn,
    log_axis,
    missing,
    opacity,
    tooltip,
)
from conv4rec.report.groups import Group
from conv4rec.report.looks import Look
from conv4rec.report.measures import Measure, measure_of, pick

Looks = Mapping[str, Look]
MAIN = ("ndcg", "recall", "rmse", "nll", "ndcg_like", "auc_like", "ece_like", "ece_consume")
"""What a model is chosen by."""
MARKED = (1, 2, 5, 10, 20, 50, 100)
"""Lengths of lists that are marked on the curve."""


def intervals(group: Group, looks: Looks) -> Picture:
    """The main figures with their intervals, a panel a metric."""
    names = pick(group.metrics, MAIN)
    found = drawn(_figures(group, names), looks, fields=["value"])
    return Picture(
        "figures",
        "Figures with their intervals",
        "A point is a figure on the test part, its bar the bootstrap confidence interval over users; the best is on "
        "top. Scales do not start at zero.",
        [_interval_panel(name, found.only(figure=name)) for name in names],
        found.models,
        (*found.absent, *missing(group, by_label(found, names))),
    )


def _figures(group: Group, names: Iterable[str]) -> list[Row]:
    """A row a fit and metric; without an interval, both its ends are the value."""
    rows = []
    for record in group.measured:
        for name in names:
            if name in record.metrics:
                value = record.metrics[name]
                low, high = record.intervals.get(name, (value, value))
                rows.append(group.row(record, figure=name, value=value, low=low, high=high))
    return rows


def by_label(found: Drawn, names: Iterable[str], *, more: str = "") -> dict[str, Drawn]:
    """What was found of every figure, by what it is called; where there is none, of figures as such."""
    labelled = {f"{measure_of(name).label}{more}": found.only(figure=name) for name in names}
    return labelled if labelled else {f"figures{more}": found}


def _interval_panel(name: str, found: Drawn) -> Panel:
    measure = measure_of(name)
    axis = alt.Axis(labelLimit=120, domain=False, ticks=False)
    order = _best_first(measure, found)
    base = alt.Chart(found.data).encode(
        y=alt.Y("model:N", title=None, sort=order, axis=axis), color=found.colour, opacity=opacity()
    )
    n_runs = len({row["run"] for row in found.rows})
    if n_runs > 1:
        base = base.encode(yOffset="run:N")
    bars = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q")
    points = base.mark_point(filled=True, size=70).encode(
        x=alt.X("value:Q", title=measure.title, scale=CLOSE, axis=alt.Axis(tickCount=5)),
        shape=found.shape,
        tooltip=tooltip("value", "low", "high"),
    )
    better = "" if measure.better is None else f": {measure.better} is better"
    return (bars + points).properties(
        height=max(40, max(24, 11 * n_runs) * len(order)), title=f"{measure.label}{better}"
    )


def _best_first(measure: Measure, found: Drawn) -> list[str]:
    """Models by the mean over their runs."""
    sign = 1 if measure.better == "lower" else -1
    mean = {model: fmean(row["value"] for row in found.only(model=model).rows) for model in found.models}
    return sorted(mean, key=lambda model: sign * mean[model])


def cost(group: Group, looks: Looks) -> Picture:
    """Quality against the time of the fit."""
    names = pick(group.metrics, ("ndcg", "rmse"))
    seconds = {(record.model, group.run_of(record)): record.cost.fit_seconds for record in group.measured}
    rows = [row | {"seconds": seconds[row["model"], row["run"]]} for row in _figures(group, names)]
    found = drawn([row for row in rows if row["seconds"]], looks, fields=["value", "seconds"])
    return Picture(
        "cost",
        "Quality against time",
        "Each point is a fit, with its interval; the axis of time is logarithmic. The time is wall-clock time with "
        "validation, without the search for hyper-parameters.",
        [_cost_panel(name, found.only(figure=name)) for name in names if found.only(figure=name).rows],
        found.models,
        (*found.absent, *missing(group, by_label(found, names, more=" with a fit time"))),
        columns=2,
    )


def _cost_panel(name: str, found: Drawn) -> Panel:
    measure = measure_of(name)
    scale, axis = log_axis(row["seconds"] for row in found.rows)
    base = alt.Chart(found.data).encode(
        x=alt.X("seconds:Q", title="fit time (s)", scale=scale, axis=axis), color=found.colour, opacity=opacity()
    )
    bars = base.mark_rule(strokeWidth=1.5).encode(y=alt.Y("low:Q"), y2="high:Q")
    points = base.mark_point(filled=True, size=80).encode(
        y=alt.Y("value:Q", title=measure.title, scale=alt.Scale(zero=False)),
        shape=found.shape,
        tooltip=tooltip("seconds", "value"),
    )
    return (bars + points).properties(height=HEIGHT)


def precision_recall(group: Group, looks: Looks) -> Picture:
    """Precision against recall, a curve a fit, k along it."""
    rows = [
        group.row(record, point, marked=point.k in MARKED)
        for record in group.measured
        for point in record.curves.precision_recall
    ]
    found = drawn(rows, looks, fields=["precision", "recall"])
    marked = ", ".join(str(k) for k in MARKED if found.only(k=k).rows)
    return Picture(
        "precision-recall",
        "Precision against recall",
        f"Along each curve the list grows longer, from left to right; points mark lists of k = {marked} items. "
        "Recall is divided by all relevant items. Further up and to the right is better.",
        [_precision_recall_panel(found)] if found.rows else [],
        found.models,
        (*found.absent, *missing(group, {"precision and recall": found})),
        columns=1,
    )


def _precision_recall_panel(found: Drawn) -> Panel:
    base = alt.Chart(found.data).encode(
        x=alt.X("recall:Q", title="recall (share of relevant items)", axis=alt.Axis(tickCount=8)),
        y=alt.Y("precision:Q", title="precision (share of listed items)", scale=alt.Scale(zero=False)),
        color=found.colour,
        opacity=opacity(),
    )
    lines = base.mark_line(strokeWidth=2).encode(order="k:Q", detail="run:N", strokeDash=found.dash)
    points = base.mark_point(filled=True, size=60).encode(
        shape=found.shape, tooltip=tooltip("k", "precision", "recall")
    )
    return (lines + points.transform_filter("datum.marked")).properties(height=HEIGHT + 80)


def recall_beta(group: Group, looks: Looks) -> Picture:
    """recall@K^beta over beta, a panel a K and a form."""
    rows = [group.row(record, point) for record in group.measured for point in record.curves.recall_beta]
    found = drawn(rows, looks, fields=["value"])
    lists = sorted({(row["k"], not row["time_aware"]) for row in found.rows})
    return Picture(
        "recall-beta",
        "Recall without the bias of popularity, over β",
        "Every interaction is asked for from the profile of its user. A hit counts p(item)^-β: popular items count "
        "less the larger β is, and β = 0 is plain recall. Time-aware (LLOO): the profile holds earlier interactions "
        "only; otherwise (LOO) all others. Where curves cross, the best model depends on β.",
        [_beta_panel(found, k, time_aware=not timeless) for k, timeless in lists],
        found.models,
        (*found.absent, *missing(group, {"recall@K^β": found})),
        columns=2,
    )


def _beta_panel(found: Drawn, k: int, *, time_aware: bool) -> Panel:
    highest = max(row["value"] for row in found.only(k=k).rows)
    scale = alt.Scale(domain=[0, highest if highest > 0 else 1], nice=True)  # one for both forms, to compare them
    base = alt.Chart(found.only(k=k, time_aware=time_aware).data).encode(
        x=alt.X("beta:Q", title="β (exponent, no unit)"),
        y=alt.Y("value:Q", title=f"recall@{k}^β (weighted share)", scale=scale),
        color=found.colour,
        opacity=opacity(),
    )
    lines = base.mark_line(strokeWidth=2).encode(detail="run:N", strokeDash=found.dash)
    points = base.mark_point(filled=True, size=45).encode(shape=found.shape, tooltip=tooltip("beta", "value"))
    form = "time-aware (LLOO)" if time_aware else "not time-aware (LOO)"
    return (lines + points).properties(height=HEIGHT, title=f"K = {k}, {form}")
