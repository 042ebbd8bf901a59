"""A world that moves: tastes and popularity drift, items arrive, and what users come upon is not what they like.

Source: ours. It stands in for the years of logs and the live traffic that a study of model selection needs, with the
truth known. Days count from 0; the first `n_days` are the past, what follows is the online phase.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from conv4rec.config import Positive, Section, Weight
from conv4rec.data.draws import DAY, START
from conv4rec.data.interactions import Interactions
from conv4rec.data.timeline import Timeline
from conv4rec.vocabulary import InteractionTypes

Array = NDArray[np.float64]
Memory = Annotated[float, Field(gt=0.0)] | None

TYPES = InteractionTypes.of([], rated=(), unrated=(None,))
"""An interaction is a fact and nothing else."""
OPENS, CLOSES = 8 * 3600, 22 * 3600
"""Seconds of the day between which visits begin."""
PAUSE = 120.0
"""Mean seconds from one interaction of a visit to the next."""


class DriftConfig(Section):
    """The size and the law of a world that moves."""

    n_users: Positive = 1000
    """Number of users."""
    n_items: Positive = 300
    """Number of items."""
    n_days: Positive = 90
    """Days of the past."""
    n_online_days: Positive = 30
    """Days of the online phase that follows."""
    visits: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    """Mean probability that a user comes on a day; log-normal over users."""
    per_visit: Annotated[float, Field(ge=1.0)] = 4.0
    """Mean number of interactions that a user has by themselves on a visit; one and a Poisson number more."""
    rank: Positive = 5
    """Number of tastes: an item is a mixture of them, a user likes or dislikes each."""
    popularity: Weight = 0.8
    """Exponent of the power law of discovery: how unequally users come upon items by themselves."""
    taste: Weight = 1.5
    """How much more users take what is to their taste, in nats per standard deviation of a taste."""
    appeal: Weight = 0.5
    """How much items differ in what everybody likes, in nats per standard deviation; not related to popularity."""
    taste_memory: Memory = None
    """Days after which a taste is correlated 1/e with itself; None: tastes stay."""
    popularity_memory: Memory = None
    """Days after which the place of an item in the order of popularity is correlated 1/e; None: it stays."""
    arrivals: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the items that arrive at some time of the past or the online phase; the others are there at once."""
    newcomers: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the users who are new at some time of the past or the online phase; the others come from the start."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the world and of what users do by themselves in the past."""


@dataclass(frozen=True)
class World:
    """The truth, day by day: T days (past and online), U users, I items, F tastes.

    A user who comes on a day takes items by themselves from softmax(discovery + liking), over the items that have
    arrived and that the user has not taken yet. Discovery is what the user comes upon: the same for all users, and in
    the past the cause of popularity bias. Liking is what they think of it: mixtures times taste, plus appeal.

    Attributes:
        config: the settings.
        mixtures: (I, F) what an item is; rows sum to one.
        appeal: (I,) nats.
        arrival: (I,) first day on which an item is there.
        tastes: (T, U, F) nats.
        discovery: (T, I) nats, before normalisation.
        visits: (T, U) whether a user comes.
    """

    config: DriftConfig
    mixtures: Array
    appeal: Array
    arrival: NDArray[np.int64]
    tastes: Array
    discovery: Array
    visits: NDArray[np.bool_]

    def liking(self, day: int, users: NDArray[np.integer]) -> Array:
        """(B, I) nats."""
        return np.asarray(self.tastes[day, users] @ self.mixtures.T + self.appeal)


def make_world(config: DriftConfig | None = None) -> World:
    """Draw a world; the same settings give the same one."""
    settings = DriftConfig() if config is None else config
    generator = np.random.default_rng([settings.seed, 1])
    n_users, n_items, n_days = settings.n_users, settings.n_items, settings.n_days + settings.n_online_days
    mixtures = generator.dirichlet(np.full(settings.rank, 0.3), n_items)
    appeal = settings.appeal * generator.normal(size=n_items)
    arrival = _first_days(generator, n_items, settings.arrivals, n_days)
    tastes = settings.taste * _walk(generator, (n_users, settings.rank), n_days, settings.taste_memory)
    fame = _walk(generator, (n_items,), n_days, settings.popularity_memory)
    places = np.argsort(np.argsort(-fame, axis=1), axis=1)  # the law of popularity stays, items change places in it
    often = np.minimum(settings.visits * generator.lognormal(-0.18, 0.6, n_users), 1.0)
    visits = generator.random((n_days, n_users)) < often
    visits &= np.arange(n_days)[:, None] >= _first_days(generator, n_users, settings.newcomers, n_days)
    return World(settings, mixtures, appeal, arrival, tastes, -settings.popularity * np.log1p(places), visits)


def _first_days(generator: np.random.Generator, n: int, late: float, n_days: int) -> NDArray[np.int64]:
    """(n,) the day from which each of n is there: any day for a share of them, the first for the others."""
    return np.where(generator.random(n) < late, generator.integers(0, n_days, n), 0)


def _walk(generator: np.random.Generator, shape: tuple[int, ...], n_days: int, memory: float | None) -> Array:
    """(n_days, *shape) standard normal every day, with correlation exp(-days / memory)."""
    keep = 1.0 if memory is None else float(np.exp(-1.0 / memory))
    path = np.empty((n_days, *shape))
    path[0] = generator.normal(size=shape)
    for day in range(1, n_days):
        step = 0.0 if memory is None else np.sqrt(1 - keep**2) * generator.normal(size=shape)
        path[day] = keep * path[day - 1] + step
    return path


class Life:
    """Users living through days: what each has taken so far, and everything written down with its time."""

    def __init__(self, world: World, generator: np.random.Generator, past: Timeline | None = None) -> None:
        self.world, self.generator = world, generator
        self.taken = np.zeros((world.config.n_users, world.config.n_items), dtype=bool)
        self._events: list[NDArray[np.int64]] = []
        if past is not None:
            self.taken[past.interactions.users, past.interactions.items] = True

    def start_visits(self, day: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(B,) the users who come on a day, and the second since 1970 at which each does."""
        users = np.flatnonzero(self.world.visits[day])
        return users, START + day * DAY + self.generator.integers(OPENS, CLOSES, len(users))

    def open_items(self, day: int, users: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(B, I) the items that have arrived and that the user has not taken."""
        return np.asarray((self.world.arrival <= day) & ~self.taken[users])

    def histories(self, users: NDArray[np.int64]) -> Interactions:
        """What users have taken so far, row for row, by item."""
        rows, items = np.nonzero(self.taken[users])
        kinds = np.zeros(len(rows), dtype=np.uint8)
        indptr = np.searchsorted(rows, np.arange(len(users) + 1))
        return Interactions(indptr, items.astype(np.int32), kinds, self.taken.shape[1])

    def write(self, users: NDArray[np.int64], items: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Users take items."""
        self.taken[users, items] = True
        self._events.append(np.stack([users, items, times]))

    def take_by_themselves(self, day: int, users: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """What these users do on a visit: items without replacement (Plackett-Luce), a pause before each.

        Returns the (B,) second at which each is done.
        """
        logits = self.world.discovery[day] + self.world.liking(day, users)
        logits[~self.open_items(day, users)] = -np.inf
        counts = 1 + self.generator.poisson(self.world.config.per_visit - 1, len(users))
        keys = logits + self.generator.gumbel(size=logits.shape)
        order = np.argsort(-keys, axis=1)[:, : counts.max(initial=1)]
        pauses = 1 + np.floor(self.generator.exponential(PAUSE, order.shape)).astype(np.int64)
        times = starts[:, None] + np.cumsum(pauses, axis=1)
        happens = np.arange(order.shape[1]) < counts[:, None]
        happens &= np.take_along_axis(logits, order, axis=1) > -np.inf
        rows, places = np.nonzero(happens)
        self.write(users[rows], order[rows, places], times[rows, places])
        return np.asarray(np.where(happens, times, starts[:, None]).max(axis=1, initial=0))

    @property
    def events(self) -> NDArray[np.int64]:
        """(3, N) user, item and time of what was written down, in that order; not the past that was given."""
        return np.concatenate([np.zeros((3, 0), dtype=np.int64), *self._events], axis=1)


def live_past(world: World) -> Timeline:
    """What users do by themselves in the days of the past; the same world gives the same."""
    life = Life(world, np.random.default_rng([world.config.seed, 2]))
    for day in range(world.config.n_days):
        life.take_by_themselves(day, *life.start_visits(day))
    users, items, times = life.events
    interactions = Interactions.from_triples(
        users.astype(np.int32),
        items.astype(np.int32),
        np.zeros(len(users), dtype=np.uint8),
        n_users=world.config.n_users,
        n_items=world.config.n_items,
    )
    return Timeline(interactions, times[np.argsort(users, kind="stable")])
