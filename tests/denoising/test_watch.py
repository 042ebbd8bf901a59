"""A collapse is seen when it is there, and not when it is not."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conv4rec.denoising.watch import find_collapse, summarise_weights


def test_weights_are_told_by_mean_and_quantiles() -> None:
    told = summarise_weights(np.linspace(0, 1, 101))
    assert told == pytest.approx({"mean": 0.5, "q01": 0.01, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q99": 0.99})
    assert summarise_weights(np.zeros(0)) == {}


@pytest.mark.parametrize(
    ("weights", "aucs", "told"),
    [
        (
            np.repeat([0.0, 0.999], [100, 400]),
            [0.8],
            "three in four unlabelled pairs have w+ above 0.999: what is drawn counts as positive",
        ),
        (np.full(500, 0.001), [0.8], "99 % of the unlabelled pairs have w+ below 0.001: all of them count as negative"),
        (np.full(500, 0.5), [0.8, 0.505], "the AUC of validation fell from 0.800 to 0.505, which is chance"),
        (np.full(500, 0.5), [0.505, 0.504], None),  # it has not learned yet
        (np.full(500, 0.5), [0.8, 0.7], None),
        (np.linspace(0, 1, 500), [], None),
        (np.repeat([0.0, 1.0], 250), [0.8], None),  # decided, both ways
        (np.repeat([0.0, 1.0], [480, 20]), [0.8], None),  # and nearly all negative, as they are
        (np.zeros(0), [0.8], None),
    ],
)
def test_a_collapse(weights: NDArray[Any], aucs: list[float], told: str | None) -> None:
    assert find_collapse(summarise_weights(weights), aucs, 0.51) == told
