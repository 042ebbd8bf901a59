"""The verbs in id space: rows of tables and a profile, for people who speak in ids."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.embeddings import Embeddings, highest
from conv4rec.errors import QueryError
from conv4rec.filters import ListOfIds, listed
from conv4rec.metrics.ranking import Indices
from conv4rec.model.network import Network
from conv4rec.predictions import Floats, Predictions, Predictor, choose_like
from conv4rec.queries import QueryEngine, check_k
from conv4rec.tables import with_titles
from conv4rec.verbs.explain import explain
from conv4rec.verbs.familiarity import familiarity, read
from conv4rec.verbs.population import Population
from conv4rec.verbs.profile import Profile, Style, Uncertainty
from conv4rec.verbs.segments import Segments
from conv4rec.verbs.style import Styles
from conv4rec.verbs.tables import (
    MEASURES,
    items_table,
    names_of,
    rated_laws,
    reading_table,
    reasons_table,
    segments_table,
    with_history_titles,
)
from conv4rec.verbs.type_map import TypeMap, type_map
from conv4rec.vocabulary import Vocabulary

NEIGHBOURS = 10
"""Nearest users in a profile."""
FEW = 5.0
"""Pseudo-count with which the likeness of an item is drawn to 0. Source: ours; see docs/verbs.md."""


class Finder(Protocol):
    """Finds items that may be like an item."""

    def __call__(self, item: int, trust: Floats, k: int) -> Indices:
        """Indices, ascending, of at least k other items; likeness will be multiplied with (I,) trust."""
        ...


@dataclass(frozen=True)
class Answers:
    """Everything that a model can be asked, in one place that keeps what has been gathered about its users and items.

    Attributes:
        network: the model.
        predictor: the same as a predictor.
        vocabulary: the ids.
        items: side table of titles and tags, or None.
        known: the histories of the population; None for a model that was saved without.
        memory_mb: limit on scoring memory, MiB.
        nearest: finds the items to compare with one; None: all are compared.
    """

    network: Network
    predictor: Predictor
    vocabulary: Vocabulary
    items: pl.DataFrame | None
    known: Interactions | None
    memory_mb: int
    nearest: Finder | None = None

    @cached_property
    def engine(self) -> QueryEngine:
        """What answers `recommend` and `predict`."""
        facts = (self.vocabulary, self.items, self.memory_mb, self.known)
        return QueryEngine(self.predictor, *facts, lambda: self.embeddings.items)

    @cached_property
    def embeddings(self) -> Embeddings:
        """Where users and items lie."""
        return Embeddings(self.network)

    @cached_property
    def population(self) -> Population:
        """Facts about all users; QueryError for a model without histories."""
        return Population(self.predictor, self.embeddings, self._known_or_refuse("a population"), self.memory_mb)

    @cached_property
    def segments(self) -> Segments:
        """Of the catalogue."""
        return Segments.of(self.vocabulary, self.items, self.embeddings.items, self.population.popularity)

    def explain(
        self,
        history: Interactions,
        item_ids: ListOfIds,
        k: int,
        *,
        by: str,
        like: float | None,
        name: int | str | None = None,
    ) -> pl.DataFrame:
        """For every item asked about: what no history would claim, and the k history items that moved the claim most.

        `history` has one row, of the known user `name`, or of somebody new.
        """
        check_k(k, len(self.vocabulary.items), "items")
        self._check_measure(by)
        asked = self.vocabulary.items.indices(listed(item_ids))
        if not len(asked):
            raise QueryError("no item to explain: expected at least one item id")
        liked = choose_like(like, self.vocabulary.types)
        found = explain(self.predictor, history, asked, like=liked, memory_mb=self.memory_mb)
        table = reasons_table(found, items_table(history, self.vocabulary), self.vocabulary, k, by)
        table = with_titles(table.insert_column(0, self._called(name).new_from_index(0, table.height)), self.items)
        return with_history_titles(table, self.items)

    def profile(self, history: Interactions, like: float | None, *, name: int | str | None = None) -> Profile:
        """Who the one user of `history` is to the model; the known user `name`, or somebody new."""
        population, vocabulary = self.population, self.vocabulary
        liked = choose_like(like, vocabulary.types)
        predictions = self.predictor.predict(history)
        reading = read(history, population, like=liked)
        table = reading_table(reading, items_table(history, vocabulary), vocabulary)
        styles = Styles.of(history, vocabulary.types, population.item_means)
        return Profile(
            user_id=self._called(name)[0],
            n_interactions=len(history),
            embedding=self.embeddings.users(history)[0],
            style=Style.of(styles, population.styles),
            segments=self._segments(history, predictions, liked),
            neighbours=self._nearest(history, NEIGHBOURS, self._others(name)),
            history=with_titles(table, self.items),
            uncertainty=Uncertainty.of(predictions),
            blank=Uncertainty.of(population.blank),
            familiarity=familiarity(reading, population),
        )

    def similar_items(self, item_id: int | str, k: int) -> pl.DataFrame:
        """The k items most like an item: `item_id, rank, similarity`, `title`, and `n_interactions` where known.

        Similarity is the cosine of the embeddings, drawn to 0 where an item has few interactions: n / (n + 5) of it.
        Without histories it is the cosine alone.
        """
        check_k(k, len(self.vocabulary.items) - 1, "other items")
        vectors, item = self.embeddings.items, int(self.vocabulary.items.indices([item_id])[0])
        counts = None if self.known is None else np.bincount(self.known.items, minlength=self.known.n_items)
        trust = np.ones(len(vectors), np.float32) if counts is None else (counts / (counts + FEW)).astype(np.float32)
        itself = np.arange(len(vectors)) == item
        if self.nearest is None:
            found, likeness = highest(vectors @ vectors[item] * trust, k, without=itself)
        else:
            near = self.nearest(item, trust, k)
            found, likeness = highest((vectors[near] @ vectors[item]) * trust[near], k, without=itself[near])
            found = near[found]
        columns = {"item_id": self.vocabulary.items.take(found), "rank": _ranks(found), "similarity": likeness}
        if counts is not None:
            columns["n_interactions"] = counts[found]
        return with_titles(pl.DataFrame(columns), self.items)

    def similar_users(self, history: Interactions, k: int, *, name: int | str | None = None) -> pl.DataFrame:
        """The k users nearest to the one of `history`; the user called `name`, and those without history, are left out.

        `user_id, rank, similarity` (cosine), `n_interactions`, and `n_shared`: items that are in both histories.
        """
        others = self._others(name)
        check_k(k, int(others.sum()), "other users")
        return self._nearest(history, k, others)

    def _others(self, name: int | str | None) -> NDArray[np.bool_]:
        """(U,) the users that have a history and another name."""
        others = self._known_or_refuse("similar users").counts > 0
        if name is not None:
            others[self.vocabulary.users.indices([name])] = False
        return others

    def _nearest(self, history: Interactions, k: int, others: NDArray[np.bool_]) -> pl.DataFrame:
        direction = self.population.directions(self.embeddings.users(history))[0]
        found, cosines = highest(self.population.users @ direction, k, without=~others)
        theirs = self.population.histories.select(found)
        distinct_users, distinct_items = theirs.distinct_pairs
        shared = np.bincount(distinct_users[np.isin(distinct_items, history.items)], minlength=len(found))
        return pl.DataFrame(
            {
                "user_id": self.vocabulary.users.take(found),
                "rank": _ranks(found),
                "similarity": cosines,
                "n_interactions": theirs.counts,
                "n_shared": shared,
            }
        )

    def interaction_types(self) -> TypeMap:
        """What the interaction types are to the model; only those that occur, where it has histories."""
        types = self.vocabulary.types
        met = np.ones(types.n_channels, dtype=np.bool_)
        if self.known is not None:
            met = np.bincount(self.known.channels, minlength=types.n_channels) > 0
        return type_map(self.network, types, met)

    def _known_or_refuse(self, what: str) -> Interactions:
        if self.known is None:
            raise QueryError(f"this model was saved without histories: it knows of no users to find {what} in")
        return self.known

    def _check_measure(self, by: str) -> None:
        if by not in MEASURES:
            raise QueryError(f"by {by!r}: expected one of {', '.join(MEASURES)}")
        if by != "consume" and not self.vocabulary.types.n_levels:
            raise QueryError(f"by {by!r} needs ratings, and this model was trained without; expected 'consume'")

    def _called(self, name: int | str | None) -> pl.Series:
        """The user id in answers, as a column of one; somebody new is called 0, as in `read_history`."""
        return pl.Series("user_id", [0 if name is None else name])

    def _segments(self, history: Interactions, predictions: Predictions, like: float) -> pl.DataFrame:
        segments = self.segments
        names = [names_of(items, self.vocabulary, self.items) for items in segments.examples]
        laws = rated_laws(self.vocabulary.types, predictions, self.population.blank)
        return segments_table(segments, history, names, laws=laws, like=like)


def _ranks(found: Indices) -> list[int]:
    return list(range(1, len(found) + 1))
