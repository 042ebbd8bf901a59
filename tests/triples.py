"""Interactions from a list of (user, item, channel)."""

import numpy as np

from conv4rec.data.interactions import Interactions

Triples = list[tuple[int, int, int]]


def make_interactions(triples: Triples, *, n_users: int, n_items: int) -> Interactions:
    """Group the triples, in their order, by user."""
    users, items, channels = np.array(triples, dtype=np.int32).reshape(-1, 3).T
    return Interactions.from_triples(users, items, channels.astype(np.uint8), n_users=n_users, n_items=n_items)
