"""The consumption loss: whatever the block, that of the plain softmax; sampled, right on average."""

import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from conv4rec.model import law, softmax
from conv4rec.model.batch import Batch
from conv4rec.model.held import AllItems
from conv4rec.model.softmax import Drawn, Output, Proposal, exact_loss, sampled_loss

B, I, D = 5, 23, 4
CELL = st.tuples(st.integers(0, B - 1), st.integers(0, I - 1))
SOME = st.lists(CELL, max_size=40)


@pytest.fixture(autouse=True, params=["rows", "blocks"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By compiled loops, as on the CPU, and by operations of torch, as elsewhere."""
    if request.param == "blocks":
        monkeypatch.setattr(softmax, "BY_ROW", ())


def make_output() -> Output:
    torch.manual_seed(0)
    parts = torch.randn(B, D), torch.randn(I, D), torch.randn(I), torch.tensor(-1.5)
    return Output(*(part.requires_grad_() for part in parts))


def pairs(cells: list[tuple[int, int]]) -> Batch:
    rows, items = torch.tensor(sorted(cells), dtype=torch.int64).reshape(-1, 2).T.contiguous()
    return Batch(rows, items, torch.zeros_like(rows), B)


def plain_loss(output: Output, seen: Batch, targets: Batch) -> Tensor:
    indicator = torch.zeros(B, I)
    indicator[seen.rows, seen.items] = 1.0
    logits = output.z @ output.decoder.T + output.bias + output.repeat * indicator
    return law.consume_loss(logits, targets.rows, targets.items)


def gradients(loss: Tensor, output: Output) -> list[Tensor]:
    found = torch.autograd.grad(3.0 * loss, output)
    return [each.to_dense() if each.is_sparse else each for each in found]


def close(found: Tensor, expected: Tensor) -> bool:
    """To 1e-5 of the largest: what adds up the slopes of many targets is rounded as they are."""
    largest = float(expected.abs().max()) if expected.numel() else 0.0
    return torch.allclose(found, expected, atol=1e-5 * max(1.0, largest))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SOME, SOME, st.integers(1, B * I + 9))
def test_the_exact_loss_is_that_of_the_plain_softmax_whatever_the_block(
    seen: list[tuple[int, int]], targets: list[tuple[int, int]], cells: int
) -> None:
    output, known, asked = make_output(), pairs(seen), pairs(targets)
    found, expected = exact_loss(output, known, asked, cells=cells), plain_loss(output, known, asked)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-5)
    for one, other in zip(gradients(found, output), gradients(expected, output), strict=True):
        assert close(one, other)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(CELL), SOME)
def test_a_history_known_to_be_distinct_need_not_be_searched(
    seen: set[tuple[int, int]], targets: list[tuple[int, int]]
) -> None:
    output, known, asked = make_output(), pairs(list(seen)), pairs(targets)
    expected = gradients(exact_loss(output, known, asked), output)
    for cells in (I, B * I):
        found = gradients(exact_loss(output, known, asked, cells=cells, distinct=True), output)
        assert all(close(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("cells", [10, B * I])
@pytest.mark.parametrize(("times", "plus"), [(400.0, 0.0), (1.0, 200.0), (1.0, -200.0), (1.0, 60.0), (1.0, -60.0)])
def test_logits_of_any_size_are_survived(times: float, plus: float, cells: int) -> None:
    parts = [part.detach() * times for part in make_output()]
    parts[2] += plus  # the bias of all items
    output = Output(*(part.requires_grad_() for part in parts))
    seen, targets = pairs([(0, 1)]), pairs([(0, 2), (3, 4)])
    found, expected = exact_loss(output, seen, targets, cells=cells), plain_loss(output, seen, targets)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-4)
    for one, other in zip(gradients(found, output), gradients(expected, output), strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-3 * times)


def test_what_is_no_number_stays_none() -> None:
    output = make_output()
    with torch.no_grad():
        output.z[1, 1] = math.nan
    assert math.isnan(exact_loss(output, pairs([]), pairs([(1, 2)])).item())


@pytest.mark.parametrize("cells", [2 * B, B * I])
def test_a_decoder_that_lies_by_columns_gets_its_gradient_so(cells: int) -> None:
    rows, seen, targets = make_output(), pairs([(0, 1)]), pairs([(0, 2), (3, 4)])
    columns = rows._replace(decoder=rows.decoder.detach().T.contiguous().T.requires_grad_())
    losses = [exact_loss(output, seen, targets, cells=cells) for output in (rows, columns)]
    found, expected = gradients(losses[1], columns), gradients(losses[0], rows)
    assert all(close(one, other) for one, other in zip(found, expected, strict=True))
    torch.autograd.backward(exact_loss(columns, seen, targets, cells=cells))
    assert columns.decoder.grad is not None
    assert columns.decoder.grad.stride() == columns.decoder.stride()


def test_a_constant_for_the_history_gets_no_gradient() -> None:
    output = make_output()
    fixed = output._replace(repeat=output.repeat.detach())
    seen, targets = pairs([(0, 1), (3, 3)]), pairs([(0, 2), (3, 4)])
    learned = [each for each in fixed if each.requires_grad]
    found = torch.autograd.grad(3.0 * exact_loss(fixed, seen, targets), learned)
    expected = gradients(exact_loss(output, seen, targets), output)
    assert len(found) == 3
    assert all(close(one, other) for one, other in zip(found, expected, strict=False))


def test_the_memory_held_is_that_of_a_block() -> None:
    """What autograd keeps between the passes has no matrix of users x items, unless that is one block."""
    output, seen, targets = make_output(), pairs([(0, 1)]), pairs([(0, 2)])
    sizes: list[int] = []

    def note(kept: Tensor) -> Tensor:
        sizes.append(kept.numel())
        return kept

    with torch.autograd.graph.saved_tensors_hooks(note, lambda kept: kept):
        exact_loss(output, seen, targets, cells=2 * B)
    assert max(sizes) == I * D


def test_every_item_drawn_once_in_its_proportion_gives_the_exact_loss() -> None:
    output, seen, targets = make_output(), pairs([(0, 1), (2, 7)]), pairs([(0, 2), (2, 7), (3, 4)])
    everything = Drawn(torch.arange(I), torch.zeros(I))
    found, expected = sampled_loss(output, seen, targets, everything), plain_loss(output, seen, targets)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for one, other in zip(gradients(found, output), gradients(expected, output), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_the_normaliser_of_the_sample_is_unbiased() -> None:
    """Mean over 4,000 samples of sum_s w_s exp l_s within 4 standard errors of sum_j exp l_j, for every user."""
    torch.manual_seed(1)
    output = make_output()
    logits = (output.z @ output.decoder.T + output.bias).detach().double()
    proposal = Proposal(torch.arange(I) ** 2, 6)
    drawn = [proposal.draw() for _ in range(4000)]
    sums = torch.stack([(logits[:, each.items] + each.log_weight).exp().sum(1) for each in drawn])  # (4000, B)
    off = (sums.mean(0) - logits.exp().sum(1)).abs() / (sums.std(0) / math.sqrt(len(drawn)))
    assert off.max() < 4


def test_the_sampled_loss_and_its_gradient_near_the_exact_ones() -> None:
    """The logarithm is biased by half the relative variance of the normaliser: it goes with one over the draws."""
    torch.manual_seed(2)
    output, seen, targets = make_output(), pairs([(0, 1)]), pairs([(0, 2), (1, 3), (4, 22)])
    expected = plain_loss(output, seen, targets)
    errors = []
    for n_draws in (20, 2000):
        proposal = Proposal(torch.ones(I), n_draws)
        found = torch.stack([sampled_loss(output, seen, targets, proposal.draw()) for _ in range(200)])
        errors.append(abs(found.mean() - expected).item())
        of_bias = gradients(found.mean(), output)[2]
    assert errors[1] < 0.02 < errors[0]
    assert torch.allclose(of_bias, gradients(expected, output)[2], atol=0.05)


def test_draws_follow_the_proposal() -> None:
    torch.manual_seed(3)
    proposal = Proposal(torch.tensor([0, 0, 6, 2]), 10_000)
    drawn = proposal.draw()
    times = (drawn.log_weight + proposal.log_q[drawn.items]).exp() * 10_000
    assert drawn.items.tolist() == [0, 1, 2, 3]
    assert times.tolist() == pytest.approx([1250, 1250, 5000, 2500], rel=0.1)


@dataclass(frozen=True)
class Elsewhere(AllItems):
    """Another process holds an item of this logit."""

    logit: float

    def log_add_up(self, value: Tensor) -> Tensor:
        return torch.logaddexp(value, torch.tensor(self.logit))


@pytest.mark.parametrize("logit", [-300.0, 3.0, 300.0])
def test_what_another_process_finds_likelier_by_far_leaves_numbers(logit: float) -> None:
    output, targets = make_output(), pairs([(0, 2), (3, 4), (3, 5)])
    logits = output.z @ output.decoder.T + output.bias
    total = torch.logaddexp(logits.logsumexp(1), torch.tensor(logit))
    expected = (total * targets.counts).sum() - logits[targets.rows, targets.items].sum()
    for cells in (2 * B, B * I):
        found = exact_loss(output, pairs([]), targets, cells=cells, held=Elsewhere(logit))
        assert found.item() == pytest.approx(expected.item(), rel=1e-5)
        given = zip(
            gradients(found, output)[:3], torch.autograd.grad(3 * expected, output[:3], retain_graph=True), strict=True
        )
        assert all(torch.allclose(one, other, atol=1e-4) for one, other in given)
