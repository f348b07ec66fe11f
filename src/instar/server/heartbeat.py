"""One timer for every connection: it pings sockets, cuts those that answer nothing, and ends what is too slow."""

import asyncio
from typing import Protocol

from instar.wire.limits import LINK_CLOSE_S, LINK_PING_S, LINK_PONG_S

TICK_S = 0.5


class Timed(Protocol):
    """An HTTP connection that is looked at every tick."""

    def check_pace(self, at: float) -> None:
        """Cut the connection when the client is too slow. `at` is the loop's clock."""
        ...


class Pinged(Protocol):
    """A socket that is pinged once per `LINK_PING_S`."""

    def ping(self) -> None:
        """Send a ping; from now on an answer is owed."""
        ...

    def check_pong(self) -> None:
        """Cut the socket when the answer is still owed."""
        ...

    def abort(self) -> None:
        """Drop the socket; called when it did not close in time."""
        ...


class Heartbeat:
    """The shared timer wheel: as many slots as ticks in a ping interval, each socket in one of them.

    A silent peer is cut after at most ping interval + pong deadline + one tick.

    Args:
        tick_s: Seconds between two ticks.
        ping_s: Seconds between two pings of one socket.
        pong_s: Seconds that a peer has to answer one; less than `ping_s`.
        close_s: Seconds that a closing socket has.
    """

    def __init__(
        self,
        *,
        tick_s: float = TICK_S,
        ping_s: float = LINK_PING_S,
        pong_s: float = LINK_PONG_S,
        close_s: float = LINK_CLOSE_S,
    ) -> None:
        self._tick_s = tick_s
        self._slots: list[set[Pinged]] = [set() for _ in range(max(2, round(ping_s / tick_s)))]
        self._pong_ticks = min(len(self._slots) - 1, max(1, round(pong_s / tick_s)))
        self._close_s = close_s
        self._closing: dict[Pinged, float] = {}
        self.connections: set[Timed] = set()
        """Open HTTP connections."""
        self._tick = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start ticking on the running loop."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._tick_s, self._beat, loop)

    def stop(self) -> None:
        """Tick no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def join(self, link: Pinged) -> int:
        """Ping `link` from now on; return its slot, which `leave` wants back. Its first ping is an interval away."""
        slot = self._tick % len(self._slots)
        self._slots[slot].add(link)
        return slot

    def leave(self, link: Pinged, slot: int) -> None:
        """Forget `link`; slot -1: it had not joined."""
        if slot >= 0:
            self._slots[slot].discard(link)
        self._closing.pop(link, None)

    def closing(self, link: Pinged) -> None:
        """Abort `link` if it still stands after the close deadline."""
        self._closing.setdefault(link, asyncio.get_running_loop().time() + self._close_s)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self._tick_s, self._beat, loop)
        self.beat(loop.time())

    def beat(self, at: float) -> None:
        """Do one tick at the loop time `at`."""
        self._tick += 1
        size = len(self._slots)
        for link in tuple(self._slots[(self._tick - self._pong_ticks) % size]):
            link.check_pong()
        for link in tuple(self._slots[self._tick % size]):
            link.ping()
        for link, deadline in tuple(self._closing.items()):
            if at >= deadline:
                link.abort()
        for connection in tuple(self.connections):
            connection.check_pace(at)
