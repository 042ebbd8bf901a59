"""From raw scores to laws: the best monotone links, fitted on validation data.

A peer gives scores, or expected ratings, and no probabilities. The links here make the best probabilities that keep
what it says: the order of its items, and its expected ratings. The likelihood decides all else. Source: ours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.special import log_softmax

from conv4rec.evaluation import Validation
from conv4rec.predictions import Floats

Array = NDArray[np.float64]
Indices = NDArray[np.integer]

BINS = 512
"""Most bins of scores in which the consumption link is fitted; it is evaluated at the scores themselves."""
TARGETS_PER_KNOT = 100
MAX_KNOTS = 12
MIN_SLOPE = 1e-3
"""Smallest slope of a piece of the consumption link, relative to that of the best straight one."""
MAX_REPEAT = 12.0
"""Largest size of the scalar for items of the history, in nats: where no pair occurs twice there is no finite best."""


@dataclass(frozen=True)
class ConsumeLink:
    """log p_consume = log softmax over items of link(score) + repeat [item in the history].

    The link is piecewise linear, goes on straight beyond its K knots, and rises everywhere, so that the order of the
    items is that of the scores.

    Attributes:
        knots: (K,) scores, ascending.
        values: (K,) the link there, ascending, in nats.
        repeat: how much likelier an item becomes for being in the history, in nats.
    """

    knots: Array
    values: Array
    repeat: float

    @property
    def n_bytes(self) -> int:
        return self.knots.nbytes + self.values.nbytes + 8

    def __call__(self, scores: Floats) -> Array:
        """Link of scores of any shape."""
        slopes = np.diff(self.values) / np.diff(self.knots)
        below, above = np.minimum(scores - self.knots[0], 0.0), np.maximum(scores - self.knots[-1], 0.0)
        return np.asarray(np.interp(scores, self.knots, self.values) + slopes[0] * below + slopes[-1] * above)

    def log_p_consume(self, scores: Floats, rows: Indices, items: Indices) -> Array:
        """(B, I) scores, and the pairs of a row and an item of the histories, to log-probabilities over the items."""
        logits = self(scores.astype(np.float64))
        logits[rows, items] += self.repeat  # once, also where a pair is repeated
        return np.asarray(log_softmax(logits, axis=1))


def fit_consume_link(scores: Floats, asked: Validation) -> ConsumeLink:
    """The link under which the targets of B users are likeliest, given (B, I) scores.

    The likelihood is concave in `repeat` and in the steps between the knots, so that there is one best link. The search
    starts from the best straight link, which is a temperature, so that it is never worse on these data.
    """
    binned = _Binned.of(scores, asked)
    ends = binned.ends
    straight = binned.best_steps(ends, np.ones(1), 0.0)
    knots = binned.knots(scores, asked)
    shares = np.diff(knots) / (ends[1] - ends[0])
    return binned.link(knots, binned.best_steps(knots, shares * straight[0], straight[1]))


@dataclass(frozen=True)
class _Binned:
    """All that the likelihood needs of the scores: counts in M bins.

    Attributes:
        centres: (M,) mean score of every bin, ascending.
        items: (B, 2 M) items of every user in every bin: new ones, then those of the history.
        targets: (2 M,) targets in every bin.
        n_targets: (B,) targets of every user.
    """

    centres: Array
    items: Array
    targets: Array
    n_targets: Array

    @classmethod
    def of(cls, scores: Floats, asked: Validation) -> "_Binned":
        bins, centres = _bins(scores, scores[asked.targets.users, asked.targets.items])
        n_bins, n_rows = len(centres), len(scores)
        bins[asked.history.users, asked.history.items] += n_bins
        targets = np.bincount(bins[asked.targets.users, asked.targets.items], minlength=2 * n_bins)
        cells = bins + np.arange(n_rows)[:, None] * (2 * n_bins)
        items = np.bincount(cells.ravel(), minlength=n_rows * 2 * n_bins).reshape(n_rows, -1)
        return cls(centres, *(a.astype(np.float64) for a in (items, targets, asked.targets.counts)))

    @property
    def ends(self) -> Array:
        """The two knots of a straight link."""
        low, high = self.centres[[0, -1]]
        return np.array([low, high if high > low else low + 1.0])

    def knots(self, scores: Floats, asked: Validation) -> Array:
        """Where the link may bend: at quantiles of the targets' scores, where the probability is, and of all scores."""
        n_knots = min(MAX_KNOTS, len(asked.targets) // TARGETS_PER_KNOT)
        if n_knots < 1:
            return self.ends
        found = scores[asked.targets.users, asked.targets.items]
        of_targets = np.quantile(found, (np.arange(n_knots) + 0.5) / n_knots)
        of_all = np.quantile(_thinned(scores), [0.25, 0.5, 0.75])
        inner = np.concatenate([of_targets, of_all]).astype(np.float64)
        least = 1e-6 * np.ptp(self.ends)
        inner = np.unique(inner[(inner > self.ends[0] + least) & (inner < self.ends[1] - least)])
        return np.concatenate([self.ends[:1], inner[np.diff(inner, prepend=-np.inf) > least], self.ends[1:]])

    def best_steps(self, knots: Array, steps: Array, repeat: float) -> Array:
        """(K,) the best K - 1 steps between the knots, and `repeat`, searched from those given."""
        features = self._features(knots)
        found = optimize.minimize(
            self._loss,
            np.append(steps, repeat),
            args=(features,),
            jac=True,
            method="L-BFGS-B",
            bounds=[(max(MIN_SLOPE * step, 1e-9), None) for step in steps] + [(-MAX_REPEAT, MAX_REPEAT)],
            options={"maxiter": 500},
        )
        return np.asarray(found.x)

    def link(self, knots: Array, steps: Array) -> ConsumeLink:
        return ConsumeLink(knots, np.concatenate([[0.0], np.cumsum(steps[:-1])]), float(steps[-1]))

    def _features(self, knots: Array) -> Array:
        """(2 M, K) how far along every piece a bin lies, 0 to 1, and whether it is of the history."""
        along = ((self.centres[:, None] - knots[:-1]) / np.diff(knots)).clip(0.0, 1.0)
        seen = np.repeat([0.0, 1.0], len(self.centres))
        return np.column_stack([np.vstack([along, along]), seen])

    def _loss(self, steps: Array, features: Array) -> tuple[float, Array]:
        """-log-likelihood of the targets, in nats a target, and its gradient."""
        logits = features @ steps
        weights = np.exp(np.maximum(logits - logits.max(), -600.0))  # (2 M,)
        mass = self.items @ weights  # (B,)
        n = self.n_targets.sum()
        loss = self.n_targets @ (np.log(mass) + logits.max()) - self.targets @ logits
        expected = weights * (self.items.T @ (self.n_targets / mass))  # (2 M,)
        return float(loss / n), np.asarray(features.T @ (expected - self.targets) / n)


def _bins(scores: Floats, found: Floats) -> tuple[NDArray[np.int64], Array]:
    """(B, I) bin of every score, (M,) mean score of every bin. They are fine where scores or targets are."""
    shares = np.linspace(0.0, 1.0, BINS // 2 + 1)[1:-1]
    limits = np.unique(np.concatenate([np.quantile(_thinned(scores), shares), np.quantile(found, shares)]))
    bins = np.searchsorted(limits, scores.ravel(), side="right")
    members = np.bincount(bins, minlength=len(limits) + 1)
    used = np.flatnonzero(members)
    sums = np.bincount(bins, weights=scores.ravel(), minlength=len(limits) + 1)
    place = np.cumsum(members > 0) - 1
    return place[bins].reshape(scores.shape), sums[used] / members[used]


def _thinned(scores: Floats) -> Floats:
    """Some 100,000 of the scores, evenly, and the outermost."""
    flat = scores.ravel()
    return np.append(flat[:: max(1, flat.size // 100_000)], [flat.min(), flat.max()])
