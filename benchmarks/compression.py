"""CompresSAE beside truncated PCA, product quantisation, int8 and HNSW at equal bytes: recall, queries a second, bytes.

    python -m benchmarks.compression --model ml1m.conv4rec    # writes benchmarks/results/compression.json

Two sets of vectors: the embeddings of the items of a model of ML-1M (trained before with `conv4rec train --data
ml-1m`), and 50,000 x 256 planted ones. Those are a mixture of 1,000 Gaussians of uneven weight; the variance of centres
and of what is around them falls as 1/i along 256 directions, which are the same for all: there is no sparse structure
in them to find. What is asked for are the 10 and 100 nearest other vectors of some, by cosine; the exact ones count.
"Equal bytes" leaves out what all vectors share, which is told beside. Nothing is chosen on what is measured.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from benchmarks.compression_methods import LINKS, Made, axes_of, graph, product_quantised, sparse_codes, truncated
from benchmarks.machine import machine
from numpy.typing import NDArray

from conv4rec.compression.compressor import BYTES_A_CODE, BYTES_AN_ENTRY, entries_for
from conv4rec.embeddings import Embeddings, unit
from conv4rec.recommender import Conv4Rec

RESULT = Path(__file__).parent / "results" / "compression.json"
RATIOS = (6.0, 12.0, 24.0, 48.0)
AT = (10, 100)
QUERIES = 500


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--only", choices=("items", "planted"), default=None)
    parser.add_argument("--ratios", type=float, nargs="+", default=RATIOS)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    sets: dict[str, Callable[[], Any]] = {
        "items": lambda: Embeddings(Conv4Rec.load(arguments.model, device="cpu").predictor.network).items,
        "planted": planted,
    }
    result: dict[str, Any] = {"command": " ".join(sys.argv), "sets": {}}
    for name, make in sets.items():
        if arguments.only in (None, name):
            result["sets"][name] = compare(np.asarray(make(), dtype=np.float32), arguments.ratios)
    result["machine"] = machine()
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")


def planted(n: int = 50_000, dim: int = 256, clusters: int = 1000, *, spread: float = 0.7) -> NDArray[np.float32]:
    """See above."""
    generator = np.random.default_rng(0)
    deviation = np.arange(1, dim + 1) ** -0.5
    centres = generator.normal(size=(clusters, dim)) * deviation
    weights = generator.lognormal(size=clusters)
    mine = generator.choice(clusters, n, p=weights / weights.sum())
    made = centres[mine] + spread * generator.normal(size=(n, dim)) * deviation
    rotation, _ = np.linalg.qr(generator.normal(size=(dim, dim)))
    return np.asarray(unit(made @ rotation), dtype=np.float32)


def compare(vectors: NDArray[np.float32], ratios: Sequence[float]) -> dict[str, Any]:
    """All methods at every ratio, and two that are not held to it."""
    asked = np.random.default_rng(1).choice(len(vectors), min(QUERIES, len(vectors)), replace=False)
    exact = nearest(vectors, asked)
    axes, rows = axes_of(vectors), []
    for ratio in sorted(ratios):
        budget = BYTES_AN_ENTRY * entries_for(ratio, vectors.shape[1]) + BYTES_A_CODE
        for made in at_bytes(vectors, axes, ratio, budget):
            rows.append({"ratio": ratio} | measure(made, vectors, asked, exact))
            print(rows[-1], file=sys.stderr, flush=True)
    for kind in ("f32", "i8"):
        rows.append({"ratio": None} | measure(graph(vectors, axes, kind), vectors, asked, exact))
        print(rows[-1], file=sys.stderr, flush=True)
    return {"vectors": list(vectors.shape), "queries": len(asked), "rows": rows}


def at_bytes(vectors: NDArray[np.float32], axes: NDArray[np.float32], ratio: float, budget: int) -> Iterator[Made]:
    """The methods that are held to a number of bytes for each vector, made one after the other."""
    yield from sparse_codes(vectors, ratio, device="cpu")
    for kind in ("float32", "float16", "int8"):
        yield truncated(vectors, axes, budget, kind)
    yield product_quantised(vectors, budget)
    if budget >= 16 * LINKS:  # the links alone take half of them
        yield graph(vectors, axes, "i8", budget)


def measure(made: Made, vectors: NDArray[np.float32], asked: NDArray[np.intp], exact: NDArray[Any]) -> dict[str, Any]:
    """Recall of the nearest others, and queries a second, one at a time."""
    found = made.search(vectors[asked], max(AT) + 1)
    start = time.perf_counter()
    for query in vectors[asked[:50]]:
        made.search(query[None, :], max(AT))
    told = {"method": made.name, "bytes": round(made.bytes_each, 1), "shared_bytes": made.bytes_shared}
    recalls = {f"recall@{k}": round(recall(found, asked, exact[:, :k]), 4) for k in AT}
    return told | recalls | {"queries_per_second": round(50 / (time.perf_counter() - start), 1), "note": made.note}


def recall(found: NDArray[np.integer], asked: NDArray[np.intp], exact: NDArray[Any]) -> float:
    """Share of the exact neighbours among as many that were found, the vector itself left out."""
    k = exact.shape[1]
    hits = [len(np.intersect1d(row[row != me][:k], best)) for row, me, best in zip(found, asked, exact, strict=True)]
    return float(np.mean(hits) / k)


def nearest(vectors: NDArray[np.float32], asked: NDArray[np.intp]) -> NDArray[np.intp]:
    """(Q, 100) the nearest others, nearest first."""
    likeness = vectors[asked] @ vectors.T
    likeness[np.arange(len(asked)), asked] = -np.inf
    best = np.argpartition(-likeness, max(AT), axis=1)[:, : max(AT)]
    order = np.argsort(-np.take_along_axis(likeness, best, axis=1), axis=1)
    return np.take_along_axis(best, order, axis=1)


if __name__ == "__main__":
    main()
