"""Delimited text: MovieLens, RecBole, CSV and TSV, with or without header.

Numbers are parsed while the file is read. Where that fails, the file is read once more as text, and the checks
of `values` find the line at fault; so a sound file pays nothing for good messages.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl

from conv4rec.config import DataConfig
from conv4rec.data.columns import POSITIONS, assign_columns, options, unused_note
from conv4rec.data.files import Contents, chunks, refuse_undecodable, whole
from conv4rec.data.layout import TextFile, lay_out
from conv4rec.data.table import Role, Table
from conv4rec.data.values import INTEGER
from conv4rec.errors import DataError

SCAN = 1 << 18
"""Bytes looked at together: what is computed of them fits a cache."""
Dtypes = dict[Role, type[pl.DataType]]


def read_text(path: Path, contents: Contents, config: DataConfig) -> Table:
    """Read the columns of a delimited text file that have a role.

    Raises:
        DataError: the file is not UTF-8, its rows differ in length, or its columns cannot be told apart.
    """
    text = lay_out(path, contents, config)
    columns = _assign(text, config)
    frame = _read(text, columns)
    if any(column.null_count() for column in frame):
        _refuse_short_rows(text, frame.height)
    notes = unused_note(text.names, columns)
    if not text.header and not options(config):
        notes = (f"no header: columns taken as {', '.join(columns)}", *notes)
    return Table(frame, text.name, text.place, spells=True, notes=notes)


def _assign(text: TextFile, config: DataConfig) -> dict[Role, str]:
    if text.header or options(config):
        return assign_columns(text.names, config, text.name)
    if len(text.names) < 2:
        raise DataError(f"{text.name}:1: one column; expected user and item at least, or set data.separator")
    return dict(zip(POSITIONS, text.names, strict=False))


def _read(text: TextFile, columns: dict[Role, str]) -> pl.DataFrame:
    try:
        dtypes = _dtypes(text, columns)
        with ThreadPoolExecutor(1) as beside:
            odd = beside.submit(_has_odd_numbers, text)
            frame = text.read(columns, dtypes)
        if odd.result() and pl.Int64 in (dtypes["user"], dtypes["item"]):
            frame = text.read(columns, dtypes | {"user": pl.String, "item": pl.String})
        return frame
    except pl.exceptions.PolarsError:
        return _read_or_explain(text, columns)


def _read_or_explain(text: TextFile, columns: dict[Role, str]) -> pl.DataFrame:
    try:
        return text.read(columns, dict.fromkeys(columns, pl.String))
    except pl.exceptions.PolarsError as error:
        refuse_undecodable(text.name, whole(text.contents))
        _refuse_rows(text, lambda n_fields: n_fields > len(text.names))
        _refuse_open_quote(text)
        raise DataError(f"{text.name}: {str(error).splitlines()[0]}") from None


def _dtypes(text: TextFile, columns: dict[Role, str]) -> Dtypes:
    """Types by the first MiB."""
    dtypes: Dtypes = dict.fromkeys(columns, pl.String)
    sample = text.head().read(columns, dtypes)
    for role in columns:
        if role == "rating":
            dtypes[role] = pl.Float64
        elif role != "type" and sample[role].str.contains(INTEGER).all():
            dtypes[role] = pl.Int64
    return dtypes


def _has_odd_numbers(text: TextFile) -> bool:
    """Whether a field starts like a number that would not be written back alike: 007, +7, -0 or a blank."""
    before = b"\n"
    for block in chunks(text.contents, SCAN):
        piece = before + block
        if _has_sign(piece, text.separator) or _has_padding(piece):
            return True
        before = piece[-2:]
    return False


def _has_sign(piece: bytes, separator: str) -> bool:
    starts = ("\n", '"', separator)
    return any(f"{start}{sign}".encode() in piece for sign in " +-" if sign.encode() in piece for start in starts)


def _has_padding(piece: bytes) -> bool:
    """Whether a 0 stands before a digit and not after one, nor after a decimal point."""
    codes = np.frombuffer(piece, dtype=np.uint8)
    digit = codes - np.uint8(ord("0")) < 10  # what lies below "0" wraps around to large
    padding = (codes[1:-1] == ord("0")) & (digit[2:] > digit[:-2])
    return bool(padding.any()) and bool((codes[:-2][padding] != ord(".")).any())


def _refuse_short_rows(text: TextFile, n_rows: int) -> None:
    """A row that ends early would pass for one with empty fields: count separators, look closer if some lack."""
    separator = text.separator.encode()
    found = sum(block.count(separator) for block in chunks(text.contents))
    if found != (n_rows + text.header) * (len(text.names) - 1):
        _refuse_rows(text, lambda n_fields: 0 < n_fields < len(text.names))


def _refuse_rows(text: TextFile, is_wrong: Callable[[int], bool]) -> None:
    wrong = next(((line, len(fields)) for line, fields in text.records() if is_wrong(len(fields))), None)
    if wrong is not None:
        raise DataError(f"{text.name}:{wrong[0]}: {wrong[1]} fields; expected {len(text.names)}")


def _refuse_open_quote(text: TextFile) -> None:
    for number, line in enumerate(whole(text.contents).split(b"\n"), start=1):
        if line.count(b'"') % 2:
            raise DataError(f"{text.name}:{number}: a quote is not closed, or stands inside a field")
