"""Every item explained by its nearest neighbours: one ridge regression an item, in closed form.

EASE explains every item by all others, through one inverse: time I^3, memory I^2 (Steck 2019, arXiv 1905.03375). Here
an item is explained by the M items whose users are most like its own: time I (V M)^3, memory I M V, for catalogues of
any size, and the law is the better for it (docs/model.md). Source: ours; SLIM (Ning and Karypis 2011) selects
neighbours first as one of its variants.
"""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

BLOCK = 32
"""Items whose regressions are solved at once."""
STRIP = 512
"""Columns of a product made at once."""
EVERY = slice(None)
Chosen = slice | NDArray[np.integer]


@dataclass(frozen=True)
class Neighbours:
    """M neighbours of each of I items, and what each says of it in each of V views.

    Attributes:
        items: (I, M) indices, ascending, never that of the item itself.
        weights: (I, M, V).
    """

    items: NDArray[np.int32]
    weights: NDArray[np.float32]


def fit_neighbours(
    views: Sequence[sp.csr_array], penalties: Sequence[float], n_neighbours: int, *, memory_mb: int = 512
) -> Neighbours:
    """Regress every column of the first view on its neighbours' columns in all views.

    An item's neighbours are those whose columns of the last view have the largest cosine with its own. A column without
    an entry gets weights of zero.

    Args:
        views: V matrices (U, I), the users' rows weighted as wished.
        penalties: (V,) above 0, ridge penalties.
        n_neighbours: M, cut to I - 1.
        memory_mb: the products of the columns, I^2 floats for each pair of views, are held where they fit, and made
            anew for every block of items where they do not.
    """
    n_items = views[0].shape[1]
    M, V = min(n_neighbours, n_items - 1), len(views)
    found = Neighbours(np.empty((n_items, M), np.int32), np.empty((n_items, M, V), np.float32))
    if M == 0:
        return found
    products = _Products(views, hold=V * (V + 1) // 2 * n_items**2 * 4 <= memory_mb * 2**20)
    ridge = torch.tensor(penalties, dtype=torch.float32).repeat_interleave(M)  # (V M,)
    for start in range(0, n_items, BLOCK):
        block = np.arange(start, min(start + BLOCK, n_items))
        items = products.closest(block, M)  # (b, M)
        gram, target = products.of_neighbours(block, items)
        factor = torch.linalg.cholesky(gram + torch.diag(ridge))  # (b, V M, V M)
        solved = torch.cholesky_solve(target[:, :, None], factor)  # (b, V M, 1)
        found.items[block] = items
        found.weights[block] = solved.reshape(len(block), V, M).transpose(1, 2).numpy()
    return found


class _Products:
    """Products of columns of views: (V_a^T V_b)[i, j], all of them or those that are asked for."""

    def __init__(self, views: Sequence[sp.csr_array], *, hold: bool) -> None:
        self.views = [view.astype(np.float32).tocsc() for view in views]
        pairs = combinations_with_replacement(range(len(views)), 2)
        self.held = {(a, b): self._product(a, b, EVERY, EVERY) for a, b in pairs} if hold else {}
        last = self.views[-1]
        self.length = np.sqrt(np.asarray(last.multiply(last).sum(axis=0)).ravel())  # (I,)

    def closest(self, block: NDArray[np.intp], n: int) -> NDArray[np.int32]:
        """(b, n) the items of largest cosine with those of the block, ascending."""
        last = len(self.views) - 1
        cosine = self._of_block(last, last, block) / np.maximum(self.length, 1e-6)[:, None]  # (I, b), times a length
        cosine[block, np.arange(len(block))] = -np.inf
        best = np.argpartition(-cosine, n - 1, axis=0)[:n]
        return np.sort(best.T.astype(np.int32), axis=1)

    def of_neighbours(self, block: NDArray[np.intp], items: NDArray[np.int32]) -> tuple[Tensor, Tensor]:
        """(b, V M, V M) products of the neighbours' columns with each other, and (b, V M) with the item's own."""
        V, (b, M) = len(self.views), items.shape
        gram, target = torch.empty(b, V, M, V, M), torch.empty(b, V, M)
        for one in range(V):
            for other in range(one, V):
                among = torch.from_numpy(self._among(one, other, items))  # (b, M, M)
                gram[:, one, :, other] = among
                if one != other:
                    gram[:, other, :, one] = among.transpose(1, 2)
            columns = self._of_block(one, 0, block)  # (I, b)
            target[:, one] = torch.from_numpy(np.take_along_axis(columns.T, items, axis=1))
        return gram.reshape(b, V * M, V * M), target.reshape(b, V * M)

    def _among(self, one: int, other: int, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """(b, M, M) products within every row of `items`, (b, M)."""
        if (one, other) in self.held:
            held = self.held[one, other]
            cells = items[:, :, None].astype(np.intp) * held.shape[1] + items[:, None, :]
            among: NDArray[np.float32] = np.take(held.ravel(), cells)  # half the time of two indices
            return among
        union, place = np.unique(items, return_inverse=True)
        place = place.reshape(items.shape)
        return self._product(one, other, union, union)[place[:, :, None], place[:, None, :]]

    def _of_block(self, one: int, other: int, block: NDArray[np.intp]) -> NDArray[np.float32]:
        """(I, b) products of all columns of a view with the block's of another."""
        if (one, other) in self.held:
            return self.held[one, other][:, block]
        if (other, one) in self.held:
            return self.held[other, one][block].T
        return self._product(one, other, EVERY, block)

    def _product(self, one: int, other: int, rows: Chosen, columns: Chosen) -> NDArray[np.float32]:
        """Strips of columns go to as many threads as torch has: SciPy lets them run beside each other.

        Of the products of a view with itself one half is made.
        """
        left, right = _columns(self.views[one], rows).T.tocsr(), _columns(self.views[other], columns)
        product, halved = np.empty((left.shape[0], right.shape[1]), dtype=np.float32), one == other and rows is columns

        def fill(start: int) -> None:
            strip, below = slice(start, start + STRIP), slice(start if halved else 0, None)
            product[below, strip] = (left[below] @ _columns(right, strip)).toarray()
            if halved:
                product[strip, below] = product[below, strip].T

        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            deque(threads.map(fill, range(0, right.shape[1], STRIP)), maxlen=0)
        return product


def _columns(matrix: sp.csc_array, which: Chosen) -> sp.csc_array:
    return sp.csc_array(matrix[:, which])  # type: ignore[index]
