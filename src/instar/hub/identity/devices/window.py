"""The pairing window: while it is closed, an unknown device cannot even ask."""

import time
from collections.abc import Callable

from instar.base.clock import MICROS_PER_S, Micros, now


class Window:
    """Closed at every start, and it closes itself. Nothing of it is stored.

    Args:
        clock: Monotonic seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._closes = 0.0

    @property
    def is_open(self) -> bool:
        """Whether unknown devices may ask."""
        return self._clock() < self._closes

    @property
    def closes_at(self) -> Micros | None:
        """When it closes; None while it is closed."""
        left = self._closes - self._clock()
        return Micros(now() + int(left * MICROS_PER_S)) if left > 0 else None

    def open(self, seconds: float) -> None:
        """Open it for so long from now on, whether it was open or not."""
        self._closes = self._clock() + seconds

    def close(self) -> None:
        """Close it now. Twice is no error."""
        self._closes = 0.0
