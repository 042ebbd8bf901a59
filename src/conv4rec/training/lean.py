"""Adam for tables of which a step meets few rows: one number of state a row, and only the rows met move."""

from typing import Any

import torch
from torch import Tensor

from conv4rec.training.adam import Adam


class LeanAdam(Adam):
    """Adam where a gradient is dense; where it is sparse, Adam without momentum whose second moment is that of a row.

    A parameter (I, ..., D) with sparse gradients keeps I numbers instead of 2 I ... D, and a step costs what its rows
    cost. The penalty of a row is paid when it is met. Source: ours; one second moment a row as in the row-wise Adagrad
    of recommendation models (Naumov et al. 2019, arXiv 1906.00091).
    """

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        super()._move([parameter for parameter in parameters if not _is_sparse(parameter)], group)
        for parameter in filter(_is_sparse, parameters):
            self._move_met(parameter, group)

    def _move_met(self, parameter: Tensor, group: dict[str, Any]) -> None:
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


def _is_sparse(parameter: Tensor) -> bool:
    return parameter.grad is not None and parameter.grad.is_sparse
