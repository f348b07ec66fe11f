"""Export of a conversation's whole log as NDJSON, page by page."""

from collections.abc import AsyncIterator

import msgspec

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.missing import missing
from instar.store.log import COLUMNS, event_of
from instar.store.seam import HOME, Reader, Store
from instar.wire.events import Event, RoomKey, render
from instar.wire.names import Network, room_key
from instar.wire.rooms import ExportEnd, ExportRoom, RoomKind

from .delegates import RoomExport
from .directory import Directory
from .state import RoomState

EXPORT_PAGE = 500


class Exporting:
    """The handler of exports. A room's threads are exported by their own ids; of a session, its present generation."""

    def __init__(self, store: Store, directory: Directory, network: Network) -> None:
        self._store = store
        self._directory = directory
        self._network = network

    def locate(self, params: ExportRoom) -> RoomState:
        """Return the conversation to export.

        Raises:
            InstarError: `unprocessable_entity` unless exactly one is named, `not_found`.
        """
        named = [
            (kind, room_id)
            for kind, room_id in (
                (RoomKind.ROOM, params.room_id),
                (RoomKind.THREAD, params.thread_id),
                (RoomKind.DM, params.dm_id),
                (RoomKind.SESSION, params.session_id),
            )
            if room_id
        ]
        if len(named) != 1:
            raise InstarError(
                "unprocessable_entity", "name exactly one of `room_id`, `thread_id`, `dm_id` and `session_id`"
            )
        room = self._directory.get(room_key(*named[0]))
        if room is None or room.is_removed:
            raise missing(*named[0])
        return room

    async def export(self, act: Act[ExportRoom, RoomState]) -> RoomExport:
        """Begin an export that ends where the log of the conversation ends now."""
        key = act.object.key
        end = await self._store.read(lambda reader: _end_of(reader, key))
        lines = self._lines(key, act.object.begins_after, end.seq if end else 0)
        return RoomExport.streaming(lines, end.seq if end else 0, end.chain.hex() if end else "")

    async def _lines(self, key: RoomKey, seq: int, last_seq: int) -> AsyncIterator[bytes]:
        count, chain = 0, ""
        while seq < last_seq:
            events = await self._store.read(lambda reader, seq=seq: _page(reader, key, seq, last_seq))
            count += len(events)
            seq, chain = events[-1].seq, events[-1].chain.hex()
            yield b"".join(render(event, self._network.id) + b"\n" for event in events)
        yield msgspec.json.encode(ExportEnd(count, seq, chain)) + b"\n"


async def _end_of(reader: Reader, key: RoomKey) -> Event | None:
    row = await reader.row(
        f"SELECT {COLUMNS} FROM events WHERE org = ?1 AND room = ?2 ORDER BY seq DESC LIMIT 1",  # noqa: S608
        HOME,
        key,
    )
    return event_of(row) if row else None


async def _page(reader: Reader, key: RoomKey, seq: int, last_seq: int) -> list[Event]:
    rows = await reader.rows(
        f"SELECT {COLUMNS} FROM events WHERE org = ?1 AND room = ?2 AND seq > ?3 AND seq <= ?4"  # noqa: S608
        " ORDER BY seq LIMIT ?5",
        HOME,
        key,
        seq,
        last_seq,
        EXPORT_PAGE,
    )
    return [event_of(row) for row in rows]
