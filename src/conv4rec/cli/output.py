"""What a command says: tables for people, or one JSON object and nothing else on standard output."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from conv4rec.errors import QueryError

if TYPE_CHECKING:
    import polars as pl

    from conv4rec.data.download import Progress

WRITERS = {".parquet": "write_parquet", ".csv": "write_csv", ".jsonl": "write_ndjson"}
WRAPPED = ("title", "item", "left out", "examples")
"""Columns of text that may take several lines of a table."""


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")


def print_warnings(warnings: Iterable[str]) -> None:
    """A line each on standard error."""
    for warning in warnings:
        sys.stderr.write(f"conv4rec: warning: {warning}\n")


def print_metrics(metrics: Mapping[str, float], notes: tuple[str, ...]) -> None:
    """A metric a row, and the denominators below."""
    table = Table("metric", "test", box=None, pad_edge=False)
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4f}")
    console = Console()
    console.print(table)
    for note in notes:
        console.print(f"[dim]{note}[/dim]", highlight=False)


def print_table(frame: "pl.DataFrame") -> None:
    """A table of results for people, titles in front; the probability of every rating is left to --json and files."""
    hidden = ("title", "score")
    shown = [name for name in frame.columns if name not in hidden and not name.startswith("p_rating_")]
    if "title" in frame.columns:
        shown.insert(2, "title")
    print_rows(frame.select(shown))


def print_rows(frame: "pl.DataFrame") -> None:
    """All rows and columns for people; only titles and lists of them wrap."""
    table = Table(box=None, pad_edge=False)
    for name in frame.columns:
        table.add_column(name, no_wrap=name not in WRAPPED)
    for row in frame.iter_rows():
        table.add_row(*map(_cell, row))
    Console().print(table)


def _cell(value: object) -> str:
    from rich.markup import escape

    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def check_suffix(path: Path | None) -> None:
    """Refuse, before any work, a file to write whose suffix is not known."""
    if path is not None and path.suffix not in WRITERS:
        raise QueryError(f"{path}: expected a name that ends in {', '.join(WRITERS)}")


def write_frame(frame: "pl.DataFrame", path: Path) -> None:
    """Write by the suffix of the path, whole or not at all; see `check_suffix`."""
    from conv4rec.atomic import write_atomically

    write_atomically(path, getattr(frame, WRITERS[path.suffix]))


def give_frame(frame: "pl.DataFrame", *, name: str, as_json: bool, out: Path | None, model: Path) -> None:
    """Result rows to a file where one is named; to standard output as JSON or as a table otherwise."""
    if out is not None:
        write_frame(frame, out)
    if as_json:
        told: dict[str, Any] = {"model": str(model), "rows": frame.height}
        print_json(told | ({"out": str(out)} if out is not None else {name: frame.to_dicts()}))
    elif out is None:
        print_table(frame)


def tell_rows(rows: int, *, as_json: bool, out: Path, model: Path) -> None:
    """How many rows were written, where as JSON."""
    if as_json:
        print_json({"model": str(model), "rows": rows, "out": str(out)})


@contextmanager
def download_bar() -> "Iterator[Progress]":
    """A progress bar on standard error, seen only while something is downloaded."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    tasks: dict[str, TaskID] = {}

    def show(file: str, done: int, total: int | None) -> None:
        bar.start()
        if file not in tasks:
            tasks[file] = bar.add_task(file)
        bar.update(tasks[file], completed=done, total=total)

    try:
        yield show
    finally:
        if tasks:
            bar.stop()
