"""JSON lines: an object per line, whose keys are the columns."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from conv4rec.config import DataConfig
from conv4rec.data.columns import assign_columns, unused_note
from conv4rec.data.files import Contents, refuse_undecodable, whole
from conv4rec.data.table import Role, Table, first
from conv4rec.errors import DataError


def read_json_lines(path: Path, contents: Contents, config: DataConfig) -> Table:
    """The columns with a role of a file of JSON lines.

    Raises:
        DataError: a line that is not a JSON object, or ids that are integers here and strings there.
    """
    data = whole(contents)
    refuse_undecodable(path.name, data)
    try:
        frame = pl.read_ndjson(data, infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        raise _bad_line(path.name, data) or DataError(f"{path.name}: {str(error).splitlines()[0]}") from None
    columns = assign_columns(frame.columns, config, path.name)
    picked = frame.select(pl.col(column).alias(role) for role, column in columns.items()).rechunk()
    notes = unused_note(frame.columns, columns)
    table = Table(picked, path.name, lambda row: f"{path.name}:{_line(data, row)}", notes=notes)
    _refuse_mixed_ids(table, columns, data)
    return table


def _bad_line(name: str, data: bytes) -> DataError | None:
    for number, line in _lines(data):
        try:
            value = json.loads(line, parse_constant=_refuse_constant)
        except ValueError as error:
            return DataError(f"{name}:{number}: not JSON: {error}")
        if not isinstance(value, dict):
            return DataError(f"{name}:{number}: {line.strip()[:40]} is not a JSON object; expected one on every line")
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number there")


def _refuse_mixed_ids(table: Table, columns: dict[Role, str], data: bytes) -> None:
    """Polars reads 7 as "7" in a column that also has text; only the lines show which was which."""
    for role in ("user", "item"):
        if table.frame[role].dtype == pl.String:
            lines = pl.Series([line for _, line in _lines(data)])
            key = re.escape(json.dumps(columns[role], ensure_ascii=False))
            integer = first(lines.str.contains(key + r"\s*:\s*-?[0-9]"))
            if integer is not None:
                met = f"{role} id {table.frame[role][integer]} is a number, others are strings"
                raise table.fault(integer, f"{met}; expected ids that are all integers or all strings")


def _line(data: bytes, row: int) -> int:
    return next((number for place, (number, _) in enumerate(_lines(data)) if place == row), row + 1)


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Number and text of every line that is not blank."""
    for number, line in enumerate(data.decode(errors="replace").split("\n"), start=1):
        if line.strip():
            yield number, line
