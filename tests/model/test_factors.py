"""Variational factors against ridge regressions spelled out, against sampling, and on ratings made of factors."""

import numpy as np
import pytest
import torch
from torch import Tensor

from conv4rec.data.interactions import Interactions
from conv4rec.model import factors as factors_module
from conv4rec.model.batch import Batch
from conv4rec.model.factors import Factors, Posterior, Ratings, by_item, by_user, fit_factors, packed, solve

CPU = torch.device("cpu")


def make_ratings(n_users: int = 120, n_items: int = 50, *, seed: int = 0, noise: float = 0.3) -> tuple[Batch, Tensor]:
    """A quarter of the pairs, rated by one factor and biases."""
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(rng.random((n_users, n_items)) < 0.25)
    truth = np.outer(rng.normal(size=n_users), rng.normal(size=n_items))
    truth += 0.5 * rng.normal(size=(n_users, 1)) + 0.5 * rng.normal(size=n_items)
    values = truth[users, items] + noise * rng.normal(size=len(users))
    triples = users.astype(np.int32), items.astype(np.int32), np.zeros(len(users), dtype=np.uint8)
    interactions = Interactions.from_triples(*triples, n_users=n_users, n_items=n_items)
    return Batch.of(interactions, CPU), torch.from_numpy(values.astype(np.float32))


def some_beliefs(n: int, K: int, *, seed: int = 0) -> Posterior:
    generator = torch.Generator().manual_seed(seed)
    root = 0.3 * torch.randn(n, K, K, generator=generator)
    return Posterior(torch.randn(n, K, generator=generator), root @ root.transpose(1, 2) + 0.01 * torch.eye(K))


def some_factors(n_items: int, K: int) -> Factors:
    fitted, beliefs = Factors(n_items, K), some_beliefs(n_items, K, seed=3)
    fitted.mean, fitted.covariance = beliefs.mean, packed(beliefs.covariance)
    fitted.prior, fitted.noise = torch.tensor([2.0] * (K - 1) + [5.0]), torch.tensor(0.4)
    return fitted


def test_a_user_is_a_ridge_regression_where_items_are_sure() -> None:
    batch, values = make_ratings(5, 12)
    certain = Posterior(some_beliefs(12, 3).mean, torch.zeros(12, 3, 3))
    prior, noise = torch.tensor([1.0, 2.0, 4.0]), torch.tensor(0.5)
    found = solve(by_user(batch, values), certain, prior, noise).posterior
    for user in range(5):
        mine = batch.rows == user
        x = certain.mean[batch.items[mine]].clone()
        target = values[mine] - x[:, -1]
        x[:, -1] = 1.0
        precision = x.T @ x / noise + torch.diag(prior)
        assert torch.allclose(found.mean[user], torch.linalg.solve(precision, x.T @ target / noise), atol=1e-4)
        assert torch.allclose(found.covariance[user], torch.linalg.inv(precision), atol=1e-4)


def test_doubt_about_items_enters_as_its_expectation() -> None:
    """Against moments over many draws of the item vectors."""
    batch, values = make_ratings(3, 8)
    beliefs, prior, noise = some_beliefs(8, 3), torch.ones(3), torch.tensor(0.7)
    draws = torch.distributions.MultivariateNormal(beliefs.mean, beliefs.covariance).sample(torch.Size([200_000]))
    found = solve(by_user(batch, values), beliefs, prior, noise).posterior
    mine = batch.rows == 0
    v = draws[:, batch.items[mine]]
    x = torch.cat([v[..., :-1], torch.ones_like(v[..., :1])], dim=-1)
    precision = torch.einsum("snk,snl->kl", x, x) / len(draws) / noise + torch.diag(prior)
    linear = torch.einsum("snk,sn->k", x, values[mine] - v[..., -1]) / len(draws) / noise
    assert torch.allclose(found.mean[0], torch.linalg.solve(precision, linear), atol=0.02)


def test_variance_of_a_rating_is_that_of_draws() -> None:
    items = some_factors(4, 3)
    users = some_beliefs(2, 3, seed=5)
    a = torch.distributions.MultivariateNormal(users.mean[1], users.covariance[1]).sample(torch.Size([400_000]))
    theirs = torch.distributions.MultivariateNormal(items.mean[2], some_beliefs(4, 3, seed=3).covariance[2])
    v = theirs.sample(torch.Size([400_000]))
    ratings = (a[:, :-1] * v[:, :-1]).sum(1) + a[:, -1] + v[:, -1]
    mean, variance = items.pairs(users, torch.tensor([1]), torch.tensor([2]))
    assert mean.item() == pytest.approx(ratings.mean().item(), abs=0.01)
    assert variance.item() == pytest.approx(ratings.var().item() + 0.4, rel=0.02)


def test_the_grid_is_all_pairs() -> None:
    items, users = some_factors(5, 4), some_beliefs(3, 4, seed=6)
    rows, columns = (axis.reshape(-1) for axis in torch.meshgrid(torch.arange(3), torch.arange(5), indexing="ij"))
    for one, other in zip(items.pairs(users, rows, columns), items.grid(users), strict=True):
        assert torch.allclose(one.reshape(3, 5), other, atol=1e-5)


def test_factors_are_found_and_predict_what_was_held_out() -> None:
    batch, values = make_ratings(300, 80)
    hidden = torch.rand(len(values), generator=torch.Generator().manual_seed(0)) < 0.2
    seen, rest = batch.keep(~hidden), values[~hidden]
    fitted = fit_factors(by_user(seen, rest), by_item(seen, rest, 80), 4, sweeps=30, seed=0, narrowest=2.0)
    mean, variance = fitted.pairs(fitted.encode(seen, rest), batch.rows[hidden], batch.items[hidden])
    error = values[hidden] - mean
    assert (error**2).mean().sqrt() < 0.45  # the noise is .3, and the ratings spread by 1.2
    assert ((error**2) / variance).mean().item() == pytest.approx(1.0, abs=0.25)
    assert fitted.noise.item() == pytest.approx(0.09, rel=0.25)
    assert (fitted.prior[:-1] == 2.0).sum() == 3  # factors that explain nothing are closed, as far as they may be


def test_factors_stay_open_where_rows_have_few_ratings() -> None:
    """Without a bound on their precision all of them close, and what is left are the biases."""
    batch, values = make_ratings(200, 80, noise=1.0)
    few = torch.rand(len(values), generator=torch.Generator().manual_seed(1)) < 0.4
    seen, rest = batch.keep(few), values[few]
    fitted = fit_factors(by_user(seen, rest), by_item(seen, rest, 80), 8, sweeps=16, seed=0, narrowest=4.0)
    users = fitted.encode(seen, rest)
    mean, _ = fitted.pairs(users, batch.rows[~few], batch.items[~few])
    user, item = fitted.biases(users)
    biases = user[batch.rows[~few]] + item[batch.items[~few]]
    assert ((values[~few] - mean) ** 2).mean() < ((values[~few] - biases) ** 2).mean() - 0.5


def test_no_ratings_leave_the_prior() -> None:
    items = some_factors(6, 3)
    empty = torch.empty(0, dtype=torch.int64)
    nothing = Batch(empty, empty, empty, 2)
    users = items.encode(nothing, torch.empty(0))
    assert torch.equal(users.mean, torch.zeros(2, 3))
    assert torch.allclose(users.covariance, torch.diag(1 / items.prior).expand(2, 3, 3))


def test_few_users_are_told_what_they_are_told_among_many() -> None:
    """Of few the items that they met are asked alone."""
    (batch, values), factors = make_ratings(30, 50), some_factors(50, 3)
    mine = batch.rows == 4
    assert mine.sum() < 50 < len(values)
    alone = factors.encode(batch.only(torch.arange(30) == 4), values[mine])
    for one, all_users in zip(alone, factors.encode(batch, values), strict=True):
        assert torch.allclose(one[0], all_users[4], atol=1e-6)


def test_the_size_of_the_chunks_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, values = make_ratings(30, 12)
    arguments = by_user(batch, values), some_beliefs(12, 3), torch.ones(3), torch.tensor(0.5)
    whole = solve(*arguments)
    monkeypatch.setattr(factors_module, "ROWS", 7)
    parts = solve(*arguments)
    assert torch.allclose(whole.posterior.mean, parts.posterior.mean, atol=1e-6)
    assert parts.square.item() == pytest.approx(whole.square.item(), rel=1e-6)


def test_ratings_that_are_all_alike() -> None:
    batch, _ = make_ratings(10, 6)
    zeros = torch.zeros(len(batch.rows))
    fitted = fit_factors(by_user(batch, zeros), by_item(batch, zeros, 6), 2, sweeps=50, seed=0)
    assert fitted.mean.abs().max() < 1e-3
    assert factors_module.LEAST_NOISE <= fitted.noise.item() < 0.01


def test_grouping_by_item_keeps_the_ratings() -> None:
    batch, values = make_ratings(6, 5)
    by = by_item(batch, values, 5)
    bounds = [*by.offsets.tolist(), len(values)]
    told = {(int(by.others[n]), i, float(by.values[n])) for i in range(5) for n in range(bounds[i], bounds[i + 1])}
    assert told == set(zip(batch.rows.tolist(), batch.items.tolist(), values.tolist(), strict=True))
    assert isinstance(by, Ratings)
