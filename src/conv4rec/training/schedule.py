"""What a run is trained by, where settings leave it open: device, batch, passes, step size and optimiser."""

import torch
from torch import Tensor

from conv4rec.config import TrainConfig
from conv4rec.errors import TrainingError
from conv4rec.model.network import Network
from conv4rec.training.adam import Adam
from conv4rec.training.lean import LeanAdam

EXACT = 200_000
"""Items up to which the softmax is over all of them, unless settings say otherwise: docs/performance.md."""


def choose_device(wanted: str) -> torch.device:
    """The device of a setting: `auto` is CUDA where there is one. A device that is not there raises TrainingError."""
    name = ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(f"device {wanted!r} cannot be used here: {reason}") from None


def choose_batch_size(wanted: int | None, n_users: int) -> int:
    """The users in a batch: what was asked for, or a sixteenth of them within 32 to 256."""
    return min(256, max(32, n_users // 16)) if wanted is None else wanted


def choose_epochs(wanted: int | None, n_interactions: int) -> int:
    """The passes over the users: what was asked for, or 25, and fewer where the steps are longer."""
    return round(25 * speed(n_interactions) ** -0.35) if wanted is None else wanted


def speed(n_interactions: int) -> float:
    """How much longer the steps are for more than 100,000 interactions, up to 5 times: measured in docs/model.md."""
    return float(min(5.0, max(1.0, (n_interactions / 100_000) ** 0.75)))


def choose_softmax(wanted: str, n_items: int) -> str:
    """`exact` or `sampled`: what was asked for, or exact for up to EXACT items."""
    return ("exact" if n_items <= EXACT else "sampled") if wanted == "auto" else wanted


def make_optimizer(network: Network, config: TrainConfig, n_interactions: int, *, lean: bool = False) -> Adam:
    """Adam with an L2 penalty on the large tables of each path, and none on biases and 1x1 convolutions.

    The tables of the encoders, most of all parameters, have one second moment a row. `lean` is for gradients that have
    only the rows that a batch meets.

    The penalty falls with the square root of the number of interactions: between that of a fixed prior, which falls
    with the number, and Adam, to which only its ratio to the gradient matters. Source: ours, measured in docs/model.md.
    """
    scale = max(1, n_interactions) ** -0.5
    consume, rating = config.weight_decay * scale, config.rating_weight_decay * scale
    groups: dict[tuple[float, bool], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        decay = rating if name.startswith("rating.") else consume
        is_encoder = name.endswith("encoder.table")
        penalised = decay if is_encoder or name.endswith("decoder") else 0.0
        if parameter.requires_grad:
            groups.setdefault((penalised, is_encoder), []).append(parameter)
    made = [{"params": each, "weight_decay": decay, "by_row": by_row} for (decay, by_row), each in groups.items()]
    return (LeanAdam if lean else Adam)(made, lr=config.learning_rate)
