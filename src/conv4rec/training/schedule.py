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

    `lean` is for gradients that have only the rows that a batch meets.

    The penalty falls with the square root of the number of interactions: between that of a fixed prior, which falls
    with the number, and Adam, to which only its ratio to the gradient matters. Source: ours, measured in docs/model.md.
    """
    scale = max(1, n_interactions) ** -0.5
    consume, rating = config.weight_decay * scale, config.rating_weight_decay * scale
    penalised: dict[float, list[Tensor]] = {consume: [], rating: [], 0.0: []}
    learned = ((name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad)
    for name, parameter in learned:
        is_table = name.endswith(("encoder.table", "decoder"))
        decay = rating if name.startswith("rating.") else consume
        penalised[decay if is_table else 0.0].append(parameter)
    groups = [{"params": parameters, "weight_decay": decay} for decay, parameters in penalised.items() if parameters]
    return (LeanAdam if lean else Adam)(groups, lr=config.learning_rate)
