"""A simulated online phase: models are shown to users, who respond by the truth; logged as a real system would.

Source: ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from conv4rec.config import Positive, Section
from conv4rec.data.drift import Life, World
from conv4rec.data.interactions import Interactions
from conv4rec.data.timeline import Timeline
from conv4rec.metrics.ranking import top_k
from conv4rec.predictions import Floats

Array = NDArray[np.float64]
Recommend = Callable[[NDArray[np.int64], Interactions], Floats]
"""From users (B,) and their histories to scores (B, I); the highest are shown."""

GLANCE = 60.0
"""Mean seconds until a user takes something from a list, or turns away from it."""


class OnlineConfig(Section):
    """How recommendations are shown and answered."""

    k: Positive = 10
    """Length of a shown list."""
    response: Literal["liking", "full"] = "liking"
    """liking: a shown item is taken for what the user thinks of it alone, because the list has done the discovery.
    full: by the law of what users do by themselves, so that popular items are taken more often when shown, too."""
    list_at: Literal["start", "end"] = "end"
    """When the list is shown on a visit: before the user takes items by themselves, so that some of these are on the
    list by chance and count for it in iCTR, or after that."""
    resistance: Annotated[float, Field(gt=0.0)] = 0.5
    """Weight of taking nothing, relative to that of all items that could be shown to the user, together."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the assignment to models and of the responses."""


@dataclass(frozen=True)
class OnlinePhase:
    """What was logged, and the truth behind it: V visits, M models.

    Attributes:
        shown: `user_id`, `timestamp`, `item_id` (a list) and `model`, a row per visit, as `online.ictr` takes it.
        interactions: `user_id`, `item_id`, `timestamp`: everything users did in the phase, from a list or not.
        models: the names, in the order of the columns of `p_taken`.
        p_taken: (V, M) the probability that the user takes something from the list of each model, had that been shown
            on the visit. No real system knows it.
    """

    shown: pl.DataFrame
    interactions: pl.DataFrame
    models: tuple[str, ...]
    p_taken: Array


def run_online(
    world: World, past: Timeline, models: Mapping[str, Recommend], config: OnlineConfig | None = None
) -> OnlinePhase:
    """Live through the online days: on every visit a model drawn at random shows a list.

    The list has the k best items that have arrived and that the user has not taken. The user takes one of them or none:
    an item by its weight exp(liking), or exp(discovery + liking) for the full response, and nothing by `resistance`
    times the weight of all items that could have been shown. Before or after that they take items by themselves, as in
    the past. The models stay as they are, the histories they are given grow, also by what other models have shown.
    """
    settings = OnlineConfig() if config is None else config
    life = Life(world, np.random.default_rng([world.config.seed, 3, settings.seed]), past)
    first = world.config.n_days
    days = [_live_day(life, day, models, settings) for day in range(first, first + world.config.n_online_days)]
    users, items, times = life.events
    return OnlinePhase(
        pl.concat([shown for shown, _ in days]),
        pl.DataFrame({"user_id": users, "item_id": items, "timestamp": times}),
        tuple(models),
        np.concatenate([p_taken for _, p_taken in days]),
    )


def _live_day(
    life: Life, day: int, models: Mapping[str, Recommend], config: OnlineConfig
) -> tuple[pl.DataFrame, Array]:
    """What was shown on a day, and the (V, M) truth."""
    users, times = life.start_visits(day)
    if config.list_at == "end":
        times = life.take_by_themselves(day, users, times) + 1
    shown, p_taken, after = _show(life, day, users, times, models=models, config=config)
    if config.list_at == "start":
        life.take_by_themselves(day, users, after)
    return shown, p_taken


def _show(
    life: Life,
    day: int,
    users: NDArray[np.int64],
    times: NDArray[np.int64],
    *,
    models: Mapping[str, Recommend],
    config: OnlineConfig,
) -> tuple[pl.DataFrame, Array, NDArray[np.int64]]:
    """The log of the lists, the (V, M) truth, and the (V,) second at which each user is done with the list."""
    allowed = life.open_items(day, users)
    weights = _weights(life.world, day, users, config) * allowed
    lists = _lists(life.histories(users), users, allowed, models, config.k)  # (V, M, K)
    gains = _gains(weights, lists)  # (V, M, K)
    gain = gains.sum(axis=2)
    p_taken = gain / np.maximum(gain + config.resistance * weights.sum(axis=1, keepdims=True), 1e-300)
    rows, assigned = np.arange(len(users)), life.generator.integers(0, len(models), len(users))
    after = times + 1 + np.floor(life.generator.exponential(GLANCE, len(users))).astype(np.int64)
    takes = life.generator.random(len(users)) < p_taken[rows, assigned]
    shown = lists[rows, assigned]
    choice = _draw(gains[rows, assigned][takes], life.generator)
    life.write(users[takes], shown[takes, choice].astype(np.int64), after[takes])
    return _log(users, times, shown, np.array(list(models))[assigned]), p_taken, after


def _weights(world: World, day: int, users: NDArray[np.int64], config: OnlineConfig) -> Array:
    """(V, I) what the response is proportional to; the largest of a user is 1."""
    logits = world.liking(day, users)
    if config.response == "full":
        logits = logits + world.discovery[day]
    return np.asarray(np.exp(logits - logits.max(axis=1, keepdims=True)))


def _lists(
    histories: Interactions,
    users: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    models: Mapping[str, Recommend],
    k: int,
) -> NDArray[np.int32]:
    """(V, M, K) what every model would show, -1 where there are fewer items."""
    scores = (np.where(allowed, recommend(users, histories), -np.inf) for recommend in models.values())
    return np.stack([top_k(found, k) for found in scores], axis=1)


def _gains(weights: Array, lists: NDArray[np.int32]) -> Array:
    """(V, M, K) the weight of every item of a list; 0 for none."""
    rows = np.arange(len(weights))[:, None, None]
    return np.where(lists >= 0, weights[rows, lists], 0.0)


def _draw(weights: Array, generator: np.random.Generator) -> NDArray[np.int64]:
    """(N,) a column of every row, with probability proportional to its weight."""
    cumulative = np.cumsum(weights, axis=1)
    drawn = generator.random((len(weights), 1)) * (1 - 1e-15) * cumulative[:, -1:]  # below the last for certain
    return np.asarray(np.count_nonzero(drawn >= cumulative, axis=1))


def _log(
    users: NDArray[np.int64], times: NDArray[np.int64], shown: NDArray[np.int32], names: NDArray[np.str_]
) -> pl.DataFrame:
    lists = [items[items >= 0].tolist() for items in shown]
    item_id = pl.Series("item_id", lists, dtype=pl.List(pl.Int64))
    return pl.DataFrame({"user_id": users, "timestamp": times, "item_id": item_id, "model": names.tolist()})
