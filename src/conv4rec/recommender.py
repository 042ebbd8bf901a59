"""Conv4Rec: fit, recommend, predict, save and load, with ids on both sides."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.blending import fit_experts
from conv4rec.compression.candidates import CompressedPredictor
from conv4rec.compression.compressed import Compressed, NearestItems
from conv4rec.compression.compressor import PassListener
from conv4rec.config import CompressConfig, Config, make_config
from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.data.shards import Shards
from conv4rec.data.sources import load_ratings
from conv4rec.data.split import HoldOut, Split, split
from conv4rec.errors import DataError, ModelFileError, NotFittedError, QueryError
from conv4rec.evaluation import Report, Validation, evaluate, report_validation
from conv4rec.filters import ListOfIds, listed
from conv4rec.history import History, read_history
from conv4rec.model.initial import draw_network, initial_digest, network_with
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.model.statistics import Statistics
from conv4rec.model_file import Origin, SavedModel, load_model, save_model
from conv4rec.queries import Choices, Query
from conv4rec.tables import with_titles
from conv4rec.training import Listener, Trainer, TrainingResult, choose_device, train
from conv4rec.verbs.answers import Answers
from conv4rec.verbs.profile import Profile
from conv4rec.verbs.tables import history_table
from conv4rec.verbs.type_map import TypeMap
from conv4rec.vocabulary import InteractionTypes, Vocabulary

Facts = tuple[str, str, tuple[str, ...]]
"""Name, fingerprint and notes of the data."""

SAMPLE = 1 << 25
"""Interactions that the closed forms learn from where not all fit into memory: about 100 bytes each while they do."""


@dataclass(frozen=True)
class _Fitted:
    """Everything that fitting, or a file, gives."""

    vocabulary: Vocabulary
    network: Network
    histories: Interactions | None
    items: pl.DataFrame | None
    origin: Origin
    compressed: Compressed | None = None

    def predictor(self, n_candidates: int) -> NetworkPredictor | CompressedPredictor:
        exact = NetworkPredictor(self.network, self.vocabulary.types)
        if self.compressed is None:
            return exact
        return CompressedPredictor(exact, self.compressed.decoder, n_candidates)


class _How(NamedTuple):
    """Who trains, who hears of it, and where a killed run goes on."""

    trainer: Trainer
    listener: Listener | None
    checkpoint: Path | None
    resume: bool


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
        self._kept: Answers | None = None

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
        trainer: Trainer = train,
        listener: Listener | None = None,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> "Conv4Rec":
        """Train on `parts.train`, stop by `parts.validation`, and keep `known` as ids and as histories of the users.

        `trainer` does the training: `train` in this process, `conv4rec.scale.training.RayTraining` in many.
        """
        vocabulary = _vocabulary(known)
        interactions, histories = (Interactions.from_ratings(each, vocabulary) for each in (parts.train, known))
        facts = known.name, histories.fingerprint(), known.notes
        validation = Validation.of(parts.validation, vocabulary)
        how = _How(trainer=trainer, listener=listener, checkpoint=checkpoint, resume=resume)
        network, origin = self._learn(interactions, vocabulary.types, validation, facts, how)
        self._state = _Fitted(vocabulary, network, histories, known.items, origin)
        return self

    def fit_shards(
        self,
        shards: Shards,
        *,
        trainer: Trainer = train,
        listener: Listener | None = None,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> "Conv4Rec":
        """Train on interactions that do not fit into memory; see `conv4rec.data.sharding`.

        The closed forms learn from the users of some shards, SAMPLE interactions, which are a sample of all. The model
        keeps no histories: it answers posted ones.
        """
        vocabulary, held = shards.read_vocabulary(), shards.held_out()
        facts, validation = (shards.name, shards.fingerprint, shards.notes), Validation(held.history, held.validation)
        how = _How(trainer=trainer, listener=listener, checkpoint=checkpoint, resume=resume)
        network, origin = self._learn(shards, shards.types, validation, facts, how)
        self._state = _Fitted(vocabulary, network, None, None, origin)
        return self

    def _learn(
        self, data: Interactions | Shards, types: InteractionTypes, validation: Validation, facts: Facts, how: "_How"
    ) -> tuple[Network, Origin]:
        """Train a network, give it its experts, and measure it on the validation part."""
        network = draw_network(self.config, Statistics.of(data, types))
        digest, listener = initial_digest(network), how.listener
        self._training = how.trainer(
            network,
            data,
            types,
            self.config.train,
            validation=validation,
            listener=listener,
            checkpoint=how.checkpoint,
            resume=how.resume,
        )
        if listener is not None:
            listener.on_stage("closed forms after epoch")
        sample = data if isinstance(data, Interactions) else data.sample(SAMPLE)
        fit_experts(network, sample, types, self.config.experts, validation, seed=self.config.train.seed)
        measured = report_validation(NetworkPredictor(network, types), validation)
        return network, _origin(*facts, self._training.best_epoch, measured, digest)

    def evaluate(self, held_out: HoldOut) -> Report:
        """Predict `held_out.targets` from `held_out.history`; ids that the model does not know raise UnknownIdError."""
        state = self._fitted
        asked = Validation.of(held_out, state.vocabulary)
        return evaluate(self.predictor, asked.history, asked.targets, self.config.evaluate, exclude=asked.excluded)

    def recommend(self, user_ids: ListOfIds, k: int = 10, **choices: Unpack[Choices]) -> pl.DataFrame:
        """The k best items of known users, with their probabilities.

        Args:
            user_ids: users that were in the training data; others raise UnknownIdError.
            k: length of the list; a user with fewer items left gets a shorter one.
            choices: `rank_by`, `utility`, `exclude_seen`, `candidates`, `exclude`, `tags`, `without_tags`, `diversity`
                and `like`, as `conv4rec.queries.Query` explains them. By default what the user will take next.

        Returns:
            `user_id, item_id, rank, score, p_consume, p_rating_<value>..., expected_rating, p_like` and `title` where
            known. p_consume is the probability that the next interaction is with the item, out of all items.

        Raises:
            QueryError: a choice that does not exist, contradicts another, or leaves no item.
        """
        users = self.vocabulary.users.indices(listed(user_ids))
        names = self.vocabulary.users.take(users)
        return self._answers.engine.rank(names, self._known_histories().select(users), Query(k=k, **choices))

    def recommend_for(self, history: History, k: int = 10, **choices: Unpack[Choices]) -> pl.DataFrame:
        """The k best items for somebody the model has never seen, from a history given here.

        Args:
            history: `{item_id: rating}` (None: not rated), a list of item ids, or a table with `item_id` and, where
                known, `rating`, `type`, and `user_id` for several users at once.
            k: length of the list; this and the choices as in `recommend`.
            choices: as in `recommend`.

        Raises:
            QueryError: none of the items is known. Where only some are not, an UnknownItemsWarning names them.
        """
        names, interactions = read_history(history, self.vocabulary)
        return self._answers.engine.rank(names, interactions, Query(k=k, **choices))

    def recommend_shard(self, shards: Shards, number: int, k: int = 10, **choices: Unpack[Choices]) -> pl.DataFrame:
        """As `recommend`, for all users of a shard of what a model of `fit_shards` was trained on.

        Raises QueryError for shards of other data.
        """
        if shards.fingerprint != self.origin.data_fingerprint:
            raise QueryError(f"{shards.folder}: these are not the shards that the model was trained on")
        users, histories = shards.histories(number)
        return self._answers.engine.rank(self.vocabulary.users.take(users), histories, Query(k=k, **choices))

    def predict(self, pairs: Any, *, like: float | None = None) -> pl.DataFrame:
        """The law of pairs of a known user and a known item, a row each, in the order given.

        `pairs` is a table with `user_id` and `item_id`, or an iterable of such pairs.
        """
        return self._answers.engine.predict(pairs, self._known_histories(), like)

    def explain(
        self, user_id: int | str, item_ids: ListOfIds, k: int = 10, *, by: str = "consume", like: float | None = None
    ) -> pl.DataFrame:
        """Which items of a known user's history moved what is claimed of `item_ids`, and by how much.

        Every item of the history is left out in turn and the rest encoded anew. Per item asked about, a row for the
        whole history against none (`left_out` all), then the k items that moved the claim most, either way, by `by`:
        `consume`, `rating` or `like`.

        Returns:
            `user_id, item_id, left_out, rank, history_item_id`; for p_consume, expected_rating and p_like the claim,
            the claim `_without`, and the effect (`effect_consume`, in nats: log p less log p without; `effect_rating`;
            `effect_like`); `interactions` and `rating` of the history item, and titles.
        """
        return self._answers.explain(self._mine(user_id), item_ids, k, by=by, like=like, name=user_id)

    def explain_for(
        self, history: History, item_ids: ListOfIds, k: int = 10, *, by: str = "consume", like: float | None = None
    ) -> pl.DataFrame:
        """As `explain`, for somebody with the history given here, as in `recommend_for`; of one user."""
        return self._answers.explain(self._given(history), item_ids, k, by=by, like=like)

    def profile(self, user_id: int | str, *, like: float | None = None) -> Profile:
        """What the model knows of a known user; needs a model with histories, to compare with."""
        return self._answers.profile(self._mine(user_id), like, name=user_id)

    def profile_for(self, history: History, *, like: float | None = None) -> Profile:
        """As `profile`, for somebody with the history given here, as in `recommend_for`; of one user."""
        return self._answers.profile(self._given(history), like)

    def similar_items(self, item_id: int | str, k: int = 10) -> pl.DataFrame:
        """The k items nearest to an item: `item_id, rank, similarity` (cosine of embeddings) and `title`."""
        return self._answers.similar_items(item_id, k)

    def similar_users(self, user_id: int | str, k: int = 10) -> pl.DataFrame:
        """The k users nearest to a known one: `user_id, rank, similarity, n_interactions, n_shared` (items of both)."""
        return self._answers.similar_users(self._mine(user_id), k, name=user_id)

    def similar_users_for(self, history: History, k: int = 10) -> pl.DataFrame:
        """As `similar_users`, for somebody with the history given here, as in `recommend_for`; of one user."""
        return self._answers.similar_users(self._given(history), k)

    def interaction_types(self) -> TypeMap:
        """The learned 1x1 convolutions as a map: which interaction types the model treats alike, what channels mean."""
        return self._answers.interaction_types()

    def compress(self, config: CompressConfig | None = None, *, listener: PassListener | None = None) -> "Conv4Rec":
        """The same model, which finds items in indexes of sparse codes of theirs and ranks only the found ones exactly.

        `recommend` takes the law with decoded item vectors for all items but the `candidates` best, which have the
        exact one; `similar_items` looks at that many. All else is as before. Source: METHOD.md section 5, and ours.

        Args:
            config: settings; None: those of the model, `compress` in its configuration.
            listener: hears of the passes over the vectors, twice: for `recommend`, then for `similar_items`.
        """
        settings = self.config.compress if config is None else config
        state = self._fitted
        model = Conv4Rec(self.config.model_copy(update={"compress": settings}))
        model._state = replace(state, compressed=Compressed.of(state.network, settings, listener))
        model._training = self._training
        return model

    def save(self, path: str | Path, *, histories: bool = True) -> Path:
        """Write the model to one file, whole or not at all.

        Without `histories` the file holds no user's interactions, and the loaded model answers only posted ones.
        """
        state = self._fitted
        weights = {name: value.detach().cpu().numpy() for name, value in state.network.state_dict().items()}
        kept = state.histories if histories else None
        codes = {} if state.compressed is None else state.compressed.tensors()
        model = SavedModel(self.config, state.vocabulary, weights, kept, state.items, state.origin, codes)
        save_model(Path(path), model)
        return Path(path)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> "Conv4Rec":
        """Read a model file; needs no training data. Raises ModelFileError for anything else."""
        saved = load_model(Path(path))
        model = cls(saved.config)
        vocabulary = saved.vocabulary
        try:
            network = network_with(saved.config.model, len(vocabulary.items), vocabulary.types, saved.weights)
        except (RuntimeError, TypeError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ModelFileError(f"{path}: the weights do not fit the settings of the model: {reason}") from None
        network.to(choose_device(device)).eval()
        facts = (vocabulary, network, saved.histories, saved.items, saved.origin)
        try:
            codes = Compressed.from_tensors(saved.compressed, network) if saved.compressed else None
        except ValueError as error:
            raise ModelFileError(f"{path}: the indexes do not fit the model: {error}") from None
        model._state = _Fitted(*facts, codes)
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
    def predictor(self) -> NetworkPredictor | CompressedPredictor:
        """The model in index space, for `evaluate` and comparisons."""
        return self._fitted.predictor(self.config.compress.candidates)

    @property
    def exact_predictor(self) -> NetworkPredictor:
        """The same without indexes; for a model that is not compressed the very same."""
        return NetworkPredictor(self._fitted.network, self.vocabulary.types)

    @property
    def compressed(self) -> Compressed | None:
        """The indexes of a model that `compress` gave; None for others."""
        return self._fitted.compressed

    def history_of(self, user_id: int | str) -> pl.DataFrame:
        """What the model knows of a user: `item_id`, `rating`, `type`, null where not known, and `title`."""
        mine = self._known_histories().select(self.vocabulary.users.indices([user_id]))
        return with_titles(history_table(mine, self.vocabulary), self.items)

    def history_counts(self) -> NDArray[np.int64]:
        """(n_users,) the number of interactions of every user in the order of `vocabulary.users`."""
        return self._known_histories().counts

    @property
    def _fitted(self) -> _Fitted:
        if self._state is None:
            raise NotFittedError("this model is not fitted: call fit(ratings), or Conv4Rec.load(path)")
        return self._state

    @property
    def _answers(self) -> Answers:
        """What answers questions, kept for as long as the model is the same."""
        state = self._fitted
        if self._kept is None or self._kept.network is not state.network:
            memory_mb = self.config.evaluate.memory_mb
            facts = (state.vocabulary, state.items, state.histories)
            self._kept = Answers(state.network, self.predictor, *facts, memory_mb, self._nearest_items)
        return self._kept

    @property
    def _nearest_items(self) -> NearestItems | None:
        state, n_candidates = self._fitted, self.config.compress.candidates
        return None if state.compressed is None else NearestItems(state.compressed.embeddings, n_candidates)

    def _known_histories(self) -> Interactions:
        histories = self._fitted.histories
        if histories is None:
            raise QueryError("this model was saved without histories: use recommend_for with the user's history")
        return histories

    def _mine(self, user_id: int | str) -> Interactions:
        """The history of one known user."""
        mine = self._known_histories().select(self.vocabulary.users.indices([user_id]))
        if not len(mine):
            raise QueryError(f"user {user_id!r} has no history: nothing is known to answer from")
        return mine

    def _given(self, history: History) -> Interactions:
        """The history of one user, given with the question."""
        names, interactions = read_history(history, self.vocabulary)
        if len(names) != 1 or not len(interactions):
            raise QueryError(f"the history is of {len(names)} users: expected one, with items that the model knows")
        return interactions


def _vocabulary(known: Ratings) -> Vocabulary:
    vocabulary = known.vocabulary()
    for ids in (vocabulary.users, vocabulary.items):
        if len(ids) < 2:
            raise DataError(f"{known.name}: {len(ids)} {ids.kind}: expected at least 2 to learn from")
    return vocabulary


def _origin(
    name: str, fingerprint: str, notes: tuple[str, ...], best_epoch: int, measured: Report, digest: str
) -> Origin:
    reliability = {f"reliability_{law}": measured.curves.get(f"reliability_{law}", []) for law in ("like", "consume")}
    return Origin.model_validate(
        {
            "data": name,
            "data_fingerprint": fingerprint,
            "notes": notes,
            "best_epoch": best_epoch,
            "validation": measured.metrics,
            "initial_sha256": digest,
            **reliability,
        }
    )
