"""The law of a model whose items are found through an index: exact for the candidates, decoded for all others.

    log p_consume(i) = b (z . d_i + c_i) + ... + const

with d_i exact for candidates, and otherwise decoded from its code: length_i y^_i / |y^_i|.

Candidates are the items of largest law with decoded vectors, so that everything else the law knows (neighbours, what
was seen) helps to find them. The normaliser is over all items, those with decoded vectors too. Source: ours.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from conv4rec.compression.index import SparseIndex
from conv4rec.data.interactions import Interactions
from conv4rec.metrics.ranking import top_k
from conv4rec.model import law
from conv4rec.model.batch import Batch
from conv4rec.model.network import Network
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.predictions import Floats, Predictions
from conv4rec.vocabulary import InteractionTypes

PER_BATCH = 1 << 23
"""Numbers of exact vectors that are looked up at a time."""


@dataclass(frozen=True)
class CompressedPredictor:
    """A fitted network that looks only at codes to find candidates, and ranks these exactly.

    Attributes:
        exact: the network.
        index: codes of the vectors of its items, for `inner`, with their biases as offsets.
        n_candidates: how many items are ranked exactly; 0: the law is that of the decoded vectors.
    """

    exact: NetworkPredictor
    index: SparseIndex
    n_candidates: int

    @property
    def network(self) -> Network:
        return self.exact.network

    @property
    def types(self) -> InteractionTypes:
        return self.exact.types

    @torch.inference_mode()
    def predict(self, histories: Interactions) -> Predictions:
        """The law of every row of `histories`, as `NetworkPredictor.predict` gives it, but for the decoded items."""
        network = self.network.eval()
        path, experts = network.consumption, network.consumption_experts
        batch = Batch.of(histories, path.decoder.device)
        z = path.encode(batch)  # (B, D)
        decoded = torch.from_numpy(self.index.scores(z.float().cpu().numpy(), by="inner")).to(z)  # (B, I)
        logits = decoded + path.repeat * _seen(decoded, batch)
        if experts is not None:
            logits = experts(law.log_p_consume(logits.float()), batch)
        if self.n_candidates:
            logits = self._ranked(logits, decoded, z)
        log_p_consume: Floats = law.log_p_consume(logits.float()).cpu().numpy()
        return Predictions(self.types, log_p_consume, self.exact.type_law(batch))

    def _ranked(self, logits: Tensor, decoded: Tensor, z: Tensor) -> Tensor:
        """(B, I) logits of the law, exact where they are largest; `decoded` is the part of them that is not."""
        items = torch.from_numpy(top_k(logits.float().cpu().numpy(), self.n_candidates)).long().to(z.device)  # (B, C)
        experts = self.network.consumption_experts
        weight = 1.0 if experts is None else float(experts.scalars[2].exp())  # of the network, in the product
        return logits.scatter_add(1, items, weight * (self._exact(z, items) - decoded.gather(1, items)))

    def _exact(self, z: Tensor, items: Tensor) -> Tensor:
        """(B, C) logits of the candidates from the vectors themselves."""
        path = self.network.consumption
        step = max(1, PER_BATCH // items[0].numel() // z.shape[1]) if len(items) else 1
        parts = [
            torch.einsum("bcd,bd->bc", path.decoder[some], user)
            for some, user in zip(torch.split(items, step), torch.split(z, step), strict=True)
        ]
        return torch.cat([*parts, z.new_zeros(0, items.shape[1])]) + path.bias[items]


def _seen(logits: Tensor, batch: Batch) -> Tensor:
    """(B, I) one at the histories."""
    seen = torch.zeros_like(logits)
    seen[batch.rows, batch.items] = 1.0
    return seen
