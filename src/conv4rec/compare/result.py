"""What a run says as a whole: `compare.json` and `compare.md` at the top of its folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conv4rec.atomic import write_atomically
from conv4rec.compare.markdown import to_dict, to_markdown
from conv4rec.compare.tables import Table, tables_of
from conv4rec.records import Record, read_records

JSON, MARKDOWN = "compare.json", "compare.md"
SHORT = ("curves", "slices", "epochs", "config")
"""Fields of a record that stay in its own file."""


def write_result(run: Path, *, command: str, machine: dict[str, Any]) -> dict[str, Any]:
    """Make the tables of all records of a run, write them, and return what `compare.json` holds.

    Raises DataError where the run holds no records.
    """
    tables, records = tables_of(run), read_records(run)
    result = {
        "schema_version": 1,
        "command": command,
        "machine": machine,
        "tables": [to_dict(table) for table in tables],
        "records": [_short(record) for record in records],
    }
    text = json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(run / JSON, lambda part: part.write_text(text))
    write_atomically(run / MARKDOWN, lambda part: part.write_text(in_markdown(tables)))
    return result


def in_markdown(tables: Sequence[Table]) -> str:
    """All tables, one below the other."""
    return "\n".join(to_markdown(table) for table in tables)


def _short(record: Record) -> dict[str, Any]:
    """The record without what is long: its file in `records/` holds that."""
    return record.model_dump(mode="json", exclude=set(SHORT))
