"""Generalization bounds from norms and from a count of parameters: numbers in, numbers out.

Both are covering arguments for a chain of matrices followed by a log-softmax; docs/theory.md derives them step by step.
Sources: Bartlett, Foster and Telgarsky 2017 (chain of matrices, Dudley's integral); Zhang 2002, theorem 4 (many outputs
at the price of a logarithm); Ledent, Mustafa, Lei and Kloft 2021 (shared weights count once); the composition, ours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LOSS_LIPSCHITZ = 2.0
"""Of the negative log of a softmax, in the largest change of a logit."""
MIXED = 1e-3
"""Share of the uniform law that is mixed into the law, so that a loss is at most log(outcomes / MIXED)."""
LEAST_RADIUS, RADIUS_STEP = 1e-3, 2.0**0.0625
"""Radii that are prepared for before the weights are seen: the least one times powers of the step."""
SCALES = 2.0 ** (np.arange(-80, 49) / 4)
"""Radii of covers over which Dudley's sum runs; coarser ones are a single law."""
SHARES = 10
"""Into how many parts an error is divided among the kinds of weights."""


@dataclass(frozen=True)
class Matrix:
    """A linear map of the network, as the bounds know it.

    Attributes:
        name: which one.
        n_parameters: how many numbers it has.
        spectral: how much it lengthens an error: spectral norm; of the last, the largest length of a row.
        distance: from the initialisation, (2,1)-norm; Frobenius norm where `n_outputs` is not 0.
        frobenius: the same distance in the Frobenius norm.
        dimensions: product of inputs and outputs; enters as a logarithm.
        lipschitz: of the activation behind it.
        cap: largest length of what the activation gives out.
        constant: whether a one is appended to its input, for a bias.
        n_outputs: of a map of which only the largest error of all outputs counts, their number; else 0.
    """

    name: str
    n_parameters: int
    spectral: float
    distance: float
    frobenius: float
    dimensions: int
    lipschitz: float = 1.0
    cap: float = math.inf
    constant: bool = False
    n_outputs: int = 0


@dataclass(frozen=True)
class Layer:
    """A matrix in its place.

    Attributes:
        matrix: which.
        input_norm: largest length of what goes in.
        sensitivity: by how much the loss moves for an error of 1 in what the matrix gives out.
    """

    matrix: Matrix
    input_norm: float
    sensitivity: float

    @property
    def reach(self) -> float:
        """How far the loss can move while the matrix moves over its distance."""
        return self.sensitivity * self.matrix.distance * self.input_norm

    @property
    def term(self) -> float:
        """Its part of the norm bound: reach, and the logarithm of Maurey's lemma (its ceiling costs the 2)."""
        return self.reach * math.sqrt(2 * math.log(2 * self.matrix.dimensions))


@dataclass(frozen=True)
class Offsets:
    """Numbers that are added, one an item: they have no input, and are learned from no reference.

    Attributes:
        name: which.
        n_parameters: how many.
        radius: the largest of them.
        sensitivity: by how much the loss moves at most when all of them move by 1.
    """

    name: str
    n_parameters: int
    radius: float
    sensitivity: float = LOSS_LIPSCHITZ


@dataclass(frozen=True)
class Factors:
    """Everything that the bounds of one path are made of.

    Attributes:
        path: which.
        input_norm: X, the largest length of an input.
        chain: the matrices from input to logits.
        aside: matrices beside the chain, with the length of their own input: they are added to the logits.
        offsets: what is added.
        n_outcomes: of the law, whose uniform loss is its logarithm.
    """

    path: str
    input_norm: float
    chain: tuple[Matrix, ...]
    aside: tuple[tuple[Matrix, float], ...]
    offsets: tuple[Offsets, ...]
    n_outcomes: int

    @property
    def loss_bound(self) -> float:
        """Largest loss of the law with a little of the uniform law mixed in, nats."""
        return math.log(self.n_outcomes / MIXED)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The matrices in their places."""
        inputs, outward = [], self.input_norm
        for m in self.chain:
            inputs.append(math.hypot(outward, 1.0) if m.constant else outward)
            outward = min(m.cap, m.lipschitz * m.spectral * inputs[-1])
        placed, sensitivity = [], LOSS_LIPSCHITZ
        for m, into in zip(reversed(self.chain), reversed(inputs), strict=True):
            placed.append(Layer(m, into, sensitivity * m.lipschitz))
            sensitivity *= m.lipschitz * m.spectral
        return (*reversed(placed), *(Layer(m, into, LOSS_LIPSCHITZ) for m, into in self.aside))

    def to_rows(self) -> list[dict[str, str | float]]:
        """A row a matrix and a row an offset, plain values; a field that one of them does not have is 0."""
        matrices: list[dict[str, str | float]] = [
            {
                "weights": layer.matrix.name,
                "parameters": layer.matrix.n_parameters,
                "s": layer.matrix.spectral,
                "b": layer.matrix.distance,
                "frobenius": layer.matrix.frobenius,
                "rho": layer.matrix.lipschitz,
                "input": layer.input_norm,
                "sensitivity": layer.sensitivity,
                "log": math.log(2 * layer.matrix.dimensions),
                "term": layer.term,
            }
            for layer in self.layers
        ]
        blank: dict[str, str | float] = dict.fromkeys(matrices[0], 0.0)
        offsets = [
            blank
            | {"weights": each.name, "parameters": each.n_parameters, "b": each.radius, "sensitivity": each.sensitivity}
            for each in self.offsets
        ]
        return [*matrices, *offsets]

    @property
    def leading_term(self) -> float:
        """X prod(s rho) (sum (b / s)^(2/3))^(3/2): METHOD.md section 4 without 1 / sqrt N, constants and logarithms."""
        longest = math.prod(m.spectral * m.lipschitz for m in self.chain)
        parts = sum((m.distance / m.spectral) ** (2 / 3) for m in self.chain if m.spectral > 0)
        return float(self.input_norm * longest * parts**1.5)


def norm_bound(factors: Factors, n_samples: float, *, delta: float = 0.05) -> float:
    """Train-test gap in nats that is exceeded with probability at most `delta`, whatever the data: from the norms.

    The least over how the error is shared out and over the scale at which Dudley's sum begins. It holds for all
    weights at once: radii are rounded up to a grid, each of whose points has its share of `delta`.
    """
    rounded, price = _rounded(factors)
    best, M = math.inf, rounded.loss_bound
    widths = np.diff(np.minimum(SCALES, M), append=M)  # (S,)
    for shares in _shares(rounded):
        roots = np.sqrt(_entropy(rounded, shares, n_samples))  # (S,)
        sums = np.cumsum((roots * widths)[::-1])[::-1]  # from each scale on
        best = min(best, float((4 * SCALES + 12 * sums / math.sqrt(n_samples)).min()))
    return 2 * best + 3 * float(_deviation(M, n_samples, math.log(2 / delta) + price))


def count_bound(factors: Factors, n_samples: float, *, delta: float = 0.05) -> float:
    """The same from the number of parameters: a finite cover of all weights, Hoeffding, a union over the cover."""
    rounded, price = _rounded(factors)
    cells = [(x.matrix.n_parameters, x.sensitivity * x.input_norm * x.matrix.frobenius) for x in rounded.layers]
    cells += [(x.n_parameters, x.sensitivity * x.radius) for x in rounded.offsets]
    log_cover = sum(n * np.log1p(2 * reach * len(cells) / SCALES) for n, reach in cells)  # (S,)
    deviations = _deviation(rounded.loss_bound, n_samples, log_cover + math.log(1 / delta) + price)
    return float((2 * SCALES + deviations).min())


def held_out_bound(
    n_scalars: int, n_outcomes: int, n_samples: float, *, choices: int = 1, delta: float = 0.05
) -> float:
    """Gap of a law whose `n_scalars` numbers, and one of `choices`, were picked on data that it was not trained on.

    A scalar lies in [-10, 10], and a step of 1 in it changes no logit by more than 10,000.
    """
    log_cover = n_scalars * np.log1p(2 * 10.0 * LOSS_LIPSCHITZ * 1e4 * max(1, n_scalars) / SCALES)
    confidence = log_cover + math.log(choices / delta)
    return float((2 * SCALES + _deviation(math.log(n_outcomes / MIXED), n_samples, confidence)).min())


def total_variation(gap: float, loss_bound: float, n_samples: float, *, delta: float = 0.05) -> float:
    """Pinsker: what a gap says about E TV(p*, p), beyond what the class of laws cannot say at all; at most 1.

    It takes weights of least training loss, and the deviation of the true law's own training loss from its mean.
    """
    excess = gap + _deviation(loss_bound, n_samples, math.log(1 / delta))
    return min(1.0, math.sqrt(float(excess) / 2))


def samples_needed(factors: Factors, *, by_norm: bool = True, delta: float = 0.05) -> float:
    """The number of samples, to a tenth of a power of ten, from which the bound is below the loss of a uniform law."""
    bound = norm_bound if by_norm else count_bound
    low, high = 0, 400  # tenths of powers of ten
    while low < high:
        middle = (low + high) // 2
        if bound(factors, 10.0 ** (middle / 10), delta=delta) <= math.log(factors.n_outcomes):
            high = middle
        else:
            low = middle + 1
    return float(10.0 ** (low / 10))


def _deviation(largest: float, n_samples: float, confidence: float | Array) -> Array:
    """Hoeffding, for losses in [0, largest] and a probability of exp(-confidence)."""
    return np.asarray(largest * np.sqrt(np.asarray(confidence) / (2 * n_samples)))


def _entropy(factors: Factors, shares: Sequence[float], n_samples: float) -> Array:
    """(S,) logarithm of the size of a cover of the losses at every scale, from covers of the kinds of weights."""
    plain, wide, offsets = (share * SCALES for share in shares)
    layers = factors.layers
    terms = sum(layer.term ** (2 / 3) for layer in layers if not layer.matrix.n_outputs)
    found = terms**3 / plain**2 if terms else np.zeros_like(SCALES)
    for layer in layers:
        if layer.matrix.n_outputs:
            ratio = layer.reach / wide
            found = found + 36 * ratio**2 * np.log((8 * ratio + 7) * layer.matrix.n_outputs * n_samples)
    for each in factors.offsets:
        reach = each.sensitivity * each.radius * len(factors.offsets)
        found = found + each.n_parameters * np.log1p(2 * reach / offsets)
    return np.asarray(found)


def _shares(factors: Factors) -> list[tuple[float, float, float]]:
    """Ways to share an error among matrices by Maurey, by Zhang, and offsets; a kind that is absent has no share."""
    wide = any(m.n_outputs for m in factors.chain)
    met = (True, wide, bool(factors.offsets))
    steps = [range(1, SHARES) if kind else (0,) for kind in met]
    found = [each for each in product(*steps) if sum(each) == SHARES]
    if not found:
        found = [(SHARES, 0, 0)]
    return [tuple(part / SHARES if part else 1.0 for part in each) for each in found]  # type: ignore[misc]


def _rounded(factors: Factors) -> tuple[Factors, float]:
    """The factors with all radii rounded up to the grid, and what the union over the grid costs."""
    price = 0.0

    def up(radius: float) -> float:
        nonlocal price
        k = max(0, math.ceil(math.log(max(radius, LEAST_RADIUS) / LEAST_RADIUS, RADIUS_STEP) - 1e-9))
        price += math.log((k + 1) * (k + 2))
        return LEAST_RADIUS * float(RADIUS_STEP**k)

    def rounded(m: Matrix) -> Matrix:
        return replace(m, spectral=up(m.spectral), distance=up(m.distance), frobenius=up(m.frobenius))

    chain = tuple(rounded(m) for m in factors.chain)
    aside = tuple((rounded(m), into) for m, into in factors.aside)
    offsets = tuple(replace(each, radius=up(each.radius)) for each in factors.offsets)
    return replace(factors, chain=chain, aside=aside, offsets=offsets), price
