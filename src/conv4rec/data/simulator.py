"""A world whose law is known: simulated users, items and ratings, and the true probability of each of them.

Source: ours. It is what recovery (METHOD.md section 2, property 5) is checked against.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import log_softmax

from conv4rec.config import Positive, Section, Weight
from conv4rec.data.ratings import Ratings
from conv4rec.errors import DataError
from conv4rec.ids import Ids
from conv4rec.vocabulary import InteractionTypes, Vocabulary

Array = NDArray[np.float64]

GENRES = (
    "Drama",
    "Comedy",
    "Thriller",
    "Adventure",
    "Romance",
    "Horror",
    "Documentary",
    "Animation",
    "Crime",
    "Fantasy",
)
EVENTS = ("purchase", "view", "cart")
START, DAY = 1_640_995_200, 86_400
"""Seconds: 1 January 2022, when the simulated world begins, and a day."""


class SimulatorConfig(Section):
    """The size and the law of a simulated world."""

    n_users: Positive = 1000
    """Number of users."""
    n_items: Positive = 500
    """Number of items."""
    n_interactions: Positive = 50
    """Mean number of interactions of a user, about; log-normal, at least one."""
    rank: Positive = 5
    """Number of tastes: an item is a mixture of them, a user likes or dislikes each."""
    scale: Annotated[tuple[float, ...], Field(min_length=2)] = (1.0, 2.0, 3.0, 4.0, 5.0)
    """The rating values, ascending."""
    popularity: Weight = 0.8
    """Exponent of the power law of popularity; 0 makes all items equally known."""
    taste: Weight = 1.5
    """How much more often users take what is to their taste, in nats per standard deviation."""
    enjoyment: Weight = 0.5
    """How much more often users take what they will rate highly, in nats per standard deviation: ratings are missing
    not at random. 0: what is rated says nothing beyond taste about how it is rated."""
    unrated: Annotated[float, Field(ge=0.0, lt=0.6)] | None = None
    """Share of interactions left without a rating, about: half as many of the best liked, half more of the least.
    None: 0 for ratings, 0.4 of the purchases for events."""
    types: Literal["ratings", "events"] = "ratings"
    """ratings: every interaction is of one kind. events: view, cart and purchase, of which purchases are rated."""
    replace: bool = False
    """False: a user takes each item once (has each event of an item once). True: events are independent draws."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the world and of the draws."""


@dataclass(frozen=True)
class Simulation:
    """Simulated ratings and the law p*(item, type | user) they were drawn from.

    Ids are the indices of the arrays: user_id 0..U-1, item_id 0..I-1. Memory is about 8 U I (L + 1) bytes, a few times
    that while drawing.

    Attributes:
        ratings: the events in the order they happened to each user, with time stamps, titles and tags.
        log_p_consume: (U, I) log-probability that the next event of the user is with the item.
        log_p_type: (U, I, L) log-probability of its type. A rating means one that is recorded: where interactions go
            unrated (`unrated` > 0) more often when they are disliked, this is the law of the ratings that are given.
        config: the settings.

    With `replace` the events of a user are independent draws from this law. Without, an event (item and type name)
    happens once: each next one is drawn from the law restricted to those that have not happened (Plackett-Luce).
    """

    ratings: Ratings
    log_p_consume: Array
    log_p_type: Array
    config: SimulatorConfig

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """All users and items of the world, drawn or not, so that indices are those of the law."""
        users, items = (pl.Series(np.arange(n, dtype=np.int64)) for n in self.log_p_consume.shape)
        return Vocabulary(Ids.fit(users, kind="user"), Ids.fit(items, kind="item"), self.ratings.types)


@dataclass(frozen=True)
class _World:
    """What the law is made of: mixtures (I, F), and the (U, I) laws and standardised enjoyment."""

    mixtures: Array
    log_p_consume: Array
    log_p_rating: Array
    enjoyment: Array


def simulate(config: SimulatorConfig | None = None) -> Simulation:
    """Make a world and draw the events of its users; the same settings give the same table.

    Raises DataError for a scale that does not ascend.
    """
    settings = SimulatorConfig() if config is None else config
    if any(high <= low for low, high in pairwise(settings.scale)):
        raise DataError(f"rating scale {settings.scale}: expected ascending values")
    generator = np.random.default_rng(settings.seed)
    world = _make_world(settings, generator)
    log_p_name = _log_p_name(world, settings)
    cells = (world.log_p_consume[:, :, None] + log_p_name).reshape(settings.n_users, -1)
    users, drawn = _draw_cells(cells, settings, generator)
    items, names = np.divmod(drawn, log_p_name.shape[2])
    levels = _draw_levels(world.log_p_rating[users, items], generator)
    rated = (names == 0) & (generator.random(len(users)) >= _p_unrated(settings)[levels])
    values = np.where(rated, np.array(settings.scale)[levels], np.nan)
    times = _draw_times(users, settings.n_users, generator)
    frame = pl.DataFrame({"user_id": users, "item_id": items, "rating": values, "timestamp": times})
    frame = frame.with_columns(pl.col("rating").fill_nan(None))
    if settings.types == "events":
        frame = frame.with_columns(pl.Series("type", np.array(EVENTS)[names].tolist(), dtype=pl.String))
    ratings = Ratings(frame, _types(settings), "simulated", _side_table(world.mixtures))
    return Simulation(ratings, world.log_p_consume, _log_p_type(world, log_p_name, settings), settings)


def _make_world(config: SimulatorConfig, generator: np.random.Generator) -> _World:
    n_users, n_items, scale = config.n_users, config.n_items, np.array(config.scale)
    mixtures = generator.dirichlet(np.full(config.rank, 0.3), n_items)
    affinity = generator.normal(size=(n_users, config.rank)) @ mixtures.T
    user_bias, item_bias = generator.normal(size=(n_users, 1)), generator.normal(size=n_items)
    enjoyment = (1.5 * affinity + user_bias + item_bias) / 2
    popularity = -config.popularity * np.log1p(generator.permutation(n_items))
    log_p_consume = log_softmax(popularity + config.taste * affinity + config.enjoyment * enjoyment, axis=1)
    span = scale[-1] - scale[0]
    expected = scale[0] + span * (0.55 + 0.2 * enjoyment)
    errors = (scale - expected[:, :, None]) / (0.2 * span)
    return _World(mixtures, log_p_consume, log_softmax(-0.5 * errors**2, axis=2), enjoyment)


def _log_p_name(world: _World, config: SimulatorConfig) -> Array:
    """(U, I, K): the law of the kind of event; what will be liked goes from view to cart to purchase."""
    if config.types == "ratings":
        return np.zeros((*world.enjoyment.shape, 1))
    logits = [-0.5 + world.enjoyment, np.full_like(world.enjoyment, 1.0), 0.5 * world.enjoyment]
    return np.asarray(log_softmax(np.stack(logits, axis=2), axis=2))


def _p_unrated(config: SimulatorConfig) -> Array:
    """(R,): how often an interaction that deserves this rating is left without."""
    share = {"ratings": 0.0, "events": 0.4}[config.types] if config.unrated is None else config.unrated
    return share * np.linspace(1.5, 0.5, len(config.scale))


def _log_p_type(world: _World, log_p_name: Array, config: SimulatorConfig) -> Array:
    """(U, I, L): the recorded ratings of the first kind of event, then the kinds that have none."""
    recorded = log_softmax(world.log_p_rating + np.log1p(-_p_unrated(config)), axis=2)
    return np.concatenate([log_p_name[:, :, :1] + recorded, log_p_name[:, :, 1:]], axis=2)


def _types(config: SimulatorConfig) -> InteractionTypes:
    if config.types == "ratings":
        return InteractionTypes.of(config.scale)
    return InteractionTypes.of(config.scale, rated=EVENTS[:1], unrated=EVENTS[1:])


def _draw_cells(
    cells: Array, config: SimulatorConfig, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """User and cell of every event, (N,) each, by user and in the order of the draws, from (U, n) log-probabilities."""
    n_users, n_cells = cells.shape
    spread = 0.6
    counts = np.rint(generator.lognormal(np.log(config.n_interactions) - spread**2 / 2, spread, n_users))
    counts = np.clip(counts, 1, None if config.replace else n_cells).astype(np.int64)
    users = np.repeat(np.arange(n_users), counts)
    if config.replace:
        cumulative = np.cumsum(np.exp(cells), axis=1)
        cumulative = cumulative / cumulative[:, -1:] + np.arange(n_users)[:, None]  # one ascending line of all users
        places = np.searchsorted(cumulative.ravel(), users + generator.random(len(users)), side="right")
        return users, np.minimum(places - users * n_cells, n_cells - 1)
    order = np.argsort(-(cells + generator.gumbel(size=cells.shape)), axis=1)  # Plackett-Luce by the Gumbel trick
    return users, order[np.arange(n_cells) < counts[:, None]]


def _draw_levels(log_p: Array, generator: np.random.Generator) -> NDArray[np.int64]:
    """(N,) a level drawn from every row of (N, R) log-probabilities."""
    cumulative = np.cumsum(np.exp(log_p), axis=1)
    beyond = generator.random((len(log_p), 1)) >= cumulative[:, :-1]
    return np.asarray(np.count_nonzero(beyond, axis=1), dtype=np.int64)


def _draw_times(users: NDArray[np.int64], n_users: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """(N,) seconds, ascending for each user: a start within a year, then an event every half day or so."""
    gaps = 1 + np.floor(generator.exponential(DAY / 2, len(users))).astype(np.int64)
    elapsed = np.cumsum(gaps)
    first = np.flatnonzero(np.diff(users, prepend=-1))
    starts = START + generator.integers(0, 365 * DAY, n_users)
    return np.asarray(elapsed + (starts - elapsed[first])[users])


def _side_table(mixtures: Array) -> pl.DataFrame:
    """Titles and tags that tell what an item is to whose taste."""
    n_items, rank = mixtures.shape
    names = [GENRES[f] if f < len(GENRES) else f"Genre {f + 1}" for f in range(rank)]
    width = len(str(n_items - 1))
    titles = [f"{names[f]} {i:0{width}d}" for i, f in enumerate(mixtures.argmax(axis=1))]
    tags = [[names[f] for f in np.argsort(-row, kind="stable") if row[f] >= min(0.25, row.max())] for row in mixtures]
    item_ids = pl.Series("item_id", np.arange(n_items, dtype=np.int64))
    return pl.DataFrame([item_ids, pl.Series("title", titles), pl.Series("tags", tags, dtype=pl.List(pl.String))])
