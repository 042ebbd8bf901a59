"""Recovery: does the fitted law come near the law that the data were drawn from, as fast as data grow?

METHOD.md section 2, property 5, where it can be checked: in simulated worlds. All users are asked from everything that
is known of them; nothing is held out, because the truth itself is at hand. Validation data, a tenth of the
interactions, decide epochs, scalars and hyper-parameters of all models.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.stats import linregress

from conv4rec.config import Config, Positive, Section, SplitConfig, Weight, override
from conv4rec.data.interactions import Interactions
from conv4rec.data.simulator import Simulation, SimulatorConfig, simulate
from conv4rec.data.split import split
from conv4rec.evaluation import Validation
from conv4rec.peers.ours import CONV4REC
from conv4rec.peers.peer import Fitted, Task
from conv4rec.theory.closeness import Closeness, closeness
from conv4rec.theory.plain import PlainSettings, fit_plain
from conv4rec.theory.simple_laws import Empirical, Popularity, fit_pair

World = Literal["low-rank", "neighbourhood"]
Name = Literal["conv4rec", "narrow", "pair", "popularity", "empirical"]
OURS: Name = "conv4rec"
NARROW = (
    "model.embedding_dim=8",
    "model.rating_embedding_dim=8",
    "model.dropout=0.0",
    "train.learning_rate=0.01",
    "experts.neighbours=0",
    "experts.factors=[]",
)
"""The network alone, 8 wide: enough for five tastes, and too little for neighbourhoods. So narrow a network wants no
dropout and longer steps: of three settings tried on a low-rank world these had the best validation likelihood."""


class RecoverySettings(Section):
    """The worlds, how much is drawn from them, and what is fitted."""

    worlds: Annotated[tuple[World, ...], Field(min_length=1)] = ("low-rank", "neighbourhood")
    """low-rank: a few tastes, which the model can tell; neighbourhood: tastes that no few factors can."""
    sizes: Annotated[tuple[Positive, ...], Field(min_length=1)] = (10, 30, 90, 270)
    """Mean numbers of interactions of a user."""
    seeds: Positive = 2
    """Worlds of each kind, each with its own draws and its own training."""
    models: Annotated[tuple[Name, ...], Field(min_length=1)] = (
        "conv4rec",
        "narrow",
        "pair",
        "popularity",
        "empirical",
    )
    """conv4rec: the default model; narrow: its network alone, 8 wide; pair: EASE and biased matrix factorisation;
    popularity: shares of items and of ratings; empirical: what each user did."""
    n_users: Annotated[int, Field(ge=2)] = 500
    """Number of users."""
    n_items: Annotated[int, Field(ge=2)] = 200
    """Number of items."""
    weights: tuple[Weight, ...] = (0.0, 0.1, 1.0, 10.0, 100.0)
    """Weights of the explicit part of the loss that are tried; none: the parts are not re-weighted."""
    weighted_size: Positive = 90
    """Mean number of interactions of a user where the parts are re-weighted, in the first of the worlds."""
    weighted_seeds: Positive = 1
    """Worlds in which they are."""
    widths: tuple[Positive, ...] = (2, 16)
    """Widths of the plain network, one bottleneck for both parts, that is re-weighted beside ours."""


@dataclass(frozen=True)
class Found:
    """How near one fitted model came to the truth.

    Attributes:
        world: kind of tastes.
        seed: of the world, the draws and the training.
        size: mean interactions of a user that were asked for.
        interactions: that were drawn, of all users together.
        model: what was fitted.
        weight: of the explicit part of the loss.
        closeness: distances from the truth.
    """

    world: str
    seed: int
    size: int
    interactions: int
    model: str
    weight: float
    closeness: Closeness


@dataclass(frozen=True)
class Rate:
    """A straight line through logarithms: figure = constant N^exponent.

    Attributes:
        exponent: -1/2 is the rate of a law with a fixed number of parameters.
        error: standard error of the exponent; 0 for a line through two points.
        constant: where N = 1.
    """

    exponent: float
    error: float
    constant: float


Report = Callable[[Found], None]


def recover(settings: RecoverySettings, config: Config | None = None, report: Report | None = None) -> list[Found]:
    """Fit all models at all sizes, in all worlds; `report` hears of each.

    Raises MissingExtraError where `pair` is asked for and Cornac is not installed.
    """
    base = Config() if config is None else config
    return [
        _told(_found(task, world, settings_of, name, fitted), report)
        for settings_of in _cases(settings)
        for world, task in [draw_task(settings, *settings_of, base)]
        for name, fitted in _fit_all(settings.models, task)
    ]


def reweigh(settings: RecoverySettings, config: Config | None = None, report: Report | None = None) -> list[Found]:
    """Weigh the explicit part of the loss differently, in our model and in one whose parts share a bottleneck."""
    base = Config() if config is None else config
    found = []
    for seed in range(settings.weighted_seeds if settings.weights else 0):
        case = (settings.worlds[0], seed, settings.weighted_size)
        world, task = draw_task(settings, *case, base)
        for weight in settings.weights:
            for name, fitted in _fit_weighted(settings.widths, task, weight):
                found.append(_told(_found(task, world, case, name, fitted, weight), report))
    return found


def draw_task(
    settings: RecoverySettings, world: World, seed: int, size: int, config: Config
) -> tuple[Simulation, Task]:
    """A world and what may be learned from it, with the indices of its law.

    Draws are independent (`replace`), so that every interaction, a repeated one too, is of the law p* itself.
    """
    law = SimulatorConfig(
        n_users=settings.n_users,
        n_items=settings.n_items,
        n_interactions=size,
        tastes=world,
        replace=True,
        seed=seed,
    )
    drawn = simulate(law)
    parts = split(drawn.ratings, SplitConfig(validation=config.split.validation, test=0.0, seed=seed))
    known = Interactions.from_ratings(drawn.ratings, drawn.vocabulary)
    train = Interactions.from_ratings(parts.train, drawn.vocabulary)
    validation = Validation.of(parts.validation, drawn.vocabulary)
    return drawn, Task(drawn.ratings.types, train, validation, known, seed, config)


def fit_rate(found: Iterable[Found], figure: str) -> Rate | None:
    """How a figure of a `Closeness` falls with the number of interactions; None where there is no line.

    That is where there are fewer than two numbers of interactions, or where the figure is not finite and positive.
    """
    points = [(each.interactions, getattr(each.closeness, figure)) for each in found]
    N, value = np.array(points, dtype=np.float64).reshape(-1, 2).T
    if len(np.unique(N)) < 2 or not (np.isfinite(value) & (value > 0)).all():
        return None
    line = linregress(np.log(N), np.log(value))
    return Rate(float(line.slope), float(np.nan_to_num(line.stderr)), float(np.exp(line.intercept)))


def _cases(settings: RecoverySettings) -> Iterator[tuple[World, int, int]]:
    """World, seed, size."""
    for world in settings.worlds:
        for seed in range(settings.seeds):
            for size in settings.sizes:
                yield world, seed, size


def _fit_all(models: Sequence[Name], task: Task) -> Iterator[tuple[str, Fitted]]:
    fits: Mapping[Name, Callable[[Task], Fitted]] = {
        "conv4rec": _fit_ours,
        "narrow": lambda task: _fit_ours(replace(task, config=override(task.config, NARROW))),
        "pair": fit_pair,
        "popularity": lambda task: Popularity.fit(task.known, task.types),
        "empirical": lambda task: Empirical(task.types),
    }
    for name in models:
        yield name, fits[name](task)


def _fit_weighted(widths: Sequence[int], task: Task, weight: float) -> Iterator[tuple[str, Fitted]]:
    yield OURS, _fit_ours(replace(task, config=override(task.config, [f"train.rating_weight={weight}"])))
    for width in widths:
        yield f"one bottleneck, {width} wide", fit_plain(task, PlainSettings(width=width, weight=weight))


def _fit_ours(task: Task) -> Fitted:
    return CONV4REC.fit(task, CONV4REC.defaults)


def _found(
    task: Task, world: Simulation, case: tuple[World, int, int], name: str, fitted: Fitted, weight: float = 1.0
) -> Found:
    kind, seed, size = case
    return Found(kind, seed, size, len(task.known), name, weight, closeness(world, fitted, task.known))


def _told(found: Found, report: Report | None) -> Found:
    if report is not None:
        report(found)
    return found
