"""Cursors: an event id or a decimal `seq` that a reader was given, and the place in the log that it means."""

from instar.bus.fanout import Pump
from instar.store import log
from instar.store.seam import HOME, Reader, Store
from instar.wire.events import Event, ReplayGap
from instar.wire.limits import RECENT_EVENTS_MAX

_DIGITS_MAX = 18


def seq_of(cursor: str) -> int | None:
    """Return the number that a decimal cursor is, or None for an event id."""
    if cursor.isascii() and cursor.isdigit() and len(cursor) <= _DIGITS_MAX:
        return int(cursor)
    return None


class RecentEvents:
    """The `seq` of the latest events by id, in two generations: adding and looking up cost O(1), no query."""

    def __init__(self, capacity: int = RECENT_EVENTS_MAX) -> None:
        self._half = max(1, capacity // 2)
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}

    def add(self, event: Event) -> None:
        """Remember one event."""
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[event.id] = event.seq

    def seq(self, event_id: str) -> int | None:
        """Return the `seq` of an event, or None when it is not among the latest."""
        found = self._young.get(event_id)
        return self._old.get(event_id) if found is None else found


class Cursors:
    """Resolves cursors, from memory where that is possible."""

    def __init__(self, store: Store, pump: Pump) -> None:
        self._store = store
        self._pump = pump
        self.recent = RecentEvents()
        self.gaps = 0
        """How often it had to be said that there is no resuming."""

    def known(self, cursor: str) -> int | None:
        """Return the place of a cursor if that can be said without reading the log."""
        number = seq_of(cursor)
        return self.recent.seq(cursor) if number is None else number

    async def resolve(self, cursor: str) -> int | None:
        """Return the place of a cursor; None when this hub never gave it, or has not come that far."""
        seq = self.known(cursor)
        if seq is None:
            event = await self._store.read(lambda reader: log.by_id(reader, cursor))
            seq = event.seq if event else None
        return seq if seq is not None and seq <= self._pump.last_seq else None

    async def gap(self, cursor: str) -> ReplayGap:
        """Return what a stream says that was asked to resume at an unknown cursor."""

        async def ends(reader: Reader) -> ReplayGap:
            sql = "SELECT id, seq FROM events WHERE org = ?1 ORDER BY seq"
            oldest = await reader.row(f"{sql} LIMIT 1", HOME) or ("", 0)
            newest = await reader.row(f"{sql} DESC LIMIT 1", HOME) or ("", 0)
            return ReplayGap(cursor, oldest[0], newest[0], oldest[1], newest[1])

        self.gaps += 1
        return await self._store.read(ends)
