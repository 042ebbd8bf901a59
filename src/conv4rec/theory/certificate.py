"""What theory says of one fitted model, beside what is measured on it: all factors, bounds and gaps in one object."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from conv4rec.data.interactions import Interactions
from conv4rec.data.parts import Parts
from conv4rec.errors import TheoryError
from conv4rec.evaluation import Validation
from conv4rec.model.initial import draw_network, initial_digest
from conv4rec.model.network import Network
from conv4rec.model.statistics import Statistics
from conv4rec.recommender import Conv4Rec
from conv4rec.theory.bounds import Factors, count_bound, held_out_bound, norm_bound, samples_needed, total_variation
from conv4rec.theory.factors import (
    consumption_factors,
    consumption_input_norm,
    rating_factors,
    rating_input_norms,
)
from conv4rec.theory.gap import Losses, consumption_losses, hide, law_losses, rating_losses
from conv4rec.training.schedule import choose_epochs

Unit = Literal["users", "interactions"]
DELTA = 0.05
"""Probability with which a bound may fail."""


@dataclass(frozen=True)
class Gap:
    """A loss where the network was fitted, and where it was not, in nats; means over users, or over interactions."""

    fitted: float
    unseen: float

    @property
    def value(self) -> float:
        return self.unseen - self.fitted


@dataclass(frozen=True)
class Bound:
    """Bounds of a gap, in nats, for one reading of what the N samples are.

    Attributes:
        path: consumption, rating, or joint.
        unit: what is counted; the theorems take samples that are independent, as users are and their interactions not.
        n_samples: N.
        by_norm: bound from the norms.
        by_count: bound from the number of parameters.
        leading: the term of METHOD.md section 4, without constants and logarithms.
        tv: of the smaller bound, through Pinsker.
        uniform: the loss of a uniform law; a bound above it says nothing and is vacuous.
        gap: as measured.
    """

    path: str
    unit: Unit
    n_samples: int
    by_norm: float
    by_count: float
    leading: float
    tv: float
    uniform: float
    gap: Gap

    @property
    def is_vacuous(self) -> bool:
        return min(self.by_norm, self.by_count) >= self.uniform

    def to_row(self) -> dict[str, str | float]:
        """Plain values, with what is vacuous said."""
        return {
            "path": self.path,
            "N": self.n_samples,
            "of": self.unit,
            "by norms": self.by_norm,
            "by parameters": self.by_count,
            "leading term": self.leading,
            "uniform law": self.uniform,
            "verdict": "vacuous" if self.is_vacuous else "holds",
            "TV": self.tv,
            "fitted": self.gap.fitted,
            "unseen": self.gap.unseen,
            "gap": self.gap.value,
        }


@dataclass(frozen=True)
class HeldOut:
    """The bound of the whole law, experts included, from the data on which its scalars were fitted."""

    unit: Unit
    n_samples: int
    n_scalars: int
    bound: float
    uniform: float
    gap: Gap

    @property
    def is_vacuous(self) -> bool:
        return self.bound >= self.uniform

    def to_row(self) -> dict[str, str | float]:
        """Plain values, with what is vacuous said."""
        return {
            "N": self.n_samples,
            "of": self.unit,
            "scalars": self.n_scalars,
            "bound": self.bound,
            "uniform law": self.uniform,
            "verdict": "vacuous" if self.is_vacuous else "holds",
            "validation": self.gap.fitted,
            "test": self.gap.unseen,
            "gap": self.gap.value,
        }


@dataclass(frozen=True)
class Certificate:
    """Factors of each path, bounds by path and by reading of N, and the N from which each bound would say something."""

    factors: tuple[Factors, ...]
    bounds: tuple[Bound, ...]
    held_out: tuple[HeldOut, ...]
    needed: dict[str, dict[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """Rows of everything, plain values."""
        return {
            "factors": {each.path: each.to_rows() for each in self.factors},
            "input_norms": {each.path: each.input_norm for each in self.factors},
            "bounds": [each.to_row() for each in self.bounds],
            "held_out": [each.to_row() for each in self.held_out],
            "needed": self.needed,
        }


def certify(model: Conv4Rec, parts: Parts) -> Certificate:
    """Bound and measure a model whose parts these are: its own train, validation and test part.

    Raises:
        TheoryError: the file does not say where the weights started, they cannot be drawn again, or there is no test.
    """
    if parts.split.test is None:
        raise TheoryError("there is no test part to measure a gap on: expected split.test above 0")
    initial, train = initial_network(model), Interactions.from_ratings(parts.split.train, model.vocabulary)
    test = Validation.of(parts.split.test, model.vocabulary)
    validation = Validation.of(parts.split.validation, model.vocabulary)
    factors = factors_of(model.exact_predictor.network, initial, train)
    losses = _losses(model, train, test)
    counts: dict[Unit, int] = {"users": int(np.count_nonzero(train.counts)), "interactions": len(train)}
    bounds = tuple(each for unit, n in counts.items() for each in _bounds(factors, losses, unit, n))
    needed = {f.path: {"by_norm": samples_needed(f), "by_count": samples_needed(f, by_norm=False)} for f in factors}
    return Certificate(factors, bounds, tuple(_held_out(model, validation, test, len(train))), needed)


def initial_network(model: Conv4Rec) -> Network:
    """The weights that training started from, drawn again and compared with the digest in the file."""
    digest = model.origin.initial_sha256
    if digest is None:
        raise TheoryError("the model file is of schema version 2, without a digest of the initial weights: train again")
    blank = Statistics.blank(len(model.vocabulary.items), model.vocabulary.types)
    network = draw_network(model.config, blank)
    if initial_digest(network) != digest:
        raise TheoryError(
            "the initial weights drawn here are not those of the training: expected the version of torch of that time"
        )
    return network


def factors_of(network: Network, initial: Network, train: Interactions) -> tuple[Factors, ...]:
    """Of the consumption path, and of the rating path where there is one."""
    consumption = consumption_factors(network, initial, consumption_input_norm(train))
    if network.rating is None:
        return (consumption,)
    return consumption, rating_factors(network, initial, rating_input_norms(network.rating, train))


def _losses(model: Conv4Rec, train: Interactions, test: Validation) -> dict[str, tuple[Losses, Losses]]:
    """Of the network alone, by path: on training interactions hidden as in training, and on the test part."""
    network, config, types = model.exact_predictor.network, model.config.train, model.vocabulary.types
    hidden = hide(train, config.mask, seed=config.seed)
    found = {"consumption": (consumption_losses(network, hidden), consumption_losses(network, test))}
    if network.rating is not None:
        hidden = hide(train, config.mask if config.rating_mask is None else config.rating_mask, seed=config.seed)
        found["rating"] = (rating_losses(network, types, hidden), rating_losses(network, types, test))
    return found


def _bounds(factors: tuple[Factors, ...], losses: dict[str, tuple[Losses, Losses]], unit: Unit, n: int) -> list[Bound]:
    """One for each path, each failing with its share of DELTA, and their sum for the joint loss."""
    delta = DELTA / len(factors)
    found = []
    for f in factors:
        by_norm, by_count = norm_bound(f, n, delta=delta), count_bound(f, n, delta=delta)
        tv = total_variation(min(by_norm, by_count), f.loss_bound, n)
        uniform, gap = math.log(f.n_outcomes), _gap(losses[f.path], unit)
        found.append(Bound(f.path, unit, n, by_norm, by_count, f.leading_term / math.sqrt(n), tv, uniform, gap))
    return [*found, _joint(found, factors)] if len(found) > 1 else found


def _joint(parts: list[Bound], factors: tuple[Factors, ...]) -> Bound:
    """The loss of the joint law is the sum of the two."""
    n, largest = parts[0].n_samples, sum(f.loss_bound for f in factors)
    by_norm, by_count, leading, uniform = (
        sum(getattr(part, name) for part in parts) for name in ("by_norm", "by_count", "leading", "uniform")
    )
    gap = Gap(sum(part.gap.fitted for part in parts), sum(part.gap.unseen for part in parts))
    tv = total_variation(sum(min(part.by_norm, part.by_count) for part in parts), largest, n)
    return Bound("joint", parts[0].unit, n, by_norm, by_count, leading, tv, uniform, gap)


def _held_out(model: Conv4Rec, validation: Validation, test: Validation, n_train: int) -> list[HeldOut]:
    """Of the whole law: its scalars, the epoch and the number of factors were chosen on the validation part."""
    network, types, config = model.exact_predictor.network, model.vocabulary.types, model.config
    experts = (network.consumption_experts, network.rating_experts)
    n_scalars = sum(each.scalars.numel() for each in experts if each is not None)
    outcomes = len(model.vocabulary.items) * types.n_types
    choices = choose_epochs(config.train.epochs, n_train) * max(1, len(config.experts.factors))
    fitted, unseen = (_joint_losses(model, part) for part in (validation, test))
    counts: dict[Unit, int] = {"users": len(np.unique(fitted.users)), "interactions": len(fitted.values)}
    return [
        HeldOut(
            unit,
            n,
            n_scalars,
            held_out_bound(n_scalars, outcomes, n, choices=choices, delta=DELTA),
            math.log(outcomes),
            _gap((fitted, unseen), unit),
        )
        for unit, n in counts.items()
    ]


def _joint_losses(model: Conv4Rec, asked: Validation) -> Losses:
    consume = law_losses(model.exact_predictor, asked, rating=False)
    if model.vocabulary.types.n_types == 1:
        return consume
    return Losses(consume.values + law_losses(model.exact_predictor, asked, rating=True).values, consume.users)


def _gap(losses: tuple[Losses, Losses], unit: Unit) -> Gap:
    name = "by_user" if unit == "users" else "by_interaction"
    return Gap(*(getattr(each, name) for each in losses))
