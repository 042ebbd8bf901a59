"""Pictures of what the learned 1x1 convolutions say of interaction types, and of how the law bends histograms."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
from numpy.typing import NDArray

from conv4rec.records import Record
from conv4rec.report.drawing import HEIGHT, INK, Drawn, Panel, Picture, Row, drawn, missing
from conv4rec.report.groups import Group, unique
from conv4rec.report.looks import Look
from conv4rec.theory.kernels import align

Looks = Mapping[str, Look]
Array = NDArray[np.float64]
ORANGE, BLUE = (178, 84, 16), (35, 99, 170)
"""Red, green and blue of the largest value above zero, and below."""
LIGHT, DARK = "#ffffff", 0.6
"""The ink on dark cells, and the share of the largest value from which a cell is dark."""
HISTOGRAMS = {"everyone": "all ratings", "own": "own ratings", "predicted": "p_rating"}


def kernels(group: Group, looks: Looks) -> Picture:
    """Heat maps of the kernels, later runs with their channels in the order and scale of the first."""
    rows = [row for model in group.models for row in _aligned(group, model)]
    found = drawn(rows, looks, fields=["weight"])
    panels = [_kernel_panel(found.only(panel=title), title) for title in unique(row["panel"] for row in found.rows)]
    return Picture(
        "kernels",
        "Learned 1x1 kernels",
        "A row is an interaction type, a column a channel: how far a single interaction of that type moves the "
        "bottleneck through that channel. Channels have no names, and exchanging or scaling them changes nothing: of "
        "several runs, the later ones are shown in the order and scale in which they are most like the first. The "
        "rating path's rows have the deviation of their rating added.",
        panels,
        found.models,
        (*found.absent, *missing(group, {"kernels": found})),
        with_key=False,
    )


def type_distances(group: Group, looks: Looks) -> Picture:
    """How far apart interaction types are, as a matrix."""
    found = _distances(group, looks)
    panels = [_matrix_panel(found.only(panel=title), title) for title in unique(row["panel"] for row in found.rows)]
    return Picture(
        "type-distances",
        "Distances between interaction types",
        "Between what two types add to the bottleneck, over all items, in units of the mean strength of a type: 0 the "
        "same, about 1.4 unrelated, 2 opposite. These do not depend on the channels, and can be compared between runs.",
        panels,
        found.models,
        (*found.absent, *missing(group, {"distances of types": found})),
        with_key=False,
    )


def type_map(group: Group, looks: Looks) -> Picture:
    """The same distances as a map."""
    found = _distances(group, looks)
    panels = [_map_panel(found.only(panel=title), title) for title in unique(row["panel"] for row in found.rows)]
    return Picture(
        "type-map",
        "Map of interaction types",
        "The plane in which the distances above are kept best (classical scaling); the line joins the types in their "
        "order. Directions mean nothing, distances do.",
        panels,
        found.models,
        missing(group, {"distances of types": found}),
        with_key=False,
    )


def shifts(group: Group, looks: Looks) -> Picture:
    """Histograms of some users and items, and the law beside them; of the first run of each model."""
    rows = [
        group.row(record, each, panel=f"{record.model}, {each.of} {each.name}: {each.place}")
        for record in _first_runs(group)
        for each in record.insights.shifts
    ]
    found = drawn(rows, looks, fields=["everyone", "own", "predicted"])
    panels = [_shift_panel(found.only(panel=title), title) for title in unique(row["panel"] for row in found.rows)]
    return Picture(
        "shifts",
        "How p_rating bends the histogram",
        "For a strict, a middling and a generous user, and an item disliked, middling and loved (lowest tenth, middle "
        "and highest tenth of the mean rating): bars are all ratings, the dashed line those of the user or item, the "
        "full line the mean of p_rating, over items at random for a user and over users at random for an item. What "
        "was rated was chosen, what is averaged here was not, so that the full line often lies below the dashed one "
        "at high ratings.",
        panels,
        found.models,
        (*found.absent, *missing(group, {"histograms of users and items": found})),
        with_key=False,
    )


def scaled(
    distances: Array,
) -> Array:
    """(K, 2) places in the plane that keep (K, K) distances best: classical scaling (Torgerson 1952)."""
    n = len(distances)
    centre = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    kept = np.sqrt(np.maximum(values[::-1][:2], 0.0)) * vectors[:, ::-1][:, :2]
    signs = np.where(kept[np.abs(kept).argmax(0), np.arange(kept.shape[1])] < 0, -1.0, 1.0)
    flat = np.zeros((n, 2))
    flat[:, : kept.shape[1]] = kept * signs
    return flat


def _first_runs(group: Group) -> list[Record]:
    """One record of every model that has histograms."""
    return list({r.model: r for r in reversed(group.measured) if r.insights.shifts}.values())[::-1]


def _aligned(group: Group, model: str) -> list[Row]:
    """Rows of a model's kernels, by path, all runs in the frame of the first."""
    rows: list[Row] = []
    frames: dict[str, Array] = {}
    for record in (r for r in group.measured if r.model == model):
        for path in unique(each.path for each in record.insights.kernels):
            weights = [each for each in record.insights.kernels if each.path == path]
            types, n = list(unique(w.type for w in weights)), len({w.channel for w in weights})
            kernel = np.zeros((len(types), n))
            for w in weights:
                kernel[types.index(w.type), w.channel] = w.weight
            frame = frames.setdefault(path, kernel)
            shown = align(kernel, frame).kernel if kernel.shape == frame.shape else kernel
            title = _title(group, record, path)
            rows += [
                group.row(record, panel=title, type=kind, channel=c + 1, weight=float(shown[k, c]), place=k)
                for k, kind in enumerate(types)
                for c in range(n)
            ]
    return rows


def _distances(group: Group, looks: Looks) -> Drawn:
    rows = [
        group.row(record, each, panel=_title(group, record, each.path))
        for record in group.measured
        for each in record.insights.distances
    ]
    return drawn(rows, looks, fields=["distance", "likeness"])


def _title(group: Group, record: Record, path: str) -> str:
    run = group.run_of(record)
    return f"{record.model}, {path}{f', {run}' if run else ''}"


def _kernel_panel(found: Drawn, title: str) -> Panel:
    types = list(unique(row["type"] for row in found.rows))
    x = alt.X("channel:O", title="channel (number)", axis=alt.Axis(labelAngle=0))
    y = alt.Y("type:N", title="interaction type", sort=types)
    return _cells(found, (x, y), "weight").properties(height=max(90, 34 * len(types)), title=title)


def _matrix_panel(found: Drawn, title: str) -> Panel:
    types = list(unique(row["type"] for row in found.rows))
    x = alt.X("other:N", title="interaction type", sort=types, axis=alt.Axis(labelAngle=0))
    y = alt.Y("type:N", title="interaction type", sort=types)
    return _cells(found, (x, y), "distance").properties(height=max(120, 34 * len(types)), title=title)


def _cells(found: Drawn, places: tuple[alt.X, alt.Y], name: str) -> Panel:
    """Cells with their number; their colours are made here, because panels in a PNG would share a scale."""
    x, y = places
    largest = max((abs(row[name]) for row in found.rows), default=0.0)
    rows = [row | _paint(row[name] / max(largest, 1e-12)) for row in found.rows]
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x, y=y)
    words = [alt.Tooltip("type:N"), alt.Tooltip(f"{name}:Q", format=".3f")]
    cells = base.mark_rect().encode(color=alt.Color("fill:N", scale=None), tooltip=words)
    numbers = base.mark_text(fontSize=11).encode(text=alt.Text(f"{name}:Q", format=".2f"))
    return cells + numbers.encode(color=alt.Color("ink:N", scale=None))


def _paint(share: float) -> Row:
    """White at 0, orange at 1, blue at -1, and an ink that can be read on it."""
    end = ORANGE if share > 0 else BLUE
    shade = [round(255 + (channel - 255) * abs(share)) for channel in end]
    return {"fill": "#" + "".join(f"{channel:02x}" for channel in shade), "ink": LIGHT if abs(share) > DARK else INK}


def _map_panel(found: Drawn, title: str) -> Panel:
    types = list(unique(row["type"] for row in found.rows))
    matrix = np.zeros((len(types), len(types)))
    for row in found.rows:
        matrix[types.index(row["type"]), types.index(row["other"])] = row["distance"]
    places = scaled(matrix)
    rows = [
        {"type": kind, "x": float(a), "y": float(b), "order": n}
        for n, (kind, (a, b)) in enumerate(zip(types, places, strict=True))
    ]
    reach = 1.25 * max(0.1, float(np.abs(places).max(initial=0.1)))
    scale = alt.Scale(domain=[-reach, reach])
    x = alt.X("x:Q", title="distance (mean strengths)", scale=scale)
    y = alt.Y("y:Q", title="distance (mean strengths)", scale=scale)
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x, y=y)
    colour = found.looks[found.models[0]].colour
    line = base.mark_line(color=colour, opacity=0.4, strokeWidth=1.5).encode(order="order:Q")
    points = base.mark_point(filled=True, size=60, color=colour).encode(tooltip=["type:N"])
    names = base.mark_text(dy=-11, fontSize=12, style="reference", strokeOpacity=0).encode(text="type:N")
    return (line + points + names).properties(height=HEIGHT, title=title)


def _shift_panel(found: Drawn, title: str) -> Panel:
    rows: Sequence[Row] = [
        {"rating": row["rating"], "histogram": told, "share": row[name]}
        for row in found.rows
        for name, told in HISTOGRAMS.items()
    ]
    x = alt.X("rating:O", title="rating (points)", axis=alt.Axis(labelAngle=0))
    y = alt.Y("share:Q", title="share of ratings", axis=alt.Axis(format="%", tickCount=5))
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=x, y=y, tooltip=["histogram:N", "rating:O", alt.Tooltip("share:Q", format=".1%")]
    )
    colour = found.looks[found.models[0]].colour
    bars = base.mark_bar(style="truth").transform_filter("datum.histogram == 'all ratings'")
    own = base.mark_line(strokeDash=[5, 3], color=colour, strokeWidth=2).transform_filter(
        "datum.histogram == 'own ratings'"
    )
    law = base.mark_line(color=colour, strokeWidth=2, point={"color": colour}).transform_filter(
        "datum.histogram == 'p_rating'"
    )
    return (bars + own + law).properties(height=HEIGHT - 60, title=title)
