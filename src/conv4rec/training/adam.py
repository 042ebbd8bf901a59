"""Adam by torch's own fused function. An optimiser of torch.optim would load torch's compiler, for a second or more."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from conv4rec.model.by_item import Moments

NAMES = "exp_avg", "exp_avg_sq", "step"
"""Of what is known of a parameter, as in torch.optim: mean and second moment of its gradients, and their number."""


class Adam:
    """Moves parameters along their gradients, as torch.optim.Adam does with the same arguments.

    Args:
        groups: of parameters with the same `weight_decay` (added to the gradient, times the parameter).
        lr: step size; `param_groups` holds it for each group, to be changed there.
        betas: decay of the mean and of the second moment.
        eps: added to the root of the second moment.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        self.param_groups = [{"lr": lr, "betas": betas, "eps": eps, **group} for group in groups]
        self.state: defaultdict[Tensor, dict[str, Tensor]] = defaultdict(dict)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            self._move([parameter for parameter in group["params"] if parameter.grad is not None], group)

    @torch.no_grad()
    def moments(self, parameter: Tensor) -> Moments:
        """What a parameter is moved by in place of `step`, which it counts as one; its gradient is to be left nowhere.

        The rates are: the length of the step over the bias of the mean, one over the root of the bias of the second
        moment, both betas, `eps`, and `weight_decay`.
        """
        group = next(each for each in self.param_groups if any(parameter is one for one in each["params"]))
        state = self.state[parameter] or self._start(parameter)
        state["step"] += 1
        (beta1, beta2), n = group["betas"], float(state["step"])
        size, root = group["lr"] / (1 - beta1**n), (1 - beta2**n) ** -0.5
        rates = torch.tensor([size, root, beta1, beta2, group["eps"], group["weight_decay"]])
        return Moments(state["exp_avg"], state["exp_avg_sq"], rates)

    def state_dict(self) -> dict[int, dict[str, Tensor]]:
        """What is known of every parameter, by its number among `parameters`; without those that never moved."""
        return {number: self.state[each] for number, each in enumerate(self.parameters()) if each in self.state}

    def load_state_dict(self, state: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Take over what `state_dict` gave; tensors go to the devices of their parameters."""
        parameters = list(self.parameters())
        for number, tensors in state.items():
            self.state[parameters[number]] = {
                name: _lying_as(parameters[number], value.detach()) for name, value in tensors.items()
            }

    def parameters(self) -> Iterator[Tensor]:
        """All of them, group by group."""
        return (parameter for group in self.param_groups for parameter in group["params"])

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        if not parameters:
            return
        states = [self.state[parameter] or self._start(parameter) for parameter in parameters]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        means, squares, steps = ([_as_it_lies(state[name]) for state in states] for name in NAMES)
        moved, slopes = (list(map(_as_it_lies, each)) for each in (parameters, gradients))
        beta1, beta2 = group["betas"]
        told = {name: group[name] for name in ("lr", "weight_decay", "eps")} | {"beta1": beta1, "beta2": beta2}
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(moved, slopes, means, squares, [], steps, amsgrad=False, maximize=False, **told)

    def _start(self, parameter: Tensor) -> dict[str, Tensor]:
        mean, square = torch.zeros_like(parameter), torch.zeros_like(parameter)
        self.state[parameter] = dict(zip(NAMES, (mean, square, torch.zeros((), device=parameter.device)), strict=True))
        return self.state[parameter]


def _as_it_lies(matrix: Tensor) -> Tensor:
    """A view whose rows are one after the other in memory: torch would make a copy of a matrix that lies by columns."""
    return matrix if matrix.is_contiguous() else matrix.T


def _lying_as(parameter: Tensor, value: Tensor) -> Tensor:
    """A copy on the device of a parameter, and where it is of its shape in the order of its memory."""
    if value.shape != parameter.shape:
        return value.clone().to(parameter.device)
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
