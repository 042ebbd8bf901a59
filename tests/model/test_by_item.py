"""Sums and losses from item to item against plain indexing and the law, values and gradients, whatever the threads."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from conv4rec.model import law
from conv4rec.model.by_item import ByItem, Moments, parts_of, sums_by_item, trains_here, type_loss
from tests.model.test_bags import PLACES, B, D, I, gradients, made, plain_sums, split


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def by_item(places: list[tuple[int, int]], K: int) -> tuple[ByItem, Tensor, Tensor, Tensor]:
    """The pairs by item, and as they were given: items, rows, kinds."""
    items, rows = split(places)
    kinds = torch.arange(len(places)) % K
    return ByItem.of(rows, items, kinds, B, I), items, rows, kinds


@given(PLACES)
def test_interactions_by_item_are_all_of_them_in_order(places: list[tuple[int, int]]) -> None:
    found, items, rows, kinds = by_item(places, 3)
    order = torch.argsort(items, stable=True)
    assert torch.equal(found.order, order)
    assert torch.equal(found.rows, rows[order])
    assert torch.equal(found.kinds, kinds[order])
    assert found.starts.tolist() == [int((items < item).sum()) for item in range(I + 1)]
    assert found.cuts[0] == 0
    assert found.cuts[-1] == I
    assert (found.cuts.diff() >= 0).all()


def test_parts_have_about_the_same_work(threads: int) -> None:
    counts = torch.randint(0, 9, (1000,), generator=torch.Generator().manual_seed(0))
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    cuts = parts_of(starts, 4)
    work = (starts + 4 * torch.arange(1001))[cuts].diff()
    assert len(work) == 2 * threads
    assert work.max() - work.min() < 4 + 9 + 4 + 9


@pytest.mark.usefixtures("threads")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=PLACES, extra_channels=st.integers(0, 2))
def test_sums_are_those_of_the_mixtures(places: list[tuple[int, int]], extra_channels: int) -> None:
    K, C, J = 3, 2, extra_channels
    found_by, items, rows, kinds = by_item(places, K)
    table, mixing = made(I, C, D), made(K + J, C, seed=1)
    extra = torch.randn(len(places), J, generator=torch.Generator().manual_seed(2))
    expected = plain_sums(table, items, rows, mixing[kinds] + extra @ mixing[K:])
    found = sums_by_item(table, found_by, mixing, extra if J else None)
    assert torch.allclose(found, expected, atol=1e-5)
    for one, other in zip(gradients(found, table, mixing), gradients(expected, table, mixing), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_a_mover_gets_the_table_moved_and_no_gradient() -> None:
    found_by, *_ = by_item([(0, 0), (0, 1), (3, 1), (6, 2)], 3)
    table, mixing = made(I, 2, D), made(3, 2, seed=1)
    slope, of_mixing = gradients(sums_by_item(table, found_by, mixing), table, mixing)
    start = table.detach().clone()
    size, root, beta1, beta2, eps, decay = 0.1, 1.5, 0.9, 0.99, 1e-8, 0.01
    moments = Moments(torch.ones(I, 2, D), torch.ones(I, 2, 1), torch.tensor([size, root, beta1, beta2, eps, decay]))
    summed = sums_by_item(table, found_by, mixing, mover=lambda _: moments)
    factor = torch.randn(summed.shape, generator=torch.Generator().manual_seed(9))
    (summed * factor).sum().backward()  # type: ignore[no-untyped-call]
    assert table.grad is None
    assert mixing.grad is not None
    assert torch.allclose(mixing.grad, of_mixing, atol=1e-5)
    pull = slope + decay * start
    mean, square = beta1 + (1 - beta1) * pull, beta2 + (1 - beta2) * pull.square().mean(-1, keepdim=True)
    assert torch.allclose(moments.mean, mean, atol=1e-6)
    assert torch.allclose(moments.square, square, atol=1e-6)
    assert torch.allclose(table, start - size * mean / (square.sqrt() * root + eps), atol=1e-6)


COVERS = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 1, 1]], dtype=torch.bool)
"""Three types, one that may be any of them, and one that is not the first."""


@pytest.mark.usefixtures("threads")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=PLACES, times=st.sampled_from([1.0, 40.0]))
def test_the_loss_of_types_is_that_of_the_law(places: list[tuple[int, int]], times: float) -> None:
    (K, L), C = COVERS.shape, 2
    found_by, items, rows, kinds = by_item(places, K)
    z, decoder, output = made(B, D), made(I, C, D, seed=1), made(C, L, seed=2)
    bias, of_rows = (times * made(n, L, seed=3 + n) for n in (I, B))
    logits = torch.einsum("ncd,nd->nc", decoder[items], z[rows]) @ output + bias[items] + of_rows[rows]
    expected = law.type_loss(logits, COVERS[kinds])
    found = type_loss(z, decoder, output, bias, of_rows, found_by, COVERS)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-4)
    learned = z, decoder, output, bias, of_rows
    for one, other in zip(gradients(found, *learned), gradients(expected, *learned), strict=True):
        assert torch.allclose(one, other, atol=2e-5)


def test_what_is_no_number_stays_none() -> None:
    found_by, *_ = by_item([(0, 0), (3, 1)], 3)
    z, decoder, output, bias, of_rows = made(B, D), made(I, 2, D), made(2, 3), made(I, 3), made(B, 3)
    with torch.no_grad():
        bias[3] = torch.nan
    assert type_loss(z, decoder, output, bias, of_rows, found_by, COVERS).isnan()
    assert sums_by_item(made(I, 2, D) * torch.nan, found_by, made(3, 2)).isnan().any()


def test_what_is_out_of_range_is_refused() -> None:
    with pytest.raises(IndexError, match="items from 0 to 7, expected 0 to 6"):
        by_item([(0, 0), (7, 1)], 3)
    with pytest.raises(IndexError, match="items from -1 to 0, expected 0 to 6"):
        by_item([(0, 0), (-1, 1)], 3)
    found_by, *_ = by_item([(0, 0), (3, 1), (4, 1)], 3)
    with pytest.raises(IndexError, match="kinds up to 2, expected 0 to 1"):
        sums_by_item(made(I, 2, D), found_by, made(2, 2))


def test_only_what_is_trained_on_the_cpu_in_single_precision() -> None:
    assert trains_here(made(2))
    assert not trains_here(made(2).detach())
    assert not trains_here(made(2).double())
    with torch.no_grad():
        assert not trains_here(made(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not trains_here(made(2))
