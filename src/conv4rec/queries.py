"""Queries to a predictor: ranked lists from histories, and the law of pairs, in batches of users."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypedDict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.data.frames import to_polars
from conv4rec.data.interactions import Interactions
from conv4rec.discovery import Discovery
from conv4rec.diversity import check_diversity, diverse_top_k
from conv4rec.errors import DataError, QueryError
from conv4rec.filters import ListOfIds, Mask, chosen, tagged
from conv4rec.ids import as_series
from conv4rec.metrics.ranking import top_k
from conv4rec.predictions import Best, Floats, Lister, Predictions, Predictor, TypeLaw, choose_like, users_per_batch
from conv4rec.ranking import Aim, Utility, choose_scorer, read_utility
from conv4rec.tables import law_columns, with_titles
from conv4rec.vocabulary import Vocabulary

MANY_USERS, MANY_LAWS = 8192, 2048
"""Users of a batch of lists, without and with the law beside each item, of which nothing is held for other items."""


class Choices(TypedDict, total=False):
    """What a caller may choose beside k; `Query` tells what each means and what holds where it is not given."""

    rank_by: str
    utility: Utility | None
    exclude_seen: bool
    candidates: ListOfIds | None
    exclude: ListOfIds | None
    tags: Iterable[str] | None
    without_tags: Iterable[str] | None
    diversity: float
    like: float | None
    law: bool


@dataclass(frozen=True)
class Query:
    """How items are ranked and which are allowed.

    Attributes:
        k: length of the list, 1 to the size of the catalogue; a user with fewer items left gets a shorter one.
        rank_by: `consume` (what they will take), `enjoy` (take and like), `rating` (rate highest), `discover` (like,
            but not find alone), `utility` (worth most if taken), `gain` (that times p_consume), see `conv4rec.ranking`.
        utility: what every rating value is worth, `{1: -2, ..., 5: 3}`; for `utility` and `gain`, and only for them.
        exclude_seen: leave out the items of the history.
        candidates: the only items allowed; None for all.
        exclude: items that are not allowed.
        tags: only items with any of these tags.
        without_tags: only items with none of these tags.
        diversity: 0 to 1, the weight of being unlike what is higher on the list, see `conv4rec.diversity`.
        like: the lowest rating that counts as liked; None for the upper quarter of the scale.
        law: whether the probabilities stand beside each item; lists alone are made sooner.
    """

    k: int = 10
    rank_by: str = "consume"
    utility: Utility | None = None
    exclude_seen: bool = True
    candidates: ListOfIds | None = None
    exclude: ListOfIds | None = None
    tags: Iterable[str] | None = None
    without_tags: Iterable[str] | None = None
    diversity: float = 0.0
    like: float | None = None
    law: bool = True


@dataclass(frozen=True)
class QueryEngine:
    """Asks a predictor on behalf of people who speak in ids.

    Attributes:
        predictor: any predictor of these items and types.
        vocabulary: the ids.
        items: side table of titles and tags, or None.
        memory_mb: limit on scoring memory, MiB.
        known: the histories of the population, which `discover` is told by; None where the model has none.
        vectors: gives (I, D) of length one, which diversity goes by; None where the model has none.
    """

    predictor: Predictor
    vocabulary: Vocabulary
    items: pl.DataFrame | None
    memory_mb: int
    known: Interactions | None = None
    vectors: Callable[[], Floats] | None = None

    def rank(self, names: pl.Series, histories: Interactions, query: Query) -> pl.DataFrame:
        """The best items of every row of `histories`, whose users are called `names`."""
        self._check(query)
        scorer = choose_scorer(query.rank_by, self.vocabulary.types.n_levels)
        aim, allowed, lister = self._aim(query), self._allowed(query), self._lister(query)
        parts = []
        for users, batch in histories.batches(self._batch_size(histories.n_users, lister, query)):
            seen = batch if query.exclude_seen else None
            if lister is None:
                predictions = self.predictor.predict(batch)
                scores = _masked(scorer(predictions, aim), seen, allowed)
                lists = _Lists.of(self._best(scores, query), scores, predictions, law=query.law)
            else:
                best = lister.best(batch, query.k, without=seen, allowed=allowed, memory_mb=self.memory_mb)
                lists = _Lists.of_best(best, lister.type_law_of(batch) if query.law else None)
            parts.append(self._table(lists, names.gather(users[lists.rows]), aim.like))
        return pl.concat(parts)

    def predict(self, pairs: Any, histories: Interactions, like: float | None) -> pl.DataFrame:
        """The law of pairs of a user, who has a row in `histories`, and an item; a row each, in the order given."""
        frame = _pairs_frame(pairs)
        users = self.vocabulary.users.indices(frame["user_id"])
        items = self.vocabulary.items.indices(frame["item_id"])
        distinct, rows = np.unique(users, return_inverse=True)
        size, liked, parts = self._scored_at_once(), choose_like(like, self.vocabulary.types), []
        for start in range(0, len(distinct), size):
            at = np.flatnonzero((rows >= start) & (rows < start + size))
            predictions = self.predictor.predict(histories.select(distinct[start : start + size]))
            where = rows[at] - start, items[at]
            log_p_type = predictions.type_law.pairs(*where)
            columns = law_columns(self.vocabulary.types, predictions.log_p_consume[where], log_p_type, liked)
            parts.append(frame[at].select("user_id", "item_id").with_columns(**_series(columns), _place=at))
        table = pl.concat(parts).sort("_place").drop("_place") if parts else frame.select("user_id", "item_id")
        return with_titles(table, self.items)

    def _table(self, lists: "_Lists", names: pl.Series, like: float) -> pl.DataFrame:
        """A row for every place of the lists, (N,), whose users are called `names`."""
        columns: dict[str, Any] = {
            "user_id": names,
            "item_id": self.vocabulary.items.take(lists.items),
            "rank": lists.ranks,
            "score": lists.scores,
        }
        if lists.type_law is not None:
            log_p_type = lists.type_law.pairs(lists.rows, lists.items)
            columns |= _series(law_columns(self.vocabulary.types, lists.log_p_consume, log_p_type, like))
        if self._titles is not None:
            columns["title"] = self._titles.gather(lists.items)
        return pl.DataFrame(columns)

    def _lister(self, query: Query) -> Lister | None:
        """What makes the lists without the law of every item; None where the order needs that, or nothing can."""
        by_consume = query.rank_by == "consume" and not query.diversity
        return self.predictor if by_consume and isinstance(self.predictor, Lister) else None

    def _check(self, query: Query) -> None:
        check_k(query.k, len(self.vocabulary.items), "items")
        check_diversity(query.diversity)
        if query.diversity and self.vectors is None:
            raise QueryError(f"diversity = {query.diversity:g}: this model has no embeddings to tell items apart by")

    def _aim(self, query: Query) -> Aim:
        types = self.vocabulary.types
        like = choose_like(query.like, types)
        worth = read_utility(query.utility, query.rank_by, types)
        return Aim(like, worth, self._discovery(like) if query.rank_by == "discover" else None)

    def _discovery(self, like: float) -> Discovery:
        counts, horizon = self._evidence
        return Discovery.of(counts, self.vocabulary.types, like, horizon)

    @cached_property
    def _evidence(self) -> tuple[NDArray[np.int64], float]:
        """(I, K) how often every item was met with every interaction type, and the median length of a history."""
        known, n_channels = self.known, self.vocabulary.types.n_channels
        if known is None:
            raise QueryError(
                "rank_by 'discover' needs to know how many ratings an item has: this model was saved without histories"
            )
        cells = known.items.astype(np.int64) * n_channels + known.channels
        counts = np.bincount(cells, minlength=known.n_items * n_channels)
        return counts.reshape(known.n_items, n_channels), float(np.median(known.counts))

    def _allowed(self, query: Query) -> Mask | None:
        """(I,) the items that pass the filters; None where there are none. QueryError where no item does."""
        filters = [] if query.candidates is None else [chosen(query.candidates, self.vocabulary)]
        if query.exclude is not None:
            filters.append(~chosen(query.exclude, self.vocabulary))
        if query.tags is not None:
            filters.append(tagged(query.tags, self.vocabulary, self.items))
        if query.without_tags is not None:
            filters.append(~tagged(query.without_tags, self.vocabulary, self.items))
        if not filters:
            return None
        allowed: Mask = np.logical_and.reduce(filters)
        if not allowed.any():
            raise QueryError("no item is left: candidates, exclude, tags and without_tags together allow none")
        return allowed

    def _best(self, scores: Floats, query: Query) -> NDArray[np.int32]:
        if self.vectors is None or not query.diversity:
            return top_k(scores, query.k)
        return diverse_top_k(scores, self.vectors(), query.k, query.diversity)

    def _batch_size(self, n_users: int, lister: Lister | None, query: Query) -> int:
        if lister is None:
            return self._scored_at_once()
        if not query.law:
            return MANY_USERS
        return MANY_LAWS if lister.tells_pairs_alone(n_users, query.k) else self._scored_at_once()

    def _scored_at_once(self) -> int:
        """Users of whom all is held that is said of every item."""
        n_items, n_types = len(self.vocabulary.items), self.vocabulary.types.n_types
        return users_per_batch(n_items, n_types, memory_mb=self.memory_mb)

    @cached_property
    def _titles(self) -> pl.Series | None:
        """(I,) the titles of the items, in one chunk, from which they are taken soonest; None where there are none."""
        table = with_titles(self.vocabulary.items.values.to_frame("item_id"), self.items)
        return table["title"].rechunk() if "title" in table.columns else None


class _Lists(NamedTuple):
    """The N places of the lists of a batch: row of the user, rank from 1, item, and what is said of it.

    The law of the types is None where it is not asked for.
    """

    rows: NDArray[np.intp]
    ranks: NDArray[np.intp]
    items: NDArray[np.int32]
    scores: Floats
    log_p_consume: Floats
    type_law: TypeLaw | None

    @classmethod
    def of(cls, top: NDArray[np.int32], scores: Floats, predictions: Predictions, *, law: bool) -> "_Lists":
        rows, ranks, items = _places(top)
        log_p_consume = predictions.log_p_consume[rows, items]
        return cls(rows, ranks, items, scores[rows, items], log_p_consume, predictions.type_law if law else None)

    @classmethod
    def of_best(cls, best: Best, type_law: TypeLaw | None) -> "_Lists":
        rows, ranks, items = _places(best.items)
        log_p_consume = best.log_p_consume[best.items >= 0]
        return cls(rows, ranks, items, log_p_consume, log_p_consume, type_law)


def check_k(k: int, most: int, what: str) -> None:
    """QueryError for a length of list that is no whole number from 1 to the number of what is listed."""
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= most:
        raise QueryError(f"k = {k!r}: expected 1 to {most}, the number of {what}")


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


def _masked(scores: Floats, seen: Interactions | None, allowed: Mask | None) -> Floats:
    masked = scores.copy()
    if allowed is not None:
        masked[:, ~allowed] = -np.inf
    if seen is not None:
        masked[seen.users, seen.items] = -np.inf
    return masked


def _places(top: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """Row, place from 1 and item of everything in the (B, K) lists."""
    (n_rows, k), listed = top.shape, top >= 0
    rows, ranks = np.arange(n_rows).repeat(k), np.tile(np.arange(1, k + 1), n_rows)
    if listed.all():
        return rows, ranks, top.reshape(-1)
    return rows[listed.reshape(-1)], ranks[listed.reshape(-1)], top[listed]


def _series(columns: Mapping[str, NDArray[Any]]) -> dict[str, pl.Series]:
    return {name: pl.Series(name, np.ascontiguousarray(values)) for name, values in columns.items()}
