"""The picture of what compression costs: recall of neighbours and NDCG against bytes."""

import math
from collections.abc import Mapping

import altair as alt

from conv4rec.report.drawing import HEIGHT, Drawn, Panel, Picture, drawn, missing, opacity, tooltip
from conv4rec.report.groups import Group
from conv4rec.report.looks import Look

SHOWN = {
    "recall_reconstructed": "neighbours by decoded embeddings",
    "recall_sparse": "neighbours by codes",
    "ndcg": "lists, candidates ranked by the exact law",
    "ndcg_decoded": "lists by decoded vectors alone",
}
UNITS = {"recall": "recall@100 (share of the exact neighbours)", "ndcg": "NDCG@20 (share of the best gain)"}


def compression(group: Group, looks: Mapping[str, Look]) -> Picture:
    """Recall and NDCG over the bytes of an item in the index."""
    rows = [
        group.row(record, figure=name, bytes=point.bytes_per_item, value=getattr(point, name))
        for record in group.measured
        for point in record.curves.compression
        for name in SHOWN
    ]
    found = drawn(rows, looks, fields=["bytes", "value"])
    return Picture(
        "compression",
        "What compression costs",
        "Items as sparse codes of fewer and fewer entries; the largest point of each curve is without compression. "
        "Bytes are those of an item in the index that recommendations are found in; atoms, which all items share, are "
        "not counted. Above: which of the 100 nearest items are found, by embeddings that are twice as wide and take "
        "twice the bytes. Below: the lists on the test part. Scales do not start at zero, and both panels of a row "
        "have one.",
        [_panel(found, name) for name in SHOWN] if found.rows else [],
        found.models,
        (*found.absent, *missing(group, {"compression": found})),
        columns=2,
    )


def _panel(found: Drawn, name: str) -> Panel:
    kind = name.partition("_")[0]
    values = [row["value"] for row in found.rows if row["figure"].startswith(kind)]
    scale, axis = _sizes([row["bytes"] for row in found.rows])
    base = alt.Chart(found.only(figure=name).data).encode(
        x=alt.X("bytes:Q", title="size of an item (bytes)", scale=scale, axis=axis),
        y=alt.Y("value:Q", title=UNITS[kind], scale=alt.Scale(domain=[min(values), max(values)], nice=True)),
        color=found.colour,
        opacity=opacity(),
    )
    lines = base.mark_line(strokeWidth=2).encode(detail="run:N", strokeDash=found.dash)
    points = base.mark_point(filled=True, size=70).encode(shape=found.shape, tooltip=tooltip("bytes", "value"))
    return (lines + points).properties(height=HEIGHT, title=SHOWN[name])


def _sizes(values: list[float]) -> tuple[alt.Scale, alt.Axis]:
    """A logarithmic scale just around all values, with powers of two."""
    powers = range(math.floor(math.log2(min(values))), math.ceil(math.log2(max(values))) + 1)
    scale = alt.Scale(type="log", base=2, domain=[min(values) / 1.2, max(values) * 1.2])
    return scale, alt.Axis(values=[2.0**power for power in powers], format="~g")
