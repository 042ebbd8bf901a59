"""Our model, and the baseline that any model must beat, as peers."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from conv4rec.baselines import MostPopular
from conv4rec.blending import fit_experts
from conv4rec.config import Config, get_setting, make_config
from conv4rec.data.interactions import Interactions
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.model.statistics import Statistics
from conv4rec.peers.fitting import Users, learn_consume_link, n_bytes
from conv4rec.peers.links import ConsumeLink
from conv4rec.peers.peer import Claim, Params, Peer, Setting, Task
from conv4rec.predictions import Floats, Predictions
from conv4rec.training import TrainingResult, train


@dataclass(frozen=True)
class Ours:
    """A fitted network, and how it came about."""

    predictor: NetworkPredictor
    training: TrainingResult

    @property
    def claims(self) -> frozenset[Claim]:
        return frozenset(("consume", "rating"))

    @property
    def n_bytes(self) -> int:
        return sum(value.numel() * value.element_size() for value in self.predictor.network.state_dict().values())

    def predict(self, users: Users, histories: Interactions) -> Predictions:  # noqa: ARG002
        return self.predictor.predict(histories)


def fit_ours(task: Task, params: Params) -> Ours:
    """Train as `conv4rec train` does, with the settings of the task; a parameter that is not at its default wins."""
    config = _settings(task, params)
    with torch.random.fork_rng([]):
        torch.manual_seed(task.seed)
        network = Network(config.model, Statistics.of(task.train, task.types))
    training = train(network, task.train, task.types, config.train, validation=task.validation)
    fit_experts(network, task.train, task.types, config.experts, task.validation, seed=task.seed)
    return Ours(NetworkPredictor(network, task.types), training)


def _settings(task: Task, params: Params) -> Config:
    settings = task.config.model_dump()
    settings["train"]["seed"] = task.seed
    for name, value in params.items():
        section, _, field = name.partition(".")
        if name not in DEFAULTS or value != DEFAULTS[name]:
            settings.setdefault(section, {})[field] = value
    return make_config(settings)


@dataclass(frozen=True)
class Popular:
    """Popularity through the best link, and the law of the types of `MostPopular`."""

    model: MostPopular
    link: ConsumeLink

    @property
    def claims(self) -> frozenset[Claim]:
        return frozenset(("consume", "rating"))

    @property
    def n_bytes(self) -> int:
        model = self.model
        return n_bytes(model.log_p_item, model.log_p_type, model.item_means, model.lift) + self.link.n_bytes

    def predict(self, users: Users, histories: Interactions) -> Predictions:  # noqa: ARG002
        predictions = self.model.predict(histories)
        log_p = self.link.log_p_consume(predictions.log_p_consume, histories.users, histories.items)
        return replace(predictions, log_p_consume=log_p)


@dataclass(frozen=True)
class Popularity:
    """How often an item was taken, as a score."""

    log_p_item: Floats

    @property
    def n_bytes(self) -> int:
        return n_bytes(self.log_p_item)

    def scores(self, users: Users, histories: Interactions) -> Floats:  # noqa: ARG002
        return np.asarray(np.broadcast_to(self.log_p_item, (len(users), len(self.log_p_item))))


def fit_popular(task: Task, params: Params) -> Popular:  # noqa: ARG001
    model = MostPopular.fit(task.train, task.types)
    return Popular(model, learn_consume_link("popular", Popularity(model.log_p_item), task))


SPACE = {
    "train.learning_rate": Setting(2e-4, 2e-2, log=True),
    "train.weight_decay": Setting(1e-3, 0.1, log=True),
    "train.rating_weight_decay": Setting(0.01, 1.0, log=True),
    "train.mask": Setting(0.05, 0.5),
    "model.embedding_dim": Setting(32, 512, log=True, integer=True),
    "model.rating_embedding_dim": Setting(16, 128, log=True, integer=True),
    "model.dropout": Setting(0.0, 0.7),
    "experts.neighbours": Setting(32, 512, log=True, integer=True),
    "experts.penalty": Setting(2.0, 100.0, log=True),
    "experts.rating_neighbours": Setting(8, 128, log=True, integer=True),
    "experts.rating_penalty": Setting(20.0, 1000.0, log=True),
}
DEFAULTS = {name: get_setting(Config(), name) for name in SPACE}

CONV4REC = Peer(
    name="conv4rec",
    about="Conv4Rec: one law of what is taken and how it is rated; ours",
    package=None,
    claims=frozenset(("consume", "rating")),
    fit=fit_ours,
    defaults=DEFAULTS,
    space=SPACE,
    monitor="nll",
)

POPULAR = Peer(
    name="popular",
    about="Popularity, and biases of items and users; ours",
    package=None,
    claims=frozenset(("consume", "rating")),
    fit=fit_popular,
)
