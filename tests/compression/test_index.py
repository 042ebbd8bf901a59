"""The index finds what looking at every code would find, to the last bit."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from conv4rec.compression import segment
from conv4rec.compression.codes import Array, of_length_one, rounded
from conv4rec.compression.index import MODES, Mode, SparseIndex
from conv4rec.errors import QueryError

Made = NDArray[np.float32]


def atoms_of(width: int, dim: int, seed: int) -> Made:
    drawn = np.random.default_rng(seed).normal(size=(width, dim))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), dtype=np.float32)


@st.composite
def codes(draw: st.DrawFn, n: int, width: int) -> Any:
    """Signed codes with few values, so that many are equal, and some that are empty."""
    rows = draw(st.lists(st.integers(0, 2**32 - 1), min_size=n, max_size=n))
    made = np.zeros((n, width))
    for place, seed in enumerate(rows):
        generator = np.random.default_rng(seed % 12)  # twelve different codes: most occur twice
        atoms = generator.choice(width, generator.integers(0, min(5, width) + 1), replace=False)
        made[place, atoms] = generator.choice([-2.0, -0.5, 0.3, 1.0], len(atoms))
    return sp.csr_array(made)


def every_score(index: SparseIndex, queries: Any, by: Mode, lengths: Array, offsets: Array) -> list[list[float]]:
    """By the formulas of METHOD.md section 5, one pair at a time, over all atoms."""
    kept = index.codes().toarray()
    atoms = index.atoms.astype(np.float64)
    most = max(1, int((kept != 0).sum(axis=1).max(initial=1)))
    found = []
    for query in queries if by == "inner" else of_length_one(sp.csr_array(queries)).toarray():
        weights = query if by == "sparse" else atoms @ (query if by == "inner" else direction(query @ atoms))
        weights = rounded(weights[None, :], most)[0]
        scores = []
        for row, code in enumerate(kept):
            total = sum(w * value for w, value in zip(weights.tolist(), code.tolist(), strict=True))
            norm = np.linalg.norm(code if by == "sparse" else code @ atoms)
            factor = np.float32(1 / norm if norm > 0 else 0.0)
            if by == "inner":
                factor = factor * np.float32(lengths[row])
            scores.append(total * float(factor) + (float(np.float32(offsets[row])) if by == "inner" else 0.0))
        found.append(scores)
    return found


def direction(vector: Array) -> Array:
    norm = np.linalg.norm(vector)
    return vector * np.float32(1 / norm) if norm > 0 else vector


def test_the_small_segments_are_a_few() -> None:
    index = SparseIndex(atoms_of(6, 3, 0))
    for _ in range(100):
        index.add(sp.csr_array(np.eye(6)[:1]))
    assert [each.n_codes for each in index.segments] == [64, 32, 4]
    assert len(index) == 100


@given(st.data())
def test_it_equals_brute_force(data: st.DataObject) -> None:
    width, dim, n = data.draw(st.integers(2, 9)), data.draw(st.integers(1, 4)), data.draw(st.integers(0, 30))
    made, by = data.draw(codes(n, width)), data.draw(st.sampled_from(MODES))
    generator = np.random.default_rng(n)
    lengths, offsets = generator.choice([0.5, 1.0, 3.0], n), generator.choice([-1.0, 0.0, 2.0], n)
    index = SparseIndex(atoms_of(width, dim, n), (by,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("conv4rec.compression.index.MOST", 8)
        for start in range(0, n, 5):  # several segments
            part = slice(start, start + 5)
            more = {"lengths": lengths[part], "offsets": offsets[part]} if by == "inner" else {}
            index.add(made[part], **more)
    dead = data.draw(st.sets(st.integers(0, n - 1))) if n else set()
    index.delete(sorted(dead))
    queries: Any = data.draw(codes(3, width))
    if by == "inner":
        queries = generator.normal(size=(3, dim))
    k = data.draw(st.integers(1, n + 2))
    found = index.search(queries, k, by=by)
    for row, scores in enumerate(every_score(index, queries, by, lengths, offsets)):
        alive = [place for place in range(n) if place not in dead]
        best = sorted(alive, key=lambda place: (-scores[place], place))[:k]
        assert found.rows[row].tolist() == best + [-1] * (k - len(best))
        assert found.scores[row, : len(best)].tolist() == [scores[place] for place in best]
        assert (found.scores[row, len(best) :] == -np.inf).all()
        whole = index.scores(queries, by=by)[row]
        assert [whole[place] for place in alive] == [scores[place] for place in alive]


def test_signs_count() -> None:
    index = SparseIndex(np.eye(3, dtype=np.float32))
    index.add(sp.csr_array([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0], [0.6, -0.8, 0]]))
    for by in ("sparse", "reconstructed"):
        found = index.search(sp.csr_array([[2.0, 0, 0]]), 4, by=by)
        assert found.rows.tolist() == [[0, 3, 2, 1]]
        assert found.scores[0] == pytest.approx([1.0, 0.6, 0.0, -1.0], abs=2e-3)


def test_reconstructed_is_the_cosine_of_what_is_decoded() -> None:
    atoms = atoms_of(20, 6, 1)
    made = sp.random_array((40, 20), density=0.2, rng=np.random.default_rng(1)).tocsr()
    made.data -= 0.5
    index = SparseIndex(atoms)
    index.add(made)
    decoded = made.toarray() @ atoms
    decoded /= np.maximum(np.linalg.norm(decoded, axis=1, keepdims=True), 1e-9)
    assert index.scores(made) == pytest.approx(decoded @ decoded.T, abs=1e-2)  # a byte an entry


def test_inner_is_the_product_with_what_is_decoded() -> None:
    atoms, generator = atoms_of(20, 6, 2), np.random.default_rng(2)
    made = sp.csr_array(generator.normal(size=(30, 20)) * (generator.random((30, 20)) < 0.3))
    lengths, offsets = generator.random(30) * 5, generator.normal(size=30)
    index = SparseIndex(atoms, ("inner",))
    index.add(made, lengths=lengths, offsets=offsets)
    decoded = made.toarray() @ atoms
    decoded *= (lengths / np.maximum(np.linalg.norm(decoded, axis=1), 1e-9))[:, None]
    asked = generator.normal(size=(5, 6))
    assert index.scores(asked, by="inner") == pytest.approx(asked @ decoded.T + offsets, abs=6e-2)


def test_adding_and_deleting_leave_the_rest_where_it_is() -> None:
    made = sp.csr_array(np.eye(5))
    index = SparseIndex(np.eye(5, dtype=np.float32))
    assert index.add(made[:3]).tolist() == [0, 1, 2]
    index.delete([1])
    assert index.add(made[3:]).tolist() == [3, 4]
    assert (len(index), index.search(made, 1, by="sparse").rows.ravel().tolist()) == (4, [0, 0, 2, 3, 4])
    assert index.search(made[1:2], 5, by="sparse").rows.tolist() == [[0, 2, 3, 4, -1]]


def test_more_codes_than_a_segment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "MOST", 16)
    monkeypatch.setattr("conv4rec.compression.index.MOST", 16)
    made = sp.random_array((70, 12), density=0.3, rng=np.random.default_rng(3)).tocsr()
    index = SparseIndex(atoms_of(12, 4, 3))
    index.add(made)
    assert [each.n_codes for each in index.segments] == [16, 16, 16, 16, 6]
    assert index.search(made, 3).rows[:, 0].tolist() == index.scores(made).argmax(axis=1).tolist()


def test_a_batch_gives_what_each_query_gives() -> None:
    made = sp.random_array((50, 300), density=0.02, rng=np.random.default_rng(4)).tocsr()
    index = SparseIndex(atoms_of(300, 8, 4))
    index.add(made)
    for by in ("sparse", "reconstructed"):
        whole = index.search(made, 7, by=by)
        for row in (0, 17, 49):
            alone = index.search(made[[row]], 7, by=by)
            assert (alone.rows[0].tolist(), alone.scores[0].tolist()) == (
                whole.rows[row].tolist(),
                whole.scores[row].tolist(),
            )


def test_an_empty_index_and_no_queries() -> None:
    index = SparseIndex(np.eye(3, dtype=np.float32))
    assert index.search(sp.csr_array(np.eye(3)), 2).rows.tolist() == [[-1, -1]] * 3
    assert index.search(sp.csr_array((0, 3)), 2).rows.shape == (0, 2)
    assert index.codes().shape == (0, 3)


def test_a_code_is_kept_in_whole_numbers() -> None:
    index = SparseIndex(np.eye(4, dtype=np.float32))
    index.add(sp.csr_array([[3.0, -1.5, 0, 0.001], [0, 0, -1e-300, 0], [0, 0, 0, 0]]))
    assert index.codes().toarray().tolist() == [[127, -64, 0, 0], [0, 0, -127, 0], [0, 0, 0, 0]]
    assert index.segments[0].values.dtype == np.int8


def test_atoms_in_no_code_are_counted() -> None:
    index = SparseIndex(np.eye(5, dtype=np.float32))
    assert index.n_dead == 5
    index.add(sp.csr_array(np.eye(5)[:2]))
    index.add(sp.csr_array(np.eye(5)[3:]))
    assert index.n_dead == 1


def test_the_bytes_are_those_of_the_formula() -> None:
    n, k, width = 1000, 8, 64
    generator = np.random.default_rng(5)
    columns = np.concatenate([generator.choice(width, k, replace=False) for _ in range(n)])
    made = sp.csr_array((generator.choice([-1.0, 0.4, 2.0], n * k), columns, np.arange(n + 1) * k), shape=(n, width))
    index = SparseIndex(atoms_of(width, 4, 5))
    index.add(made)
    assert index.n_bytes == n * (3 * k + 8) + n + 4 * (width + 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda index: index.add(np.eye(3)), "codes: a ndarray, expected a scipy sparse matrix with 3 columns"),
        (lambda index: index.add(sp.csr_array(np.eye(4))), r"codes: of shape \(4, 4\), expected a scipy sparse"),
        (lambda index: index.add(sp.csr_array([[np.nan, 0, 0]])), "codes: an entry is not a finite number"),
        (lambda index: index.add(sp.csr_array(np.eye(3)), lengths=[1, 1, 1]), "takes no lengths and offsets"),
        (lambda index: index.delete([9]), "code 9 is not in the index"),
        (lambda index: index.delete([1]) or index.delete([1]), "code 1 is not in the index"),
        (lambda index: index.search(sp.csr_array(np.eye(3)), 0), "k = 0: expected a whole number from 1"),
        (lambda index: index.search(np.eye(3), 1, by="inner"), "by 'inner': expected one of sparse, reconstructed"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    index = SparseIndex(np.eye(3, dtype=np.float32))
    index.add(sp.csr_array(np.eye(3)))
    with pytest.raises(QueryError, match=message):
        call(index)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda index: index.add(sp.csr_array(np.eye(3))), "an index for inner needs lengths"),
        (lambda index: index.add(sp.csr_array(np.eye(3)), lengths=[1.0]), "lengths: expected 3 finite numbers"),
        (lambda index: index.search(np.eye(2), 1, by="inner"), r"queries: of shape \(2, 2\), expected \(any, 3\)"),
        (lambda index: index.search([[np.inf, 0, 0]], 1, by="inner"), "queries: an entry is not a finite number"),
    ],
)
def test_refusals_of_inner_products(call: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        call(SparseIndex(np.eye(3, dtype=np.float32), ("inner",)))


def test_some_codes_in_the_order_asked() -> None:
    index = SparseIndex(np.eye(4, dtype=np.float32))
    for _ in range(3):
        index.add(sp.csr_array(np.eye(4)))
    assert index.codes(np.array([9, 0, 5, 0])).toarray().argmax(axis=1).tolist() == [1, 0, 1, 0]
    assert index.codes(np.array([], dtype=np.int64)).shape == (0, 4)
    assert index.codes().shape == (12, 4)
