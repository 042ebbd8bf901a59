"""Where items and users lie in the consumption bottleneck, and who is near whom."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.metrics.ranking import Indices, top_k
from conv4rec.model.batch import Batch
from conv4rec.model.network import Network
from conv4rec.predictions import Floats

PER_BATCH = 100_000
"""Interactions encoded at a time."""


@dataclass(frozen=True)
class Embeddings:
    """The embeddings of a network: what it has learned of each item, and the bottleneck (D,) of a user."""

    network: Network

    @cached_property
    def items(self) -> Floats:
        """(I, 2 D) of length one: what an item takes from the bottleneck, and what it adds to it, side by side.

        It adds by the mean of the interaction types. Both are measured from the mean of all items, because what all
        have in common says nothing of likeness. Source: ours; of the ten nearest items of ML-100K more share a tag than
        by either alone.
        """
        path = self.network.consumption
        taken, types = _array(path.decoder), _array(path.convolution).mean(axis=0)  # (I, D), (C,)
        added = np.einsum("icd,c->id", _array(path.encoder.table), types)
        return unit(np.concatenate([_centred(taken), _centred(added)], axis=1))

    @torch.inference_mode()
    def users(self, histories: Interactions) -> Floats:
        """(B, D) the bottleneck of every row of `histories`."""
        self.network.eval()
        path = self.network.consumption
        most = max(1, int(histories.counts.max(initial=1)))
        parts = [
            path.encode(Batch.of(batch, path.decoder.device)).float().cpu().numpy()
            for _, batch in histories.batches(max(1, PER_BATCH // most))
        ]
        return np.concatenate(parts)


def _centred(vectors: Floats) -> Floats:
    return unit(vectors - vectors.mean(axis=0))


def _array(tensor: torch.Tensor) -> Floats:
    values: Floats = tensor.detach().float().cpu().numpy()
    return values


def unit(vectors: Floats) -> Floats:
    """(N, D) brought to length one; a zero vector stays."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0).astype(vectors.dtype))


def highest(scores: Floats, k: int, *, without: NDArray[np.bool_]) -> tuple[Indices, Floats]:
    """The places of the k highest of (N,) scores, best first, and the scores; those marked in `without` are not."""
    found = top_k(np.where(without, -np.inf, scores)[None, :], k)[0]
    found = found[found >= 0]
    return found, scores[found]
