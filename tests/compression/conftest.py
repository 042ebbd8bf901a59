"""Vectors that lie near a few directions, and a compressor of them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from conv4rec.compression.compressor import Compressor


@pytest.fixture(scope="session")
def vectors() -> NDArray[np.float32]:
    """Each is made of 3 of 40 directions, and a little noise."""
    generator = np.random.default_rng(0)
    directions = generator.normal(size=(40, 24))
    made = np.zeros((600, 40))
    for row in made:
        row[generator.choice(40, 3, replace=False)] = generator.normal(size=3)
    return (made @ directions + 0.05 * generator.normal(size=(600, 24))).astype(np.float32)


@pytest.fixture(scope="session")
def compressor(vectors: NDArray[np.float32]) -> Compressor:
    return Compressor(width=80, k=6, epochs=30, batch_size=64, learning_rate=0.01, device="cpu").fit(vectors)
