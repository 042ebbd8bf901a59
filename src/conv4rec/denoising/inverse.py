"""Inverse learning: an unlabelled pair is taken as positive as far as the model believes it, and the belief is tested.

    l+ = -log sigma(x),  l- = -log(1 - sigma(x))                                   x: logit of an unlabelled pair
    w+ = (l-)^2 / ((l+)^2 + (l-)^2), no gradient;   w- = 1 - w+
    L_IDL = w+ l+ + w- l-                                                          dL / dx = sigma(x) - w+

The loss sharpens itself: w+ lies further from 1/2 than sigma does, so that x = 0 is at rest and not stable. Labelled
data must have shown the model where it stands before. Source: METHOD.md section 7, arXiv 2311.08302.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.nn.functional import softplus

Choice = Literal["forward", "backward", "stay"]
CHOICES: tuple[Choice, ...] = ("forward", "backward", "stay")


def inverse_weights(logits: Tensor) -> Tensor:
    """(...) logits to w+, how far each pair is taken as positive, in 0..1 and without gradient; w- is 1 - w+."""
    x = logits.detach()
    return 1 / (1 + (softplus(-x) / softplus(x)) ** 2)  # a ratio, so that no logit is too large to square


def inverse_dual_loss(logits: Tensor) -> Tensor:
    """() mean of w+ l+ + w- l- over (N,) logits of unlabelled pairs; 0 for none."""
    positive = inverse_weights(logits)
    total = positive * softplus(-logits) + (1 - positive) * softplus(logits)
    return total.sum() / max(1, total.numel())


class Moments(Protocol):
    """An Adam: its parameters and step sizes by group, and what it has learned of each parameter."""

    @property
    def param_groups(self) -> Sequence[dict[str, Any]]: ...

    @property
    def state(self) -> Mapping[Any, Any]: ...


def adaptive_steps(optimizer: Moments, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The step along each gradient in the scale that Adam has learned, without changing what it has learned.

    step = rate g / (sqrt(max(v, g^2)) + eps), where v is Adam's unbiased second moment: a trial needs no optimiser of
    its own, the state of the one there is survives it, and no weight moves further than the learning rate, even one
    that has had no gradient so far. Source: ours, in place of an Adam made anew for every batch.

    Args:
        optimizer: Adam, which has made its first step.
        gradients: for the parameters of `optimizer`, in its order; None where the loss does not depend on one.
    """
    parts = [(group, parameter) for group in optimizer.param_groups for parameter in group["params"]]
    return [
        None if gradient is None else _adaptive_step(group, optimizer.state[parameter], gradient)
        for (group, parameter), gradient in zip(parts, gradients, strict=True)
    ]


def _adaptive_step(group: dict[str, Any], state: dict[str, Tensor], gradient: Tensor) -> Tensor:
    square = gradient**2
    if state:  # a parameter that no labelled loss has reached yet has none
        square = torch.maximum(square, state["exp_avg_sq"] / (1 - group["betas"][1] ** state["step"]))
    step: Tensor = group["lr"] * gradient / (square.sqrt() + group["eps"])
    return step


@torch.no_grad()
def inverse_gradient(
    parameters: Sequence[Tensor], steps: Sequence[Tensor | None], labelled_loss: Callable[[], Tensor]
) -> Choice:
    """Move by the unlabelled step, by its reverse, or not at all: whichever leaves the labelled loss smallest.

    Args:
        parameters: changed in place to the best of theta - step (`forward`), theta + step (`backward`) and theta.
        steps: of the same shapes, down the unlabelled loss; None: this one stays.
        labelled_loss: the loss of held-out labelled pairs under the parameters as they are when it is called; the
            same pairs and the same random numbers each time.

    Returns:
        What was chosen; of equal losses, to stay before forward before backward, and to stay where no loss is smaller
        or one is not a number.
    """
    before = [parameter.clone() for parameter in parameters]
    best: Choice = "stay"
    lowest = float(labelled_loss())
    signs: dict[Choice, int] = {"forward": -1, "backward": 1, "stay": 0}
    for choice in CHOICES[:2]:
        _move(parameters, before, steps, signs[choice])
        loss = float(labelled_loss())
        if loss < lowest:
            best, lowest = choice, loss
    _move(parameters, before, steps, signs[best])
    return best


def _move(parameters: Sequence[Tensor], before: Sequence[Tensor], steps: Sequence[Tensor | None], sign: int) -> None:
    for parameter, start, step in zip(parameters, before, steps, strict=True):
        parameter.copy_(start if step is None or not sign else start + sign * step)
