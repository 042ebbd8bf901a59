"""The sparse index at a million codes: bytes, and time of a query beside a scipy sparse product in the same run.

    python -m benchmarks.sparse_index              # writes benchmarks/results/sparse_index.json

Codes are drawn: one atom in each of k equal parts of the atoms, values from a normal distribution, which makes all
lists of the index about equally long. Both ways ask the codes as the index keeps them, and find the same 100, which is
checked. Times are medians on one
thread, and what counts is their ratio.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from benchmarks.machine import machine
from numpy.typing import NDArray

from conv4rec.compression.index import Mode, SparseIndex
from conv4rec.compression.index_file import load_index, save_index

RESULT = Path(__file__).parent / "results" / "sparse_index.json"
WIDTH, DIM, BATCH, K = 4096, 256, 16, 100


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codes", type=int, default=1_000_000)
    parser.add_argument("--entries", type=int, default=32)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    codes, n = made(arguments.codes, arguments.entries), arguments.codes
    generator = np.random.default_rng(1)
    atoms = generator.normal(size=(WIDTH, DIM)).astype(np.float32)
    index = SparseIndex((atoms / np.linalg.norm(atoms, axis=1, keepdims=True)).astype(np.float32))
    seconds, _ = timed(partial(index.add, codes))
    result: dict[str, Any] = {
        "command": " ".join(sys.argv),
        "codes": n,
        "entries": arguments.entries,
        "bytes": index.n_bytes,
        "bytes_with_atoms": index.n_bytes + index.atoms.nbytes,
        "formula": "codes x (3 entries + 4 sparse + 4 reconstructed + 1 alive) + 4 (atoms + 1) for each 65,536 codes",
        "add_seconds": seconds,
    }
    queries = made(arguments.queries, arguments.entries, seed=2)
    with tempfile.TemporaryDirectory() as folder:
        save_index(index, Path(folder) / "index")
        result["open_seconds"], mapped = timed(lambda: load_index(Path(folder) / "index"))
        codes = index.codes().astype(np.float32)
        del index
        result["queries"] = [compare(mapped, codes, queries, by) for by in ("sparse", "reconstructed")]
        result["one_more"] = changes(mapped, queries)
    result["machine"] = machine()
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def made(n_codes: int, entries: int, *, seed: int = 0) -> Any:
    """Codes of length one."""
    generator = np.random.default_rng(seed)
    part = WIDTH // entries
    columns = generator.integers(0, part, (n_codes, entries), dtype=np.int32) + part * np.arange(
        entries, dtype=np.int32
    )
    values = generator.normal(size=(n_codes, entries)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    pointers = np.arange(n_codes + 1, dtype=np.int64) * entries
    return sp.csr_array((values.ravel(), columns.ravel(), pointers), shape=(n_codes, WIDTH))


def compare(index: SparseIndex, codes: Any, queries: Any, by: Mode) -> dict[str, Any]:
    """A query at a time and sixteen, by the index and by the product of all codes with the query."""
    atoms = index.atoms.astype(np.float64)
    lengths = np.concatenate([1 / segment.factors[by] for segment in index.segments])
    ours, theirs, shared = [], [], []
    for row in range(queries.shape[0]):
        query = queries[[row]]
        seconds, found = timed(partial(index.search, query, K, by=by))
        ours.append(seconds)
        seconds, rows = timed(partial(by_product, codes, query, lengths, atoms, by))
        theirs.append(seconds)
        shared.append(len(np.intersect1d(found.rows[0], rows)) / K)
    together, _ = timed(lambda: index.search(queries[:BATCH], K, by=by))
    return {
        "by": by,
        "ms": 1000 * float(np.median(ours)),
        "ms_in_a_batch": 1000 * together / BATCH,
        "scipy_ms": 1000 * float(np.median(theirs)),
        "times_faster": float(np.median(theirs) / np.median(ours)),
        "same_codes_found": float(np.mean(shared)),
    }


def by_product(codes: Any, query: Any, lengths: NDArray[Any], atoms: NDArray[Any], by: Mode) -> NDArray[np.intp]:
    """The K best by one scipy product: with a sparse vector, or with the dense one that K = W W' makes of it."""
    if by == "sparse":
        scores = (codes @ query.T.tocsr()).toarray().ravel() / lengths
    else:
        weights = atoms @ (query.toarray()[0] @ atoms)
        scores = (codes @ weights.astype(np.float32)) / lengths
    return np.argpartition(-scores, K)[:K]


def changes(index: SparseIndex, queries: Any) -> dict[str, float]:
    """Seconds of adding and deleting one code, medians."""
    added = [timed(partial(index.add, queries[[row]])) for row in range(queries.shape[0])]
    deleted = [timed(partial(index.delete, rows))[0] for _, rows in added]
    return {"add": float(np.median([seconds for seconds, _ in added])), "delete": float(np.median(deleted))}


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what it gave."""
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


if __name__ == "__main__":
    main()
