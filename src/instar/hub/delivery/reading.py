"""`events.read`: the caller's feed after a cursor as pages, with a long poll."""

import time
from collections.abc import Sequence

import msgspec

from instar.base.errors import InstarError
from instar.bus.fanout import Pump
from instar.hub.act import Act
from instar.hub.identity.authority import Authority
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.hub.rooms.directory import Directory
from instar.store import log
from instar.store.seam import Store
from instar.wire.delivery import EventPage, ReadEvents
from instar.wire.events import Event, EventView, RoomKey, render
from instar.wire.names import Network, room_key, split_key
from instar.wire.operation import ObjectKind, Verb

from .bell import Bell, wait_until
from .cursors import Cursors


class EventReading:
    """Reads the log for callers, each what it may read."""

    def __init__(
        self,
        store: Store,
        pump: Pump,
        authority: Authority,
        directory: Directory,
        cursors: Cursors,
        bell: Bell,
        network: Network,
    ) -> None:
        self._store = store
        self._pump = pump
        self._authority = authority
        self._directory = directory
        self._cursors = cursors
        self._bell = bell
        self._network = network

    async def read(self, act: Act[ReadEvents, None]) -> EventPage:
        """Return a page of events, waiting for the first if asked.

        Raises:
            InstarError: `unknown_cursor` with the log's ends in its detail; `not_found` or `forbidden` for a room.
        """
        params, caller = act.params, act.caller
        seq = await self._start(params.after)
        deadline = time.monotonic() + params.wait
        while True:
            rooms = self._rooms(caller, params)
            with self._bell.waiting(rooms) as rung:
                page = await self._page(caller, rooms, seq, params.limit)
                left_s = deadline - time.monotonic()
                if page.events or page.has_more or left_s <= 0:
                    return page
                seq = int(page.cursor)
                await wait_until(rung, left_s)

    async def _start(self, cursor: str) -> int:
        if not cursor:
            return 0
        seq = await self._cursors.resolve(cursor)
        if seq is None:
            gap = await self._cursors.gap(cursor)
            detail = {"oldest_seq": gap.oldest_seq, "newest_seq": gap.newest_seq}
            raise InstarError("unknown_cursor", f"cursor {cursor!r} is not one that this hub gave", detail=detail)
        return seq

    def _rooms(self, caller: Caller, params: ReadEvents) -> Sequence[RoomKey] | None:
        kinds = (
            ("session", params.session_id), ("thread", params.thread_id), ("dm", params.dm_id),
            ("room", params.room_id),
        )  # fmt: skip
        key = next((room_key(kind, room_id) for kind, room_id in kinds if room_id), None)
        if key is None:
            rooms = self._directory.readable(caller)
            return None if rooms is None else sorted(rooms)
        room = self._directory.get(key)
        if room is None:
            raise missing(*split_key(key))
        self._authority.require(caller, Verb.READ, ObjectKind.ROOM, room)
        return [key]

    async def _page(self, caller: Caller, rooms: Sequence[RoomKey] | None, seq: int, limit: int) -> EventPage:
        """Read one page, up to where the pump has come: what may be read is known up to there."""
        end_seq = self._pump.last_seq
        events = await self._store.read(lambda reader: log.after(reader, seq, limit, rooms=rooms))
        has_more = len(events) == limit and events[-1].seq < end_seq
        events = [event for event in events if event.seq <= end_seq]
        cursor = events[-1].seq if has_more else max(seq, end_seq)
        if rooms is None:
            hidden = self._authority.hidden_system_rooms(caller)
            events = [event for event in events if event.room not in hidden]
        else:
            begun_anew = self._directory.begun_anew
            events = [event for event in events if event.seq > begun_anew.get(event.room, 0)]
        return EventPage([self._view(event) for event in events], str(cursor), has_more)

    def _view(self, event: Event) -> EventView:
        return msgspec.json.decode(render(event, self._network.id), type=EventView)
