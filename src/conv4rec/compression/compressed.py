"""The indexes of a compressed model: one finds what a user may take, one what is like an item."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conv4rec.compression.compressor import Compressor, PassListener
from conv4rec.compression.index import SparseIndex
from conv4rec.compression.index_file import index_of, index_tensors
from conv4rec.config import CompressConfig
from conv4rec.embeddings import Embeddings, unit
from conv4rec.metrics.ranking import Indices, top_k
from conv4rec.model.network import Network
from conv4rec.predictions import Floats
from conv4rec.tensor_file import Tensors


@dataclass(frozen=True)
class Compressed:
    """Codes of the items of a model.

    Attributes:
        decoder: of the vectors that users' embeddings are multiplied with, and their biases; for `inner`.
        embeddings: of the embeddings that items are compared by; for `reconstructed` and `sparse`.
    """

    decoder: SparseIndex
    embeddings: SparseIndex

    @classmethod
    def of(cls, network: Network, config: CompressConfig, listener: PassListener | None = None) -> "Compressed":
        """Learn atoms and codes of both; what is lost is told by `listener`."""
        decoder = network.consumption.decoder.detach().float().cpu().numpy()
        bias = network.consumption.bias.detach().float().cpu().numpy()
        return cls(_decoder_index(decoder, bias, config, listener), _embedding_index(network, config, listener))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], network: Network) -> "Compressed":
        """From what `tensors` gave; ValueError for anything else, and for codes of other items than the network's."""
        parts = {
            name: index_of(
                {key.removeprefix(f"{name}/"): t for key, t in tensors.items() if key.startswith(f"{name}/")}
            )
            for name in ("decoder", "embeddings")
        }
        n_items, width = network.consumption.decoder.shape
        for name, modes, dim in (("decoder", {"inner"}, width), ("embeddings", {"reconstructed"}, 2 * width)):
            index = parts[name]
            if len(index) != n_items or not modes <= set(index.modes) or index.atoms.shape[1] != dim:
                raise ValueError(f"the index of the {name} is not one of {n_items} vectors, {dim} wide")
        return cls(**parts)

    def tensors(self) -> Tensors:
        """Everything, by name."""
        named = (("decoder", self.decoder), ("embeddings", self.embeddings))
        return {f"{name}/{key}": value for name, index in named for key, value in index_tensors(index).items()}


@dataclass(frozen=True)
class NearestItems:
    """Finds the items of highest reconstructed cosine with an item.

    Attributes:
        index: codes of the embeddings of the items.
        n_candidates: how many are found, where no more are asked for.
    """

    index: SparseIndex
    n_candidates: int

    def __call__(self, item: int, trust: Floats, k: int) -> Indices:
        """Indices, ascending, of at least k other items (all, where there are no more), by cosine times (I,) trust."""
        code = self.index.codes(np.array([item]))
        scores = self.index.scores(code, by="reconstructed") * trust
        return np.sort(top_k(scores, max(k + 1, self.n_candidates))[0])


def _decoder_index(vectors: Floats, bias: Floats, config: CompressConfig, listener: PassListener | None) -> SparseIndex:
    """Lengths are those at which the decoded vectors are nearest to the vectors: |x| cos(x, x^)."""
    compressor = Compressor(**config.model_dump()).fit(vectors, listener=listener)
    codes = compressor.encode(vectors)
    lengths = (vectors * unit(compressor.decode(codes))).sum(axis=1)
    index = SparseIndex(compressor.atoms, ("inner",))
    index.add(codes, lengths=lengths, offsets=bias)
    return index


def _embedding_index(network: Network, config: CompressConfig, listener: PassListener | None) -> SparseIndex:
    vectors = Embeddings(network).items
    compressor = Compressor(**config.model_dump()).fit(vectors, listener=listener)
    index = SparseIndex(compressor.atoms)
    index.add(compressor.encode(vectors))
    return index
