"""Limits on how often somebody may ask."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from conv4rec.service.problems import Problem

MOST = 10_000
"""Callers remembered; when there are more, those who could ask in full again are forgotten."""


@dataclass(frozen=True)
class Rates:
    """A bucket of tokens for every caller: a request takes one, and `per_second` of them come back in a second.

    A bucket holds as many as come in a second, at least one. `per_second` None: no limit.
    """

    per_second: float | None
    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, caller: str) -> None:
        """Take a token. Raises Problem 429, telling when the next comes, where there is none."""
        if self.per_second is None:
            return
        now, size = self.clock(), max(1.0, self.per_second)
        tokens, last = self._buckets.get(caller, (size, now))
        tokens = min(size, tokens + (now - last) * self.per_second)
        if tokens < 1.0:
            wait = (1.0 - tokens) / self.per_second
            reason = f"more than {self.per_second:g} requests a second"
            raise Problem(429, reason, headers={"Retry-After": str(max(1, round(wait)))})
        if len(self._buckets) >= MOST:
            self._forget(now, size)
        self._buckets[caller] = (tokens - 1.0, now)

    def _forget(self, now: float, size: float) -> None:
        rate = self.per_second or 0.0
        full = [c for c, (tokens, last) in self._buckets.items() if tokens + (now - last) * rate >= size]
        for caller in full:
            del self._buckets[caller]
