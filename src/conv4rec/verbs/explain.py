"""Why an item is predicted as it is: what each item of the history moved, in index space.

Faithful by construction: an effect is the difference between what the model claims and what it claims of the same
history without that item, encoded anew. Source: ours.
"""

from dataclasses import dataclass

import numpy as np

from conv4rec.data.interactions import Interactions
from conv4rec.predictions import Floats, Predictions, Predictor
from conv4rec.verbs.leave_out import Claims, Indices, claims, laws_without, nothing


@dataclass(frozen=True)
class Explanation:
    """What is claimed of m items, and what would be without each of the M items of the history.

    Attributes:
        asked: (m,) the items that are explained.
        items: (M,) the items of the history, each once.
        whole: claims from the whole history, (m,) each.
        nothing: claims from no history at all, (m,) each.
        without: claims from the history without each of its items, (M, m) each.
    """

    asked: Indices
    items: Indices
    whole: Claims
    nothing: Claims
    without: Claims

    def effects(self, by: str) -> Floats:
        """(M, m) how much each item of the history raises the claim: nats of log p_consume, stars, or probability."""
        return np.asarray(self.whole[by] - self.without[by])

    def order(self, by: str, place: int, k: int) -> Indices:
        """(K,) places of the k history items that moved the asked item at `place` most, either way."""
        effect = np.abs(self.effects(by)[:, place])
        return np.argsort(-effect, kind="stable")[:k]


def explain(predictor: Predictor, history: Interactions, asked: Indices, *, like: float, memory_mb: int) -> Explanation:
    """Explain the claims for the `asked` items from the one row of `history`.

    Every item of the history is left out once, with all interactions the user had with it: M + 2 predictions. An item
    that is left out may be taken again, which draws from all others what it is then expected to be taken with: an
    effect holds about that much, in nats, in favour of every item that is asked about.
    """
    items = np.unique(history.items)
    rows = np.zeros(len(items), dtype=np.int64)
    whole = _row(predictor.predict(history), asked, like)
    parts = [
        _grid(predictions, asked, like)
        for _, predictions in laws_without(predictor, history, rows, items, memory_mb=memory_mb)
    ]
    without = {name: np.concatenate([part[name] for part in parts]) for name in whole}
    return Explanation(asked, items, whole, _row(predictor.predict(nothing(history.n_items)), asked, like), without)


def _row(predictions: Predictions, asked: Indices, like: float) -> Claims:
    return {name: values[0] for name, values in _grid(predictions, asked, like).items()}


def _grid(predictions: Predictions, asked: Indices, like: float) -> Claims:
    """(B, m) each."""
    n_rows = predictions.log_p_consume.shape[0]
    rows, items = np.repeat(np.arange(n_rows), len(asked)), np.tile(asked, n_rows)
    found = claims(predictions, rows, items, like)
    return {name: values.reshape(n_rows, len(asked)) for name, values in found.items()}
