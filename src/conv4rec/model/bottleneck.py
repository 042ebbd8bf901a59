"""From the sums over a history to the bottleneck: scaled, shifted, bent, and in training partly dropped.

With the hyperbolic tangent on the CPU that is one function with its own gradient, by NumPy, whose tangents take a fifth
of the time of torch's: docs/performance.md.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from conv4rec.model.by_item import even_cuts

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "gelu": functional.gelu,
    "relu": torch.relu,
    "identity": lambda x: x,
}


def bottleneck(total: Tensor, counts: Tensor, bias: Tensor, activation: str, kept: Tensor | None = None) -> Tensor:
    """(B, D) activation(total / sqrt(count) + bias), times `kept`.

    Args:
        total: (B, D).
        counts: (B,) of integers; 0 counts as 1.
        bias: (D,).
        activation: a key of ACTIVATIONS.
        kept: (B, D) what dropout leaves, without a gradient; None leaves all.
    """
    scale = counts.clamp(min=1).rsqrt()[:, None]
    if activation == "tanh" and total.device.type == "cpu" and total.dtype == bias.dtype == torch.float32:
        trains = torch.is_grad_enabled() and (total.requires_grad or bias.requires_grad)
        found: Tensor = _Tanh.apply(total, scale, bias, kept, trains)  # type: ignore[no-untyped-call]
        return found
    z = ACTIVATIONS[activation](total * scale + bias)
    return z if kept is None else z * kept


class _Tanh(Function):
    @staticmethod
    def forward(ctx: Any, total: Tensor, scale: Tensor, bias: Tensor, kept: Tensor | None, trains: bool) -> Tensor:
        if trains:
            bent, found = _bent(total, scale, bias, kept)
        else:  # without waiting for what is compiled
            values = total.numpy() * scale.numpy()
            values += bias.numpy()
            bent = torch.from_numpy(np.tanh(values, out=values))
            found = bent if kept is None else bent * kept
        ctx.save_for_backward(bent, scale, kept)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        from conv4rec.compiled import histories

        (bent, scale, kept), (B, D) = ctx.saved_tensors, gradient.shape
        cuts, of_total = even_cuts(B, 2 * torch.get_num_threads()), torch.empty_like(bent)
        of_bias = bent.new_zeros(len(cuts) - 1, D)
        kept = bent.new_empty(0) if kept is None else kept
        histories.bend_back(len(of_bias), D, cuts, bent, scale, kept, gradient.contiguous(), of_total, of_bias)
        return of_total, None, of_bias.sum(0), None, None


def _bent(total: Tensor, scale: Tensor, bias: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor]:
    """(B, D) with nothing dropped, and with."""
    from conv4rec.compiled import histories

    (B, D), bent = total.shape, torch.empty_like(total)
    found, cuts = bent if kept is None else torch.empty_like(total), even_cuts(B, 2 * torch.get_num_threads())
    kept = total.new_empty(0) if kept is None else kept
    histories.bend(len(cuts) - 1, D, cuts, total, scale, bias, kept, bent, found)
    return bent, found
