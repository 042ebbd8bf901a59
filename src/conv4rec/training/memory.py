"""Freed memory is kept for the next step instead of given back and asked for again."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

LARGEST, LEAST = 1 << 28, 1 << 25
"""Bytes up to which a block that is freed stays with the process: while it is kept, and afterwards."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, in malloc.h of glibc


@contextmanager
def kept_memory() -> Iterator[None]:
    """While it lasts, what glibc's malloc gets back it keeps; then it returns to the system what is free.

    A step frees and asks for some 50 MiB. By default they go back to the system, and every page of them is fetched and
    cleared anew: a fifth of a step on ML-1M (docs/performance.md). Afterwards glibc treats blocks as it does once it
    has seen a large one freed. Where the C library is another, nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    _keep(libc, LARGEST)
    try:
        yield
    finally:
        _keep(libc, LEAST)
        libc.malloc_trim(0)


def _keep(libc: ctypes.CDLL, largest: int) -> None:
    libc.mallopt(_MMAP_THRESHOLD, largest)
    libc.mallopt(_TRIM_THRESHOLD, 4 * largest)
