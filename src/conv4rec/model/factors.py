"""Matrix factorisation whose users are solved for, not stored: beliefs about item vectors, and a closed-form encoder.

    rating = b_u + b_i + p_u . q_i + noise            standardised ratings

All vectors have Gaussian priors and posteriors; those of users and items are updated in turn, each a ridge regression
that knows how sure the other side is (variational Bayes: Lim and Teh 2007), and priors and noise follow from them, so
that there is nothing to tune. A user's posterior needs the history and the item posteriors only: one encoder, also
for new users. Shapes: N ratings, U rows (users or items), D factors, K = D + 1 with the bias last, T = K (K + 1) / 2.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from conv4rec.model.bags import dots_at
from conv4rec.model.batch import Batch

ROWS = 4096
"""Rows solved at once."""
EVERY = slice(None)
LEAST_NOISE = 1e-3
"""Lower bound of the variance of the noise, for ratings that are all alike."""


class Posterior(NamedTuple):
    """Gaussian beliefs about vectors (factors, bias)."""

    mean: Tensor  # (U, K)
    covariance: Tensor  # (U, K, K)


class Ratings(NamedTuple):
    """Standardised ratings, grouped by row."""

    offsets: Tensor  # (U,) where each row begins
    others: Tensor  # (N,) index on the other side
    values: Tensor  # (N,)


def by_user(batch: Batch, values: Tensor) -> Ratings:
    """The (N,) ratings of a batch, which is sorted by user."""
    count = batch.counts
    return Ratings(torch.cumsum(count, 0) - count, batch.items, values)


def by_item(batch: Batch, values: Tensor, n_items: int) -> Ratings:
    """The same, grouped by item."""
    order = torch.argsort(batch.items, stable=True)
    count = torch.bincount(batch.items, minlength=n_items)
    return Ratings(torch.cumsum(count, 0) - count, batch.rows[order], values[order])


@dataclass(frozen=True)
class Solved:
    """Posteriors of the rows, and the part of the expected squared residual that they decide."""

    posterior: Posterior
    square: Tensor  # ()


def solve(ratings: Ratings, others: Posterior, prior: Tensor, noise: Tensor) -> Solved:
    """Posteriors of U rows, given beliefs about the other side, (K,) precisions of the prior and the noise variance."""
    first, product, biased = _moments(others)
    bounds = torch.cat([ratings.offsets, torch.tensor([len(ratings.others)], device=prior.device)])
    means, covariances, square = [], [], torch.zeros((), dtype=torch.float64)
    for start in range(0, len(ratings.offsets), ROWS):
        offsets = ratings.offsets[start : start + ROWS]
        part = slice(int(offsets[0]), int(bounds[min(start + ROWS, len(bounds) - 1)]))
        where, values, offsets = ratings.others[part], ratings.values[part], offsets - offsets[0]
        gram = _unpacked(_bag(product, where, offsets))  # (rows, K, K)
        linear = _bag(first, where, offsets, values) - _bag(biased, where, offsets)  # (rows, K)
        precision = gram / noise + torch.diag(prior)
        covariance = torch.cholesky_inverse(torch.linalg.cholesky(precision))
        mean = torch.einsum("ukl,ul->uk", covariance, linear) / noise
        second = covariance + mean[:, :, None] * mean[:, None, :]
        square += ((second * gram).sum() - 2 * (mean * linear).sum()).double().cpu()
        means.append(mean)
        covariances.append(covariance)
    return Solved(Posterior(torch.cat(means), torch.cat(covariances)), square)


def _moments(beliefs: Posterior) -> tuple[Tensor, Tensor, Tensor]:
    """E[x] (n, K), E[x x'] (n, T) packed, and E[x bias] (n, K), where x is (factors, 1)."""
    mean, covariance = beliefs
    second = covariance + mean[:, :, None] * mean[:, None, :]  # (n, K, K)
    first = torch.cat([mean[:, :-1], torch.ones_like(mean[:, :1])], dim=1)
    biased = torch.cat([second[:, :-1, -1], mean[:, -1:]], dim=1)
    product = second.clone()
    product[:, -1, :] = first
    product[:, :, -1] = first
    return first, packed(product), biased


def packed(matrices: Tensor) -> Tensor:
    """(n, K, K) symmetric matrices to their lower triangles, (n, T)."""
    K = matrices.shape[1]
    rows, columns = torch.tril_indices(K, K, device=matrices.device)
    return matrices.flatten(1).index_select(1, rows * K + columns)


def _unpacked(triangles: Tensor) -> Tensor:
    """(n, T) to (n, K, K)."""
    n, T = triangles.shape
    K = int((2 * T) ** 0.5)
    rows, columns = torch.tril_indices(K, K, device=triangles.device)
    place = rows.new_empty(K, K)
    place[rows, columns] = place[columns, rows] = torch.arange(T, device=rows.device)
    return triangles.index_select(1, place.flatten()).view(n, K, K)


def _bag(table: Tensor, where: Tensor, offsets: Tensor, weights: Tensor | None = None) -> Tensor:
    return functional.embedding_bag(where, table, offsets, mode="sum", per_sample_weights=weights)


class Factors(nn.Module):
    """What is kept: beliefs about the items, the prior of a user, and the noise."""

    mean: Tensor
    covariance: Tensor
    prior: Tensor
    noise: Tensor

    def __init__(self, n_items: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_items, width))  # (I, K)
        self.register_buffer("covariance", torch.zeros(n_items, width * (width + 1) // 2))  # (I, T)
        self.register_buffer("prior", torch.ones(width))  # (K,) precisions
        self.register_buffer("noise", torch.ones(()))  # variance

    def encode(self, batch: Batch, values: Tensor) -> Posterior:
        """Beliefs about the users of a batch of rated interactions with (N,) standardised ratings."""
        ratings = by_user(batch, values)
        if len(batch.items) >= len(self.mean):
            beliefs = self._beliefs(EVERY)
        else:  # of the items met alone
            items, where = torch.unique(batch.items, return_inverse=True)
            beliefs, ratings = self._beliefs(items), ratings._replace(others=where)
        return solve(ratings, beliefs, self.prior, self.noise).posterior

    def pairs(self, users: Posterior, rows: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) expected ratings of pairs and their variances, noise included."""
        mean = dots_at(users.mean, _with_one(self.mean), rows, items) + self.mean[items, -1]
        return mean, dots_at(self.doubts(users), self.spreads(), rows, items) + self.noise

    def grid(self, users: Posterior) -> tuple[Tensor, Tensor]:
        """(B, I) expected ratings of all items and their variances, noise included."""
        mean = users.mean @ _with_one(self.mean).T + self.mean[:, -1]
        return mean, self.doubts(users) @ self.spreads().T + self.noise

    def doubts(self, users: Posterior) -> Tensor:
        """(B, 2 T) what a user's part in the variance of a prediction is, beside `spreads`.

        E[(p, b_u, 1) moments] meet the covariance of the item, and the user's covariance meets the item's mean.
        """
        x = _with_one(users.mean)
        spread = _without_bias(users.covariance) + x[:, :, None] * x[:, None, :]  # (B, K, K)
        K = x.shape[1]
        twice = 2.0 - packed(torch.eye(K, device=x.device)[None])  # what is off the diagonal is there twice
        return torch.cat([packed(spread) * twice, packed(users.covariance) * twice], dim=1)

    def spreads(self, items: Tensor | slice = EVERY) -> Tensor:
        """(I, 2 T) covariance of every item, or of some, and the products of its mean."""
        z = _with_one(self.mean[items])
        return torch.cat([self.covariance[items], packed(z[:, :, None] * z[:, None, :])], dim=1)

    def biases(self, users: Posterior) -> tuple[Tensor, Tensor]:
        """(B,) and (I,)."""
        return users.mean[:, -1], self.mean[:, -1]

    def _beliefs(self, items: Tensor | slice) -> Posterior:
        return Posterior(self.mean[items], _unpacked(self.covariance[items]))


def _with_one(mean: Tensor) -> Tensor:
    return torch.cat([mean[:, :-1], torch.ones_like(mean[:, :1])], dim=1)


def _without_bias(covariance: Tensor) -> Tensor:
    """The covariance of the factors alone: the bias meets a 1, of which there is no doubt."""
    kept = covariance.clone()
    kept[:, -1, :] = 0.0
    kept[:, :, -1] = 0.0
    return kept


def fit_factors(
    users: Ratings, items: Ratings, n_factors: int, *, sweeps: int, seed: int, narrowest: float = torch.inf
) -> Factors:
    """Update both sides in turn, `sweeps` times.

    Args:
        users: the ratings by user.
        items: the same by item.
        n_factors: D. Too many cost little: priors of those that explain nothing close on zero.
        sweeps: how often.
        seed: of the first item vectors.
        narrowest: precision beyond which no prior of a factor closes. Where rows are short, those of factors that
            explain something close too without one (docs/model.md).
    """
    K, n_items = n_factors + 1, len(items.offsets)
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(n_items, K, generator=generator) * 0.1
    start[:, -1] = 0.0
    item = Posterior(start, 0.01 * torch.eye(K).expand(n_items, K, K))
    prior_of_users = prior_of_items = torch.tensor([float(n_factors)] * n_factors + [4.0])
    most = torch.tensor([narrowest] * n_factors + [torch.inf])  # the bias has its own
    noise, square = torch.ones(()), (users.values.double() ** 2).sum()
    per_user = torch.diff(users.offsets, append=torch.tensor([len(users.values)]))
    for _ in range(sweeps):
        user = solve(users, item, prior_of_users, noise).posterior
        solved = solve(items, user, prior_of_items, noise)
        item = solved.posterior
        prior_of_users, prior_of_items = (torch.minimum(_prior(side), most) for side in (user, item))
        bias = user.mean[:, -1].double()
        second = bias**2 + user.covariance[:, -1, -1]
        linear = torch.repeat_interleave(bias, per_user) * users.values
        residual = square - 2 * linear.sum() + (second * per_user).sum() + solved.square
        noise = (residual / max(1, len(users.values))).float().clamp(min=LEAST_NOISE)
    fitted = Factors(n_items, K)
    fitted.mean, fitted.covariance, fitted.prior, fitted.noise = (
        item.mean,
        packed(item.covariance),
        prior_of_users,
        noise,
    )
    return fitted


def _prior(beliefs: Posterior) -> Tensor:
    """(K,) precisions under which vectors as large as these are likeliest."""
    second = beliefs.mean**2 + torch.diagonal(beliefs.covariance, dim1=1, dim2=2)  # (n, K)
    return 1.0 / second.mean(0).clamp(min=1e-6)
