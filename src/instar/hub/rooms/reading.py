"""Finding rooms: lists and single ones, filtered by what the caller may read."""

from collections.abc import Mapping, Sequence

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.authority import Authority
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.store.seam import Reader, Store
from instar.wire.events import RoomKey
from instar.wire.messages import PageQuery
from instar.wire.names import room_key
from instar.wire.rooms import (
    DirectConversation,
    DmPage,
    DmRef,
    Room,
    RoomKind,
    RoomPage,
    RoomRef,
    RoomThreads,
    Thread,
    ThreadPage,
    ThreadRef,
)
from instar.wire.sessions import session_behind

from .counts import NO_HEAD, NO_MARKER, Head, Unread, heads_of, unread_of
from .directory import Directory
from .paging import page_of
from .state import RoomState
from .views import access_of, dm_view, room_view, thread_view


class Reading:
    """Handlers that read the directory."""

    def __init__(self, store: Store, directory: Directory, authority: Authority) -> None:
        self._store = store
        self._directory = directory
        self._authority = authority

    def locate(self, kind: RoomKind, room_id: str) -> RoomState:
        """Return the room, thread or direct conversation of this id.

        Raises:
            InstarError: `not_found`.
        """
        room = self._directory.get(room_key(kind, room_id))
        if room is None or room.is_removed:
            raise missing(kind, room_id)
        return room

    def locate_direct(self, dm_id: str) -> RoomState:
        """Return the direct conversation of this id, or the session that it stands for.

        Raises:
            InstarError: `not_found`.
        """
        session_id = session_behind(dm_id)
        return self.locate(RoomKind.SESSION, session_id) if session_id else self.locate(RoomKind.DM, dm_id)

    async def rooms(self, act: Act[PageQuery, None]) -> RoomPage:
        """Return a page of the rooms that the caller reads, by id."""
        window, page = page_of(self._readable(act.caller, RoomKind.ROOM), act.params, _id)
        heads, unread = await self._counts(act.caller, window)
        return RoomPage([self._room(act.caller, room, heads, unread) for room in window], page)

    async def room(self, act: Act[RoomRef, RoomState]) -> Room:
        """Return one room."""
        heads, unread = await self._counts(act.caller, [act.object])
        return self._room(act.caller, act.object, heads, unread)

    async def threads(self, act: Act[RoomThreads, RoomState]) -> ThreadPage:
        """Return a page of a room's threads, by id."""
        window, page = page_of(self._directory.threads_of(act.object.key), act.params, _id)
        heads, _ = await self._counts(None, window)
        return ThreadPage([thread_view(thread, heads.get(thread.key, NO_HEAD)) for thread in window], page)

    async def thread(self, act: Act[ThreadRef, RoomState]) -> Thread:
        """Return one thread."""
        heads, _ = await self._counts(None, [act.object])
        return thread_view(act.object, heads.get(act.object.key, NO_HEAD))

    async def dms(self, act: Act[PageQuery, None]) -> DmPage:
        """Return a page of the direct conversations that the caller reads, by id.

        Raises:
            InstarError: `forbidden` when direct messages are switched off.
        """
        if not self._authority.policy.direct_messages:
            raise InstarError("forbidden", "direct messages are switched off", hint="Use rooms instead.")
        window, page = page_of(self._readable(act.caller, RoomKind.DM), act.params, _id)
        heads, unread = await self._counts(act.caller, window)
        return DmPage([_dm(dm, heads, unread) for dm in window], page)

    async def dm(self, act: Act[DmRef, RoomState]) -> DirectConversation:
        """Return one direct conversation."""
        heads, unread = await self._counts(act.caller, [act.object])
        return _dm(act.object, heads, unread)

    def _readable(self, caller: Caller, kind: RoomKind) -> list[RoomState]:
        rooms = self._directory.all(kind)
        keys = self._directory.readable(caller)
        return rooms if keys is None else [room for room in rooms if room.key in keys]

    def _room(self, caller: Caller, room: RoomState, heads: Mapping[str, Head], unread: Mapping[str, Unread]) -> Room:
        access = access_of(self._authority, caller, room)
        return room_view(room, heads.get(room.key, NO_HEAD), unread.get(room.key, NO_MARKER), access)

    async def _counts(
        self, caller: Caller | None, rooms: Sequence[RoomState]
    ) -> tuple[Mapping[str, Head], Mapping[str, Unread]]:
        keys: list[RoomKey] = [room.key for room in rooms]
        reader_id = "" if caller is None or caller.is_anonymous else caller.principal.id

        async def read(reader: Reader) -> tuple[Mapping[str, Head], Mapping[str, Unread]]:
            heads = await heads_of(reader, keys)
            return heads, await unread_of(reader, reader_id, keys, heads, self._directory.begun_anew)

        return await self._store.read(read)


def _dm(dm: RoomState, heads: Mapping[str, Head], unread: Mapping[str, Unread]) -> DirectConversation:
    return dm_view(dm, heads.get(dm.key, NO_HEAD), unread.get(dm.key, NO_MARKER))


def _id(room: RoomState) -> str:
    return room.id
