"""Events drawn from a law: which cells every user draws, and when."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

START, DAY = 1_640_995_200, 86_400
"""Seconds: 1 January 2022, when the simulated world begins, and a day."""
SPREAD = 0.6
"""Standard deviation of the log of a user's number of events."""


def draw_cells(
    cells: Array, n_interactions: int, generator: np.random.Generator, *, replace: bool
) -> tuple[Indices, Indices]:
    """User and cell of every event, (N,) each, by user and in the order of the draws, from (U, n) log-probabilities.

    A user has `n_interactions` of them in the mean, about; log-normal, at least one. With `replace` they are
    independent; without, each is drawn from the cells that are left (Plackett-Luce).
    """
    n_users, n_cells = cells.shape
    counts = np.rint(generator.lognormal(np.log(n_interactions) - SPREAD**2 / 2, SPREAD, n_users))
    counts = np.clip(counts, 1, None if replace else n_cells).astype(np.int64)
    users = np.repeat(np.arange(n_users), counts)
    if replace:
        cumulative = np.cumsum(np.exp(cells), axis=1)
        cumulative = cumulative / cumulative[:, -1:] + np.arange(n_users)[:, None]  # one ascending line of all users
        places = np.searchsorted(cumulative.ravel(), users + generator.random(len(users)), side="right")
        return users, np.minimum(places - users * n_cells, n_cells - 1)
    order = np.argsort(-(cells + generator.gumbel(size=cells.shape)), axis=1)  # Plackett-Luce by the Gumbel trick
    return users, order[np.arange(n_cells) < counts[:, None]]


def draw_levels(log_p: Array, generator: np.random.Generator) -> Indices:
    """(N,) a level drawn from every row of (N, R) log-probabilities."""
    cumulative = np.cumsum(np.exp(log_p), axis=1)
    beyond = generator.random((len(log_p), 1)) >= cumulative[:, :-1]
    return np.asarray(np.count_nonzero(beyond, axis=1), dtype=np.int64)


def draw_times(users: Indices, n_users: int, generator: np.random.Generator) -> Indices:
    """(N,) seconds, ascending for each user: a start within a year, then an event every half day or so."""
    gaps = 1 + np.floor(generator.exponential(DAY / 2, len(users))).astype(np.int64)
    elapsed = np.cumsum(gaps)
    first = np.flatnonzero(np.diff(users, prepend=-1))
    starts = START + generator.integers(0, 365 * DAY, n_users)
    return np.asarray(elapsed + (starts - elapsed[first])[users])
