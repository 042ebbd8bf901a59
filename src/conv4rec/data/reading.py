"""A path to a table: which reader takes which format."""

from pathlib import Path

from conv4rec.config import DataConfig
from conv4rec.data.files import JSON_LINES, PARQUET, TEXT, kind, open_file
from conv4rec.data.frames import read_parquet
from conv4rec.data.json_lines import read_json_lines
from conv4rec.data.pieces import ParquetFolder, has_parquet
from conv4rec.data.table import Table
from conv4rec.data.text import read_text
from conv4rec.errors import DataError


def read_file(path: Path, config: DataConfig) -> Table:
    """Read a file by its suffix, `.gz` after it or not; with `config.separator`, text of any suffix.

    A folder with Parquet files below it is read as one.

    Raises:
        DatasetNotFoundError: there is no such file.
        DataError: a format that is not known, or a file that is not what its suffix says.
    """
    if path.is_dir() and has_parquet(path):
        return ParquetFolder.open(path, config).table()
    contents = open_file(path)
    suffix = kind(path)
    if suffix in PARQUET:
        return read_parquet(path, contents, config)
    if suffix in JSON_LINES:
        return read_json_lines(path, contents, config)
    if suffix in TEXT or config.separator is not None:
        return read_text(path, contents, config)
    known = ", ".join((*TEXT, *PARQUET, *JSON_LINES))
    raise DataError(f"{path.name}: format {suffix or 'without suffix'} is not known; expected {known}, each also .gz")
