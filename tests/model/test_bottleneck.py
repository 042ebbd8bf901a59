"""The bottleneck: by NumPy what torch's own operations give, values and gradients."""

import pytest
import torch

from conv4rec.model.bottleneck import ACTIVATIONS, bottleneck


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("drops", [False, True])
def test_a_bottleneck_and_its_gradients(activation: str, dtype: torch.dtype, drops: bool) -> None:
    torch.manual_seed(0)
    total = (9 * torch.randn(6, 5, dtype=dtype)).requires_grad_()
    bias, counts = torch.randn(5, dtype=dtype).requires_grad_(), torch.tensor([0, 1, 2, 9, 100, 3])
    kept = 2 * torch.randint(2, (6, 5)).to(dtype) if drops else None
    found = bottleneck(total, counts, bias, activation, kept)
    scale = torch.tensor([1, 1, 2, 9, 100, 3], dtype=dtype).sqrt()[:, None]
    expected = ACTIVATIONS[activation](total / scale + bias) * (1 if kept is None else kept)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    given = torch.linspace(1, 2, 30, dtype=dtype).view(6, 5)
    for one, other in zip(*(torch.autograd.grad(z, (total, bias), given) for z in (found, expected)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("drops", [False, True])
def test_in_training_it_is_what_it_is_without(drops: bool) -> None:
    total, counts, bias = torch.randn(33, 17), torch.arange(33), torch.randn(17)
    kept = 2 * torch.randint(2, (33, 17)).float() if drops else None
    plain = bottleneck(total, counts, bias, "tanh", kept)
    trained = bottleneck(total.requires_grad_(), counts, bias.requires_grad_(), "tanh", kept)
    assert (plain.requires_grad, trained.requires_grad) == (False, True)
    torch.testing.assert_close(trained.detach(), plain, rtol=1e-6, atol=1e-7)


def test_a_bottleneck_of_nobody() -> None:
    assert bottleneck(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), torch.zeros(3), "tanh").shape == (0, 3)
