"""Pictures of the two laws: is what is said to happen three times in ten seen three times in ten?"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal

import altair as alt

from conv4rec.report.drawing import HEIGHT, Drawn, Panel, Picture, Row, drawn, log_axis, missing, opacity, tooltip
from conv4rec.report.groups import Group
from conv4rec.report.looks import Look

Looks = Mapping[str, Look]
Law = Literal["like", "consume"]


def reliability_like(group: Group, looks: Looks) -> Picture:
    """Predicted and observed shares of liked items, a panel a model."""
    found = _bins(group, looks, "like")
    return Picture(
        "reliability-like",
        "Reliability of p_like",
        "Each point is a bin of predictions. On the diagonal, what is said to be liked with some probability is liked "
        "that often; below it the model promises too much. The larger a point, the more predictions lie in its bin"
        f"{_largest(found)}.",
        [_like_panel(group, found, model) for model in found.models],
        found.models,
        (*found.absent, *missing(group, {"predictions of p_like": found})),
        with_key=False,
    )


def reliability_consume(group: Group, looks: Looks) -> Picture:
    """Predicted and observed consumption, on logarithmic axes, a panel a model."""
    found = _bins(group, looks, "consume")
    never = len(found.only(never=True).rows)
    hollow = f" Hollow points on the lower edge: bins of which nothing was consumed ({never})." if never else ""
    return Picture(
        "reliability-consume",
        "Reliability of p_consume",
        "Each point is a bin of items by their probability to be consumed next. On the diagonal that probability is "
        "right; below it the model promises too much. The larger a point, the more predicted probability lies in its "
        f"bin{_largest(found)}. Both axes are logarithmic.{hollow}",
        [_consume_panel(group, found, model) for model in found.models],
        found.models,
        (*found.absent, *missing(group, {"predictions of p_consume": found})),
        with_key=False,
    )


def ratings(group: Group, looks: Looks) -> Picture:
    """How often each rating is given, and how often it is predicted."""
    rows = [group.row(record, share) for record in group.measured for share in record.curves.ratings]
    found = drawn(rows, looks, fields=["predicted", "observed"])
    return Picture(
        "ratings",
        "Predicted and true ratings",
        "Grey bars: the ratings of the test part. Points: the mean of the law that is predicted for them. "
        "A model that hedges predicts too few of the most common ratings.",
        [_rating_panel(found)] if found.rows else [],
        found.models,
        (*found.absent, *missing(group, {"laws of ratings": found})),
        columns=1,
    )


def _bins(group: Group, looks: Looks, law: Law) -> Drawn:
    rows = [
        group.row(record, point, never=point.observed <= 0)
        for record in group.measured
        for point in getattr(record.curves, f"reliability_{law}")
    ]
    return drawn(rows, looks, fields=["predicted", "observed"])


def _title(group: Group, model: str, metric: str) -> alt.TitleParams:
    """The model and its expected calibration error, the mean over its runs."""
    values = [r.metrics[metric] for r in group.measured if r.model == model and metric in r.metrics]
    mean = f" (mean of {len(values)} runs)" if len(values) > 1 else ""
    told = f"ECE {sum(values) / len(values):.4f}{mean}" if values else "ECE not measured"
    return alt.TitleParams(model, subtitle=told, limit=260)


def _points(found: Drawn, x: alt.X, y: alt.Y, *, heaviest: float, weight: str) -> Panel:
    scale = alt.Scale(domain=[0, heaviest], range=[12, 360])
    size = alt.Size("weight:Q", title=weight, scale=scale, legend=alt.Legend(format="~%"))
    words = tooltip("predicted", "observed", "weight", digits=".3~g")
    return alt.Chart(found.data).encode(x=x, y=y, size=size, color=found.colour, tooltip=words)


def _lines(found: Drawn, x: alt.X, y: alt.Y) -> Panel:
    lines = alt.Chart(found.data).mark_line(strokeWidth=1.5, opacity=0.7)
    return lines.encode(x=x, y=y, color=found.colour, detail="run:N")


def _diagonal(low: float, high: float, x: alt.X, y: alt.Y) -> Panel:
    ends = alt.InlineData(values=[{"predicted": value, "observed": value} for value in (low, high)])
    return alt.Chart(ends).mark_line(style="reference", strokeDash=[4, 4], strokeWidth=1.2).encode(x=x, y=y)


def _like_panel(group: Group, found: Drawn, model: str) -> Panel:
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(tickCount=5)
    x = alt.X("predicted:Q", title="predicted p_like (probability)", scale=scale, axis=axis)
    y = alt.Y("observed:Q", title="liked (share of ratings)", scale=scale, axis=axis)
    own, heaviest = found.only(model=model), _heaviest(found)
    points = _points(own, x, y, heaviest=heaviest, weight="share of predictions")
    marks = points.mark_point(filled=True, shape="circle", opacity=0.85)
    layers = _diagonal(0, 1, x, y) + _lines(own, x, y) + marks
    return layers.properties(height=HEIGHT, title=_title(group, model, "ece_like"))


def _consume_panel(group: Group, found: Drawn, model: str) -> Panel:
    """What was never observed has no place on a logarithmic axis: it is drawn hollow on the lower edge."""
    values = (row[name] for row in found.rows for name in ("predicted", "observed"))
    scale, axis = log_axis(value for value in values if value > 0)
    low, high = scale.domain
    x = alt.X("predicted:Q", title="predicted p_consume (probability)", scale=scale, axis=axis)
    y = alt.Y("observed:Q", title="consumed next (share of chances)", scale=scale, axis=axis)
    own, heaviest = found.only(model=model), _heaviest(found)
    seen = own.only(never=False)
    never = Drawn([row | {"observed": low} for row in own.only(never=True).rows], own.looks)
    layers = [_diagonal(low, high, x, y), _lines(seen, x, y)]
    for some, filled in ((seen, True), (never, False)):
        points = _points(some, x, y, heaviest=heaviest, weight="share of probability mass")
        layers.append(points.mark_point(filled=filled, shape="circle", opacity=0.85))
    return alt.layer(*layers).properties(height=HEIGHT, title=_title(group, model, "ece_consume"))


def _largest(found: Drawn) -> str:
    return f", in the largest {_heaviest(found):.0%}" if found.rows else ""


def _heaviest(found: Drawn) -> float:
    return max(float(row["weight"]) for row in found.rows)


def _rating_panel(found: Drawn) -> Panel:
    x = alt.X("rating:O", title="rating (points)", axis=alt.Axis(labelAngle=0))
    y = alt.Y("observed:Q", title="ratings (share)")
    truth = alt.Chart(alt.InlineData(values=_truth(found.rows))).mark_bar(style="truth")
    truth = truth.encode(x=x, y=y, tooltip=["rating:O", alt.Tooltip("observed:Q", format=".2%")])
    base = alt.Chart(found.data).encode(x=x, y="predicted:Q", color=found.colour, opacity=opacity())
    lines = base.mark_line(strokeWidth=1.5).encode(detail="run:N", strokeDash=found.dash)
    words = tooltip("rating", "predicted", "observed")
    points = base.mark_point(filled=True, size=70).encode(shape=found.shape, tooltip=words)
    return (truth + lines + points).properties(height=HEIGHT + 40)


def _truth(rows: list[Row]) -> list[Row]:
    """The true shares, mean over the fits."""
    found: dict[float, list[float]] = defaultdict(list)
    for row in rows:
        found[row["rating"]].append(row["observed"])
    return [{"rating": rating, "observed": sum(each) / len(each)} for rating, each in sorted(found.items())]
