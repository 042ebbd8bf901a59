"""Closed-form experts beside a trained network: fitted on the training part, joined to it on the validation part."""

from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from conv4rec.config import ExpertConfig
from conv4rec.data.interactions import Interactions
from conv4rec.evaluation import Validation
from conv4rec.model import law
from conv4rec.model.batch import Batch
from conv4rec.model.experts import (
    N_MEANS,
    ConsumptionExperts,
    ConsumptionScalars,
    Explained,
    RatingExpert,
    RatingExperts,
    RatingScalars,
)
from conv4rec.model.factors import Factors, by_item, by_user, fit_factors
from conv4rec.model.neighbours import Neighbours, fit_neighbours
from conv4rec.model.network import Network, RatingPath
from conv4rec.vocabulary import InteractionTypes

CELLS = 1 << 21
"""Cells of users x items that the scalars of consumption are fitted on."""
LEAST_USERS = 64
"""Users that they are fitted on, however many items there are."""
STEPS = 40
"""Iterations of L-BFGS."""
TOLERANCE = 1e-7
"""Share of the loss that an iteration must gain: less is rounding, and costs twice the time."""
TRIED_ON = 2000
"""Users on whom numbers of factors are compared."""
CONSUMPTION_START = (-0.2, -4.5, -0.5, 0.0, 0.0)
"""About what it is on every data set measured."""
STRENGTH, OUTCOME_STRENGTH = 3.0, 30.0
"""Prior precisions of the scalars about where they start, and of the constants of the outcomes about 0."""


def fit_experts(
    network: Network,
    interactions: Interactions,
    types: InteractionTypes,
    config: ExpertConfig,
    validation: Validation,
    *,
    seed: int = 0,
) -> None:
    """Give a trained network its experts; in place. A part that has nothing to learn from stays as it is.

    Args:
        network: trained, on any device.
        interactions: the training interactions.
        types: what their channels are.
        config: see ExpertConfig.
        validation: held-out interactions, on which the scalars are chosen.
        seed: of the factors, and of the users on whom the scalars of consumption are fitted.
    """
    device = network.consumption.bias.device
    network.eval()
    if config.neighbours and len(validation.targets):
        experts = ConsumptionExperts(_item_item(interactions, config)).to(device)
        _blend_consumption(network, experts, validation, seed)
        network.consumption_experts = experts
    path = network.rating
    if config.factors and path is not None and types.n_levels > 1 and len(validation.targets):
        network.rating_experts = _rating_experts(path, interactions, types, config, validation, seed)


def _item_item(interactions: Interactions, config: ExpertConfig) -> Explained:
    """Users weighted by one over the root of their number of items: long histories say less of each item."""
    users, items = interactions.distinct_pairs
    shape = interactions.n_users, interactions.n_items
    weight = np.maximum(np.bincount(users, minlength=shape[0]), 1.0) ** -0.25  # of a row: half of that of a product
    taken = sp.csr_array((weight[users].astype(np.float32), (users, items)), shape=shape)
    return Explained.of(fit_neighbours([taken], [config.penalty], config.neighbours, memory_mb=config.memory_mb))


def _rating_experts(
    path: RatingPath,
    interactions: Interactions,
    types: InteractionTypes,
    config: ExpertConfig,
    validation: Validation,
    seed: int,
) -> RatingExperts:
    """Factors first, the likeliest of their numbers and bounds; then neighbours explain what their biases leave."""
    value, rated = path.value.cpu(), path.rated.cpu()
    batch = Batch.of(interactions, torch.device("cpu"))
    batch = batch.keep(rated[batch.channels] > 0)
    values = value[batch.channels]
    sides = by_user(batch, values), by_item(batch, values, interactions.n_items)

    def experts(n_factors: int, narrowest: float) -> RatingExperts:
        factors = fit_factors(*sides, n_factors, sweeps=config.sweeps, seed=seed, narrowest=narrowest)
        alone = Explained((interactions.n_items, 0, 2))
        return RatingExperts(factors, alone, value, rated, types.n_types).to(path.value.device)

    candidates = [experts(n, narrowest) for n in config.factors for narrowest in (n / 2, np.inf)]
    some = validation.sample(TRIED_ON, seed)
    costs = [_blend_ratings(path, each, some, types) for each in candidates]
    best = candidates[int(np.argmin(costs))]
    best.explained = Explained.of(_rating_neighbours(best.factors.cpu(), batch, values, config))
    best.to(path.value.device)
    _blend_ratings(path, best, validation, types)
    return best


def _rating_neighbours(factors: Factors, batch: Batch, values: Tensor, config: ExpertConfig) -> Neighbours:
    """From deviations, and from the fact that an item was rated: half as telling, so penalised twice."""
    user, item = factors.biases(factors.encode(batch, values))
    beyond = (values - user[batch.rows] - item[batch.items]).numpy()
    where, shape = (batch.rows.numpy(), batch.items.numpy()), (batch.n_rows, len(item))
    count = sp.csr_array((np.ones_like(beyond), where), shape=shape)
    total = sp.csr_array((beyond, where), shape=shape)
    for matrix in (count, total):
        matrix.sum_duplicates()
    total.data /= count.data
    count.data[:] = 1.0
    penalties = config.rating_penalty, 2 * config.rating_penalty
    return fit_neighbours([total, count], penalties, config.rating_neighbours, memory_mb=config.memory_mb)


def _blend_consumption(network: Network, experts: ConsumptionExperts, validation: Validation, seed: int) -> None:
    """The likeliest scalars on a sample of the users who have targets."""
    some = validation.sample(max(LEAST_USERS, CELLS // validation.targets.n_items), seed)
    device = experts.scalars.device
    batch, asked = Batch.of(some.history, device), Batch.of(some.targets, device)
    with torch.no_grad():
        views = (law.log_p_consume(network.consumption(batch).float()), *experts.views(batch))

    def loss(scalars: Tensor) -> Tensor:
        return law.consume_loss(ConsumptionScalars(*scalars).logits(*views), asked.rows, asked.items)

    start = torch.tensor(CONSUMPTION_START, device=device)
    experts.scalars = _likeliest(loss, start, torch.full_like(start, STRENGTH))[0]


def _blend_ratings(path: RatingPath, experts: RatingExperts, validation: Validation, types: InteractionTypes) -> float:
    """The likeliest scalars on all targets; gives what they cost, nats in all."""
    device = experts.scalars.device
    covers = torch.from_numpy(types.covers[validation.targets.channels]).to(device)  # (N, L)
    parts = [_rating_views(path, experts, *pair, device) for pair in _chunks(validation)]
    log_p = torch.cat([part[0] for part in parts])
    expert = RatingExpert(*(torch.cat(columns) for columns in zip(*(part[1] for part in parts), strict=True)))
    value, rated = experts.value[: experts.n_types], experts.rated[: experts.n_types]

    def loss(scalars: Tensor) -> Tensor:
        return law.type_loss(RatingScalars.unpack(scalars).logits(log_p, expert, value, rated), covers)

    start = torch.zeros_like(experts.scalars)
    start[0] = 1.0
    strength = torch.full_like(start, STRENGTH)
    strength[2 + N_MEANS :] = OUTCOME_STRENGTH
    experts.scalars, cost = _likeliest(loss, start, strength)
    return cost


@torch.no_grad()
def _rating_views(
    path: RatingPath, experts: RatingExperts, history: Interactions, targets: Interactions, device: torch.device
) -> tuple[Tensor, RatingExpert]:
    """What network and experts say of the targets."""
    batch, asked = Batch.of(history, device), Batch.of(targets, device)
    log_p = law.log_p_type(path.pairs(path.encode(batch), asked.rows, asked.items).float())
    return log_p, experts.expert_pairs(experts.encode(batch), asked.rows, asked.items)


def _chunks(validation: Validation) -> Iterator[tuple[Interactions, Interactions]]:
    """Histories and targets of as many users at a time as a matrix of them has cells."""
    users = np.flatnonzero(validation.targets.counts)
    size = max(1, CELLS // validation.targets.n_items)
    for start in range(0, len(users), size):
        some = users[start : start + size]
        yield validation.history.select(some), validation.targets.select(some)


def _likeliest(loss: Callable[[Tensor], Tensor], start: Tensor, strength: Tensor) -> tuple[Tensor, float]:
    """The scalars of least loss, a sum, with a Gaussian prior about the start; and that loss."""

    def cost(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scalars = torch.tensor(values, dtype=start.dtype, device=start.device, requires_grad=True)
        total = loss(scalars) + (strength * (scalars - start) ** 2).sum() / 2
        (slope,) = torch.autograd.grad(total, scalars)
        return float(total.detach()), slope.cpu().numpy().astype(np.float64)

    found = minimize(
        cost, start.cpu().numpy(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "ftol": TOLERANCE}
    )
    scalars = torch.tensor(found.x, dtype=start.dtype, device=start.device)
    return scalars, float(loss(scalars))
