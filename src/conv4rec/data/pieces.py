"""A folder of Parquet files that may be larger than memory, read and checked a piece at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from conv4rec.config import DataConfig
from conv4rec.data.columns import assign_columns, unused_note
from conv4rec.data.files import PARQUET
from conv4rec.data.table import Notes, Role, Table, by_row
from conv4rec.data.validate import typed
from conv4rec.errors import DataError, DatasetNotFoundError


@dataclass(frozen=True)
class ParquetFolder:
    """The Parquet files below a folder, in the order of their paths, as one table of ratings.

    Attributes:
        path: the folder.
        files: its files and the number of rows of each.
        columns: the column of every role, the same in all files.
        config: how they are read.
        notes: what was assumed.
    """

    path: Path
    files: tuple[tuple[Path, int], ...]
    columns: dict[Role, str]
    config: DataConfig
    notes: Notes = ()

    @classmethod
    def open(cls, path: Path, config: DataConfig) -> "ParquetFolder":
        """Read what the files say of themselves, and none of their rows.

        Raises:
            DatasetNotFoundError: there is no such folder.
            DataError: no Parquet file in it, a damaged one, or one without the columns of the first.
        """
        if not path.is_dir():
            raise DatasetNotFoundError(f"{path}: no such folder")
        found = sorted(_parquet(path))
        if not found:
            raise DataError(f"{path}: no Parquet file ({', '.join(PARQUET)}) in the folder")
        names = _names(found[0])
        columns = assign_columns(names, config, found[0].name)
        for file in found[1:]:
            missing = set(columns.values()) - set(_names(file))
            if missing:
                raise DataError(f"{file}: no column {', '.join(sorted(missing))}, which {found[0].name} has")
        files = tuple((file, _count(file)) for file in found)
        return cls(path, files, columns, config, unused_note(names, columns))

    @property
    def n_rows(self) -> int:
        return sum(rows for _, rows in self.files)

    def pieces(self, size: int) -> Iterator[pl.DataFrame]:
        """Checked rows, at most `size` at a time: the columns of `Ratings.frame`; a fault names its file and row."""
        for file, rows in self.files:
            for start in range(0, rows, size):
                frame = _read(pl.scan_parquet(file).select(**self._selection()).slice(start, size), file)
                table = Table(frame, file.name, _by_row_from(file.name, start)).without_blank_rows()
                if table.frame.height:
                    yield typed(table, self.config)[0]

    def table(self) -> Table:
        """All rows, in memory."""
        name = self.path.name
        parts = [_read(pl.scan_parquet(file).select(**self._selection()), file) for file, _ in self.files]
        for role in self.columns:
            if len({part[role].dtype == pl.String for part in parts}) > 1:
                raise DataError(f"{self.path}: {role} is text in one file and not in another: expected one kind")
        frame = pl.concat(parts, how="vertical_relaxed")  # integers of one width and of another
        return Table(frame.rechunk(), name, by_row(name), notes=self.notes)

    def _selection(self) -> dict[str, pl.Expr]:
        return {role: pl.col(column) for role, column in self.columns.items()}


def has_parquet(folder: Path) -> bool:
    """Whether there are Parquet files below a folder."""
    return next(_parquet(folder), None) is not None


def _parquet(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.suffix.lower() in PARQUET and file.is_file())


def _by_row_from(name: str, start: int) -> Callable[[int], str]:
    return lambda row: f"{name}, row {start + row}"


def _names(file: Path) -> list[str]:
    try:
        return list(pl.read_parquet_schema(file))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unsound(file, error) from None


def _count(file: Path) -> int:
    return int(_read(pl.scan_parquet(file).select(pl.len()), file).item())


def _read(query: pl.LazyFrame, file: Path) -> pl.DataFrame:
    try:
        return query.collect()
    except pl.exceptions.PolarsError as error:
        raise _unsound(file, error) from None


def _unsound(file: Path, error: Exception) -> DataError:
    return DataError(f"{file}: not a sound Parquet file: {str(error).splitlines()[0]}")
