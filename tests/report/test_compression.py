"""The picture of what compression costs."""

from typing import Any

from conv4rec.records import CompressionPoint, Curves
from conv4rec.report.compression import SHOWN, compression
from conv4rec.report.drawing import page_spec
from conv4rec.report.groups import groups_of
from conv4rec.report.looks import looks_of
from tests.made_records import make_record

POINTS = tuple(
    CompressionPoint(
        bytes_per_item=size,
        recall_reconstructed=1 - 8 / size,
        recall_sparse=1 - 12 / size,
        ndcg=0.3,
        ndcg_decoded=0.3 - 1 / size,
    )
    for size in (1028.0, 168.0, 84.0, 40.0)
)


def rows_of(panel: Any) -> list[dict[str, Any]]:
    (rows,) = page_spec(panel)["datasets"].values()
    return list(rows)


def test_a_curve_for_each_figure_over_the_bytes() -> None:
    record = make_record("conv4rec", curves=Curves(compression=POINTS))
    (group,) = groups_of([record, make_record("ease")])
    picture = compression(group, looks_of(group.models))
    assert picture.models == ("conv4rec",)
    assert picture.absent == ("compression: not in the records of ease.",)
    for panel, name in zip(picture.panels, SHOWN, strict=True):
        assert page_spec(panel)["title"] == SHOWN[name]
        shown = [(row["bytes"], row["value"]) for row in rows_of(panel)]
        assert shown == [(point.bytes_per_item, getattr(point, name)) for point in POINTS]


def test_nothing_to_draw_says_so() -> None:
    (group,) = groups_of([make_record("ease")])
    picture = compression(group, looks_of(group.models))
    assert (len(picture.panels), picture.absent) == (0, ("compression: not in the records of ease.",))
