"""Sums of rows of bytes are those of floats."""

import pytest
import torch

from conv4rec.model.batch import Batch
from conv4rec.model.taken import LEAST_USERS, suits, taken_bytes, weighted_sums


@pytest.mark.parametrize("n_rows", [16, 33])
def test_sums_of_bytes_are_sums_of_floats(n_rows: int) -> None:
    generator = torch.Generator().manual_seed(0)
    taken = torch.rand(20, n_rows, generator=generator) < 0.3
    items, rows = taken.nonzero(as_tuple=True)
    batch = Batch(torch.cat([rows, rows[:3]]), torch.cat([items, items[:3]]), torch.zeros(len(rows) + 3), n_rows)
    neighbours = torch.randint(20, (7, 5), generator=generator, dtype=torch.int32)
    weights = torch.randn(7, 5, generator=generator)
    expected = torch.einsum("im,imb->ib", weights, taken.float()[neighbours.long()])
    torch.testing.assert_close(weighted_sums(taken_bytes(batch, 20), neighbours, weights), expected)


def test_few_users_are_summed_as_floats() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    assert not suits(Batch(none, none, none, LEAST_USERS - 1))
    assert suits(Batch(none, none, none, LEAST_USERS))
