"""Dense products: the same whichever library makes them, with gradients where they are asked for."""

import pytest
import torch

from conv4rec.model.products import SMALL, log2_, product

LARGE = 256, 200, 300
assert LARGE[0] * LARGE[1] * LARGE[2] > SMALL


@pytest.mark.parametrize("shape", [LARGE, (3, 4, 5), (0, 4, 5), (3, 4, 0), (3, 0, 5)])
@pytest.mark.parametrize("biased", [False, True])
def test_is_the_product_plus_the_bias(shape: tuple[int, int, int], biased: bool) -> None:
    n, d, m = shape
    left, right, bias = torch.randn(n, d), torch.randn(d, m), torch.randn(m)
    exact = left.double() @ right.double() + (bias.double() if biased else 0.0)
    found = product(left, right, bias if biased else None)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-4)


def test_takes_transposed_views() -> None:
    n, d, m = LARGE
    left, right = torch.randn(d, n).T, torch.randn(m, d).T
    torch.testing.assert_close(product(left, right), left @ right, rtol=1e-4, atol=1e-4)


def test_takes_a_part_of_what_lies_by_columns() -> None:
    n, d, m = LARGE
    left, right = torch.randn(n, d), torch.randn(d, 2 * m)[:, m:]
    torch.testing.assert_close(product(left, right), left @ right, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(product(left, right.T.contiguous()[:m].T), left @ right, rtol=1e-4, atol=1e-4)


def test_gives_gradients_where_they_are_asked_for() -> None:
    n, d, m = LARGE
    left, right = torch.randn(n, d, requires_grad=True), torch.randn(d, m)
    product(left, right).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(left.grad, right.sum(1).expand(n, d), rtol=1e-4, atol=1e-4)


def test_follows_the_precision_of_now() -> None:
    n, d, m = LARGE
    left, right = torch.randn(n, d), torch.randn(d, m)
    with torch.autocast("cpu", torch.bfloat16):
        assert product(left, right).dtype == torch.bfloat16


def test_logarithms_to_the_base_2() -> None:
    values = torch.tensor([[0.5, 1.0], [3.0, 1e-30]])
    expected = torch.log2(values)
    assert log2_(values) is values
    torch.testing.assert_close(values, expected)
