"""The few loops that no library has, compiled when they are first called: docs/performance.md.

Loading them takes half a second in every process, and compiling those of lists and laws some seconds more, once on a
machine. Training always gains more than that. Who asks a model asks `pays` first.
"""

import sys

ENOUGH = 1 << 26
"""Pairs of a user and an item that take half a second longer to score without these loops."""


class _Work:
    """What has been asked about in this process."""

    n_pairs = 0


def is_loaded() -> bool:
    """Whether a loop has been called for in this process."""
    return f"{__name__}.parallel" in sys.modules


def pays(n_pairs: int) -> bool:
    """Whether loops should do this work: they are loaded, or would have been worth it by now.

    All that was asked about counts, by who plans it and by who does it: whoever comes back often enough gets the loops,
    and nobody waits for them much longer than they could have saved. Where it paid once, it pays from then on.

    Args:
        n_pairs: pairs of a user and an item to be scored, or as many as take as long.
    """
    _Work.n_pairs += n_pairs
    return is_loaded() or _Work.n_pairs >= ENOUGH
