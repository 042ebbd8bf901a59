"""Adam for sparse gradients against torch's own, and against its formula a row."""

import pytest
import torch

from conv4rec.model.bags import lean_rows
from conv4rec.training.lean import LeanAdam
from tests.training.test_adam import minimise


def test_dense_gradients_are_moved_by_adam() -> None:
    target, start = torch.randn(3, 2), torch.randn(3, 2)
    ours, theirs = (start.clone().requires_grad_() for _ in range(2))
    minimise(LeanAdam([{"params": [ours], "weight_decay": 0.1}], lr=0.05), ours, target)
    minimise(torch.optim.Adam([theirs], lr=0.05, weight_decay=0.1), theirs, target)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_of_a_sparse_gradient_only_the_rows_met_move_by_their_own_moment() -> None:
    start = torch.randn(5, 2, 3)
    table = start.clone().requires_grad_()
    optimizer = LeanAdam([{"params": [table], "weight_decay": 0.5}], lr=0.1)
    factor = torch.randn(2, 2, 3)
    for _ in range(2):
        before = table.detach().clone()
        optimizer.zero_grad()
        torch.autograd.backward((lean_rows(table, torch.tensor([1, 4])) * factor).sum())
        optimizer.step()
    assert torch.equal(table[[0, 2, 3]], start[[0, 2, 3]])
    first, second = factor + 0.5 * start[[1, 4]], factor + 0.5 * before[[1, 4]]
    square = 0.999 * 0.001 * first.square().mean((1, 2)) + 0.001 * second.square().mean((1, 2))
    size = 0.1 / (square / (1 - 0.999**2)).sqrt()
    assert torch.allclose(table[[1, 4]], before[[1, 4]] - size[:, None, None] * second, atol=1e-5)
    state = optimizer.state[table]
    assert {name: value.numel() for name, value in state.items()} == {"steps": 5, "square": 5}
    assert state["steps"].tolist() == [0, 2, 0, 0, 2]


def test_a_penalty_alone_pulls_to_zero() -> None:
    table = torch.ones(2, 3).requires_grad_()
    optimizer = LeanAdam([{"params": [table], "weight_decay": 1.0}], lr=0.1)
    torch.autograd.backward((lean_rows(table, torch.tensor([0])) * 0.0).sum())
    optimizer.step()
    assert table[:, 0].tolist() == pytest.approx([0.9, 1.0])
