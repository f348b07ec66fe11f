"""Token buckets: how often a key may do something."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

MAX_KEYS = 100_000


class Buckets:
    """One token bucket per key; the least recently used keys are forgotten beyond `MAX_KEYS`.

    Args:
        rate_per_s: Tokens that flow in per second; 0 switches the limit off.
        burst: Tokens that a full bucket holds.
        clock: Monotonic seconds, for tests.
    """

    def __init__(self, rate_per_s: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit(rate_per_s, burst)
        self._clock = clock
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def limit(self, rate_per_s: float, burst: float) -> None:
        """Set the rate and the burst from now on; what the buckets hold is kept, up to the new burst."""
        self.rate_per_s = rate_per_s
        self.burst = max(burst, 1.0)

    def take(self, key: Hashable, tokens: float = 1.0) -> float:
        """Take `tokens` for `key`. Return 0.0 when granted, else the seconds until they would be."""
        if self.rate_per_s <= 0:
            return 0.0
        at = self._clock()
        level, since = self._levels.get(key, (self.burst, at))
        level = min(self.burst, level + (at - since) * self.rate_per_s)
        granted = level >= tokens
        self._levels[key] = (level - tokens if granted else level, at)
        self._levels.move_to_end(key)
        if len(self._levels) > MAX_KEYS:
            self._levels.popitem(last=False)
        return 0.0 if granted else (tokens - level) / self.rate_per_s
