"""What is kept of the batches: sums over users, plain and for every replicate, and what follows from them."""

import numpy as np

from conv4rec.metrics import bootstrap, calibration
from conv4rec.metrics.batch import Array, Plan
from conv4rec.metrics.catalogue import Exposure
from conv4rec.metrics.measures import Measured, Totals, curves, figures

CENTRED = ("coverage@", "gini@", "auc_like", "ece_")
"""Metrics whose replicates lie beside their value: users drawn again are fewer, cover fewer items, and stray further
from the diagonal; bins are coarser."""


class Summary:
    """Running sums. Users wait to be added many at a time: a product of matrices costs little more for more of them.

    And some libraries keep their threads busy for a while after every product, at the cost of what comes next.
    """

    def __init__(self, plan: Plan, n_items: int) -> None:
        self.plan = plan
        self._sums = bootstrap.Totals(plan.config.bootstrap)
        self._weights = bootstrap.Weights(plan.config.bootstrap, plan.config.seed)
        self._exposure = Exposure.of(plan.ks, n_items, plan.config)
        self._totals: Totals = {}
        self._waiting: list[Measured] = []

    def add(self, measured: Measured) -> None:
        """Add the next users; their order says which weights they are drawn with."""
        self._waiting.append(measured)
        for name, values in measured.totals.items():
            self._totals[name] = self._totals.get(name, 0) + values
        n_users = sum(each.n_users for each in self._waiting)
        if n_users * self.plan.bytes_per_user > self.plan.config.memory_mb * 2**18:
            self.settle()

    def settle(self) -> None:
        """Add up all who wait; to be called once more at the end."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        names = waiting[0].columns
        columns = {name: np.concatenate([each.columns[name] for each in waiting]) for name in names}
        weights = self._weights.draw(sum(each.n_users for each in waiting))
        self._sums.add(columns, weights)
        if self.plan.catalogue is not None:
            self._exposure.add(np.concatenate([each.top for each in waiting if each.top is not None]), weights)

    @property
    def with_exposure_intervals(self) -> bool:
        """Whether coverage and gini have replicates."""
        return self._exposure.has_replicates

    def count(self, column: str) -> int:
        """The sum of a column over the users; 0 where it was not measured."""
        return int(self._sums.plain.get(column, 0))

    def metrics(self) -> dict[str, float]:
        """All that are defined."""
        values = {name: float(value) for name, value in figures(self._sums.plain, self.plan).items()}
        if self.plan.with_ratings:
            disliked, liked = self._totals["fine_likes"]
            values["auc_like"] = float(calibration.pooled_auc(liked, disliked))
        if self.plan.catalogue is not None:
            values |= self._exposure.metrics()
        return {name: value for name, value in values.items() if not np.isnan(value)}

    def replicates(self, metrics: dict[str, float]) -> dict[str, Array]:
        """(n,) values of these metrics on users drawn again; NaN where not defined."""
        if not self.plan.config.bootstrap:
            return {}
        found = figures(self._sums.replicates, self.plan) | self._exposure.replicates()
        return {name: _centred(name, found[name], value) for name, value in metrics.items() if name in found}

    def curves(self) -> dict[str, list[dict[str, float]]]:
        """What pictures are drawn from."""
        return curves(self._sums.plain, self._totals, self.plan)


def _centred(name: str, replicates: Array, value: float) -> Array:
    if not name.startswith(CENTRED) or np.isnan(replicates).all():
        return replicates
    return np.clip(replicates + (value - np.nanmedian(replicates)), 0.0, 1.0)
