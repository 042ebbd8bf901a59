"""The files of the Coat data set: matrices as text, a user per line, an item per column, 0 where there is nothing."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.data.table import Table
from conv4rec.errors import DataError


def is_matrix(path: Path) -> bool:
    """Whether a file is such a matrix."""
    return path.suffix == ".ascii"


def read_matrix(path: Path) -> Table:
    """Ratings from a matrix, users x items; user and item ids are line and column, from 0.

    Raises:
        DataError: a line that differs in length, or something that is not an integer.
    """
    matrix = _matrix(path)
    users, items = np.nonzero(matrix)
    frame = pl.DataFrame({"user": users, "item": items, "rating": matrix[users, items].astype(np.float64)})
    return Table(frame, path.name, lambda row: f"{path.name}:{users[row] + 1}")


def read_features(path: Path) -> pl.DataFrame:
    """Tags from a 0/1 matrix, items x features, whose features are named in `<name>_map.txt` beside it."""
    names = path.with_name(f"{path.stem}_map.txt").read_text().split()
    matrix = _matrix(path)
    if matrix.shape[1] != len(names):
        raise DataError(f"{path.name}: {matrix.shape[1]} columns; expected {len(names)}, as in {path.stem}_map.txt")
    tags = [[name for name, holds in zip(names, row, strict=True) if holds] for row in matrix.tolist()]
    return pl.DataFrame({"item_id": range(len(tags)), "tags": tags}, schema_overrides={"tags": pl.List(pl.String)})


def _matrix(path: Path) -> NDArray[np.int64]:
    try:
        return np.loadtxt(path, dtype=np.int64, ndmin=2)
    except ValueError as error:
        raise DataError(f"{path.name}: not a matrix of integers: {str(error).splitlines()[0]}") from None
