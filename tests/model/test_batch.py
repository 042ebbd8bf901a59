"""Interactions as tensors."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.data.interactions import Interactions
from conv4rec.model.batch import Batch, Resident
from tests.triples import Triples, make_interactions

CPU = torch.device("cpu")
TRIPLES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 2)))


def make(triples: Triples) -> Interactions:
    return make_interactions(triples, n_users=6, n_items=4)


def listed(batch: Batch) -> Triples:
    return list(zip(batch.rows.tolist(), batch.items.tolist(), batch.channels.tolist(), strict=True))


@given(TRIPLES, st.permutations(range(6)), st.integers(1, 6))
def test_a_batch_on_the_device_is_the_selection_of_its_users(triples: Triples, order: list[int], size: int) -> None:
    x, users = make(triples), order[:size]
    batch = Resident.of(x, CPU).batch(torch.tensor(users))
    assert listed(batch) == listed(Batch.of(x.select(np.array(users)).by_channel, CPU))
    assert batch.n_rows == size
    assert batch.counts.tolist() == x.counts[users].tolist()


def test_keep_takes_interactions_and_leaves_users() -> None:
    batch = Batch.of(make([(0, 1, 2), (1, 3, 0), (1, 2, 1)]), CPU)
    kept = batch.keep(torch.tensor([False, True, False]))
    assert listed(kept) == [(1, 3, 0)]
    assert kept.counts.tolist() == [0, 1, 0, 0, 0, 0]


@given(TRIPLES, st.data())
def test_the_parts_are_what_keep_would_leave(triples: Triples, data: st.DataObject) -> None:
    batch = Batch.of(make(triples), CPU)
    mask = torch.tensor(data.draw(st.lists(st.booleans(), min_size=len(batch.rows), max_size=len(batch.rows)))).bool()
    found = batch.part(mask, int(mask.sum()))
    for part, expected in zip(found, (batch.keep(~mask), batch.keep(mask)), strict=True):
        assert listed(part) == listed(expected)
        assert part.ends.tolist() == expected.ends.tolist()
        assert part.counts.tolist() == expected.counts.tolist()


def test_only_takes_users_and_renumbers_them() -> None:
    batch = Batch.of(make([(0, 1, 2), (1, 3, 0), (3, 2, 1), (3, 0, 0)]), CPU)
    some = batch.only(torch.tensor([True, False, True, True, False, False]))
    assert listed(some) == [(0, 1, 2), (2, 2, 1), (2, 0, 0)]
    assert (some.n_rows, some.counts.tolist()) == (3, [1, 0, 2])


def test_only_nobody() -> None:
    nobody = Batch.of(make([(0, 1, 2)]), CPU).only(torch.zeros(6, dtype=torch.bool))
    assert (listed(nobody), nobody.n_rows) == ([], 0)
