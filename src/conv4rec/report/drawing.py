"""A picture is one or more panels with the same key; it is drawn in the page, and as a PNG."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import altair as alt
import vl_convert

from conv4rec.report.groups import Group, unique
from conv4rec.report.looks import Look

Panel = Any
"""A chart of altair, single or in layers, whose own methods are typed as Any."""
Row = dict[str, Any]
Spec = dict[str, Any]

VEGA_LITE = "_".join(alt.SCHEMA_VERSION.split(".")[:2])
"""The version that altair writes, for vl-convert."""
INK = "#1b1f24"
FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif"
WIDTH, HEIGHT = 320, 260
"""Size of a panel in pixels: in a PNG both, in the page the height."""
CLOSE = alt.Scale(zero=False, padding=8)
"""A scale that starts near the values, with room for their marks."""
KEYED = frozenset(("color", "shape", "size", "strokeDash"))
"""Channels that have a key in a PNG."""
SNIPPET = "window.vegaEmbed = vegaEmbed;"
"""What is kept of the JavaScript in the page."""
CHOSEN = {"name": "chosen", "value": None}
"""The model that is picked out in the key of the page."""


@dataclass(frozen=True)
class Picture:
    """Panels that are looked at together.

    Attributes:
        slug: its name in files and addresses.
        title: what it shows.
        caption: how it is read.
        panels: the charts, each of which can stand alone.
        models: those that are drawn.
        absent: what is not drawn, and why, a sentence each.
        columns: panels beside each other in a PNG, 1 to 3.
        with_key: whether the page shows which colour is which model; not where titles name them.
    """

    slug: str
    title: str
    caption: str
    panels: Sequence[Panel] = ()
    models: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    columns: int = 3
    with_key: bool = True


@dataclass(frozen=True)
class Drawn:
    """Rows that can be drawn, and the looks of their models.

    Attributes:
        rows: as from `Group.row`.
        looks: of the models in the key.
        absent: how many values cannot be drawn.
    """

    rows: list[Row]
    looks: Mapping[str, Look]
    absent: tuple[str, ...] = field(default=())

    @property
    def models(self) -> tuple[str, ...]:
        """Those that have rows, in the order of the looks."""
        met = {row["model"] for row in self.rows}
        return tuple(model for model in self.looks if model in met)

    @property
    def data(self) -> alt.InlineData:
        return alt.InlineData(values=self.rows)

    @property
    def colour(self) -> alt.Color:
        return alt.Color("model:N", title="model", scale=self._scale([look.colour for look in self.looks.values()]))

    @property
    def shape(self) -> alt.Shape:
        return alt.Shape("model:N", title="model", scale=self._scale([look.shape for look in self.looks.values()]))

    @property
    def dash(self) -> alt.StrokeDash:
        dashes = [list(look.dash) for look in self.looks.values()]
        return alt.StrokeDash("model:N", title="model", scale=self._scale(dashes))

    def only(self, **fields: Any) -> "Drawn":
        """The rows with these values, with the same looks, so that panels beside each other share a key."""
        return replace(self, rows=[row for row in self.rows if all(row[n] == value for n, value in fields.items())])

    def _scale(self, values: Sequence[Any]) -> alt.Scale:
        return alt.Scale(domain=list(self.looks), range=list(values))


def drawn(rows: list[Row], looks: Mapping[str, Look], *, fields: Sequence[str]) -> Drawn:
    """Keep the rows whose `fields` are numbers that can be drawn, and the looks of their models."""
    kept: list[Row] = []
    lost: list[Row] = []
    for row in rows:
        (kept if all(math.isfinite(row[name]) for name in fields) else lost).append(row)
    models = {row["model"] for row in kept}
    named = ", ".join(unique(row["model"] for row in lost))
    absent = (f"{len(lost)} values of {named} are not finite and are not drawn.",) if lost else ()
    return Drawn(kept, {model: look for model, look in looks.items() if model in models}, absent)


def missing(group: Group, found: Mapping[str, Drawn]) -> tuple[str, ...]:
    """Which measured models have nothing of what is `found`, by name; what the same models lack in one sentence."""
    lacking: dict[tuple[str, ...], list[str]] = {}
    for what, each in found.items():
        models = unique(record.model for record in group.measured if record.model not in each.models)
        lacking.setdefault(models, []).append(what)
    return tuple(
        f"{', '.join(w)}: not in the records of {', '.join(models)}." for models, w in lacking.items() if models
    )


def tooltip(*names: str, digits: str = ".4~f") -> list[alt.Tooltip]:
    """The model, its run, and these numbers."""
    numbers = [alt.Tooltip(f"{name}:Q", format=digits) for name in names]
    return [alt.Tooltip("model:N"), alt.Tooltip("run:N"), *numbers]


def log_axis(values: Iterable[float]) -> tuple[alt.Scale, alt.Axis]:
    """A logarithmic scale over whole powers of ten around all values, which are positive, with at most 6 labels."""
    exponents = [math.log10(value) for value in values] or [0.0]
    first, last = math.floor(min(exponents)), math.ceil(max(exponents))
    last = max(last, first + 1)
    ticks = [10.0**power for power in range(first, last + 1, 1 + (last - first) // 6)]
    words = "format(datum.value, datum.value < 0.001 ? '~e' : '~g')"
    return alt.Scale(type="log", domain=[10.0**first, 10.0**last]), alt.Axis(values=ticks, labelExpr=words)


def opacity(value: float = 1.0) -> Any:
    """Full for the model that is picked out, or for all where none is."""
    return alt.condition("!isValid(chosen) || chosen === datum.model", alt.value(value), alt.value(0.18))


def config(ink: str) -> Spec:
    """Everything drawn in one ink but for the models; `currentColor` follows the text around the picture."""
    words = {"labelColor": ink, "titleColor": ink, "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": 500}
    lines = {"domainColor": ink, "tickColor": ink, "gridColor": ink, "gridOpacity": 0.12}
    faint = {"domainOpacity": 0.5, "tickOpacity": 0.5}
    return {
        "background": None,
        "font": FONT,
        "axis": words
        | lines
        | faint
        | {"labelLimit": 150, "labelFlush": False, "labelOverlap": True, "titlePadding": 8},
        "legend": words | {"labelLimit": 260, "symbolStrokeWidth": 0},
        "title": {
            "color": ink,
            "fontSize": 13,
            "fontWeight": 600,
            "anchor": "start",
            "subtitleColor": ink,
            "offset": 8,
        },
        "view": {"stroke": None},
        "style": {"reference": {"color": ink, "strokeOpacity": 0.55}, "truth": {"color": ink, "fillOpacity": 0.2}},
    }


def page_spec(panel: Panel) -> Spec:
    """A panel as wide as its place in the page, without a key, which the page has beside it."""
    spec = panel.properties(width="container").to_dict()
    del spec["$schema"]  # the address of a version, and the page has only one
    for layer in spec.get("layer", [spec]):
        for channel in KEYED & layer["encoding"].keys():
            layer["encoding"][channel]["legend"] = None
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    spec["config"] = config("currentColor")
    return _with_choice(spec)


def png(picture: Picture) -> bytes:
    """All panels with their key, on white."""
    panels = [panel.properties(width=WIDTH) for panel in picture.panels]
    heading = alt.TitleParams(picture.title, fontSize=17, offset=16)
    spec = alt.concat(*panels, columns=picture.columns, title=heading).to_dict()
    spec["config"] = config(INK) | {"background": "white", "padding": 16, "concat": {"spacing": 28}}
    return vl_convert.vegalite_to_png(_with_choice(spec), vl_version=VEGA_LITE, scale=2, allowed_base_urls=[])


def javascript() -> str:
    """Vega, Vega-Lite and Vega-Embed, in one expression that leaves its names behind in `window`."""
    return f"(() => {{{vl_convert.javascript_bundle(SNIPPET, vl_version=VEGA_LITE)}\n}})();"


def _with_choice(spec: Spec) -> Spec:
    return spec | {"params": [*spec.get("params", ()), CHOSEN]}
