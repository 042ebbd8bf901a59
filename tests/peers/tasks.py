"""Small tasks for peers, and what lets the contract of predictors look at a fitted one."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from conv4rec.config import make_config
from conv4rec.data.interactions import Interactions
from conv4rec.evaluation import Validation
from conv4rec.peers.peer import Fitted, Task
from conv4rec.predictions import Predictions
from conv4rec.vocabulary import InteractionTypes

STARS = InteractionTypes.of([1.0, 2.0, 3.0, 4.0, 5.0])
SHOP = InteractionTypes.of([1.0, 2.0, 3.0], rated=["purchase"], unrated=["view"])
CLICKS = InteractionTypes.of([], rated=[], unrated=["click"])
N_USERS, N_ITEMS = 40, 25
NEVER = N_ITEMS - 1
"""An item that nobody takes."""
NOBODY = N_USERS - 1
"""A user who takes nothing."""
SMALL = make_config(
    {
        "model": {"embedding_dim": 8, "rating_embedding_dim": 4, "channels": 2},
        "train": {"epochs": 3, "batch_size": 16, "device": "cpu"},
    }
)


def make(users: NDArray[np.integer], items: NDArray[np.integer], channels: NDArray[np.integer]) -> Interactions:
    """Triples of the small world."""
    columns = users.astype(np.int32), items.astype(np.int32), channels.astype(np.uint8)
    return Interactions.from_triples(*columns, n_users=N_USERS, n_items=N_ITEMS)


def checkerboard(types: InteractionTypes) -> Interactions:
    """Even users take even items, odd ones odd items, three of four.

    Even users give the first half of the items the highest rating and the others the lowest, odd users the reverse,
    and where ratings may be missing one in ten is.
    """
    generator = np.random.default_rng(0)
    users, items = np.meshgrid(np.arange(NOBODY), np.arange(NEVER), indexing="ij")
    taken = ((users + items) % 2 == 0) & (generator.random(users.shape) < 0.75)
    users, items = users[taken], items[taken]
    is_liked = (items < N_ITEMS // 2) == (users % 2 == 0)
    channels = np.where(is_liked, max(types.n_levels - 1, 0), 0)
    without = types.n_channels - 1 if types.partial else 0
    return make(users, items, np.where(generator.random(len(users)) < 0.1, without, channels))


def make_task(types: InteractionTypes, *, seed: int = 0) -> Task:
    """A fifth of the checkerboard is held out for validation."""
    known = checkerboard(types)
    held_out = np.random.default_rng(1).random(len(known)) < 0.2
    train = known.keep(~held_out)
    return Task(types, train, Validation(train, known.keep(held_out)), known, seed, SMALL)


def while_searching(task: Task) -> Task:
    """Nothing is known beyond train."""
    return replace(task, known=task.train)


@dataclass(frozen=True)
class ByHistory:
    """A fitted model as a Predictor: for those that take histories, whoever the user is."""

    fitted: Fitted
    types: InteractionTypes

    def predict(self, histories: Interactions) -> Predictions:
        return self.fitted.predict(np.arange(histories.n_users), histories)


def share_of_own_colour(fitted: Fitted, known: Interactions) -> float:
    """Mean share, of the probability of new items, that lies on those of the user's colour; 0.5 by chance."""
    users = np.arange(NOBODY)
    p = np.exp(fitted.predict(users, known.select(users)).log_p_consume[:, :NEVER])
    rows = known.users < NOBODY
    p[known.users[rows], known.items[rows]] = 0.0
    own = (users[:, None] + np.arange(NEVER)) % 2 == 0
    return float(((p * own).sum(axis=1) / p.sum(axis=1)).mean())


def ratings_by_taste(fitted: Fitted, task: Task) -> tuple[float, float]:
    """Mean expected rating of the held-out items that were liked, and of the others, given train."""
    targets = task.validation.targets
    users = np.arange(N_USERS)
    expected = fitted.predict(users, task.train).expected_rating(targets.users, targets.items)
    ratings = task.types.channel_ratings[targets.channels]
    return float(expected[ratings == ratings[~np.isnan(ratings)].max()].mean()), float(expected[ratings == 1.0].mean())
