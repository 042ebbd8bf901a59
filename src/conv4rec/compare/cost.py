"""What a model costs: memory of this process, users scored in a second."""

import sys
from pathlib import Path
from time import perf_counter

import numpy as np

from conv4rec.evaluation import Validation
from conv4rec.peers.peer import Fitted
from conv4rec.predictions import Predictions, users_per_batch
from conv4rec.vocabulary import InteractionTypes

SECONDS = 20.0
"""Scoring is timed for about this long at most."""


def peak_memory() -> int | None:
    """Largest resident memory of this process so far, in bytes; None where the system does not tell (Windows).

    Linux counts it as VmHWM, from the start of the program. `ru_maxrss`, which is taken elsewhere, may count what the
    parent process held when it started this one. It is in bytes on macOS, in KiB on other systems.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def users_per_second(fitted: Fitted, types: InteractionTypes, asked: Validation, *, memory_mb: int) -> float:
    """How many of the users who are asked about are scored over the whole catalogue in a second.

    A score is what a list is made of: p_consume, or, where the model makes no claim on it, the expected rating. All
    users are scored, in batches as in `evaluate`; after 20 seconds no further batch begins.
    """
    users = np.flatnonzero(asked.targets.counts)
    size = users_per_batch(asked.targets.n_items, types.n_types, memory_mb=memory_mb)
    started, n_scored = perf_counter(), 0
    for start in range(0, len(users), size):
        batch = users[start : start + size]
        _score(fitted.predict(batch, asked.history.select(batch)), with_consume="consume" in fitted.claims)
        n_scored += len(batch)
        if perf_counter() - started > SECONDS:
            break
    return n_scored / (perf_counter() - started)


def _score(predictions: Predictions, *, with_consume: bool) -> float:
    """Ask for every score, so that what is computed on demand is computed."""
    if with_consume:
        return float(predictions.log_p_consume.sum())
    return float(predictions.p_rating_grid().sum())
