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
from scipy.special import log_softmax, logsumexp

from conv4rec.config import Positive, Section, Weight
from conv4rec.data.draws import draw_cells, draw_levels, draw_times
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
NEAR = 10
"""Items in the neighbourhood of a favourite, itself among them."""


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
    tastes: Literal["low-rank", "neighbourhood"] = "low-rank"
    """low-rank: a user likes or dislikes each of the tastes. neighbourhood: a user has `rank` favourites and likes the
    ten items nearest to each, which no few factors can tell: what a low-rank model misses. Not for related types."""
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
    types: Literal["ratings", "events", "related"] = "ratings"
    """ratings: every interaction is of one kind. events: view, cart and purchase, of which purchases are rated.
    related: the same three, none of them rated, each after a taste of its own, related as `relation` says."""
    relation: tuple[float, float, float] = (0.1, 0.9, 0.3)
    """For related types: correlation, over users, of the tastes behind purchase and view, purchase and cart, and view
    and cart. By default a cart tells of purchases, and a view of neither."""
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
    """What the law is made of: mixtures (I, F), and the laws of the item (U, I), of its kind (U, I, K), its rating."""

    mixtures: Array
    log_p_consume: Array
    log_p_name: Array
    log_p_rating: Array


def simulate(config: SimulatorConfig | None = None) -> Simulation:
    """Make a world and draw the events of its users; the same settings give the same table.

    Raises DataError for a scale that does not ascend, and for a relation of types that no tastes have.
    """
    settings = SimulatorConfig() if config is None else config
    if any(high <= low for low, high in pairwise(settings.scale)):
        raise DataError(f"rating scale {settings.scale}: expected ascending values")
    generator = np.random.default_rng(settings.seed)
    world = _make_world(settings, generator)
    cells = (world.log_p_consume[:, :, None] + world.log_p_name).reshape(settings.n_users, -1)
    users, drawn = draw_cells(cells, settings.n_interactions, generator, replace=settings.replace)
    items, names = np.divmod(drawn, world.log_p_name.shape[2])
    levels = draw_levels(world.log_p_rating[users, items], generator)
    rated = (names == 0) & (generator.random(len(users)) >= _p_unrated(settings)[levels])
    values = np.where(rated, np.array(settings.scale)[levels], np.nan)
    times = draw_times(users, settings.n_users, generator)
    frame = pl.DataFrame({"user_id": users, "item_id": items, "rating": values, "timestamp": times})
    frame = frame.with_columns(pl.col("rating").fill_nan(None))
    if settings.types != "ratings":
        frame = frame.with_columns(pl.Series("type", np.array(EVENTS)[names].tolist(), dtype=pl.String))
    if settings.types == "related":
        frame = frame.drop("rating")
    ratings = Ratings(frame, _types(settings), "simulated", _side_table(world.mixtures))
    return Simulation(ratings, world.log_p_consume, _log_p_type(world, settings), settings)


def type_relation(config: SimulatorConfig) -> Array:
    """(3, 3) correlation of the tastes behind the kinds of event, in the order of EVENTS; only for related types.

    Raises DataError for correlations that no three tastes have.
    """
    relation = np.eye(len(EVENTS))
    relation[np.triu_indices_from(relation, 1)] = config.relation
    relation = relation + np.triu(relation, 1).T
    if np.abs(relation).max() > 1 or np.linalg.eigvalsh(relation)[0] < 0:
        raise DataError(f"relation {config.relation} of the types: expected the correlations of three tastes")
    return relation


def _make_world(config: SimulatorConfig, generator: np.random.Generator) -> _World:
    if config.types == "related":
        return _related_world(config, generator)
    n_users, n_items, scale = config.n_users, config.n_items, np.array(config.scale)
    mixtures, affinity = _affinity(config, generator)
    user_bias, item_bias = generator.normal(size=(n_users, 1)), generator.normal(size=n_items)
    enjoyment = (1.5 * affinity + user_bias + item_bias) / 2
    popularity = -config.popularity * np.log1p(generator.permutation(n_items))
    log_p_consume = log_softmax(popularity + config.taste * affinity + config.enjoyment * enjoyment, axis=1)
    span = scale[-1] - scale[0]
    expected = scale[0] + span * (0.55 + 0.2 * enjoyment)
    errors = (scale - expected[:, :, None]) / (0.2 * span)
    return _World(mixtures, log_p_consume, _log_p_name(enjoyment, config), log_softmax(-0.5 * errors**2, axis=2))


def _affinity(config: SimulatorConfig, generator: np.random.Generator) -> tuple[Array, Array]:
    """Mixtures (I, F), and how well each item is to the taste of each user (U, I)."""
    if config.tastes == "neighbourhood":
        return _neighbourhoods(config, generator)
    mixtures = generator.dirichlet(np.full(config.rank, 0.3), config.n_items)
    return mixtures, generator.normal(size=(config.n_users, config.rank)) @ mixtures.T


def _neighbourhoods(config: SimulatorConfig, generator: np.random.Generator) -> tuple[Array, Array]:
    """Items are directions in F dimensions; the mixture is their parts. What is near a favourite stands 1.5 above."""
    directions = generator.normal(size=(config.n_items, config.rank))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    near = np.argsort(-directions @ directions.T, axis=1, kind="stable")[:, :NEAR]  # (I, NEAR)
    favourites = generator.integers(0, config.n_items, (config.n_users, config.rank))
    affinity = np.zeros((config.n_users, config.n_items))
    np.put_along_axis(affinity, near[favourites].reshape(config.n_users, -1), 1.5, axis=1)
    return directions**2, affinity - affinity.mean()


def _related_world(config: SimulatorConfig, generator: np.random.Generator) -> _World:
    """log p(i, k) = popularity_i + taste (tastes_k . mixture_i) + constant; the kinds of event are equally frequent."""
    mixtures = generator.dirichlet(np.full(config.rank, 0.3), config.n_items)
    values, vectors = np.linalg.eigh(type_relation(config))
    root = vectors * np.sqrt(values.clip(min=0.0))  # (K, K)
    tastes = root @ generator.normal(size=(config.n_users, len(EVENTS), config.rank))  # (U, K, F)
    popularity = -config.popularity * np.log1p(generator.permutation(config.n_items))
    logits = popularity[:, None] + config.taste * np.einsum("ukf,if->uik", tastes, mixtures)
    log_p_kind = log_softmax(logits, axis=1)  # (U, I, K): of the items, for every kind
    log_p_consume = logsumexp(log_p_kind, axis=2) - np.log(len(EVENTS))
    nothing = np.zeros((*log_p_consume.shape, 1))
    return _World(mixtures, log_p_consume, log_softmax(log_p_kind, axis=2), nothing)


def _log_p_name(enjoyment: Array, config: SimulatorConfig) -> Array:
    """(U, I, K): the law of the kind of event; what will be liked goes from view to cart to purchase."""
    if config.types == "ratings":
        return np.zeros((*enjoyment.shape, 1))
    logits = [-0.5 + enjoyment, np.full_like(enjoyment, 1.0), 0.5 * enjoyment]
    return np.asarray(log_softmax(np.stack(logits, axis=2), axis=2))


def _p_unrated(config: SimulatorConfig) -> Array:
    """(R,): how often an interaction that deserves this rating is left without."""
    share = {"ratings": 0.0, "events": 0.4, "related": 0.0}[config.types] if config.unrated is None else config.unrated
    return share * np.linspace(1.5, 0.5, len(config.scale))


def _log_p_type(world: _World, config: SimulatorConfig) -> Array:
    """(U, I, L): the recorded ratings of the first kind of event, then the kinds that have none."""
    if config.types == "related":
        return world.log_p_name
    recorded = log_softmax(world.log_p_rating + np.log1p(-_p_unrated(config)), axis=2)
    return np.concatenate([world.log_p_name[:, :, :1] + recorded, world.log_p_name[:, :, 1:]], axis=2)


def _types(config: SimulatorConfig) -> InteractionTypes:
    if config.types == "ratings":
        return InteractionTypes.of(config.scale)
    if config.types == "related":
        return InteractionTypes.of((), rated=(), unrated=EVENTS)
    return InteractionTypes.of(config.scale, rated=EVENTS[:1], unrated=EVENTS[1:])


def _side_table(mixtures: Array) -> pl.DataFrame:
    """Titles and tags that tell what an item is to whose taste."""
    n_items, rank = mixtures.shape
    names = [GENRES[f] if f < len(GENRES) else f"Genre {f + 1}" for f in range(rank)]
    width = len(str(n_items - 1))
    titles = [f"{names[f]} {i:0{width}d}" for i, f in enumerate(mixtures.argmax(axis=1))]
    tags = [[names[f] for f in np.argsort(-row, kind="stable") if row[f] >= min(0.25, row.max())] for row in mixtures]
    item_ids = pl.Series("item_id", np.arange(n_items, dtype=np.int64))
    return pl.DataFrame([item_ids, pl.Series("title", titles), pl.Series("tags", tags, dtype=pl.List(pl.String))])
