"""Inverse dual loss and inverse gradient against closed forms, autograd, and examples computed by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from conv4rec.denoising.inverse import adaptive_steps, inverse_dual_loss, inverse_gradient, inverse_weights

Logits = st.lists(st.floats(-30, 30), min_size=1, max_size=20)


def closed_form(x: float) -> float:
    """w+ as METHOD.md section 7 writes it."""
    positive, negative = math.log1p(math.exp(-x)), math.log1p(math.exp(x))
    return negative**2 / (positive**2 + negative**2)


def test_weights_by_hand() -> None:
    """At sigma = 3/4: l+ = log 4/3 = .28768, l- = log 4 = 1.38629, w+ = 1.92181 / (.08276 + 1.92181)."""
    weights = inverse_weights(torch.tensor([0.0, math.log(3), -math.log(3)], dtype=torch.float64))
    assert weights.tolist() == pytest.approx([0.5, 0.958714, 0.041286], abs=1e-6)


@given(Logits)
def test_weights_are_the_closed_form(logits: list[float]) -> None:
    weights = inverse_weights(torch.tensor(logits, dtype=torch.float64))
    assert weights.tolist() == pytest.approx([closed_form(x) for x in logits], rel=1e-9, abs=1e-15)


@given(Logits)
def test_weights_rise_with_the_logit_and_sharpen_it(logits: list[float]) -> None:
    x = torch.tensor(sorted(logits), dtype=torch.float64)
    weights = inverse_weights(x)
    assert (weights.diff() >= 0).all()
    assert ((weights - 0.5).abs() >= (x.sigmoid() - 0.5).abs() - 1e-12).all()
    assert torch.allclose(inverse_weights(-x), 1 - weights)


@pytest.mark.parametrize("logit", [1e4, -1e4, 1e30, -1e30])
def test_logits_of_any_size_give_numbers(logit: float) -> None:
    x = torch.tensor([logit], requires_grad=True)
    loss = inverse_dual_loss(x)
    loss.backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert (inverse_weights(x).item(), loss.item(), x.grad.item()) == (float(logit > 0), 0.0, 0.0)


@given(Logits)
def test_the_gradient_is_sigma_less_the_weight(logits: list[float]) -> None:
    x = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(inverse_dual_loss(x) * len(logits), x)
    assert torch.allclose(gradient, x.detach().sigmoid() - inverse_weights(x), atol=1e-12)


def test_the_loss_by_hand_and_of_nothing() -> None:
    expected = 2 * (closed_form(1.0) * math.log1p(math.exp(-1)) + closed_form(-1.0) * math.log1p(math.exp(1))) / 2
    x = torch.tensor([1.0, -1.0], dtype=torch.float64)
    assert inverse_dual_loss(x).item() == pytest.approx(expected)
    assert inverse_dual_loss(torch.zeros(0)).item() == 0


@pytest.mark.parametrize(
    ("target", "choice", "end"),
    [((1.0, -2.0), "forward", (1.0, -2.0)), ((-1.0, 2.0), "backward", (-1.0, 2.0)), ((0.1, 0.1), "stay", (0.0, 0.0))],
)
def test_the_choice_of_two_parameters_by_hand(
    target: tuple[float, float], choice: str, end: tuple[float, float]
) -> None:
    """theta = (0, 0) and step (-1, 2): forward is (1, -2), backward (-1, 2); the labelled loss is the squared distance
    to the target: 0, 20 and 5 from the first, 20, 0 and 5 from the second, 5.22, 4.82 and .02 from the third."""
    theta = torch.zeros(2)
    wanted = torch.tensor(target)
    found = inverse_gradient([theta], [torch.tensor([-1.0, 2.0])], lambda: ((theta - wanted) ** 2).sum())
    assert (found, tuple(theta.tolist())) == (choice, end)


def test_to_stay_leaves_every_bit() -> None:
    theta = torch.rand(50)
    before = theta.clone()
    assert inverse_gradient([theta], [torch.rand(50)], lambda: torch.zeros(())) == "stay"
    assert torch.equal(theta, before)


def test_a_loss_that_is_no_number_is_not_chosen() -> None:
    theta = torch.zeros(1)
    assert inverse_gradient([theta], [torch.ones(1)], lambda: theta.sum().log()) == "stay"


def test_a_parameter_without_a_step_stays() -> None:
    a, b = torch.zeros(1), torch.zeros(1)
    assert inverse_gradient([a, b], [None, torch.ones(1)], lambda: (b + 1).abs().sum()) == "forward"
    assert (a.item(), b.item()) == (0.0, -1.0)


def test_steps_in_the_scale_of_adam_by_hand() -> None:
    """After one step with the gradient (2, .5) the second moments are (4, .25). An unlabelled gradient (1, 1) gives
    rate x 1 / 2, and not rate x 1 / .5 but rate x 1 / 1: no weight moves further than the rate."""
    theta, unused = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([theta, unused], lr=0.1)
    theta.grad = torch.tensor([2.0, 0.5])
    optimizer.step()
    state = {name: value.clone() for name, value in optimizer.state[theta].items()}
    first, second = adaptive_steps(optimizer, [torch.ones(2), torch.tensor([-3.0])])
    assert first is not None
    assert second is not None
    assert first.tolist() == pytest.approx([0.05, 0.1], rel=1e-5)
    assert second.tolist() == pytest.approx([-0.1]), "no labelled loss has reached it: the rate, down the gradient"
    assert all(torch.equal(state[name], value) for name, value in optimizer.state[theta].items())
    assert adaptive_steps(optimizer, [None, torch.ones(1)])[0] is None


def test_no_weight_moves_further_than_the_rate() -> None:
    rng = np.random.default_rng(0)
    theta = torch.nn.Parameter(torch.zeros(100))
    optimizer = torch.optim.Adam([theta], lr=0.01)
    for _ in range(5):
        theta.grad = torch.tensor(rng.normal(size=100) * 10.0 ** rng.integers(-6, 3, 100), dtype=torch.float32)
        optimizer.step()
    (step,) = adaptive_steps(optimizer, [torch.tensor(rng.normal(size=100), dtype=torch.float32)])
    assert step is not None
    assert step.abs().max() <= 0.01 + 1e-9
