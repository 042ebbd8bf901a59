"""How a text file is laid out: what separates its fields, whether it has a header, what its columns are called."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from conv4rec.config import DataConfig
from conv4rec.data.columns import is_header
from conv4rec.data.files import Contents, chunks, kind, refuse_undecodable, whole
from conv4rec.data.table import Role
from conv4rec.errors import DataError

SEPARATORS = ("::", "\t", ",", ";", "|", " ")
PREFERRED = {".csv": ",", ".tsv": "\t", ".inter": "\t", ".data": "\t", ".base": "\t", ".test": "\t", ".dat": "::"}
STAND_IN = "\x1f"
"""Takes the place of a separator of several characters, which polars cannot read."""


@dataclass(frozen=True)
class TextFile:
    """A text file and how it is laid out.

    Attributes:
        name: for messages.
        contents: the file, with a separator of one character.
        separator: that character.
        header: whether the first line names the columns.
        names: the columns; column_1, column_2, ... where there is no header.
        polars_names: the same, as polars calls them, which depends on its version.
    """

    name: str
    contents: Contents
    separator: str
    header: bool
    names: tuple[str, ...]
    polars_names: tuple[str, ...]

    def read(self, columns: dict[Role, str], dtypes: dict[Role, type[pl.DataType]]) -> pl.DataFrame:
        """The columns, called by their role."""
        known = dict(zip(self.names, self.polars_names, strict=True))
        frame = pl.read_csv(
            self.contents,
            separator=self.separator,
            has_header=self.header,
            columns=[known[name] for name in columns.values()],
            schema_overrides={known[columns[role]]: dtype for role, dtype in dtypes.items()},
            quote_char=_quote(self.separator),
        )
        return frame.select(pl.col(known[name]).alias(role) for role, name in columns.items())

    def head(self) -> "TextFile":
        """The complete lines in the first MiB."""
        block = next(chunks(self.contents))
        complete = block if len(block) < 1 << 20 else block[: block.rfind(b"\n") + 1]
        return replace(self, contents=complete)

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and fields of every row that `read` gives, one by one: slow, for messages only."""
        binary = io.BytesIO(self.contents) if isinstance(self.contents, bytes) else self.contents.open("rb")
        with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline="") as lines:
            plain = self.separator == STAND_IN
            rows = csv.reader(lines, delimiter=self.separator, quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL)
            started = not self.header
            for fields in rows:
                if started:
                    yield rows.line_num, fields
                started = started or bool(fields)

    def place(self, row: int) -> str:
        """`ratings.csv:17` for a row of what `read` gives."""
        line = next((line for number, (line, _) in enumerate(self.records()) if number == row), None)
        return f"{self.name}:{line}" if line is not None else f"{self.name}, row {row}"


def lay_out(path: Path, contents: Contents, config: DataConfig) -> TextFile:
    """Find the layout from the first line, where `config` does not state it."""
    line = _first_line(path.name, contents)
    separator = config.separator if config.separator is not None else _separator(line, kind(path))
    if len(separator.encode()) > 1:
        contents = whole(contents).replace(separator.encode(), STAND_IN.encode())
        line, separator = line.replace(separator, STAND_IN), STAND_IN
    header = is_header(next(csv.reader([line], delimiter=separator)), config, f"{path.name}:1")
    polars_names = _polars_names(line, separator, header=header)
    names = polars_names if header else tuple(f"column_{number + 1}" for number in range(len(polars_names)))
    return TextFile(path.name, contents, separator, header, names, polars_names)


def _first_line(name: str, contents: Contents) -> str:
    head = next(chunks(contents)).lstrip(b"\r\n")
    line = head.partition(b"\n")[0].rstrip(b"\r")
    refuse_undecodable(name, line)
    if b"\r" in line:
        raise DataError(f"{name}: lines end in a carriage return alone; expected a line feed")
    return line.decode("utf-8-sig")


def _separator(line: str, suffix: str) -> str:
    candidates = (PREFERRED.get(suffix, ","), *SEPARATORS)
    return next((candidate for candidate in candidates if candidate in line), ",")


def _polars_names(line: str, separator: str, *, header: bool) -> tuple[str, ...]:
    first = f"{line}\n".encode()
    quote = _quote(separator)
    return tuple(
        pl.read_csv(first, separator=separator, has_header=header, infer_schema=False, quote_char=quote).columns
    )


def _quote(separator: str) -> str | None:
    """Quotes stand for themselves between `::`."""
    return None if separator == STAND_IN else '"'
