"""Adam against torch's own, its state taken up again, and what it leaves unloaded."""

import subprocess
import sys

import torch
from torch import Tensor

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


def test_leaves_the_compiler_of_torch_unloaded() -> None:
    program = (
        "import sys, torch; from conv4rec.training.adam import Adam\n"
        "p = torch.ones(2, requires_grad=True); p.sum().backward()\n"
        "Adam([{'params': [p], 'weight_decay': 0.0}], lr=0.1).step()\n"
        "print('torch._dynamo' in sys.modules, p.tolist() != [1.0, 1.0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
