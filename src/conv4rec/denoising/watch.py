"""What the weights w+ of an epoch looked like, and whether the model has talked itself into one answer for all."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"q01": 0.01, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q99": 0.99}
DECIDED = 0.99
"""A weight above this, or below one less this, leaves nothing of the other label."""


class CollapseWarning(UserWarning):
    """Inverse learning has lost its anchor: it no longer tells unlabelled pairs apart, or labelled ones."""


def summarise_weights(weights: NDArray[np.floating]) -> dict[str, float]:
    """`mean` and quantiles `q01`, `q25`, `q50`, `q75`, `q99` of (N,) weights w+; nothing of none."""
    if not len(weights):
        return {}
    values = np.quantile(weights, list(QUANTILES.values()))
    return {"mean": float(weights.mean()), **dict(zip(QUANTILES, values.tolist(), strict=True))}


def find_collapse(weights: dict[str, float], aucs: Sequence[float], chance: float) -> str | None:
    """One sentence on what has collapsed, or None.

    The bounds differ because most items drawn at random are no positives: that nearly all are taken as negative is
    near the truth, that most are taken as positive is not.

    Args:
        weights: as `summarise_weights` gives them, of the epoch just ended.
        aucs: validation AUC of every epoch so far; empty: it is not watched.
        chance: the AUC up to which labels are not told apart. Only a fall to it counts, from above.
    """
    if weights and weights["q25"] > DECIDED:
        return f"three in four unlabelled pairs have w+ above {weights['q25']:.3f}: what is drawn counts as positive"
    if weights and weights["q99"] < 1 - DECIDED:
        return f"99 % of the unlabelled pairs have w+ below {weights['q99']:.3f}: all of them count as negative"
    if aucs and aucs[-1] <= chance < max(aucs):
        return f"the AUC of validation fell from {max(aucs):.3f} to {aucs[-1]:.3f}, which is chance"
    return None
