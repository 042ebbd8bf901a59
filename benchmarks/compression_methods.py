"""Ways to keep vectors in few bytes and to find their neighbours: ours, and those of faiss and usearch.

A method is made of vectors and searched for the neighbours of some of them; it tells the bytes of a vector in it, and
of what all vectors share (atoms, axes, code books). Every one searches on one thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from usearch.index import Index as Graph

from conv4rec.compression.compressor import Compressor
from conv4rec.compression.index import Mode, SparseIndex

Vectors = NDArray[np.float32]
Rows = NDArray[np.integer]
LINKS = 4
"""Links of a node in the graph that is held at equal bytes; twice as many at its lowest level, 4 bytes each."""


@dataclass(frozen=True)
class Made:
    """Something that can be searched.

    Attributes:
        name: for tables.
        search: (B, d) vectors of length one and k, to (B, k) rows.
        bytes_each: for every vector.
        bytes_shared: for all of them together.
        note: what it is made of.
    """

    name: str
    search: Callable[[Vectors, int], Rows]
    bytes_each: float
    bytes_shared: float
    note: str


def sparse_codes(vectors: Vectors, ratio: float, **settings: Any) -> list[Made]:
    """CompresSAE in both modes."""
    compressor = Compressor(ratio=ratio, **settings).fit(vectors)
    index = SparseIndex(compressor.atoms)
    index.add(compressor.encode(vectors))
    each, shared = index.n_bytes / len(index), 2.0 * index.atoms.nbytes
    note = f"{compressor.width} atoms, k = {compressor.config.k}, dead {compressor.n_dead}"

    def search(by: Mode) -> Callable[[Vectors, int], Rows]:
        return lambda queries, k: index.search(compressor.encode(queries), k, by=by).rows

    modes: tuple[Mode, Mode] = ("reconstructed", "sparse")
    return [Made(f"CompresSAE, {by}", search(by), each, shared, note) for by in modes]


def axes_of(vectors: Vectors) -> Vectors:
    """(d, d) principal axes, the longest first; of vectors of length one, not centred: cosines stay cosines."""
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    return np.ascontiguousarray(axes[:, ::-1])


def truncated(vectors: Vectors, axes: Vectors, budget: int, kind: str) -> Made:
    """The first principal axes, as many as fit: 4 bytes each, 2, or 1."""
    size = {"float32": 4, "float16": 2, "int8": 1}[kind]
    kept = np.ascontiguousarray(axes[:, : min(budget // size, vectors.shape[1])])
    flat = faiss.index_factory(kept.shape[1], {"float32": "Flat", "float16": "SQfp16", "int8": "SQ8"}[kind], INNER)
    _fill(flat, _unit(vectors @ kept))
    return Made(
        f"truncated PCA, {kind}",
        lambda queries, k: flat.search(_unit(queries @ kept), k)[1],
        size * kept.shape[1],
        float(kept.nbytes),
        f"{kept.shape[1]} axes",
    )


def product_quantised(vectors: Vectors, budget: int) -> Made:
    """A byte for each of `budget` parts of the vectors, turned at random along their principal axes before."""
    width = vectors.shape[1] // budget * budget
    note = f"PCAR{width},PQ{budget}x8np"  # np: codes are not put in an order that is not used
    index = faiss.index_factory(vectors.shape[1], note, INNER)
    _fill(index, vectors)
    shared = 4.0 * (vectors.shape[1] * width + 256 * width)
    return Made("product quantisation, int8", lambda queries, k: index.search(queries, k)[1], budget, shared, note)


def graph(vectors: Vectors, axes: Vectors, kind: str, budget: int | None = None) -> Made:
    """HNSW of usearch; with a budget over int8 of the first principal axes, beside few links."""
    links = 16 if budget is None else LINKS
    dims = vectors.shape[1] if budget is None else max(8, budget - 8 * LINKS)
    kept = np.ascontiguousarray(axes[:, :dims])
    index = Graph(ndim=dims, metric="cos", dtype=kind, connectivity=links)
    index.add(np.arange(len(vectors)), vectors @ kept, threads=1)
    each = len(index.save()) / len(vectors)
    name = f"HNSW, {kind}" + ("" if budget is None else ", equal bytes")

    def search(queries: Vectors, k: int) -> Rows:
        found: Rows = index.search(queries @ kept, k, threads=1).keys.astype(np.int64).reshape(len(queries), -1)
        return found

    return Made(name, search, each, float(kept.nbytes), f"{dims} axes, connectivity {links}; bytes as saved")


INNER = faiss.METRIC_INNER_PRODUCT


def _fill(index: Any, vectors: Vectors) -> None:
    index.train(vectors[:: max(1, len(vectors) // 20_000)])
    index.add(vectors)


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), dtype=np.float32)
