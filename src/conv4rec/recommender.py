"""Conv4Rec: fit, recommend, predict, save and load, with ids on both sides."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from conv4rec.config import Config, make_config
from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.data.sources import load_ratings
from conv4rec.data.split import HoldOut, Split, split
from conv4rec.errors import DataError, ModelFileError, NotFittedError, QueryError
from conv4rec.evaluation import Report, evaluate
from conv4rec.history import History, read_history
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.model.statistics import Statistics
from conv4rec.model_file import Origin, SavedModel, load_model, save_model
from conv4rec.queries import ListOfIds, Query, QueryEngine, listed
from conv4rec.tables import with_titles
from conv4rec.training import Listener, TrainingResult, Validation, choose_device, train
from conv4rec.vocabulary import Vocabulary


@dataclass(frozen=True)
class _Fitted:
    """Everything that fitting, or a file, gives."""

    vocabulary: Vocabulary
    network: Network
    histories: Interactions | None
    items: pl.DataFrame | None
    origin: Origin

    @property
    def predictor(self) -> NetworkPredictor:
        return NetworkPredictor(self.network, self.vocabulary.types)


class Conv4Rec:
    """A model of what users take and how they rate it.

    Example:
        model = Conv4Rec(train={"epochs": 30}).fit("ml-100k")
        model.recommend_for({50: 5, 181: 4}, k=10)
    """

    def __init__(self, config: Config | None = None, **sections: Mapping[str, Any]) -> None:
        """Take a Config, or sections as dictionaries: `Conv4Rec(train={"epochs": 30})`; not both."""
        if config is not None and sections:
            raise QueryError(f"give a Config or sections, not both; got a Config and {', '.join(sections)}")
        self.config = make_config(sections) if config is None else config
        self._training: TrainingResult | None = None
        self._state: _Fitted | None = None

    def fit(
        self, ratings: Any, *, listener: Listener | None = None, checkpoint: Path | None = None, resume: bool = False
    ) -> "Conv4Rec":
        """Train on `ratings`, anything that `load_ratings` takes.

        A share `split.validation` of the interactions, drawn at random, decides when to stop; these are part of the
        users' histories when the model is asked. Raises DataError for fewer than two users or items.
        """
        table = ratings if isinstance(ratings, Ratings) else load_ratings(ratings, config=self.config.data)
        settings = self.config.split.model_copy(update={"recipe": "random", "test": 0.0})
        parts = split(table, settings)
        return self.fit_split(parts, table, listener=listener, checkpoint=checkpoint, resume=resume)

    def fit_split(
        self,
        parts: Split,
        known: Ratings,
        *,
        listener: Listener | None = None,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> "Conv4Rec":
        """Train on `parts.train`, stop by `parts.validation`, and keep `known` as ids and as histories of the users."""
        vocabulary = _vocabulary(known)
        interactions = Interactions.from_ratings(parts.train, vocabulary)
        network = self._new_network(Statistics.of(interactions, vocabulary.types))
        self._training = train(
            network,
            interactions,
            vocabulary.types,
            self.config.train,
            validation=Validation.of(parts.validation, vocabulary),
            listener=listener,
            checkpoint=checkpoint,
            resume=resume,
        )
        histories = Interactions.from_ratings(known, vocabulary)
        origin = _origin(known, histories, self._training)
        self._state = _Fitted(vocabulary, network, histories, known.items, origin)
        return self

    def evaluate(self, held_out: HoldOut) -> Report:
        """Predict `held_out.targets` from `held_out.history`; ids that the model does not know raise UnknownIdError."""
        state = self._fitted
        asked = Validation.of(held_out, state.vocabulary)
        return evaluate(state.predictor, asked.history, asked.targets, self.config.evaluate, exclude=asked.excluded)

    def recommend(
        self,
        user_ids: ListOfIds,
        k: int = 10,
        *,
        rank_by: str = "consume",
        exclude_seen: bool = True,
        candidates: ListOfIds | None = None,
        like: float | None = None,
    ) -> pl.DataFrame:
        """The k best items of known users, with their probabilities.

        Args:
            user_ids: users that were in the training data; others raise UnknownIdError.
            k: length of the list, 1 to the size of the catalogue; a user with fewer items left gets a shorter one.
            rank_by: `consume` (what they will take), `rating` (what they would rate highest), `enjoy` (both).
            exclude_seen: leave out the items of the history.
            candidates: the only items allowed; None for all.
            like: the lowest rating that counts as liked; None for the upper quarter of the scale.

        Returns:
            `user_id, item_id, rank, score, p_consume, p_rating_<value>..., expected_rating, p_like` and `title` where
            known. p_consume is the probability that the next interaction is with the item, out of all items.
        """
        users = self.vocabulary.users.indices(listed(user_ids))
        names = self.vocabulary.users.take(users)
        query = Query(k=k, rank_by=rank_by, exclude_seen=exclude_seen, candidates=candidates, like=like)
        return self._engine.rank(names, self._known_histories().select(users), query)

    def recommend_for(
        self,
        history: History,
        k: int = 10,
        *,
        rank_by: str = "consume",
        exclude_seen: bool = True,
        candidates: ListOfIds | None = None,
        like: float | None = None,
    ) -> pl.DataFrame:
        """The k best items for somebody the model has never seen, from a history given here.

        Args:
            history: `{item_id: rating}` (None: not rated), a list of item ids, or a table with `item_id` and, where
                known, `rating`, `type`, and `user_id` for several users at once.
            k: length of the list; this and all below as in `recommend`.
            rank_by: `consume`, `rating` or `enjoy`.
            exclude_seen: leave out the items of the history.
            candidates: the only items allowed; None for all.
            like: the lowest rating that counts as liked.

        Raises:
            QueryError: none of the items is known. Where only some are not, an UnknownItemsWarning names them.
        """
        names, interactions = read_history(history, self.vocabulary)
        query = Query(k=k, rank_by=rank_by, exclude_seen=exclude_seen, candidates=candidates, like=like)
        return self._engine.rank(names, interactions, query)

    def predict(self, pairs: Any, *, like: float | None = None) -> pl.DataFrame:
        """The law of pairs of a known user and a known item, a row each, in the order given.

        `pairs` is a table with `user_id` and `item_id`, or an iterable of such pairs.
        """
        return self._engine.predict(pairs, self._known_histories(), like)

    def save(self, path: str | Path, *, histories: bool = True) -> Path:
        """Write the model to one file, whole or not at all.

        Without `histories` the file holds no user's interactions, and the loaded model answers only posted ones.
        """
        state = self._fitted
        weights = {name: value.detach().cpu().numpy() for name, value in state.network.state_dict().items()}
        kept = state.histories if histories else None
        model = SavedModel(self.config, state.vocabulary, weights, kept, state.items, state.origin)
        save_model(Path(path), model)
        return Path(path)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> "Conv4Rec":
        """Read a model file; needs no training data. Raises ModelFileError for anything else."""
        saved = load_model(Path(path))
        model = cls(saved.config)
        network = model._new_network(Statistics.blank(len(saved.vocabulary.items), saved.vocabulary.types))
        try:
            network.load_state_dict({name: torch.from_numpy(value) for name, value in saved.weights.items()})
        except (RuntimeError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise ModelFileError(f"{path}: the weights do not fit the settings of the model: {reason}") from None
        network.to(choose_device(device)).eval()
        model._state = _Fitted(saved.vocabulary, network, saved.histories, saved.items, saved.origin)
        return model

    @property
    def vocabulary(self) -> Vocabulary:
        """Users, items and interaction types."""
        return self._fitted.vocabulary

    @property
    def items(self) -> pl.DataFrame | None:
        """The side table of titles and tags, where the data had one."""
        return self._fitted.items

    @property
    def origin(self) -> Origin:
        """Data and outcome of the training."""
        return self._fitted.origin

    @property
    def training(self) -> TrainingResult:
        """The epochs of the training; a loaded model has none, only its `origin`."""
        if self._training is None:
            raise NotFittedError("a loaded model does not know the epochs of its training, only its origin")
        return self._training

    @property
    def predictor(self) -> NetworkPredictor:
        """The model in index space, for `evaluate` and comparisons."""
        return self._fitted.predictor

    def history_of(self, user_id: int | str) -> pl.DataFrame:
        """What the model knows of a user: `item_id`, `rating`, `type`, null where not known, and `title`."""
        state = self._fitted
        mine = self._known_histories().select(state.vocabulary.users.indices([user_id]))
        kinds = [state.vocabulary.types.channels[channel] for channel in mine.channels]
        columns = {
            "item_id": state.vocabulary.items.take(mine.items),
            "rating": pl.Series([kind.rating for kind in kinds], dtype=pl.Float64),
            "type": pl.Series([kind.name for kind in kinds], dtype=pl.String),
        }
        return with_titles(pl.DataFrame(columns), state.items)

    def history_counts(self) -> NDArray[np.int64]:
        """(n_users,) the number of interactions of every user in the order of `vocabulary.users`."""
        return self._known_histories().counts

    @property
    def _fitted(self) -> _Fitted:
        if self._state is None:
            raise NotFittedError("this model is not fitted: call fit(ratings), or Conv4Rec.load(path)")
        return self._state

    @property
    def _engine(self) -> QueryEngine:
        state = self._fitted
        return QueryEngine(state.predictor, state.vocabulary, state.items, self.config.evaluate.memory_mb)

    def _new_network(self, statistics: Statistics) -> Network:
        with torch.random.fork_rng([]):
            torch.manual_seed(self.config.train.seed)
            return Network(self.config.model, statistics)

    def _known_histories(self) -> Interactions:
        histories = self._fitted.histories
        if histories is None:
            raise QueryError("this model was saved without histories: use recommend_for with the user's history")
        return histories


def _vocabulary(known: Ratings) -> Vocabulary:
    vocabulary = known.vocabulary()
    for ids in (vocabulary.users, vocabulary.items):
        if len(ids) < 2:
            raise DataError(f"{known.name}: {len(ids)} {ids.kind}: expected at least 2 to learn from")
    return vocabulary


def _origin(known: Ratings, histories: Interactions, training: TrainingResult) -> Origin:
    best = training.epochs[training.best_epoch - 1]
    return Origin(
        data=known.name,
        data_fingerprint=histories.fingerprint(),
        notes=known.notes,
        best_epoch=training.best_epoch,
        validation=best.validation,
    )
