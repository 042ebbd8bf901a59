"""The comparison as HTML: a row a model, a column a figure."""

from collections.abc import Sequence
from dataclasses import replace

from conv4rec.compare.columns import Column, better, usual_columns
from conv4rec.compare.tables import ALPHA, Cell, Row, Table
from conv4rec.report.groups import Group
from conv4rec.report.html import Html, element, text
from conv4rec.report.measures import measure_of

ARROWS = {"higher": "↑", "lower": "↓", None: ""}
NONE = "—"


def every_column(group: Group) -> tuple[Column, ...]:
    """What tables usually show, which puts the rows in order, then all other metrics."""
    usual = usual_columns(group.measured)
    shown = {column.key for column in usual}
    return (*usual, *(Column(key, measure_of(key).label, better(key)) for key in group.metrics if key not in shown))


def without_contest(table: Table) -> Table:
    """The table itself, or without marks of the best where only one model has figures."""
    if sum(1 for row in table.rows if row.cells) > 1:
        return table
    rows = [
        replace(row, cells={key: replace(cell, is_best=False) for key, cell in row.cells.items()}) for row in table.rows
    ]
    return replace(table, rows=tuple(rows))


def comparison(table: Table, columns: Sequence[Column]) -> Html:
    """The models against these columns, and what the marks mean."""
    heads = element("tr", element("th", "model", scope="col"), [_head(column) for column in columns])
    rows = [_row(row, columns) for row in table.rows]
    grid = element("table", element("thead", heads), element("tbody", rows), class_="figures")
    return text(_scrolled(grid, "comparison of the models"), _marks(table))


def all_figures(table: Table) -> Html:
    """Everything that was measured: a row a figure, a column a model."""
    done = [row for row in table.rows if row.cells]
    heads = [element("th", row.model, scope="col") for row in done]
    rows = [element("tr", _head(column, scope="row"), [_cell(row, column) for row in done]) for column in table.columns]
    head = element("thead", element("tr", element("th", "figure", scope="col"), heads))
    return _scrolled(element("table", head, element("tbody", rows), class_="figures"), "all figures")


def _scrolled(table: Html, name: str) -> Html:
    """A wide table scrolls for itself, also by the keyboard."""
    return element("div", table, class_="wide", tabindex=0, role="region", aria_label=name)


def _head(column: Column, *, scope: str = "col") -> Html:
    measure = measure_of(column.key)
    arrow = ARROWS[column.better]
    return element("th", f"{measure.label}\u00a0{arrow}".strip(), element("small", measure.unit), scope=scope)


def _row(row: Row, columns: Sequence[Column]) -> Html:
    if not row.cells:
        reasons = element("td", f"failed: {'; '.join(_reasons(row))}", class_="failed", colspan=len(columns))
        return element("tr", element("th", row.model, scope="row"), reasons)
    failed = [
        element("small", f"{len(row.failures)} of {len(row.failures) + row.n_runs} runs failed: {why}")
        for why in _reasons(row)
    ]
    return element("tr", element("th", row.model, failed, scope="row"), [_cell(row, column) for column in columns])


def _reasons(row: Row) -> list[str]:
    return list(dict.fromkeys(row.failures.values()))


def _cell(row: Row, column: Column) -> Html:
    cell = row.cells.get(column.key)
    if cell is None:
        return element("td", NONE, class_="none")
    words = []
    if cell.interval is not None:
        low, high = cell.interval
        words.append(f"{_number(low, column)}–{_number(high, column)}")
    if cell.spread is not None:
        words.append(f"± {_number(cell.spread, column)}")
    return element("td", _value(cell, column), [element("small", word) for word in words])


def _value(cell: Cell, column: Column) -> Html:
    shown = _number(cell.value, column)
    if cell.is_best:
        return element("strong", shown, title="the best of its column")
    if cell.is_tied and cell.comparison is not None:
        title = f"not distinguished from the best: p = {cell.comparison.p_holm:.3f}"
        return text(shown, element("span", "\u00a0≈", title=title))
    return text(shown)


def _number(value: float, column: Column) -> str:
    return f"{value / column.unit:,.{column.digits}f}"


def _marks(table: Table) -> Html:
    """What bold, brackets and signs mean in this table."""
    cells = [cell for row in table.rows for cell in row.cells.values()]
    told = ["↑ higher is better, ↓ lower is better.", f"{NONE}: the record has no such figure."]
    contest = any(cell.is_best for cell in cells)
    if contest:
        told.append("Bold: the best of its column.")
    if any(cell.interval for cell in cells):
        told.append("Below a figure: its 95 % interval, users drawn again with replacement.")
    if len(table.runs) > 1:
        told.append(f"Figures are means over {len(table.runs)} runs; ±: standard deviation over them.")
    if any(cell.comparison is not None for cell in cells):
        told.append(
            f"≈: not distinguished from the best (paired bootstrap over the same users, two-sided, Holm's correction "
            f"for the number of models, p ≥ {ALPHA:g})."
        )
    elif contest:
        told.append("Differences were not tested: there are no bootstrap replicates on the same users.")
    return element("p", " ".join(told), class_="how")
