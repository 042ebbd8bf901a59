"""The tables of a comparison: for every data set and recipe a row a model, with intervals and tests."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conv4rec.compare.columns import Column, usual_columns
from conv4rec.compare.paired import Comparison, compare_paired
from conv4rec.metrics.bootstrap import interval
from conv4rec.records import Budget, Record, read_records, read_replicates

Array = NDArray[np.float64]
Replicates = Callable[[Record], Mapping[str, Array]]
Run = tuple[int, int]
"""Seed and window."""

ALPHA = 0.05
"""A model whose corrected p-value is not below this is not distinguished from the best."""


@dataclass(frozen=True)
class Cell:
    """One figure of one model.

    Attributes:
        value: mean over seeds and windows.
        interval: of that mean, by bootstrap over users; None where there are no replicates, and for costs.
        spread: standard deviation over seeds and windows; None for one alone.
        n_runs: how many there are.
        is_best: whether it is the best of its column, among the models that have the most runs; not where it is alone.
        comparison: with the best; None for the best itself, and where the two have no replicates on the same users.
    """

    value: float
    interval: tuple[float, float] | None
    spread: float | None
    n_runs: int
    is_best: bool = False
    comparison: Comparison | None = None

    @property
    def is_tied(self) -> bool:
        """Whether it is not the best, but not distinguished from it either."""
        return self.comparison is not None and self.comparison.p_holm >= ALPHA


@dataclass(frozen=True)
class Row:
    """A model.

    Attributes:
        model: its name.
        cells: by the key of the column; a figure that the model makes no claim on is absent.
        failures: why runs have no figures, by seed and window.
        n_runs: how many have.
        budgets: of the searches, a run each; empty where none was made.
    """

    model: str
    cells: Mapping[str, Cell]
    failures: Mapping[Run, str]
    n_runs: int
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True)
class Table:
    """The models on one recipe of one data set, the best first by the first column.

    Attributes:
        data: the data set.
        recipe: the protocol.
        columns: what is shown.
        rows: a model each.
        runs: the seeds and windows that the figures are means over.
        notes: rules and denominators that hold for every record; the others are in the records.
        warnings: leaks and other dangers.
    """

    data: str
    recipe: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    runs: tuple[Run, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def tables_of(run: Path, *, columns: Sequence[Column] | None = None) -> tuple[Table, ...]:
    """The tables of a run folder. Raises DataError where it holds no records."""
    return make_tables(read_records(run), lambda record: read_replicates(run, record), columns=columns)


def make_tables(
    records: Iterable[Record],
    replicates: Replicates = lambda _: {},
    *,
    columns: Sequence[Column] | None = None,
    confidence: float = 0.95,
) -> tuple[Table, ...]:
    """A table for every data set and recipe.

    The figure of a model is its mean over seeds and windows. Its replicates are means of replicates: as every record
    draws its users with the same seed, replicate r is one drawing of users in all of them. The best model of a column
    and every other one are compared on the runs that both have, paired by replicate; the p-values of a column are
    corrected by Holm's rule for the number of models.

    Args:
        records: of any number of tables.
        replicates: gives the bootstrap replicates of a record.
        columns: what is shown; None: what `usual_columns` finds.
        confidence: of intervals.
    """
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.data, record.recipe), []).append(record)
    return tuple(_table(group, replicates, columns, confidence) for group in groups.values())


def _table(records: list[Record], replicates: Replicates, columns: Sequence[Column] | None, confidence: float) -> Table:
    shown = usual_columns(records) if columns is None else tuple(columns)
    models = [_Model.of(name, records, replicates) for name in dict.fromkeys(record.model for record in records)]
    cells = [_column(column, models, confidence) for column in shown]
    rows = [
        Row(
            model.name,
            {column.key: found[n] for column, found in zip(shown, cells, strict=True) if n in found},
            model.failures,
            len(model.done),
            tuple(record.budget for record in model.done.values() if record.budget is not None),
        )
        for n, model in enumerate(models)
    ]
    return Table(
        data=records[0].data,
        recipe=records[0].recipe,
        columns=shown,
        rows=tuple(sorted(rows, key=lambda row: _place(row, shown))),
        runs=tuple(sorted({(record.seed, record.window) for record in records})),
        notes=_common([record.notes for record in records if record.error is None]),
        warnings=_union(record.warnings for record in records),
    )


@dataclass(frozen=True)
class _Model:
    """The records of a model, by seed and window."""

    name: str
    done: Mapping[Run, Record]
    failures: Mapping[Run, str]
    replicates: Mapping[Run, Mapping[str, Array]]

    @classmethod
    def of(cls, name: str, records: Iterable[Record], replicates: Replicates) -> "_Model":
        mine = {(record.seed, record.window): record for record in records if record.model == name}
        done = {run: record for run, record in mine.items() if record.error is None}
        failures = {run: record.error for run, record in mine.items() if record.error is not None}
        return cls(name, done, failures, {run: replicates(record) for run, record in done.items()})

    def values(self, column: Column) -> dict[Run, float]:
        """The figure of every run that has it."""
        found = {run: column.of(record) for run, record in self.done.items()}
        return {run: value for run, value in found.items() if value is not None and np.isfinite(value)}

    def drawn(self, column: Column, runs: Iterable[Run]) -> Array | None:
        """(n,) mean over runs of the replicates of a figure; None where a run has none."""
        found = [self.replicates[run].get(column.key) for run in runs]
        there = [values for values in found if values is not None]
        if column.is_cost or not there or len(there) < len(found) or len({len(values) for values in there}) > 1:
            return None
        return np.asarray(np.mean(there, axis=0))


def _column(column: Column, models: Sequence[_Model], confidence: float) -> dict[int, Cell]:
    """The cells of a column, by the number of the model."""
    cells = {n: cell for n, model in enumerate(models) if (cell := _cell(column, model, confidence)) is not None}
    if column.better is None or len(cells) < 2:
        return cells
    most = max(cell.n_runs for cell in cells.values())
    sign = -1.0 if column.better == "higher" else 1.0
    best = min((n for n, cell in cells.items() if cell.n_runs == most), key=lambda n: sign * cells[n].value)
    cells[best] = replace(cells[best], is_best=True)
    pairs = {n: _difference(column, models[n], models[best]) for n in cells if n != best}
    tested = {n: pair for n, pair in pairs.items() if pair is not None}
    for n, comparison in zip(tested, compare_paired(list(tested.values()), confidence=confidence), strict=True):
        cells[n] = replace(cells[n], comparison=comparison)
    return cells


def _cell(column: Column, model: _Model, confidence: float) -> Cell | None:
    values = model.values(column)
    if not values:
        return None
    drawn = model.drawn(column, values)
    limits = None if drawn is None else interval(drawn, confidence)
    if limits is None and len(values) == 1 and not column.is_cost:
        limits = next(iter(model.done[run] for run in values)).intervals.get(column.key)
    found = np.array(list(values.values()))
    spread = float(found.std(ddof=1)) if len(found) > 1 else None
    return Cell(float(found.mean()), limits, spread, len(found))


def _difference(column: Column, model: _Model, best: _Model) -> tuple[float, Array] | None:
    """Mean difference over the runs that both have, of the same users, with its replicates."""
    mine, its = model.values(column), best.values(column)
    runs = [run for run in mine if run in its and _asked_the_same(model.done[run], best.done[run])]
    first, second = (which.drawn(column, runs) for which in (model, best)) if runs else (None, None)
    if first is None or second is None or len(first) != len(second):
        return None
    return float(np.mean([mine[run] - its[run] for run in runs])), first - second


def _asked_the_same(first: Record, second: Record) -> bool:
    """Whether two records are on the same test data and draw users with the same seed."""
    settings = [record.config.get("evaluate") for record in (first, second)]
    return first.test_fingerprint == second.test_fingerprint and settings[0] == settings[1]


def _place(row: Row, columns: Sequence[Column]) -> tuple[float, ...]:
    """Where a row stands: by its first figure that has a better side; failures last."""
    for number, column in enumerate(columns):
        if column.better is not None and column.key in row.cells:
            value = row.cells[column.key].value
            return (number, -value if column.better == "higher" else value)
    return (len(columns), 0.0)


def _common(texts: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The texts that are everywhere."""
    return tuple(text for text in texts[0] if all(text in others for others in texts)) if texts else ()


def _union(texts: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Every text once, in the order in which they are first met."""
    return tuple(dict.fromkeys(text for several in texts for text in several))
