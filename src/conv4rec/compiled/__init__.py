"""The few loops that no library has, compiled when they are first called: docs/performance.md.

On a machine where they never ran, compiling those of lists and laws takes some seconds, and loading them later half of
one. Who has little to do asks `is_loaded` first, and makes use of them where somebody else has loaded them.
"""

import sys


def is_loaded() -> bool:
    """Whether a loop has been asked for in this process."""
    return f"{__name__}.parallel" in sys.modules
