"""The seam of a comparison: what is fitted, on what, and what it may claim."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from conv4rec.config import Config
from conv4rec.data.interactions import Interactions
from conv4rec.evaluation import Validation
from conv4rec.predictions import Predictions
from conv4rec.training import TrainingResult
from conv4rec.vocabulary import InteractionTypes

Claim = Literal["consume", "rating"]
Params = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """What a model may learn from. Nothing of the test part is here.

    Attributes:
        types: the interaction types.
        train: what the weights are fitted on.
        validation: decides hyper-parameters, epochs and scalars.
        known: what is known of the users when the test is asked: train and validation together, or train alone where
            the recipe asks the test from it (random). A model with parameters per user, which cannot be given a
            history, may learn them from it once all else is chosen. While hyper-parameters are searched it is train
            alone, because validation is what is asked then.
        seed: of everything random.
        config: the settings of our own model.
    """

    types: InteractionTypes
    train: Interactions
    validation: Validation
    known: Interactions
    seed: int = 0
    config: Config = field(default_factory=Config)


class Fitted(Protocol):
    """A fitted model."""

    @property
    def claims(self) -> frozenset[Claim]:
        """Which parts of `Predictions` it stands for; the other is a placeholder that is not evaluated."""
        ...

    @property
    def n_bytes(self) -> int:
        """Size of everything it keeps, in bytes."""
        ...

    def predict(self, users: NDArray[np.intp], histories: Interactions) -> Predictions:
        """The law of users (indices, as in `Task.train`), given their histories, row for row."""
        ...


@runtime_checkable
class Trained(Protocol):
    """What a fitted model that was trained in epochs has besides: they become part of its record."""

    @property
    def training(self) -> TrainingResult: ...


@dataclass(frozen=True)
class Setting:
    """One hyper-parameter to search: `low` to `high` (on a logarithmic scale where `log`), or one of `choices`.

    Its default lies within.
    """

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Peer:
    """A model that can be compared.

    Attributes:
        name: as typed on the command line, such as `ease`.
        about: what it is, and its source, in a line.
        package: the distribution that must be installed; None: ours.
        claims: what it predicts.
        fit: from a task and hyper-parameters, all of `defaults` or others in their place, to a fitted model.
        defaults: hyper-parameters that are used where none are searched. Those of our own model are settings, by
            section and field: `train.learning_rate`.
        space: what may be searched.
        monitor: the validation figure that chooses among hyper-parameters.
        new_users: whether it can predict users that it was not fitted on.
    """

    name: str
    about: str
    package: str | None
    claims: frozenset[Claim]
    fit: Callable[[Task, Params], Fitted]
    defaults: Params = field(default_factory=dict)
    space: Mapping[str, Setting] = field(default_factory=dict)
    monitor: str = "ndcg@20"
    new_users: bool = True
