"""The learned 1x1 convolutions, read: which interaction types a model treats alike, and what a channel means.

Source: ours.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from conv4rec.embeddings import unit
from conv4rec.model.network import Encoder, Network, RatingPath
from conv4rec.vocabulary import InteractionTypes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TypeMap:
    """What the interaction types are to each path of a model.

    Attributes:
        alike: `path` (consumption, rating), `type`, `other`, `cosine` of the two rows of the convolution, and
            `effect_cosine`: the cosine of what the two add to the bottleneck, over all items. The second does not
            change when channels are mixed and the encoder undoes it, so it is the one to read.
        channels: `path`, `channel`, `type`, `weight` of the type in the channel, and `size`: how much one unit of the
            channel moves the bottleneck, root mean square over items.
        strength: `path`, `type`, `strength`: how far an interaction of the type moves the bottleneck, root mean square
            over items, before division by the root of the length of the history.
    """

    alike: pl.DataFrame
    channels: pl.DataFrame
    strength: pl.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Rows of the tables, plain values."""
        return {
            "alike": self.alike.to_dicts(),
            "channels": self.channels.to_dicts(),
            "strength": self.strength.to_dicts(),
        }


def type_map(network: Network, types: InteractionTypes, met: NDArray[np.bool_]) -> TypeMap:
    """Read the convolutions of both paths for the (K,) interaction types that were `met` in training.

    Rows of the rating path are those of an item and a user of middling ratings: the type's own row and what the
    deviation of its rating adds. A type that never occurred has the weights it started with and is left out.
    """
    labels = [kind.label for kind, seen in zip(types.channels, met, strict=True) if seen]
    paths = {"consumption": (network.consumption.encoder, _array(network.consumption.convolution)[met])}
    if network.rating is not None:
        paths["rating"] = (network.rating.encoder, _rating_rows(network.rating)[met])
    read = [_read(name, labels, rows, _metric(encoder)) for name, (encoder, rows) in paths.items()]
    alike, channels, strength = (pl.concat(tables) for tables in zip(*read, strict=True))
    return TypeMap(alike, channels, strength)


def _rating_rows(path: RatingPath) -> Array:
    """(K, C) with the deviation of every rating from the middle, alike for item and user."""
    deviation = _array(path.value) * _array(path.rated)  # (K,)
    return np.asarray(_array(path.convolution) + deviation[:, None] * _array(path.deviation).sum(axis=0))


def _metric(encoder: Encoder) -> Array:
    """(C, C) mean over items of the products of what two channels add to the bottleneck."""
    table = _array(encoder.table)  # (I, C, D)
    return np.asarray(np.einsum("icd,ied->ce", table, table, optimize=True)) / len(table)


def _read(path: str, labels: list[str], rows: Array, metric: Array) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    product = rows @ metric @ rows.T  # (K, K)
    strength = np.sqrt(np.maximum(np.diag(product), 0.0))
    near = unit(rows)
    n_types, n_channels = rows.shape
    alike = pl.DataFrame(
        {
            "type": np.repeat(labels, n_types).tolist(),
            "other": labels * n_types,
            "cosine": (near @ near.T).ravel(),
            "effect_cosine": (product / np.maximum(np.outer(strength, strength), 1e-12)).ravel(),
        }
    )
    channels = pl.DataFrame(
        {
            "channel": np.tile(np.arange(n_channels), n_types),
            "type": np.repeat(labels, n_channels).tolist(),
            "weight": rows.ravel(),
            "size": np.tile(np.sqrt(np.diag(metric)), n_types),
        }
    ).sort("channel", maintain_order=True)
    moves = pl.DataFrame({"type": labels, "strength": strength})
    return tuple(table.select(pl.lit(path).alias("path"), pl.all()) for table in (alike, channels, moves))  # type: ignore[return-value]


def _array(tensor: Any) -> Array:
    return np.asarray(tensor.detach().double().cpu().numpy())
