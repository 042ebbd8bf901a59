"""Adam against torch's own, its state taken up again, and what it leaves unloaded."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from conv4rec.errors import TrainingError
from conv4rec.training import adam
from conv4rec.training.adam import Adam


def minimise(optimizer: Adam | torch.optim.Adam, weights: Tensor, target: Tensor, steps: int = 7) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        torch.autograd.backward(((weights - target) ** 2).sum())
        optimizer.step()


def test_moves_as_torch_does() -> None:
    target, start = torch.randn(3, 2), torch.randn(3, 2)
    ours, theirs = (start.clone().requires_grad_() for _ in range(2))
    minimise(Adam([{"params": [ours], "weight_decay": 0.1}], lr=0.05), ours, target)
    minimise(torch.optim.Adam([theirs], lr=0.05, weight_decay=0.1, fused=True), theirs, target)
    assert torch.equal(ours, theirs)


def test_moves_what_lies_by_columns_alike_and_leaves_it_so() -> None:
    target, start = torch.randn(3, 2), torch.randn(3, 2)
    by_row, by_column, resumed = start.clone(), start.T.contiguous().T, start.T.contiguous().T
    ours = [each.requires_grad_() for each in (by_row, by_column, resumed)]
    optimizers = [Adam([{"params": [each], "weight_decay": 0.1}], lr=0.05) for each in ours]
    for optimizer, weights in zip(optimizers[:2], ours[:2], strict=True):
        minimise(optimizer, weights, target, 3)
    with torch.no_grad():
        resumed.copy_(by_column)
    optimizers[2].load_state_dict({0: {k: v.contiguous() for k, v in optimizers[1].state_dict()[0].items()}})
    for optimizer, weights in zip(optimizers, ours, strict=True):
        minimise(optimizer, weights, target, 3)
    assert torch.equal(by_row, by_column)
    assert torch.equal(by_row, resumed)
    assert by_column.stride() == (1, 3)


def test_goes_on_from_its_state_to_the_same_bits() -> None:
    target, start, still = torch.randn(3, 2), torch.randn(3, 2), torch.zeros(1, requires_grad=True)
    whole, broken = (start.clone().requires_grad_() for _ in range(2))
    minimise(Adam([{"params": [still, whole], "weight_decay": 0.0}], lr=0.05), whole, target)
    first, second = (Adam([{"params": [still, broken], "weight_decay": 0.0}], lr=0.05) for _ in range(2))
    minimise(first, broken, target, 3)
    state = first.state_dict()
    assert set(state) == {1}  # the other never had a gradient
    second.load_state_dict(state)
    minimise(second, broken, target, 4)
    assert torch.equal(whole, broken)
    assert still.item() == 0.0


def by_row(weights: Tensor) -> Adam:
    return Adam([{"params": [weights], "weight_decay": 0.1, "by_row": True}], lr=0.05)


def test_by_row_a_row_has_one_second_moment() -> None:
    target, start = torch.randn(4, 3, 5), torch.randn(4, 3, 5)
    ours, mean, square = start.clone().requires_grad_(), torch.zeros(4, 3, 5), torch.zeros(4, 3, 1)
    optimizer = by_row(ours)
    minimise(optimizer, ours, target, 4)
    weights = start
    for n in range(1, 5):
        slope = 2 * (weights - target) + 0.1 * weights
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope.square().mean(-1, keepdim=True)
        weights = weights - 0.05 * (mean / (1 - 0.9**n)) / ((square / (1 - 0.999**n)).sqrt() + 1e-8)
    assert torch.allclose(ours, weights, atol=1e-5)
    state = optimizer.state_dict()[0]
    assert (state["exp_avg_sq"].shape, float(state["step"])) == ((4, 3, 1), 4.0)


def test_by_row_other_devices_move_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    target, start = torch.randn(4, 3, 5), torch.randn(4, 3, 5)
    here, there = (start.clone().requires_grad_() for _ in range(2))
    minimise(by_row(here), here, target)
    monkeypatch.setattr(adam, "BY_LOOP", ())
    minimise(by_row(there), there, target)
    assert torch.allclose(here, there, atol=1e-5)


def test_by_row_it_goes_on_from_its_state_to_the_same_bits() -> None:
    target, start = torch.randn(4, 3, 5), torch.randn(4, 3, 5)
    whole, broken = (start.clone().requires_grad_() for _ in range(2))
    minimise(by_row(whole), whole, target)
    first, second = by_row(broken), by_row(broken)
    minimise(first, broken, target, 3)
    second.load_state_dict(first.state_dict())
    minimise(second, broken, target, 4)
    assert torch.equal(whole, broken)


def test_state_of_another_shape_is_refused() -> None:
    weights, target = torch.randn(4, 3).requires_grad_(), torch.randn(4, 3)
    optimizer = Adam([{"params": [weights], "weight_decay": 0.1}], lr=0.05)
    minimise(optimizer, weights, target)
    message = (
        r"exp_avg_sq of parameter 0 of the optimiser is of shape \(4, 3\), expected \(4, 1\): it is of another ver"
    )
    with pytest.raises(TrainingError, match=message):
        by_row(weights).load_state_dict(optimizer.state_dict())


def test_leaves_the_compiler_of_torch_unloaded() -> None:
    program = (
        "import sys, torch; from conv4rec.training.adam import Adam\n"
        "p = torch.ones(2, requires_grad=True); p.sum().backward()\n"
        "Adam([{'params': [p], 'weight_decay': 0.0}], lr=0.1).step()\n"
        "print('torch._dynamo' in sys.modules, p.tolist() != [1.0, 1.0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
