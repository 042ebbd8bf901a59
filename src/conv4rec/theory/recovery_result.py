"""What a study of recovery found, as rows, rates and one sentence each."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import polars as pl

from conv4rec.theory.closeness import PARTS
from conv4rec.theory.recovery import OURS, Found, Rate, RecoverySettings, fit_rate

FIGURES = tuple(f"tv_{part}" for part in PARTS)


@dataclass(frozen=True)
class RecoveryResult:
    """Everything that was fitted, and how near it came.

    Attributes:
        settings: what was asked for.
        found: all models at all sizes.
        reweighted: ours and the plain network under other weights of the explicit part.
    """

    settings: RecoverySettings
    found: Sequence[Found]
    reweighted: Sequence[Found] = ()

    def rates(self) -> pl.DataFrame:
        """`world, model, figure, exponent, error, constant`: a row for every figure that falls (or grows) on a line."""
        rows = [
            {"world": world, "model": model, "figure": figure, **asdict(rate)}
            for world, model in dict.fromkeys((each.world, each.model) for each in self.found)
            for figure in FIGURES
            if (rate := self.rate(world, model, figure)) is not None
        ]
        names = dict.fromkeys(("world", "model", "figure"), pl.String)
        return pl.DataFrame(rows, schema=names | dict.fromkeys(("exponent", "error", "constant"), pl.Float64))

    def rate(self, world: str, model: str, figure: str) -> Rate | None:
        """As `fit_rate`, of one model in one world."""
        return fit_rate((each for each in self.found if (each.world, each.model) == (world, model)), figure)

    def table(self) -> pl.DataFrame:
        """A row a world, size and model: means over the seeds, and the bound of the joint law."""
        figures = [*FIGURES, "kl_joint", "bound_joint"]
        return _means(self.found, ["world", "size", "model"], figures)

    def weights_table(self) -> pl.DataFrame:
        """A row a model and weight: means over the seeds."""
        return _means(self.reweighted, ["model", "weight"], [*FIGURES, "kl_joint", "bound_joint"])

    def claims(self) -> dict[str, bool | None]:
        """What theory says, and whether it was seen: of all models, and of ours with every seed; None: nothing to see.

        A total variation above its bound would be an error of ours, as Pinsker's inequality is a theorem; one that
        does not fall is a finding.
        """
        every = (*self.found, *self.reweighted)
        below = [each.closeness.tv(part) <= each.closeness.bound(part) for each in every for part in PARTS]
        falls = [
            later.closeness.tv(part) < earlier.closeness.tv(part)
            for run in self._runs_of_ours()
            for part in PARTS
            for earlier, later in pairwise(run)
        ]
        return {"tv_is_below_the_bound": all(below), "tv_falls_with_data": all(falls) if falls else None}

    def to_dict(self) -> dict[str, Any]:
        """Plain values; an infinite divergence or bound is None."""
        return {
            "settings": self.settings.model_dump(mode="json"),
            "found": [as_row(each) for each in self.found],
            "reweighted": [as_row(each) for each in self.reweighted],
            "rates": self.rates().to_dicts(),
            "claims": self.claims(),
        }

    def _runs_of_ours(self) -> list[list[Found]]:
        ours = [each for each in self.found if each.model == OURS]
        keys = dict.fromkeys((each.world, each.seed) for each in ours)
        runs = [[each for each in ours if (each.world, each.seed) == key] for key in keys]
        return [sorted(run, key=lambda each: each.interactions) for run in runs]


def as_row(found: Found) -> dict[str, Any]:
    """One fit as a flat row, with the bounds; what is infinite is None."""
    told = asdict(found)
    figures: dict[str, float] = told.pop("closeness")
    figures |= {f"bound_{part}": found.closeness.bound(part) for part in PARTS}
    return told | {name: value if math.isfinite(value) else None for name, value in figures.items()}


def _means(found: Iterable[Found], by: list[str], figures: list[str]) -> pl.DataFrame:
    rows = [as_row(each) for each in found]
    if not rows:
        return pl.DataFrame()
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.group_by(by, maintain_order=True).agg(pl.mean(*figures))
