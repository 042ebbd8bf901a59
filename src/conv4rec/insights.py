"""What is read of a model beside its figures, as rows in its record: kernels, histograms, bounds, sets that cover."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Row(BaseModel):
    """A row; a field that does not exist is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, ser_json_inf_nan="strings")


class KernelWeight(Row):
    """One weight of a learned 1x1 convolution going in."""

    path: str
    type: str
    channel: int
    weight: float
    """In units of how far the channel moves the bottleneck, root mean square over items."""


class TypeDistance(Row):
    """How far two interaction types are apart to one path."""

    path: str
    type: str
    other: str
    likeness: float
    """Cosine of what the two add to the bottleneck, over all items."""
    distance: float
    """Of what they add, in units of the mean strength of a type: 0 the same, 1.4 unrelated, 2 opposite."""


class HistogramShift(Row):
    """One rating value of the histograms and of the law of one user, or of one item."""

    of: Literal["user", "item"]
    name: str
    place: str
    """Which of those picked by their mean rating."""
    rating: float
    everyone: float
    """Share of all ratings."""
    own: float
    """Share of the user's, or the item's, own ratings."""
    predicted: float
    """Mean p_rating, over items for a user and over users for an item."""


class BoundRow(Row):
    """Bounds of the train-test gap of one path for one reading of N, in nats, and the gap as measured."""

    path: str
    unit: str
    n_samples: int
    by_norm: float
    by_count: float
    leading: float
    uniform: float
    tv: float
    fitted: float
    unseen: float


class HeldOutRow(Row):
    """The bound of the whole law from the data that chose its scalars, and the gap as measured, in nats."""

    unit: str
    n_samples: int
    n_scalars: int
    bound: float
    uniform: float
    fitted: float
    unseen: float


class FactorRow(Row):
    """A matrix, or offsets, as the bounds know it; `spectral` 0 where it is added."""

    path: str
    weights: str
    n_parameters: int
    spectral: float
    distance: float
    input_norm: float
    sensitivity: float
    term: float


class CoverageRow(Row):
    """What conformal sets reached on one half of the test ratings, calibrated on the other."""

    asked: float
    group: str
    coverage: float
    size: float
    empty: float
    n: int


class Insights(Row):
    """All of them; empty where it is not defined or was not read, and then a note says why."""

    kernels: tuple[KernelWeight, ...] = ()
    distances: tuple[TypeDistance, ...] = ()
    shifts: tuple[HistogramShift, ...] = ()
    bounds: tuple[BoundRow, ...] = ()
    held_out: tuple[HeldOutRow, ...] = ()
    factors: tuple[FactorRow, ...] = ()
    coverage: tuple[CoverageRow, ...] = ()
    notes: tuple[str, ...] = ()
