"""What a call waits with: timers that end with it, and whoever wants to hear of its next change."""

import asyncio
from collections.abc import Callable


class Timers:
    """What is to be done later, unless the call has ended by then."""

    def __init__(self) -> None:
        self._set: list[asyncio.TimerHandle] = []

    def at(self, delay_s: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        """Do something so many seconds from now."""
        timer = asyncio.get_running_loop().call_later(delay_s, act)
        self._set = [each for each in self._set if not each.cancelled()]
        self._set.append(timer)
        return timer

    def stop(self) -> None:
        """Do nothing of it."""
        for timer in self._set:
            timer.cancel()
        self._set.clear()


class Changes:
    """Wakes who waits for something to change."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    async def next(self, timeout_s: float) -> None:
        """Wait for the next change, or until the time is up."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await asyncio.wait((waiter,), timeout=timeout_s)
        finally:
            self._waiting.discard(waiter)

    def tell(self) -> None:
        """Wake who waits."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
