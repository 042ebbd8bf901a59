"""The law: one softmax over pairs, by the chain rule."""

import pytest
import torch
from torch import Tensor

from conv4rec.model import law


def joint(consume: Tensor, types: Tensor) -> Tensor:
    """log p(i, r), (B, I, L)."""
    return law.log_p_consume(consume)[:, :, None] + law.log_p_type(types)


def test_the_joint_law_sums_to_one() -> None:
    consume, types = torch.randn(3, 7), torch.randn(3, 7, 4)
    assert joint(consume, types).exp().sum((1, 2)) == pytest.approx(torch.ones(3))


def test_a_joint_softmax_and_the_chain_rule_are_one_law() -> None:
    """Any softmax over pairs is written by the chain rule, with the log-sum over types as logit of consumption."""
    logits = torch.randn(2, 5, 3, dtype=torch.float64)
    together = torch.log_softmax(logits.flatten(1), dim=1).reshape(2, 5, 3)
    assert torch.allclose(joint(logits.logsumexp(-1), logits), together)


def test_consume_loss_by_hand() -> None:
    logits = torch.tensor([[0.0, 1.0], [2.0, 0.0]], dtype=torch.float64)
    p = torch.softmax(logits, 1)
    expected = -(p[0, 1].log() + p[1, 0].log() + p[1, 1].log())
    loss = law.consume_loss(logits, torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1]))
    assert float(loss) == pytest.approx(float(expected))


def test_type_loss_of_known_partly_known_and_unknown_types() -> None:
    p = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    covers = torch.tensor([[0, 1, 0], [1, 1, 0], [1, 1, 1]], dtype=torch.bool)
    loss = law.type_loss(p.log().expand(3, 3), covers)
    assert float(loss) == pytest.approx(-float(torch.log(torch.tensor(0.3)) + torch.log(torch.tensor(0.5))))


def test_an_unrated_interaction_does_not_move_the_types() -> None:
    logits = torch.randn(1, 4, requires_grad=True)
    torch.autograd.backward(law.type_loss(logits, torch.ones(1, 4, dtype=torch.bool)))
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6


def test_the_loss_is_least_at_the_true_law() -> None:
    """Minimising it recovers the law: the gradient at the true law vanishes (property 5)."""
    p = torch.tensor([[0.1, 0.2, 0.3, 0.4]], dtype=torch.float64)
    logits = p.log().requires_grad_()
    rows, items = torch.zeros(10, dtype=torch.long), torch.tensor([0] + [1] * 2 + [2] * 3 + [3] * 4)
    torch.autograd.backward(law.consume_loss(logits, rows, items))
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-12
