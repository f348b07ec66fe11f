"""Lists of a conversation's files, links and data."""

from collections.abc import Sequence

import msgspec

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.store.seam import HOME, Reader, Row, Store
from instar.wire.events import RoomKey
from instar.wire.messages import Artifact, ArtifactPage, ArtifactQuery, Page, PageQuery
from instar.wire.names import room_key
from instar.wire.rooms import RoomKind

from .directory import Directory
from .paging import check_cursors, limit_of, unknown_cursor
from .state import RoomState

_ARTIFACT = msgspec.json.Decoder(Artifact)


class Artifacts:
    """The handler of artifact lists."""

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store = store
        self._directory = directory

    def locate(self, caller: Caller, query: ArtifactQuery) -> RoomState | None:
        """Return the conversation asked for: session before thread before direct conversation before room.

        None is a direct conversation that the caller does not know of.

        Raises:
            InstarError: `unprocessable_entity` when none is named; `not_found` for an unknown room or thread.
        """
        if query.session_id:
            return self._standing(RoomKind.SESSION, query.session_id)
        if query.thread_id:
            return self._standing(RoomKind.THREAD, query.thread_id)
        if query.dm_id:
            dm = self._directory.get(room_key(RoomKind.DM, query.dm_id))
            return dm if dm is not None and self._directory.may_read(caller, dm) else None
        if query.room_id:
            return self._standing(RoomKind.ROOM, query.room_id)
        raise InstarError("unprocessable_entity", "name a `room_id`, `thread_id`, `dm_id` or `session_id`")

    def _standing(self, kind: RoomKind, room_id: str) -> RoomState:
        room = self._directory.get(room_key(kind, room_id))
        if room is None or room.is_removed:
            raise missing(kind, room_id)
        return room

    async def page(self, act: Act[ArtifactQuery, RoomState | None]) -> ArtifactPage:
        """Return a page in ascending order: without a cursor the latest. A room's list includes its threads'.

        Raises:
            InstarError: `unprocessable_entity` for two cursors or one of another list.
        """
        check_cursors(act.params)
        room = act.object
        if room is None:
            return ArtifactPage([], Page(False))
        keys = [room.key, *(thread.key for thread in self._directory.threads_of(room.key))]
        rows, page = await self._store.read(lambda reader: _window(reader, keys, act.params, room.begins_after))
        return ArtifactPage([_ARTIFACT.decode(row[3]) for row in rows], page)


async def _window(
    reader: Reader, keys: Sequence[RoomKey], query: PageQuery, begins_after: int
) -> tuple[list[Row], Page]:
    limit = limit_of(query)
    if query.after:
        place = max(await _place(reader, keys, query.after), (begins_after + 1, -1))
        rows = await _rows(reader, keys, ">", "ASC", place, limit + 1)
        has_more, rows = len(rows) > limit, rows[:limit]
        return rows, Page(has_more, next_after=rows[-1][2] if has_more else "")
    place = await _place(reader, keys, query.before) if query.before else (2**62, 0)
    rows = [row for row in await _rows(reader, keys, "<", "DESC", place, limit + 1) if row[0] > begins_after]
    has_more, rows = len(rows) > limit, rows[:limit][::-1]
    return rows, Page(has_more, next_before=rows[0][2] if has_more else "")


async def _place(reader: Reader, keys: Sequence[RoomKey], cursor: str) -> tuple[int, int]:
    row = await reader.row("SELECT room, seq, part_index FROM artifacts WHERE org = ?1 AND id = ?2", HOME, cursor)
    if row is None or row[0] not in keys:
        raise unknown_cursor(cursor)
    return row[1], row[2]


async def _rows(
    reader: Reader, keys: Sequence[RoomKey], edge: str, order: str, place: tuple[int, int], limit: int
) -> list[Row]:
    """Read the next rows on one side of a place: each room by its index, merged."""
    sql = (
        f"SELECT seq, part_index, id, body FROM artifacts WHERE org = ?1 AND room = ?5"  # noqa: S608
        f" AND (seq, part_index) {edge} (?2, ?3) ORDER BY seq {order}, part_index {order} LIMIT ?4"
    )
    found: list[Row] = []
    for key in keys:
        found += await reader.rows(sql, HOME, *place, limit, key)
    found.sort(key=lambda row: (row[0], row[1]), reverse=order == "DESC")
    return found[:limit]
