"""Read markers: how far a principal or an agent has read a conversation. They never move back."""

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.authority import Authority
from instar.hub.identity.missing import missing
from instar.store.seam import HOME, Reader, Store, Transaction
from instar.wire.messages import Target
from instar.wire.rooms import MarkRead, ReadMarker
from instar.wire.sessions import from_direct

from .content import check_target
from .counts import heads_of, unread_of
from .directory import Directory
from .history import position_of
from .state import RoomState


class Markers:
    """The handler of read markers."""

    def __init__(self, store: Store, directory: Directory, authority: Authority) -> None:
        self._store = store
        self._directory = directory
        self._authority = authority

    def locate(self, target: Target) -> RoomState:
        """Return the conversation of a target.

        Raises:
            InstarError: `unprocessable_entity`, `not_found`.
        """
        target = from_direct(target)
        check_target(target)
        room = self._directory.of(target)
        if room is None or room.is_removed:
            named = {"room": target.room_id, "thread": target.thread_id, "dm": target.dm_id}
            raise missing(target.kind, named.get(target.kind, target.session_id))
        return room

    async def mark(self, act: Act[MarkRead, RoomState]) -> ReadMarker:
        """Mark everything up to a message or a `seq` as read; past the end means up to the end.

        Raises:
            InstarError: `unprocessable_entity` (no such message there), `forbidden` (not the caller's agent).
        """
        params, key = act.params, act.object.key
        who = self._who(act)
        cursor = params.message_id or str(max(0, params.seq))

        async def move(tx: Transaction) -> None:
            end = await tx.row("SELECT COALESCE(MAX(seq), 0) FROM events WHERE org = ?1 AND room = ?2", HOME, key)
            await tx.execute(
                "INSERT INTO read_markers (org, principal, room, seq) VALUES (?1, ?2, ?3, ?4)"
                " ON CONFLICT (org, principal, room) DO UPDATE SET seq = excluded.seq"
                " WHERE excluded.seq > read_markers.seq",
                HOME,
                who,
                key,
                min(await position_of(tx, key, cursor), end[0] if end else 0),
            )

        async def count(reader: Reader) -> ReadMarker:
            heads = await heads_of(reader, [key])
            unread = (await unread_of(reader, who, [key], heads, self._directory.begun_anew))[key]
            return ReadMarker(who, key, unread.last_read_seq, unread.messages)

        await self._store.transact(move)
        return await self._store.read(count)

    def _who(self, act: Act[MarkRead, RoomState]) -> str:
        if act.caller.is_anonymous:
            raise InstarError("unauthorized", "read markers belong to who has a credential")
        agent = act.params.as_
        if agent and not self._authority.speaks_as(act.caller, agent):
            raise InstarError("forbidden", f"needs the credential of agent {agent!r}")
        return agent or act.caller.principal.id
