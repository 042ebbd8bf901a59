"""Adam: by torch's own fused function, or with one second moment a row, which takes half of the time.

An optimiser of torch.optim would load torch's compiler, for a second or more.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from conv4rec.errors import TrainingError
from conv4rec.model.by_item import Moments, even_cuts

NAMES = "exp_avg", "exp_avg_sq", "step"
"""Of what is known of a parameter, as in torch.optim: mean and second moment of its gradients, and their number."""

BY_LOOP = ("cpu",)
"""Devices on which rows are moved by a compiled loop."""


class Adam:
    """Moves parameters along their gradients, as torch.optim.Adam does with the same arguments.

    Where a group has `by_row`, a parameter (..., D) has one second moment for each row of D numbers: the mean of their
    squares. Its state is half as large, and so is nearly what a step reads and writes; measured on five data sets the
    model is as good (docs/performance.md). Source: Adam-mini (Zhang et al. 2024, arXiv 2406.16793), whose blocks are
    ours rows of an item and a channel.

    Args:
        groups: of parameters with the same `weight_decay` (added to the gradient, times the parameter) and `by_row`.
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
        self.param_groups = [{"by_row": False, "lr": lr, "betas": betas, "eps": eps, **group} for group in groups]
        self.state: defaultdict[Tensor, dict[str, Tensor]] = defaultdict(dict)
        self._group_of = {parameter: group for group in self.param_groups for parameter in group["params"]}

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
        """What a parameter of a group `by_row` is moved by in place of `step`, which counts as one; on the CPU.

        The rates are: the length of the step over the bias of the mean, one over the root of the bias of the second
        moment, both betas, `eps`, and `weight_decay`.
        """
        group, state = self._group_of[parameter], self._state(parameter)
        state["step"] += 1
        (beta1, beta2), n = group["betas"], float(state["step"])
        size, root = group["lr"] / (1 - beta1**n), (1 - beta2**n) ** -0.5
        rates = torch.tensor([size, root, beta1, beta2, group["eps"], group["weight_decay"]])
        return Moments(state["exp_avg"], state["exp_avg_sq"], rates)

    def state_dict(self) -> dict[int, dict[str, Tensor]]:
        """What is known of every parameter, by its number among `parameters`; without those that never moved."""
        return {number: self.state[each] for number, each in enumerate(self.parameters()) if each in self.state}

    def load_state_dict(self, state: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Take over what `state_dict` gave; tensors go to the devices of their parameters.

        Raises:
            TrainingError: a tensor is of another shape than ours would be.
        """
        parameters = list(self.parameters())
        for number, tensors in state.items():
            parameter = parameters[number]
            for name in {"exp_avg", "exp_avg_sq"} & tensors.keys():
                expected = self._shape(parameter) if name == "exp_avg_sq" else parameter.shape
                if tensors[name].shape != expected:
                    raise TrainingError(
                        f"{name} of parameter {number} of the optimiser is of shape {tuple(tensors[name].shape)}, "
                        f"expected {tuple(expected)}: it is of another version of conv4rec; train without resume"
                    )
            self.state[parameter] = {name: _lying_as(parameter, value.detach()) for name, value in tensors.items()}

    def parameters(self) -> Iterator[Tensor]:
        """All of them, group by group."""
        return (parameter for group in self.param_groups for parameter in group["params"])

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        if group["by_row"]:
            for parameter in parameters:
                self._move_by_row(parameter, group)
            return
        if not parameters:
            return
        states = [self._state(parameter) for parameter in parameters]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        means, squares, steps = ([_as_it_lies(state[name]) for state in states] for name in NAMES)
        moved, slopes = (list(map(_as_it_lies, each)) for each in (parameters, gradients))
        beta1, beta2 = group["betas"]
        told = {name: group[name] for name in ("lr", "weight_decay", "eps")} | {"beta1": beta1, "beta2": beta2}
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(moved, slopes, means, squares, [], steps, amsgrad=False, maximize=False, **told)

    def _move_by_row(self, parameter: Tensor, group: dict[str, Any]) -> None:
        slope, D = parameter.grad, parameter.shape[-1]
        assert slope is not None  # noqa: S101 - `step` has seen to it
        if parameter.device.type in BY_LOOP:
            from conv4rec.compiled import histories

            parts = 2 * torch.get_num_threads()
            cuts = even_cuts(parameter.numel() // D, parts)
            histories.moved(parts, D, cuts, parameter, slope.contiguous(), *self.moments(parameter))
            return
        state, (beta1, beta2) = self._state(parameter), group["betas"]
        mean, square, n = state["exp_avg"], state["exp_avg_sq"], state["step"].add_(1)
        slope = slope.add(parameter, alpha=group["weight_decay"])
        mean.lerp_(slope, 1 - beta1)
        square.lerp_(slope.square().mean(-1, keepdim=True), 1 - beta2)
        root = (square / (1 - beta2**n)).sqrt_().add_(group["eps"])
        parameter.sub_(mean / root * (group["lr"] / (1 - beta1**n)))

    def _state(self, parameter: Tensor) -> dict[str, Tensor]:
        state = self.state[parameter]
        if not state:
            mean = torch.zeros_like(parameter, requires_grad=False)
            square = mean.new_zeros(self._shape(parameter)) if self._group_of[parameter]["by_row"] else mean.clone()
            values = mean, square, torch.zeros((), device=parameter.device)
            state.update(zip(NAMES, values, strict=True))
        return state

    def _shape(self, parameter: Tensor) -> torch.Size:
        """Of the second moment."""
        by_row = self._group_of[parameter]["by_row"]
        return torch.Size((*parameter.shape[:-1], 1)) if by_row else parameter.shape


def _as_it_lies(matrix: Tensor) -> Tensor:
    """A view whose rows are one after the other in memory: torch would make a copy of a matrix that lies by columns."""
    return matrix if matrix.is_contiguous() else matrix.T


def _lying_as(parameter: Tensor, value: Tensor) -> Tensor:
    """A copy on the device of a parameter, and where it is of its shape in the order of its memory."""
    if value.shape != parameter.shape:
        return value.clone().to(parameter.device)
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
