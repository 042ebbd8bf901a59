"""Pictures of a study of recovery: distance from the truth as data grow, and as the loss is re-weighted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import altair as alt
import polars as pl

from conv4rec.atomic import write_atomically
from conv4rec.report.drawing import HEIGHT, Panel, Picture, Row, png
from conv4rec.report.html import Html, element, text
from conv4rec.report.looks import Look, looks_of
from conv4rec.report.page import page_of_pictures
from conv4rec.report.writer import PAGE
from conv4rec.theory.closeness import PARTS
from conv4rec.theory.recovery import OURS, Found, Rate
from conv4rec.theory.recovery_result import RecoveryResult, as_row

NAMES = {
    "conv4rec": "Conv4Rec",
    "narrow": "network alone, 8 wide",
    "pair": "EASE + biased MF",
    "popularity": "popularity x histogram",
    "empirical": "empirical",
}
TITLES = {"joint": "items and ratings", "consume": "items (p_consume)", "rating": "ratings (p_rating)"}
LINES = {"measured": [1, 0], "Pinsker bound": [6, 3], "fitted rate": [2, 3]}
WITH_STROKES = alt.Legend(symbolStrokeWidth=1.8, symbolType="stroke", symbolSize=300)


def draw_growth(result: RecoveryResult) -> Picture:
    """Total variation against the number of interactions, a row of panels a world, on logarithmic axes."""
    looks = looks_of(NAMES[name] for name in result.settings.models)
    worlds = result.settings.worlds
    panels = [_growth_panel(result, world, part, looks) for world in worlds for part in PARTS]
    return Picture(
        "recovery",
        "Distance from the true law as data grow",
        "Points: mean total variation, by seed. Dashed: the Pinsker bound from the measured excess risk of Conv4Rec, "
        "which it cannot pass. Dotted: the fitted rate of Conv4Rec.",
        panels,
        tuple(looks),
        columns=len(PARTS),
    )


def draw_weights(result: RecoveryResult) -> Picture:
    """Total variation against the weight of the explicit part of the loss."""
    rows = [row for each in result.reweighted for row in _parts(each)]
    looks = looks_of(dict.fromkeys(row["model"] for row in rows))
    return Picture(
        "weights",
        "Distance from the true law as the two parts of the loss are re-weighted",
        "Weight 1 is the likelihood of the joint law. Points: mean total variation, by seed.",
        [_weights_panel(part, [row for row in rows if row["part"] == part], looks) for part in PARTS],
        tuple(looks),
        columns=len(PARTS),
    )


def write_pictures(result: RecoveryResult, folder: Path) -> tuple[Path, ...]:
    """`recovery.png`, `weights.png` where the loss was re-weighted, and `report.html` with both and their figures.

    The folder is made where it is not there.
    """
    pictures = [draw_growth(result), *([draw_weights(result)] if result.reweighted else [])]
    paths = tuple(folder / f"{picture.slug}.png" for picture in pictures)
    for path, picture in zip(paths, pictures, strict=True):
        _write(path, png(picture))
    page = page_of_pictures("Recovery of the true law", pictures, _figures(result))
    _write(folder / PAGE, page.encode())
    return paths


def _figures(result: RecoveryResult) -> Html:
    """Tables of what the pictures are drawn from."""
    tables = {"All distances": result.table(), "Re-weighted": result.weights_table()}
    return text([_details(title, table) for title, table in tables.items() if table.height])


def _details(title: str, table: pl.DataFrame) -> Html:
    rows = [[f"{value:.4g}" if isinstance(value, float) else str(value) for value in row] for row in table.rows()]
    head = element("tr", [element("th", name, scope="col") for name in table.columns])
    body = [element("tr", [element("td", cell) for cell in row]) for row in rows]
    return element(
        "details", element("summary", title), element("table", element("thead", head), element("tbody", body))
    )


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda part: part.write_bytes(content))


def _parts(found: Found) -> list[Row]:
    """A row a part of the law, with its bound."""
    row = as_row(found)
    model = NAMES.get(found.model, found.model)
    return [
        {
            "model": model,
            "part": part,
            "size": found.size,
            "interactions": found.interactions,
            "weight": f"{found.weight:g}",
            "tv": row[f"tv_{part}"],
            "bound": row[f"bound_{part}"],
        }
        for part in PARTS
    ]


def _growth_panel(result: RecoveryResult, world: str, part: str, looks: Mapping[str, Look]) -> Panel:
    found = [each for each in result.found if each.world == world]
    rows = [row for each in found for row in _parts(each) if row["part"] == part]
    ours = [row for row in rows if row["model"] == NAMES[OURS]]
    rate = result.rate(world, OURS, f"tv_{part}")
    lines = _means(rows, "tv", "measured") + _means(ours, "bound", "Pinsker bound") + _line(ours, rate)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "interactions:Q", title="interactions", scale=_around(rows, "interactions"), axis=alt.Axis(format="~s")
        ),
        y=alt.Y("tv:Q", title="total variation", scale=_around(lines, "tv")),
        color=_colour(looks),
    )
    points = base.mark_point(filled=True, size=45).encode(shape=_shape(looks))
    drawn = base.properties(data=alt.InlineData(values=lines)).mark_line(strokeWidth=1.8)
    drawn = drawn.encode(strokeDash=alt.StrokeDash("line:N", title="line", scale=_scale(LINES), legend=WITH_STROKES))
    title = alt.TitleParams(f"{TITLES[part]}, {world} tastes", subtitle=_told(rate))
    return (drawn + points).properties(height=HEIGHT, title=title)


def _means(rows: Sequence[Row], figure: str, line: str) -> list[Row]:
    """Points of a line a model: means over the seeds, by size; of a figure that is finite."""
    kept = [row for row in rows if row[figure] is not None]
    keys = dict.fromkeys((row["model"], row["size"]) for row in kept)
    groups = {key: [row for row in kept if (row["model"], row["size"]) == key] for key in keys}
    return [
        {
            "model": model,
            "line": line,
            "interactions": fmean(row["interactions"] for row in group),
            "tv": fmean(row[figure] for row in group),
        }
        for (model, _), group in groups.items()
    ]


def _line(rows: Sequence[Row], rate: Rate | None) -> list[Row]:
    """The two ends of a fitted rate."""
    if rate is None:
        return []
    ends = (function(row["interactions"] for row in rows) for function in (min, max))
    points = [{"interactions": N, "tv": rate.constant * N**rate.exponent} for N in ends]
    return [{"model": NAMES[OURS], "line": "fitted rate"} | point for point in points]


def _told(rate: Rate | None) -> str:
    return "" if rate is None else f"{NAMES[OURS]} falls as N^{rate.exponent:.2f} (standard error {rate.error:.2f})"


def _weights_panel(part: str, rows: Sequence[Row], looks: Mapping[str, Look]) -> Panel:
    weights = sorted({row["weight"] for row in rows}, key=float)
    base = alt.Chart(alt.InlineData(values=list(rows))).encode(
        x=alt.X("weight:O", title="weight of the rating part", sort=weights, axis=alt.Axis(labelAngle=0)),
        color=_colour(looks),
    )
    y = alt.Y("tv:Q", title="total variation", scale=alt.Scale(zero=True))
    points = base.mark_point(filled=True, size=45).encode(y=y, shape=_shape(looks))
    lines = base.mark_line(strokeWidth=1.8).encode(y=alt.Y("mean(tv):Q", title="total variation"))
    return (lines + points).properties(height=HEIGHT, title=TITLES[part])


def _around(rows: Sequence[Row], figure: str) -> alt.Scale:
    """A logarithmic scale that ends near the values."""
    values = [row[figure] for row in rows]
    return alt.Scale(type="log", domain=[min(values) * 0.85, max(values) * 1.18], nice=False)


def _colour(looks: Mapping[str, Look]) -> alt.Color:
    return alt.Color("model:N", title="model", scale=_scale({name: look.colour for name, look in looks.items()}))


def _shape(looks: Mapping[str, Look]) -> alt.Shape:
    return alt.Shape("model:N", title="model", scale=_scale({name: look.shape for name, look in looks.items()}))


def _scale(values: Mapping[str, Any]) -> alt.Scale:
    return alt.Scale(domain=list(values), range=list(values.values()))
