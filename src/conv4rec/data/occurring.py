"""What occurs in ratings that are read a piece at a time: ids, rating values, names of types."""

import polars as pl

from conv4rec.data.pieces import ParquetFolder
from conv4rec.data.scale import find_scale, interaction_types
from conv4rec.data.table import by_row
from conv4rec.errors import DataError
from conv4rec.ids import Ids
from conv4rec.vocabulary import Vocabulary


def find_vocabulary(folder: ParquetFolder, size: int) -> Vocabulary:
    """Ids, and interaction types as `interaction_types` finds them, of all rows, read `size` at a time.

    Raises DataError for no rows, and for ids that are integers in one file and strings in another.
    """
    users, items, kinds = _Distinct("user", size), _Distinct("item", size), pl.DataFrame()
    config, scale = folder.config, tuple[float, ...]()
    for frame in folder.pieces(size):
        users.add(frame["user_id"])
        items.add(frame["item_id"])
        met = frame.select(pl.col(name) for name in ("rating", "type") if name in frame.columns)
        kinds = pl.concat([kinds, met.unique()], how="diagonal").unique() if met.width else kinds
        if "rating" in kinds.columns:
            scale = find_scale(kinds["rating"], config, by_row(str(folder.path)), str(folder.path))
    ids = users.ids(folder), items.ids(folder)
    return Vocabulary(*ids, interaction_types(kinds, scale))


class _Distinct:
    """The distinct values of a column that comes in pieces; sorted again each time their number may have doubled."""

    def __init__(self, kind: str, size: int) -> None:
        self.kind, self.size = kind, size
        self.known: pl.Series | None = None
        self.waiting: list[pl.Series] = []

    def add(self, piece: pl.Series) -> None:
        self.waiting.append(piece.unique())
        if sum(map(len, self.waiting)) > max(self.size, 0 if self.known is None else len(self.known)):
            self._merge()

    def ids(self, folder: ParquetFolder) -> Ids:
        self._merge()
        if self.known is None:
            raise DataError(f"{folder.path}: no ratings; expected at least one row")
        return Ids.fit(self.known, kind=self.kind)

    def _merge(self) -> None:
        parts = [*([] if self.known is None else [self.known]), *self.waiting]
        kinds = {part.dtype for part in parts}
        if len(kinds) > 1:
            raise DataError(f"{self.kind} ids are integers in one file and strings in another: expected one kind")
        if parts:
            self.known, self.waiting = pl.concat(parts).unique(), []
