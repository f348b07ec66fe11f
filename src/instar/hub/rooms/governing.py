"""Creating, changing and removing rooms: each change is a row and an event in one transaction.

Every event carries the whole room, and raises the revision that guards appends by exactly one.
"""

from collections.abc import Iterable
from dataclasses import replace

from instar.base.clock import Micros, now
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.hub.act import Act
from instar.store.seam import HOME, Draft, Transaction
from instar.wire.events import Event, RoomKey
from instar.wire.names import Network, is_id, room_key
from instar.wire.rooms import (
    CreateRoom,
    Removed,
    Room,
    RoomKind,
    RoomRef,
    UpdateMembers,
    UpdateRoom,
)

from .compose import ENCODER
from .load import read_room
from .openings import INSERT_MEMBER, INSERT_ROOM, append
from .participants import canonical_members
from .state import RoomState, Rules
from .views import room_view


class Governing:
    """Handlers that change rooms."""

    def __init__(self, network: Network) -> None:
        self._network = network

    async def create(self, act: Act[CreateRoom, None]) -> Room:
        """Create a room.

        Raises:
            InstarError: `unprocessable_entity` (id or members), `conflict` (the id is, or was, a room's).
        """
        wanted = act.params
        check_room_id(wanted.id)
        members = canonical_members(wanted.members, self._network.id)
        rules = Rules(wanted.name, wanted.visibility, wanted.write_policy)
        act.audit_subject = wanted.id

        async def work(tx: Transaction) -> Room:
            return await create_room(tx, self._network, wanted.id, rules, members, act.caller.principal.id)

        return await act.transact(work, Room)

    async def update(self, act: Act[UpdateRoom, RoomState]) -> Room:
        """Change a room's name, visibility or write policy; nothing is stored when nothing differs."""
        wanted, key = act.params, act.object.key
        act.audit_subject = wanted.room_id

        async def work(tx: Transaction) -> Room:
            room = await standing_room(tx, key, self._network)
            own = room.own
            rules = replace(
                own,
                name=own.name if wanted.name is None else wanted.name,
                visibility=wanted.visibility or own.visibility,
                write_policy=wanted.write_policy or own.write_policy,
            )
            return await update_room(tx, room, rules, act.caller.principal.id)

        return await act.transact(work, Room)

    async def members(self, act: Act[UpdateMembers, RoomState]) -> Room:
        """Add members, then remove members; nothing is stored when the set stays the same.

        Raises:
            InstarError: `unprocessable_entity` for a malformed member.
        """
        add = canonical_members(act.params.add, self._network.id)
        remove = canonical_members(act.params.remove, self._network.id)
        key = act.object.key
        act.audit_subject = act.params.room_id

        async def work(tx: Transaction) -> Room:
            room = await standing_room(tx, key, self._network)
            wanted = (room.members.keys() | set(add)) - set(remove)
            return await set_members(tx, room, wanted, act.caller.principal.id)

        return await act.transact(work, Room)

    async def remove(self, act: Act[RoomRef, RoomState]) -> Removed:
        """Remove a room softly: its id stays taken, its history stays stored, nobody reads or writes it."""
        room_id, key = act.params.room_id, act.object.key
        act.audit_subject = room_id

        async def work(tx: Transaction) -> Removed:
            room = await standing_room(tx, key, self._network)
            at = now()
            await _append(tx, room, "room.removed", act.caller.principal.id, at)
            await tx.execute(
                "UPDATE rooms SET removed_at = ?3, revision = revision + 1 WHERE org = ?1 AND key = ?2",
                HOME,
                key,
                at,
            )
            return Removed(True, "room", room_id)

        return await act.transact(work, Removed)


def check_room_id(room_id: str) -> None:
    """Check the form of a room's id.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    if not is_id(room_id):
        raise InstarError(
            "unprocessable_entity",
            f"room id {room_id!r} is malformed",
            hint="Begin with a letter or digit; use up to 128 of `A-Za-z0-9._:-`.",
        )


async def standing_room(tx: Transaction, key: RoomKey, network: Network) -> RoomState:
    """Return a room that is not removed, as this transaction sees it.

    Raises:
        InstarError: `not_found`.
    """
    room = await read_room(tx, key, network)
    if room is None or room.is_removed:
        raise InstarError("not_found", f"there is no {key!r}")
    return room


async def create_room(
    tx: Transaction, network: Network, room_id: str, rules: Rules, members: Iterable[str], actor: str
) -> Room:
    """Create a room with canonical members.

    Raises:
        InstarError: `conflict` when the id is, or was, a room's.
    """
    key = room_key(RoomKind.ROOM, room_id)
    if (known := await read_room(tx, key, network)) is not None:
        was = "was removed; its id stays taken for ever" if known.is_removed else "exists"
        raise InstarError("conflict", f"room {room_id!r} {was}", hint="Choose another id.")
    at = now()
    room = RoomState(key, room_id, RoomKind.ROOM, network.id, at, rules)
    room.own = rules.with_members(sorted(members), 0)
    event = await _append(tx, room, "room.created", actor, at)
    await tx.execute(
        INSERT_ROOM,
        HOME,
        key,
        RoomKind.ROOM.value,
        room_id,
        rules.name,
        "",
        "",
        rules.visibility.value,
        rules.write_policy.value,
        1,
        at,
    )
    for member in room.members:
        await tx.execute(INSERT_MEMBER, HOME, key, member, event.seq)
    return room_view(room)


async def update_room(tx: Transaction, room: RoomState, rules: Rules, actor: str) -> Room:
    """Give a room the name, visibility and write policy of `rules`, if they differ."""
    own = room.own
    if (rules.name, rules.visibility, rules.write_policy) == (own.name, own.visibility, own.write_policy):
        return room_view(room)
    room.own = rules
    await _append(tx, room, "room.updated", actor)
    await tx.execute(
        "UPDATE rooms SET name = ?3, visibility = ?4, write_policy = ?5, revision = revision + 1"
        " WHERE org = ?1 AND key = ?2",
        HOME,
        room.key,
        rules.name,
        rules.visibility.value,
        rules.write_policy.value,
    )
    return room_view(room)


async def set_members(tx: Transaction, room: RoomState, wanted: Iterable[str], actor: str) -> Room:
    """Give a room exactly these canonical members, if they differ. Who joins starts at this moment."""
    before, after = frozenset(room.members), frozenset(wanted)
    if before == after:
        return room_view(room)
    left, joined = sorted(before - after), sorted(after - before)
    room.own = room.own.with_members(sorted(after), 0)
    event = await _append(tx, room, "room.members.updated", actor)
    for member in left:
        await tx.execute("DELETE FROM members WHERE org = ?1 AND room = ?2 AND member = ?3", HOME, room.key, member)
    for member in joined:
        await tx.execute(INSERT_MEMBER, HOME, room.key, member, event.seq)
    await tx.execute("UPDATE rooms SET revision = revision + 1 WHERE org = ?1 AND key = ?2", HOME, room.key)
    return room_view(room)


async def leave_rooms(tx: Transaction, network: Network, member: str, actor: str) -> list[str]:
    """Take a canonical member out of every room (not out of direct conversations), and return the rooms' ids.

    For who removes an agent, within the same transaction.
    """
    rows = await tx.rows(
        "SELECT m.room FROM members m JOIN rooms r ON r.org = m.org AND r.key = m.room"
        " WHERE m.org = ?1 AND m.member = ?2 AND r.kind = 'room' AND r.removed_at IS NULL ORDER BY m.room",
        HOME,
        member,
    )
    left: list[str] = []
    for (key,) in rows:
        room = await standing_room(tx, RoomKey(key), network)
        await set_members(tx, room, room.members.keys() - {member}, actor)
        left.append(room.id)
    return left


async def _append(tx: Transaction, room: RoomState, kind: str, actor: str, at: Micros | None = None) -> Event:
    """Append an event that carries the whole room, dated like the rows that are written beside it."""
    payload = ENCODER.encode(room_view(room))
    return await append(tx, Draft(room.key, new_id("evt"), kind, payload, at or now(), actor))
