"""Evaluation event by event: every interaction is asked about from the profile that its moment allows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from conv4rec.config import EvaluateConfig
from conv4rec.data.interactions import Interactions
from conv4rec.data.timeline import Line, Profiles, Timeline
from conv4rec.errors import DataError, QueryError
from conv4rec.metrics.bootstrap import Sums, Totals, Weights, interval
from conv4rec.metrics.timed import NEVER, inverse_popularity, ranks_of, weighted_hits
from conv4rec.predictions import Predictions
from conv4rec.vocabulary import InteractionTypes

Predict = Callable[[NDArray[np.intp], Interactions], Predictions]
Array = NDArray[np.float64]

BETAS = tuple(step / 10 for step in range(11))
PER_SUMMARY = 1 << 17
"""Interactions whose weights are summed at a time, about."""


class Point(NamedTuple):
    """One value of recall@K^beta; `_asdict()` of its first four fields is a `records.RecallBeta`.

    Attributes:
        k: length of the list.
        beta: how strongly popular items are discounted; 0: plain recall.
        time_aware: True for LLOO, profiles of strictly earlier interactions; False for LOO, all others.
        value: between 0 and 1.
        interval: by bootstrap over users; None where none was asked for.
    """

    k: int
    beta: float
    time_aware: bool
    value: float
    interval: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """Such as `recall@10^0.3_lloo`."""
        return f"recall@{self.k}^{self.beta:g}_{'lloo' if self.time_aware else 'loo'}"


@dataclass(frozen=True)
class TimedReport:
    """What was measured event by event.

    Attributes:
        points: the grid: LLOO then LOO, within each by k and then by beta.
        counts: `interactions` scored, `users` who have any, `users_without_targets`; `unpopular`: scored interactions
            with items that have no reference interaction; `unreachable`: those that LLOO can never hit, because the
            item is in the profile of earlier interactions already, or the predictor gives it no probability.
        notes: denominators and rules, one sentence each.
        replicates: name of a point -> (n,) values on users drawn again; same users and same seed pair two reports.
    """

    points: tuple[Point, ...]
    counts: dict[str, int]
    notes: tuple[str, ...]
    replicates: dict[str, Array] = field(default_factory=dict, repr=False, compare=False)

    @property
    def metrics(self) -> dict[str, float]:
        """Name of a point -> value."""
        return {point.name: point.value for point in self.points}


def evaluate_over_time(
    predict: Predict,
    types: InteractionTypes,
    history: Timeline,
    targets: Timeline,
    config: EvaluateConfig | None = None,
    *,
    betas: Sequence[float] = BETAS,
    reference: Interactions | None = None,
) -> TimedReport:
    """recall@K^beta of every target, with and without time, for a grid of K and beta in one pass.

    Each target (i, t) of a user is asked about twice: from the user's interactions strictly before t (LLOO; equal times
    are not before; the first has an empty profile), and from all the user's interactions with other items, later ones
    as well (LOO). Profiles draw on `history` and `targets` alike, so that a target is known to those after it; only
    targets are scored. The rank of the item among all items outside the profile is found once, and every K and beta
    follows from it. An item that is in the profile already cannot be hit under LLOO, and stays in the denominator.

    The predictor must not have learned from what it is asked here, or, where it has (LOO inside the training data),
    the figure is to be read as such: nothing of this can be seen from here.

    Args:
        predict: from users (B,) and their profiles, row for row, to a law; a user may occur in several rows.
        types: what the channels are.
        history: known, not scored; may be empty.
        targets: scored; of the same users and items. With `config.relevant`, those rated lower are only known.
        config: `k`, `relevant`, `bootstrap`, `confidence`, `seed` and `memory_mb` are used.
        betas: exponents, not negative.
        reference: its interactions are counted for the popularity p(i), as of the training data; None: `history`. An
            item without any counts as one with a single interaction.

    Raises:
        DataError: no target, or tables of different users or items.
        QueryError: no beta, or one that is negative or not finite.

    Source: METHOD.md section 6. Memory: `config.memory_mb` for predictions, and a few arrays of the size of the data.
    """
    settings = EvaluateConfig() if config is None else config
    popularity = history.interactions if reference is None else reference
    _check(history, targets, popularity, betas)
    if settings.relevant is not None:
        history, targets = _only_relevant(types, history, targets, settings.relevant)
    line = Line.of(history, targets)
    ranks = {
        True: _ranks(predict, line.earlier(), settings.memory_mb),
        False: _ranks(predict, line.others(), settings.memory_mb),
    }
    counts = np.bincount(popularity.items, minlength=popularity.n_items)
    grid = _Grid(tuple(sorted(set(settings.k))), tuple(betas))
    totals = _summarise(line, ranks, inverse_popularity(counts, betas)[line.items], grid, settings)
    replicates = grid.values(totals.replicates) if settings.bootstrap else {}
    points = tuple(_with_interval(point, replicates, settings) for point in grid.points(totals.plain))
    told = _counts(line, ranks[True], counts)
    return TimedReport(points, told, tuple(_notes(told, settings)), replicates)


def _check(history: Timeline, targets: Timeline, reference: Interactions, betas: Sequence[float]) -> None:
    known, asked = history.interactions, targets.interactions
    if (known.n_users, known.n_items) != (asked.n_users, asked.n_items):
        raise DataError(
            f"history has {known.n_users} users x {known.n_items} items, targets have "
            f"{asked.n_users} x {asked.n_items}: expected the same users and items"
        )
    if reference.n_items != asked.n_items:
        raise DataError(f"reference has {reference.n_items} items, targets have {asked.n_items}: expected the same")
    if not len(targets):
        raise DataError("no targets to evaluate on: expected at least one interaction")
    if not betas or not all(0 <= beta < np.inf for beta in betas):
        raise QueryError(f"betas {tuple(betas)}: expected one or more numbers from 0 up")


def _only_relevant(
    types: InteractionTypes, history: Timeline, targets: Timeline, relevant: float
) -> tuple[Timeline, Timeline]:
    """Move the targets that are not relevant to the history."""
    chosen = types.channel_ratings[targets.interactions.channels] >= relevant  # NaN is not
    if not chosen.any():
        raise DataError(f"no targets rated {relevant:g} or more: expected at least one to evaluate on")
    rest = Line.of(history, targets.keep(~chosen))
    return Timeline(rest.events, rest.times), targets.keep(chosen)


def _ranks(predict: Predict, profiles: Profiles, memory_mb: int) -> NDArray[np.int64]:
    """(T,) the rank of the item of every target among those outside its profile."""
    ranks = np.empty(len(profiles.profile_of), dtype=np.int64)
    for batch in profiles.batches(memory_mb):
        scores = predict(batch.users, batch.histories).log_p_consume.copy()
        scores[batch.histories.users, batch.histories.items] = -np.inf
        ranks[batch.asked] = ranks_of(scores, batch.rows, profiles.line.items[batch.asked])
    return ranks


@dataclass(frozen=True)
class _Grid:
    """The K and beta that are asked for, and the layout of their sums."""

    ks: tuple[int, ...]
    betas: tuple[float, ...]

    def columns(self, ranks: dict[bool, NDArray[np.int64]], weights: Array, starts: NDArray[np.int64]) -> Sums:
        """(U, n) sums per user: of the weights, and of those that were hit in each form."""
        hits = {form: weighted_hits(found, weights, starts, self.ks) for form, found in ranks.items()}
        columns = {f"hits {form}": found.reshape(len(starts), -1) for form, found in hits.items()}
        return columns | {"weights": np.add.reduceat(weights, starts, axis=0)}

    def points(self, sums: Sums) -> Iterator[Point]:
        values = self.values(sums)
        return (point._replace(value=float(values[point.name])) for point in self._empty())

    def values(self, sums: Sums) -> dict[str, Array]:
        """Name of every point -> () or (n_replicates,)."""
        found: dict[str, Array] = {}
        for point in self._empty():
            beta = self.betas.index(point.beta)
            column = self.ks.index(point.k) * len(self.betas) + beta
            with np.errstate(invalid="ignore"):  # a replicate may draw no user
                found[point.name] = sums[f"hits {point.time_aware}"][..., column] / sums["weights"][..., beta]
        return found

    def _empty(self) -> Iterator[Point]:
        return (Point(k, beta, form, np.nan) for form in (True, False) for k in self.ks for beta in self.betas)


def _summarise(
    line: Line, ranks: dict[bool, NDArray[np.int64]], weights: Array, grid: _Grid, config: EvaluateConfig
) -> Totals:
    """Sums over users, plain and for every replicate, some users at a time."""
    totals, draws = Totals(config.bootstrap), Weights(config.bootstrap, config.seed)
    starts = np.flatnonzero(np.diff(line.users, prepend=-1))
    cuts = np.flatnonzero(np.diff(starts // PER_SUMMARY, prepend=-1, append=-1))
    for first, last in pairwise(cuts.tolist()):
        begin = starts[first]
        part = slice(begin, starts[last] if last < len(starts) else None)
        mine = {form: found[part] for form, found in ranks.items()}
        columns = grid.columns(mine, weights[part], starts[first:last] - begin)
        totals.add(columns, draws.draw(last - first))
    return totals


def _with_interval(point: Point, replicates: dict[str, Array], config: EvaluateConfig) -> Point:
    found = replicates.get(point.name)
    return point if found is None else point._replace(interval=interval(found, config.confidence))


def _counts(line: Line, ranks: NDArray[np.int64], popularity: NDArray[np.integer]) -> dict[str, int]:
    n_users = len(np.unique(line.users))
    return {
        "interactions": len(line.asked),
        "users": n_users,
        "users_without_targets": line.events.n_users - n_users,
        "unpopular": int(np.count_nonzero(popularity[line.items] == 0)),
        "unreachable": int(np.count_nonzero(ranks == NEVER)),
    }


def _notes(counts: dict[str, int], config: EvaluateConfig) -> Iterator[str]:
    which = "every target" if config.relevant is None else f"targets rated {config.relevant:g} or more"
    yield (
        f"recall@K^beta: weighted share of {counts['interactions']} interactions ({which}) of {counts['users']} users, "
        "each weighing p(item)^-beta; ties go to the lower item index"
    )
    yield "lloo: from the user's strictly earlier interactions; loo: from all others of the user, later ones as well"
    if counts["unpopular"]:
        yield f"{counts['unpopular']} interactions are with items that nobody took before, counted as if one had"
    if counts["unreachable"]:
        yield (
            f"lloo: {counts['unreachable']} interactions cannot be hit: their item is in the profile already, or the "
            "predictor rules it out"
        )
    if counts["users_without_targets"]:
        yield f"{counts['users_without_targets']} users without targets are not counted"
    if config.bootstrap:
        yield f"intervals: {config.confidence:.0%}, {config.bootstrap} bootstrap replicates over users"
