"""Which pictures a report shows, in their order."""

from collections.abc import Mapping

from conv4rec.report import bounds, compression, course, kernels, laws, overview
from conv4rec.report.drawing import Picture
from conv4rec.report.groups import Group
from conv4rec.report.looks import Look

DRAW = (
    overview.intervals,
    overview.cost,
    overview.precision_recall,
    overview.recall_beta,
    laws.reliability_like,
    laws.reliability_consume,
    laws.ratings,
    course.slices,
    course.training,
    kernels.kernels,
    kernels.type_distances,
    kernels.type_map,
    kernels.shifts,
    bounds.bounds,
    bounds.coverage,
    compression.compression,
)


def draw_all(group: Group, looks: Mapping[str, Look]) -> tuple[Picture, ...]:
    """All pictures of a group, those that there is nothing to draw for too: they say what is absent."""
    return tuple(draw(group, looks) for draw in DRAW)
