"""Who watches one call, and how long it goes on when nobody does."""

import asyncio
from collections.abc import Callable, Iterator

from .watching import CallWatch


class Audience:
    """The watchers of a call. Iterating holds while watchers leave.

    Args:
        patience_s: How long nobody may watch; 0: for ever.
        on_deserted: Called once that time is over, and again after each time that somebody came and left.
    """

    def __init__(self, patience_s: float, on_deserted: Callable[[], None]) -> None:
        self._watches: set[CallWatch] = set()
        self._patience_s = patience_s
        self._on_deserted = on_deserted
        self._timer: asyncio.TimerHandle | None = None
        self._wait()

    def __iter__(self) -> Iterator[CallWatch]:
        return iter(tuple(self._watches))

    def add(self, watch: CallWatch) -> None:
        """Somebody watches."""
        self._watches.add(watch)
        self._stop_waiting()

    def discard(self, watch: CallWatch) -> None:
        """Somebody watches no more. Twice is no error."""
        self._watches.discard(watch)
        if not self._watches and self._timer is None:
            self._wait()

    def dismiss(self) -> None:
        """The call has ended: whoever still watches leaves by itself, and nobody is waited for."""
        self._patience_s = 0.0
        self._stop_waiting()

    def _wait(self) -> None:
        if self._patience_s:
            self._timer = asyncio.get_running_loop().call_later(self._patience_s, self._deserted)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _deserted(self) -> None:
        self._timer = None
        self._on_deserted()
