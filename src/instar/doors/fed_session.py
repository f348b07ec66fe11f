"""What the sockets of every door share: an IO-free machine on one side, a feed of the hub on the other."""

import time
from collections.abc import Callable, Sequence
from math import inf
from typing import Generic, Protocol, TypeVar

from instar.hub.operations.hub import Caller, Feed, Hub
from instar.wire.http import Connection

from .heartbeat import Heartbeat

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)


class Machine(Protocol[A_co]):
    """The server's end of a dialect; it answers with actions to carry out in order."""

    @property
    def wake_at(self) -> float:
        """When it wants its tick."""
        ...

    def start(self, now: float) -> Sequence[A_co]:
        """Begin."""
        ...

    def receive(self, payload: bytes, is_text: bool, now: float) -> Sequence[A_co]:
        """Take one frame of the client."""
        ...

    def tick(self, now: float) -> Sequence[A_co]:
        """Take note of the time."""
        ...


class FedSession(Generic[A]):
    """The part of a `wire.http.SocketSession` and feed's sink that is the same in each dialect.

    Args:
        machine: The dialect; `_do` carries its actions out.
        heartbeat: Ticks the session while it is open.
    """

    __slots__ = ("__weakref__", "_connection", "_driven", "_feed", "_heartbeat", "_unwatch")

    def __init__(self, machine: Machine[A], heartbeat: Heartbeat) -> None:
        self._driven = machine
        self._heartbeat = heartbeat
        self._connection: Connection | None = None
        self._feed: Feed | None = None
        self._unwatch: Callable[[], None] | None = None

    def _do(self, actions: Sequence[A]) -> None:
        raise NotImplementedError

    def _grant_ended(self, reason: str) -> None:
        raise NotImplementedError

    def _watch(self, hub: Hub, caller: Caller) -> None:
        """End with the caller's grant, whether there is a feed or not; at once, if it has ended by now."""
        self._unwatch = hub.on_ended(caller, self._grant_ended)

    def _stop_watching(self) -> None:
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None

    def opened(self, connection: Connection) -> None:
        """Let the machine begin, and tick it from now on."""
        self._connection = connection
        self._do(self._driven.start(time.monotonic()))
        self._heartbeat.add(self)

    def received(self, payload: bytes, is_text: bool) -> None:
        """Take one frame of the client."""
        self._do(self._driven.receive(payload, is_text, time.monotonic()))

    def writable(self) -> None:
        """Let a lagging feed go on."""
        if self._feed is not None:
            self._feed.writable()

    def stopping(self) -> None:
        """Nothing to say: the close tells it."""

    @property
    def wake_at(self) -> float:
        """When the machine wants its tick."""
        return self._driven.wake_at if self._connection is not None else inf

    def tick(self, now: float) -> None:
        """Ping or cut a silent client, as the dialect says."""
        self._do(self._driven.tick(now))

    def buffered_bytes(self) -> int:
        """Return how much the client has not taken."""
        return self._connection.buffered_bytes() if self._connection is not None else 0
