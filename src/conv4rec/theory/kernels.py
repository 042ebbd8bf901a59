"""What the learned 1x1 convolutions say: distances between interaction types, kernels of several seeds in one frame.

Channels have no names and no units: exchanging two of them, or scaling one and its rows of the encoder by the inverse,
changes no prediction. Kernels are therefore aligned, by assignment and scale, before they are compared. Mixing channels
by any invertible matrix changes no prediction either, so that even aligned kernels may differ where models do not; the
distances here are of what types add to the bottleneck, which no mixing changes. Source: ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from conv4rec.errors import TheoryError
from conv4rec.verbs.type_map import TypeMap

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Aligned:
    """A kernel in the frame of another.

    Attributes:
        kernel: (K, C) with its channels in the order, scale and sign of the reference.
        order: (C,) which of its own channels stands in the place of each of the reference.
        similarity: mean absolute cosine of channels that stand in the same place, 1 for the same kernel.
    """

    kernel: Array
    order: NDArray[np.intp]
    similarity: float


def align(kernel: Array, reference: Array) -> Aligned:
    """Order and scale the channels (columns) of a (K, C) kernel as they are most like those of a reference.

    The assignment is the one of largest total absolute cosine (Kuhn 1955); the scale of each, sign included, is that of
    least squares. Raises TheoryError for kernels of different shapes.
    """
    if kernel.shape != reference.shape:
        raise TheoryError(f"a kernel of shape {kernel.shape} has no place in one of shape {reference.shape}")
    cosines = _unit(reference).T @ _unit(kernel)  # (C, C)
    _, order = linear_sum_assignment(-np.abs(cosines))
    chosen = kernel[:, order]
    scale = (chosen * reference).sum(0) / np.maximum((chosen**2).sum(0), 1e-12)
    return Aligned(chosen * scale, order, float(np.abs(np.take_along_axis(cosines, order[:, None], 1)).mean()))


def distances(found: TypeMap) -> pl.DataFrame:
    """`path, type, other, distance` of what two types add to the bottleneck, root mean square over items.

    In units of the mean strength of the path's types: 0 the same, about 1.4 unrelated, 2 opposite.
    """
    strength = found.strength.with_columns(pl.col("strength") / pl.col("strength").mean().over("path"))
    both = found.alike.join(strength, on=["path", "type"], maintain_order="left").join(
        strength, left_on=["path", "other"], right_on=["path", "type"], suffix="_other", maintain_order="left"
    )
    a, b = pl.col("strength"), pl.col("strength_other")
    square = a**2 + b**2 - 2 * a * b * pl.col("effect_cosine")
    return both.select("path", "type", "other", distance=square.clip(lower_bound=0.0).sqrt())


def nearest(found: TypeMap) -> pl.DataFrame:
    """`path, type, nearest, distance`: which other type each is nearest to."""
    table = distances(found).filter(pl.col("type") != pl.col("other"))
    best = table.sort("distance").group_by(["path", "type"], maintain_order=True).first()
    order = table.select("path", "type").unique(maintain_order=True)
    return order.join(best, on=["path", "type"], maintain_order="left").rename({"other": "nearest"})


def leaning(found: TypeMap, low: str, middle: str, high: str) -> dict[str, float]:
    """By path: where `middle` lies between two types, 0 as near to `low` as can be, .5 in the middle, 1 at `high`.

    Distance to `low` over the sum of both distances: above a half, the middle is nearer to `high`. Raises TheoryError
    for a type that the model has not met.
    """
    table = distances(found)
    unknown = {low, middle, high} - set(table["type"])
    if unknown:
        raise TheoryError(f"interaction type {', '.join(sorted(unknown))}: not met by the model")
    paths = table["path"].unique(maintain_order=True)
    of = {
        (path, other): table.filter(path=path, type=middle, other=other)["distance"].item()
        for path in paths
        for other in (low, high)
    }
    return {path: of[path, low] / max(of[path, low] + of[path, high], 1e-12) for path in paths}


def type_matrix(found: TypeMap, path: str, column: str = "effect_cosine") -> Array:
    """(K, K) of a path's types, in their order."""
    rows = found.alike.filter(path=path)
    n = rows["type"].n_unique()
    return rows[column].to_numpy().reshape(n, n)


def kernel(found: TypeMap, path: str) -> Array:
    """(K, C) weights of a path, channels in units of how far they move the bottleneck."""
    rows = found.channels.filter(path=path)
    weights = (rows["weight"] * rows["size"]).to_numpy()
    return weights.reshape(rows["channel"].n_unique(), -1).T


@dataclass(frozen=True)
class Stability:
    """How far models of several seeds agree about a path's types.

    Attributes:
        path: which.
        kernels: mean similarity of aligned kernels, over pairs of seeds, 0 to 1.
        kernels_by_chance: the same for kernels as they were before training.
        effects: mean correlation of the likeness of types (off the diagonal), over pairs of seeds.
        spread: largest standard deviation over seeds of the likeness of two types.
    """

    path: str
    kernels: float
    kernels_by_chance: float
    effects: float
    spread: float


def stability(maps: Sequence[TypeMap], untrained: Sequence[TypeMap]) -> tuple[Stability, ...]:
    """Compare models of at least two seeds, each with the map of its weights before training."""
    if len(maps) < 2:
        raise TheoryError(f"{len(maps)} model: expected at least two seeds to compare")
    return tuple(_stability(path, maps, untrained) for path in maps[0].strength["path"].unique(maintain_order=True))


def _stability(path: str, maps: Sequence[TypeMap], untrained: Sequence[TypeMap]) -> Stability:
    trained, before = ([kernel(found, path) for found in each] for each in (maps, untrained))
    matrices = np.stack([type_matrix(found, path) for found in maps])  # (S, K, K)
    off = matrices[:, ~np.eye(matrices.shape[1], dtype=np.bool_)]  # (S, K (K - 1))
    agree = [np.corrcoef(a, b)[0, 1] for a, b in combinations(off, 2)] if off.shape[1] > 1 else [1.0]
    return Stability(
        path, _agreement(trained), _agreement(before), float(np.mean(agree)), float(off.std(0).max(initial=0))
    )


def _agreement(kernels: Sequence[Array]) -> float:
    return float(np.mean([align(a, b).similarity for a, b in combinations(kernels, 2)]))


def _unit(kernel: Array) -> Array:
    return np.asarray(kernel / np.maximum(np.linalg.norm(kernel, axis=0), 1e-12))
