"""The network as a Predictor: histories in, law out, numbers of numpy on both sides."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from conv4rec.data.interactions import Interactions
from conv4rec.model import law, pair_law
from conv4rec.model.batch import Batch
from conv4rec.model.experts import RatingExperts, RatingState
from conv4rec.model.lists import Size, best_items
from conv4rec.model.network import Network, RatingPath, Style
from conv4rec.predictions import Best, Floats, Predictions, TypeLaw
from conv4rec.vocabulary import InteractionTypes


@dataclass(frozen=True)
class NetworkPredictor:
    """A fitted network that predicts for any user from the history alone."""

    network: Network
    types: InteractionTypes

    @torch.inference_mode()
    def predict(self, histories: Interactions) -> Predictions:
        """The law of every row of `histories`; a row without history gets that of a user nothing is known of."""
        self.network.eval()
        batch = Batch.of(histories, self.network.consumption.decoder.device)
        log_p_consume = law.log_p_consume(self.network.consumption(batch).float())  # (B, I)
        if self.network.consumption_experts is not None:
            log_p_consume = law.log_p_consume(self.network.consumption_experts(log_p_consume, batch))
        return Predictions(self.types, _numpy(log_p_consume), self.type_law(batch))

    def best(
        self,
        histories: Interactions,
        k: int,
        *,
        without: Interactions | None,
        allowed: NDArray[np.bool_] | None,
        memory_mb: int,
    ) -> Best:
        """The items of highest p_consume, see `conv4rec.model.lists`."""
        size = Size.within(memory_mb, self.network)
        return best_items(self.network, histories, k, size, without=without, allowed=allowed)

    def type_law_of(self, histories: Interactions) -> TypeLaw:
        """What `predict` says of the types, for every row of `histories`."""
        return self.type_law(Batch.of(histories, self.network.consumption.decoder.device))

    def tells_pairs_alone(self, n_users: int, k: int) -> bool:
        """Whether there is one type, or a compiled loop makes the law of the pairs in so many lists."""
        path, experts = self.network.rating, self.network.rating_experts
        if path is None:
            return True
        return experts is not None and pair_law.suits(path, n_users * k, n_users * len(path.decoder))

    def type_law(self, batch: Batch) -> "NetworkTypeLaw | BlendedTypeLaw | SingleTypeLaw":
        """The law of the types for the users of a batch, whatever is known of what they consume."""
        path, experts = self.network.rating, self.network.rating_experts
        if path is None:
            return SingleTypeLaw(batch.n_rows, self.network.consumption.decoder.shape[0])
        alone = NetworkTypeLaw(path, batch)
        return alone if experts is None else BlendedTypeLaw(alone, experts)


@dataclass(frozen=True)
class NetworkTypeLaw:
    """log p(type | item) from the rating path, which is asked when the first question comes."""

    path: RatingPath
    batch: Batch

    @cached_property
    def style(self) -> Style:
        """What the path knows of the users."""
        return self.path.encode(self.batch)

    @torch.inference_mode()
    def pairs(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:
        """(N, L)."""
        return _numpy(self.log_pairs(*self.places(rows, items)))

    @torch.inference_mode()
    def grid(self) -> Floats:
        """(B, I, L)."""
        return _numpy(self.log_grid())

    def places(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> tuple[Tensor, Tensor]:
        """Indices as tensors where the model is."""
        device = self.batch.rows.device
        row, item = (torch.tensor(index, dtype=torch.int64, device=device) for index in (rows, items))
        return row, item

    def log_pairs(self, rows: Tensor, items: Tensor) -> Tensor:
        """(N, L)."""
        return law.log_p_type(self.path.pairs(self.style, rows, items).float())

    def log_grid(self) -> Tensor:
        """(B, I, L)."""
        return law.log_p_type(self.path.grid(self.style).float())


@dataclass(frozen=True)
class BlendedTypeLaw:
    """log p(type | item) from the rating path and its experts, asked likewise."""

    alone: NetworkTypeLaw
    experts: RatingExperts

    @cached_property
    def state(self) -> RatingState:
        """What the experts know of the users."""
        return self.experts.encode(self.alone.batch)

    @torch.inference_mode()
    def pairs(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:
        """(N, L)."""
        alone, where = self.alone, self.alone.places(rows, items)
        if pair_law.suits(alone.path, len(rows)):
            return _numpy(pair_law.log_p_type(alone.path, alone.style, self.experts, self.state, *where))
        return _numpy(law.log_p_type(self.experts.pairs(self.state, *where, alone.log_pairs(*where))))

    @torch.inference_mode()
    def grid(self) -> Floats:
        """(B, I, L)."""
        return _numpy(law.log_p_type(self.experts.grid(self.state, self.alone.log_grid())))


@dataclass(frozen=True)
class SingleTypeLaw:
    """The law of data with one interaction type: it has probability one."""

    n_rows: int
    n_items: int

    def pairs(self, rows: NDArray[np.integer], items: NDArray[np.integer]) -> Floats:  # noqa: ARG002
        """(N, 1)."""
        return np.zeros((len(rows), 1), dtype=np.float32)

    def grid(self) -> Floats:
        """(B, I, 1)."""
        return np.zeros((self.n_rows, self.n_items, 1), dtype=np.float32)


def _numpy(tensor: Tensor) -> Floats:
    return tensor.float().cpu().numpy()
