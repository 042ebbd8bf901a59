"""Queries to a predictor: ranked lists from histories, and the law of pairs, in batches of users."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.data.frames import to_polars
from conv4rec.data.interactions import Interactions
from conv4rec.errors import DataError, QueryError
from conv4rec.ids import as_series
from conv4rec.metrics.ranking import top_k
from conv4rec.predictions import Predictor, default_like, users_per_batch
from conv4rec.ranking import Scorer, choose_scorer
from conv4rec.tables import law_columns, with_titles
from conv4rec.vocabulary import Vocabulary

ListOfIds = Iterable[int | str] | pl.Series


@dataclass(frozen=True)
class Query:
    """How items are ranked and which are allowed.

    Attributes:
        k: length of the list; a user with fewer items left gets a shorter one.
        rank_by: `consume`, `rating` or `enjoy`, see `conv4rec.ranking`.
        exclude_seen: leave out the items of the history.
        candidates: the only items allowed; None for all.
        like: the lowest rating that counts as liked; None for the upper quarter of the scale.
    """

    k: int = 10
    rank_by: str = "consume"
    exclude_seen: bool = True
    candidates: ListOfIds | None = None
    like: float | None = None


@dataclass(frozen=True)
class QueryEngine:
    """Asks a predictor on behalf of people who speak in ids.

    Attributes:
        predictor: any predictor of these items and types.
        vocabulary: the ids.
        items: side table of titles, or None.
        memory_mb: limit on scoring memory, MiB.
    """

    predictor: Predictor
    vocabulary: Vocabulary
    items: pl.DataFrame | None
    memory_mb: int

    def rank(self, names: pl.Series, histories: Interactions, query: Query) -> pl.DataFrame:
        """The best items of every row of `histories`, whose users are called `names`."""
        scorer, like = self._scorer(query), self._like(query.like)
        allowed = None if query.candidates is None else self.vocabulary.items.indices(listed(query.candidates))
        parts = []
        for users, batch in histories.batches(self._batch_size()):
            predictions = self.predictor.predict(batch)
            scores = _masked(scorer(predictions, like), batch if query.exclude_seen else None, allowed)
            rows, ranks, items = _places(top_k(scores, query.k))
            columns = {
                "user_id": names.gather(users[rows]),
                "item_id": self.vocabulary.items.take(items),
                "rank": ranks + 1,
                "score": scores[rows, items],
                **_series(law_columns(predictions, rows, items, like)),
            }
            parts.append(pl.DataFrame(columns))
        return with_titles(pl.concat(parts), self.items)

    def predict(self, pairs: Any, histories: Interactions, like: float | None) -> pl.DataFrame:
        """The law of pairs of a user, who has a row in `histories`, and an item; a row each, in the order given."""
        frame = _pairs_frame(pairs)
        users = self.vocabulary.users.indices(frame["user_id"])
        items = self.vocabulary.items.indices(frame["item_id"])
        distinct, rows = np.unique(users, return_inverse=True)
        size, liked, parts = self._batch_size(), self._like(like), []
        for start in range(0, len(distinct), size):
            at = np.flatnonzero((rows >= start) & (rows < start + size))
            predictions = self.predictor.predict(histories.select(distinct[start : start + size]))
            columns = law_columns(predictions, rows[at] - start, items[at], liked)
            parts.append(frame[at].select("user_id", "item_id").with_columns(**_series(columns), _place=at))
        table = pl.concat(parts).sort("_place").drop("_place") if parts else frame.select("user_id", "item_id")
        return with_titles(table, self.items)

    def _scorer(self, query: Query) -> Scorer:
        n_items = len(self.vocabulary.items)
        if isinstance(query.k, bool) or not isinstance(query.k, int) or not 1 <= query.k <= n_items:
            raise QueryError(f"k = {query.k!r}: expected 1 to {n_items}, the number of items")
        return choose_scorer(query.rank_by, self.vocabulary.types.n_levels)

    def _like(self, like: float | None) -> float:
        types = self.vocabulary.types
        if not types.n_levels:
            return 0.0
        if like is not None and not like <= types.rating_values[-1]:
            raise QueryError(f"like = {like:g}: expected at most {types.rating_values[-1]:g}, the highest rating")
        return default_like(types) if like is None else like

    def _batch_size(self) -> int:
        return users_per_batch(len(self.vocabulary.items), self.vocabulary.types.n_types, memory_mb=self.memory_mb)


def listed(ids: ListOfIds) -> list[Any] | pl.Series:
    """Ids as a list or a column; a single id, which would be read letter by letter, raises QueryError."""
    if isinstance(ids, pl.Series):
        return ids
    if isinstance(ids, int | str):
        raise QueryError(f"expected a list of ids, got the single id {ids!r}; write [{ids!r}]")
    return list(ids)


def _pairs_frame(pairs: Any) -> pl.DataFrame:
    if not hasattr(pairs, "__arrow_c_stream__"):
        pairs = list(pairs)
        users, items = zip(*pairs, strict=True) if pairs else ((), ())
        return pl.DataFrame({"user_id": as_series(users, "user"), "item_id": as_series(items, "item")})
    frame = to_polars(pairs, "pairs")
    missing = {"user_id", "item_id"} - set(frame.columns)
    if missing:
        raise DataError(f"pairs: no column {' and '.join(sorted(missing))}; found {', '.join(frame.columns)}")
    return frame


def _masked(scores: NDArray[Any], seen: Interactions | None, allowed: NDArray[np.int32] | None) -> NDArray[Any]:
    masked = np.full_like(scores, -np.inf) if allowed is not None else scores.copy()
    if allowed is not None:
        masked[:, allowed] = scores[:, allowed]
    if seen is not None:
        masked[seen.users, seen.items] = -np.inf
    return masked


def _places(top: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """Row, place from 0 and item of everything in the (B, K) lists."""
    rows, ranks = np.nonzero(top >= 0)
    return rows, ranks, top[rows, ranks]


def _series(columns: Mapping[str, NDArray[Any]]) -> dict[str, pl.Series]:
    return {name: pl.Series(name, np.ascontiguousarray(values)) for name, values in columns.items()}
