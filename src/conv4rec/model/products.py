"""What is asked of all users and all items at once, by the library that is fastest at it: docs/performance.md.

On the CPU torch multiplies with MKL, which on processors of AMD leaves half of them unused. oneDNN, in the same wheel,
does not: 2.3 times as fast in the same precision. Where it is not built in, torch multiplies.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

SMALL = 1 << 22
"""Multiplications below which preparing the product costs more than it gains."""


def product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """(N, M) left (N, D) times right (D, M), plus bias (M,) in every row; `right` may be a transposed view.

    Gradients flow through it as through torch.addmm, which does it where one is asked for.
    """
    if _is_for_onednn(left, right, bias):
        right = right if right.is_contiguous() or right.T.is_contiguous() else right.contiguous()  # or it takes seconds
        found: Tensor = torch.ops.mkldnn._linear_pointwise(_in_rows(left), right.T, bias, "none", [], "")
        return found
    return left @ right if bias is None else torch.addmm(bias, left, right)


def _in_rows(values: Tensor) -> Tensor:
    """A matrix in the order of its rows; torch turns one around in half of the time where it does so in two parts."""
    if values.is_contiguous():
        return values
    found, half = torch.empty(values.shape, dtype=values.dtype), len(values) // 2
    found[:half], found[half:] = values[:half], values[half:]
    return found


def log2_(values: Tensor) -> Tensor:
    """Logarithms to the base 2, in place; where NumPy has its own they take a fifth of the time of torch's."""
    if values.device.type != "cpu":
        return values.log2_()
    np.log2(values.numpy(), out=values.numpy())
    return values


def _is_for_onednn(left: Tensor, right: Tensor, bias: Tensor | None) -> bool:
    operands = [each for each in (left, right, bias) if each is not None]
    return (
        left.shape[0] * right.numel() >= SMALL
        and all(each.device.type == "cpu" and each.dtype == torch.float32 for each in operands)
        and not (torch.is_grad_enabled() and any(each.requires_grad for each in operands))
        and not torch.is_autocast_enabled("cpu")
        and _has_onednn()
    )


@cache
def _has_onednn() -> bool:
    available = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    return available and hasattr(torch.ops.mkldnn, "_linear_pointwise")
