"""Adam for tables of which a step meets few rows: one number of state a row, and only the rows met move."""

from typing import Any

import torch
from torch import Tensor


class LeanAdam(torch.optim.Optimizer):
    """Adam where a gradient is dense; where it is sparse, Adam without momentum whose second moment is that of a row.

    A parameter (I, ..., D) with sparse gradients keeps I numbers instead of 2 I ... D, and a step costs what its rows
    cost. The penalty of a row is paid when it is met. Source: ours; one second moment a row as in the row-wise Adagrad
    of recommendation models (Naumov et al. 2019, arXiv 1906.00091).

    Args:
        groups: parameter groups with `weight_decay`, as torch.optim.Adam takes them.
        lr: step size.
        betas: decay of the mean (dense gradients only) and of the second moment.
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
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        del closure
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    move = self._move_rows if parameter.grad.is_sparse else self._move_all
                    move(parameter, group)

    def _move_rows(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient = parameter.grad.coalesce()  # type: ignore[union-attr]
        rows, state = gradient.indices()[0], self.state[parameter]
        if not state:
            state["steps"] = torch.zeros(len(parameter), device=parameter.device)
            state["square"] = torch.zeros(len(parameter), device=parameter.device)
        now = parameter[rows]  # (T, ..., D)
        slope = torch.add(gradient.values(), now, alpha=group["weight_decay"])
        steps = state["steps"][rows] + 1
        square = torch.lerp(slope.flatten(1).square().mean(1), state["square"][rows], group["betas"][1])  # (T,)
        size = group["lr"] / ((square / (1 - group["betas"][1] ** steps)).sqrt() + group["eps"])  # (T,)
        state["steps"][rows], state["square"][rows] = steps, square
        parameter[rows] = now - size.view(-1, *[1] * (now.dim() - 1)) * slope

    def _move_all(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, (first, second) = self.state[parameter], group["betas"]
        if not state:
            state["steps"] = torch.zeros((), device=parameter.device)
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        assert parameter.grad is not None  # noqa: S101 - `step` sees to it
        slope = torch.add(parameter.grad, parameter, alpha=group["weight_decay"])
        state["steps"] += 1
        state["mean"].lerp_(slope, 1 - first)
        state["square"].lerp_(slope.square(), 1 - second)
        size = group["lr"] / (1 - first ** state["steps"])
        root = (state["square"] / (1 - second ** state["steps"])).sqrt_().add_(group["eps"])
        parameter -= size * state["mean"] / root
