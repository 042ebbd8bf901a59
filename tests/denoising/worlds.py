"""A checkerboard of labels: even users like even items, odd users odd ones; a part of all pairs is labelled."""

import numpy as np

from conv4rec.denoising import Pairs


def checkerboard(n_users: int = 40, n_items: int = 30, *, share: float = 0.5, seed: int = 0) -> tuple[Pairs, Pairs]:
    """Labelled pairs, and all the others with their true labels."""
    users, items = (grid.ravel().astype(np.int64) for grid in np.indices((n_users, n_items)))
    labels = ((users + items) % 2 == 0).astype(np.float32)
    everything = Pairs(users, items, labels, n_users, n_items)
    is_labelled = np.random.default_rng(seed).random(len(users)) < share
    return everything.take(is_labelled), everything.take(~is_labelled)
