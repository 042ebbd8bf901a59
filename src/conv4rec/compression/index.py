"""An exact index over sparse codes: the codes most like one, or of largest inner product with a vector.

Three modes, METHOD.md section 5:

    sparse          cos(s_x, s_y)                                from the lists of the atoms of the query alone
    reconstructed   cos(x^, y^) = s_x' K s_y / (|x^| |y^|)       K = W_dec W_dec', norms of the codes precomputed
    inner           x . y' + offset_y                            y' = length_y y^ / |y^|: maximum inner product, biases

K is never made: K s_x = W_dec (W_dec' s_x), a vector of the width of the atoms on the way. Inner products need no
detour by cosines, because every score is weights . code x factor + offset, in any mode.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from conv4rec.compression.codes import Array, Codes, check_codes, check_vectors, inverse, of_length_one, rounded, whole
from conv4rec.compression.lists import Found, empty, merge, together
from conv4rec.compression.segment import MOST, Segment
from conv4rec.errors import QueryError

Mode = Literal["sparse", "reconstructed", "inner"]
MODES: tuple[Mode, ...] = ("sparse", "reconstructed", "inner")
LIKENESS: tuple[Mode, ...] = ("sparse", "reconstructed")
AT_ONCE = 16
"""Queries scored together, where a query has weights at all atoms."""
PART = 4096
"""Codes decoded together."""


@dataclass
class SparseIndex:
    """Codes that can be searched, added and deleted. Codes are numbered as they are added and keep their numbers.

    Attributes:
        atoms: (S, d) W_dec.
        modes: those that can be asked for; each takes 4 bytes a code.
        segments: the codes.
        alive: (n,) false where a code was deleted.
    """

    atoms: NDArray[np.float32]
    modes: tuple[Mode, ...] = LIKENESS
    segments: list[Segment] = field(default_factory=list)
    alive: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    def __len__(self) -> int:
        """How many codes there are, without those deleted."""
        return int(self.alive.sum())

    @property
    def n_bytes(self) -> int:
        """Memory of the segments, or what is mapped of them: 3 an entry and 4 a mode for every code, and pointers."""
        return sum(segment.n_bytes for segment in self.segments) + self.alive.nbytes

    @property
    def n_dead(self) -> int:
        """Atoms that are in no code, deleted ones counted."""
        entries = sum((np.diff(segment.pointers) for segment in self.segments), np.zeros(len(self.atoms)))
        return int((entries == 0).sum())

    def add(self, codes: Any, *, lengths: Any = None, offsets: Any = None) -> NDArray[np.int64]:
        """Add codes, a scipy sparse matrix (N, S), and give their numbers; the other codes stay where they are.

        Args:
            codes: of any length; their directions are kept, a byte for each entry.
            lengths: (N,) of the vectors that the codes stand for; for `inner`, and needed for it.
            offsets: (N,) added to inner products; None: nothing is. Only for `inner`.

        Raises:
            QueryError: a width, a length or an entry that cannot be.
        """
        checked = whole(check_codes(codes, len(self.atoms), "codes"))
        lengths, offsets = self._per_code(lengths, offsets, checked.shape[0])
        for start in range(0, checked.shape[0], MOST):
            part = slice(start, start + MOST)
            factors = self._factors(checked[part], None if lengths is None else lengths[part])
            self._append(Segment.of(checked[part], factors, None if offsets is None else offsets[part]))
        first = len(self.alive)
        self.alive = np.concatenate([self.alive, np.ones(checked.shape[0], dtype=np.bool_)])
        return np.arange(first, len(self.alive))

    def delete(self, rows: Any) -> None:
        """Take the codes with these numbers out of all answers. QueryError for one that is not there."""
        asked = np.asarray(rows, dtype=np.int64).ravel()
        for row in asked.tolist():
            if not (0 <= row < len(self.alive) and self.alive[row]):
                raise QueryError(f"code {row} is not in the index: expected numbers that `add` gave, deleted once")
        self.alive[asked] = False

    def codes(self, rows: NDArray[np.integer] | None = None) -> Codes:
        """(N, S) the codes with these numbers as they are kept, whole numbers, deleted ones too; None: all of them."""
        asked = np.arange(len(self.alive)) if rows is None else rows
        found, first = [sp.csr_array((0, len(self.atoms)))], 0
        order = np.argsort(asked, kind="stable")
        for segment in self.segments:
            here = asked[order]
            here = here[(here >= first) & (here < first + segment.n_codes)] - first
            found += [segment.codes()[here]] if len(here) else []
            first += segment.n_codes
        return sp.csr_array(sp.vstack(found))[np.argsort(order)]

    def search(self, queries: Any, k: int, *, by: Mode = "reconstructed") -> Found:
        """The k best codes of every query; equal scores in the order of the numbers.

        Args:
            queries: codes, a scipy sparse matrix (B, S); for `inner` vectors, (B, d).
            k: length of the lists; longer than the index, they end in -1.
            by: the mode.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise QueryError(f"k = {k!r}: expected a whole number from 1")
        return together([self._best(weights, k, by) for weights in self._blocks(queries, by)], k)

    def scores(self, queries: Any, *, by: Mode = "reconstructed") -> Array:
        """(B, n) scores of all codes, -inf where one was deleted; queries as in `search`."""
        found = [self._all(weights, by) for weights in self._blocks(queries, by)]
        return np.concatenate([*found, np.zeros((0, len(self.alive)))])

    def _all(self, weights: Array, by: Mode) -> Array:
        scores = [segment.scores(weights, by) for segment in self.segments]
        whole = np.concatenate([*scores, np.zeros((len(weights), 0))], axis=1)
        whole[:, ~self.alive] = -np.inf
        return whole

    def _best(self, weights: Array, k: int, by: Mode) -> Found:
        best, first = empty(len(weights)), 0
        for segment in self.segments:
            scores = segment.scores(weights, by)
            dead = np.flatnonzero(~self.alive[first : first + segment.n_codes])
            scores[:, dead] = -np.inf
            best = merge(best, scores, first, k)
            first += segment.n_codes
        return best

    def _blocks(self, queries: Any, by: Mode) -> Iterator[Array]:
        """(b, S) weights of a few queries at a time, rounded."""
        if by not in self.modes:
            raise QueryError(f"by {by!r}: expected one of {', '.join(self.modes)}, which this index was made for")
        n_terms = max((segment.most_entries for segment in self.segments), default=1)
        step = 1 if by == "sparse" else AT_ONCE
        asked: Any = check_vectors(queries, self.atoms.shape[1], "queries") if by == "inner" else None
        if asked is None:
            asked = of_length_one(check_codes(queries, len(self.atoms), "queries"))
        for start in range(0, asked.shape[0], step):
            yield rounded(self._weights(asked[start : start + step], by), n_terms)

    def _weights(self, queries: Any, by: Mode) -> Array:
        """What every entry of a code counts, (b, S); one query at a time, so that the others do not matter to it."""
        if by == "sparse":
            return np.asarray(queries.toarray())
        atoms = self.atoms.astype(np.float64)
        asked = queries if by == "inner" else [_direction(query @ atoms) for query in queries.toarray()]
        return np.array([atoms @ each for each in asked]).reshape(-1, len(atoms))

    def _append(self, segment: Segment) -> None:
        """Small segments are joined as they come, so that there are few, and each code is moved a few times at most."""
        while self.segments and self.segments[-1].n_codes <= segment.n_codes:
            if self.segments[-1].n_codes + segment.n_codes > MOST:
                break
            segment = self.segments.pop().join(segment)
        self.segments.append(segment)

    def _factors(self, codes: Codes, lengths: NDArray[np.float32] | None) -> dict[str, NDArray[np.float32]]:
        made = {mode: inverse(self._norms(codes, mode)) for mode in self.modes}
        if lengths is not None:
            made["inner"] = made["inner"] * lengths
        return {str(mode): values for mode, values in made.items()}

    def _norms(self, codes: Codes, mode: Mode) -> Array:
        """Of the codes, or of what they are decoded to."""
        if mode == "sparse":
            squares = np.asarray(codes.multiply(codes).sum(axis=1), dtype=np.float64)
            return np.asarray(np.sqrt(squares.ravel()))
        atoms = self.atoms.astype(np.float64)
        parts = (codes[start : start + PART] @ atoms for start in range(0, codes.shape[0], PART))
        return np.concatenate([*(np.linalg.norm(part, axis=1) for part in parts), np.zeros(0)])

    def _per_code(
        self, lengths: Any, offsets: Any, n_codes: int
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
        if ("inner" in self.modes) != (lengths is not None) or (offsets is not None and lengths is None):
            told = "needs lengths" if lengths is None and "inner" in self.modes else "takes no lengths and offsets"
            raise QueryError(f"an index for {', '.join(self.modes)} {told}")
        if lengths is not None and offsets is None:
            offsets = np.zeros(n_codes)
        return _numbers(lengths, n_codes, "lengths"), _numbers(offsets, n_codes, "offsets")


def _direction(vector: Array) -> Array:
    """(d,) of length one; zero stays."""
    return np.asarray(vector * inverse(np.atleast_1d(np.linalg.norm(vector))))


def _numbers(values: Any, n_codes: int, what: str) -> NDArray[np.float32] | None:
    if values is None:
        return None
    checked = np.asarray(values, dtype=np.float32)
    if checked.shape != (n_codes,) or not np.isfinite(checked).all():
        raise QueryError(f"{what}: expected {n_codes} finite numbers, one for each code")
    return checked
