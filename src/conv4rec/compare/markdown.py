"""A table of a comparison as Markdown, and as plain values for JSON."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from conv4rec.compare.columns import Column
from conv4rec.compare.tables import ALPHA, Cell, Row, Table
from conv4rec.records import Budget

ARROWS = {"higher": " ↑", "lower": " ↓", None: ""}
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
NO_CLAIM = "—"


def to_markdown(table: Table) -> str:
    """The table with its heading, what its marks mean, budgets, failures, notes and warnings."""
    heads = [f"{escape(column.title)}{ARROWS[column.better]}" for column in table.columns]
    lines = [
        f"### {escape(table.data)}, {escape(table.recipe)}",
        "",
        _line(["model", *heads]),
        _line(["---", *("---:" for _ in heads)]),
        *(_row(row, table.columns) for row in table.rows),
        "",
        *(f"- {escape(note)}" for note in _notes(table)),
    ]
    return "\n".join(lines) + "\n"


def to_dict(table: Table) -> dict[str, Any]:
    """Everything in the table as plain values."""
    return {
        "data": table.data,
        "recipe": table.recipe,
        "columns": [asdict(column) for column in table.columns],
        "rows": [_row_as_dict(row) for row in table.rows],
        "runs": [{"seed": seed, "window": window} for seed, window in table.runs],
        "notes": list(_notes(table)),
    }


def escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def shown(cell: Cell, column: Column) -> str:
    """`**0.3440** (0.334 to 0.354)`: the best in bold, ≈ for what is not distinguished from it."""
    value = _number(cell.value, column)
    value = f"**{value}**" if cell.is_best else f"{value} ≈" if cell.is_tied else value
    if cell.interval is not None:
        low, high = (_number(limit, column) for limit in cell.interval)
        value += f" ({low} to {high})"
    if cell.spread is not None:
        value += f" ± {_number(cell.spread, column)}"
    return value


def _number(value: float, column: Column) -> str:
    return f"{value / column.unit:,.{column.digits}f}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(row: Row, columns: tuple[Column, ...]) -> str:
    if not row.cells:
        reasons = "; ".join(dict.fromkeys(row.failures.values()))
        return _line([escape(row.model), f"failed: {escape(reasons)}", *("" for _ in columns[1:])])
    cells = (shown(row.cells[c.key], c) if c.key in row.cells else NO_CLAIM for c in columns)
    return _line([escape(row.model), *cells])


def _notes(table: Table) -> Iterator[str]:
    seeds, windows = ({run[place] for run in table.runs} for place in (0, 1))
    over = f"seed {min(seeds)}" if len(seeds) == 1 else f"{len(seeds)} seeds"
    over += f", {len(windows)} windows" if len(windows) > 1 else ""
    yield f"Figures: {'mean over ' if len(table.runs) > 1 else ''}{over}."
    yield "In brackets: 95 % interval, users drawn again with replacement. Bold: the best."
    if len(table.runs) > 1:
        yield "After ±: standard deviation over seeds and windows."
    if any(cell.comparison is not None for row in table.rows for cell in row.cells.values()):
        yield (
            f"≈: not distinguished from the best (paired bootstrap over the same users, two-sided, Holm's correction "
            f"for the number of models, p ≥ {ALPHA:g})."
        )
    yield f"{NO_CLAIM}: the model makes no claim on it."
    yield from _failures(table)
    yield from _budgets(table)
    yield from table.notes
    yield from (f"Warning: {warning}" for warning in table.warnings)


def _failures(table: Table) -> Iterator[str]:
    for row in table.rows:
        for (seed, window), reason in row.failures.items():
            where = f"seed {seed}" + (f", window {window}" if len(table.runs) > 1 else "")
            yield f"{row.model}, {where}, failed: {reason}"


def _budgets(table: Table) -> Iterator[str]:
    if not any(row.budgets for row in table.rows):
        yield "Hyper-parameters: defaults or given, none were searched."
        return
    for row in table.rows:
        if row.budgets:
            yield f"{row.model}: {budget_in_words(row.budgets)}"
        elif row.n_runs:
            yield f"{row.model}: hyper-parameters not searched"


def budget_in_words(budgets: tuple[Budget, ...]) -> str:
    """What the searches of a model were allowed, and what they used, a run."""
    limits = (
        ("trials", {budget.limit_trials for budget in budgets}),
        ("s", {budget.limit_seconds for budget in budgets}),
    )
    allowed = " and ".join(f"{limit:g} {unit}" for unit, known in limits for limit in known if limit is not None)
    n = len(budgets)
    trials, failed, seconds = (sum(getattr(b, name) for b in budgets) / n for name in ("trials", "failed", "seconds"))
    told = f"searched by {budgets[0].monitor} on validation, at most {allowed} a run; "
    told += f"used {trials:g} trials ({failed:g} failed) and {seconds:.1f} s"
    return told + (" a run, mean" if n > 1 else "")


def _row_as_dict(row: Row) -> dict[str, Any]:
    return {
        "model": row.model,
        "n_runs": row.n_runs,
        "cells": {key: asdict(cell) | {"is_tied": cell.is_tied} for key, cell in row.cells.items()},
        "failures": [{"seed": s, "window": w, "reason": reason} for (s, w), reason in row.failures.items()],
        "budgets": [budget.model_dump() for budget in row.budgets],
    }
