"""Wakes who waits for something in a room. The pump does no work here while nobody waits."""

import asyncio
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

from instar.wire.events import Event, RoomKey


class Bell:
    """One event per waiter, found by room; and by name for what is no event of a room, such as a resume."""

    def __init__(self) -> None:
        self._by_room: dict[RoomKey, set[asyncio.Event]] = {}
        self._by_name: dict[str, set[asyncio.Event]] = {}
        self._everywhere: set[asyncio.Event] = set()

    @contextmanager
    def waiting(self, rooms: Iterable[RoomKey] | None, name: str = "") -> Generator[asyncio.Event]:
        """Give an event that is set at the next event in one of `rooms` (None: in any), or by `ring(name)`."""
        event = asyncio.Event()
        places = [self._by_room.setdefault(room, set()) for room in rooms or ()]
        places.append(self._by_name.setdefault(name, set()))
        if rooms is None:
            places.append(self._everywhere)
        for place in places:
            place.add(event)
        try:
            yield event
        finally:
            for place in places:
                place.discard(event)
            self._sweep(rooms or (), name)

    def _sweep(self, rooms: Iterable[RoomKey], name: str) -> None:
        for room in rooms:
            if not self._by_room.get(room, True):
                del self._by_room[room]
        if not self._by_name.get(name, True):
            del self._by_name[name]

    def heard(self, events: Sequence[Event]) -> None:
        """Wake who waits for these events; a pump watcher."""
        if self._by_room:
            for event in events:
                _set(self._by_room.get(event.room, ()))
        if self._everywhere:
            _set(self._everywhere)

    def ring(self, name: str) -> None:
        """Wake who waits under this name."""
        _set(self._by_name.get(name, ()))

    def ring_all(self) -> None:
        """Wake everybody."""
        for waiters in self._by_name.values():
            _set(waiters)


def _set(waiters: Iterable[asyncio.Event]) -> None:
    for waiter in waiters:
        waiter.set()


async def wait_until(event: asyncio.Event, timeout_s: float) -> bool:
    """Wait for an event; return whether it came in time."""
    try:
        async with asyncio.timeout(timeout_s):
            return await event.wait()
    except TimeoutError:
        return False
