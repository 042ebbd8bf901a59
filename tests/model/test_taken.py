"""Sums of rows of bytes, and of places in tables, are those of floats."""

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from conv4rec.model.batch import Batch
from conv4rec.model.experts import Known, KnownOfMany
from conv4rec.model.taken import LEAST_USERS, looks_up, suits, taken_bytes, taken_words, weighted_sums


def some_taken(n_rows: int) -> tuple[Tensor, Batch]:
    """(20, B) who has what, and the same as a batch, in which some pairs are twice."""
    taken = torch.rand(20, n_rows, generator=torch.Generator().manual_seed(1)) < 0.3
    items, rows = taken.nonzero(as_tuple=True)
    twice = torch.zeros(len(rows) + 3, dtype=torch.int64)
    return taken.float(), Batch(torch.cat([rows, rows[:3]]), torch.cat([items, items[:3]]), twice, n_rows)


@pytest.mark.parametrize("n_rows", [16, 33])
def test_sums_of_bytes_are_sums_of_floats(n_rows: int) -> None:
    generator, (taken, batch) = torch.Generator().manual_seed(0), some_taken(n_rows)
    neighbours = torch.randint(20, (7, 5), generator=generator, dtype=torch.int32)
    weights = torch.randn(7, 5, generator=generator)
    expected = torch.einsum("im,imb->ib", weights, taken[neighbours.long()])
    torch.testing.assert_close(weighted_sums(taken_bytes(batch, 20), neighbours, weights), expected)


def test_few_users_are_summed_as_floats() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    assert not suits(Batch(none, none, none, LEAST_USERS - 1))
    assert suits(Batch(none, none, none, LEAST_USERS))


@pytest.mark.parametrize("n_rows", [1, 63, 64, 65, 127, 200, 257])
@pytest.mark.parametrize("n_neighbours", [0, 1, 2, 3, 4, 7])
def test_what_is_looked_up_is_what_sums_say(n_rows: int, n_neighbours: int) -> None:
    """Blocks of users and groups of neighbours that are full, and that are not; of some items."""
    generator, (taken, batch) = torch.Generator().manual_seed(0), some_taken(n_rows)
    neighbours = torch.randint(20, (20, n_neighbours), generator=generator, dtype=torch.int32)
    weights, floor = torch.randn(20, n_neighbours, generator=generator), torch.rand(n_rows, generator=generator) + 0.1
    sums = torch.einsum("im,imb->ib", weights, taken[neighbours.long()])
    logits, bias = torch.randn(12, n_rows, generator=generator), torch.randn(20, 1, generator=generator)
    expected, found = logits.clone(), logits.clone()
    Known(lambda start, stop: sums[start:stop].clone(), floor).join(expected, bias[5:17], 5)
    KnownOfMany(taken_words(batch, 20), neighbours, weights, floor).join(found, bias[5:17], 5)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found, logits + bias[5:17] + torch.log2(floor + sums[5:17].clamp(min=0)))


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() != "AVX512", reason="this processor has one way alone")
def test_what_is_looked_up_by_other_processors() -> None:
    """Torch is told of a processor without AVX-512, and what is compiled for it is kept apart."""
    code = "import pytest, sys; sys.exit(pytest.main(['-q', '-k', 'what_sums_say', sys.argv[1]]))"
    told = subprocess.run(
        [sys.executable, "-c", code, __file__], env=os.environ | {"ATEN_CPU_CAPABILITY": "avx2"}, check=False
    )
    assert told.returncode == 0


@pytest.mark.parametrize(("item", "row"), [(20, 0), (-1, 0), (0, 64), (0, -1)])
def test_what_is_no_item_or_user_is_not_marked(item: int, row: int) -> None:
    zero = torch.zeros(1, dtype=torch.int64)
    with pytest.raises(IndexError, match=f"items {item} to {item} of users {row} to {row}, expected 20 and 40"):
        taken_words(Batch(zero + row, zero + item, zero, 40), 20)


def test_many_are_looked_up_where_the_processor_can(monkeypatch: pytest.MonkeyPatch) -> None:
    none, can = torch.zeros(0, dtype=torch.int64), ["AVX2"]
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: can[0])
    assert looks_up(Batch(none, none, none, LEAST_USERS))
    assert not looks_up(Batch(none, none, none, LEAST_USERS - 1))
    can[0] = "DEFAULT"
    assert not looks_up(Batch(none, none, none, LEAST_USERS))
