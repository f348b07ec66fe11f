"""What changes a session: each change is a row and an event in one transaction.

Its events carry the whole session and raise the revision that guards appends by exactly one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from instar.base.clock import Micros, now, to_rfc3339
from instar.base.ids import new_id
from instar.store.seam import HOME, Draft, Reader, Transaction
from instar.wire.events import Event, RoomKey
from instar.wire.names import Network, room_key, session_parts
from instar.wire.rooms import RoomKind
from instar.wire.sessions import Session, SessionEvent

from .compose import ENCODER
from .load import read_room
from .openings import INSERT_MEMBER, INSERT_ROOM, append
from .state import RoomState, Rules


class Course(NamedTuple):
    """How far the conversation of a session has come, earlier generations left out."""

    messages: int = 0
    last_message_at: int = 0


async def courses(reader: Reader, key: str = "") -> dict[str, Course]:
    """Return how far every session has come, or the one with this key."""
    rows = await reader.rows(
        "SELECT r.key, COALESCE(h.messages, 0) - r.messages_before, COALESCE(h.last_message_at, 0)"
        " FROM rooms r LEFT JOIN heads h ON h.org = r.org AND h.room = r.key"
        " WHERE r.org = ?1 AND r.key >= ?2 AND r.key <= ?3",
        HOME,
        key or "session:",
        key or "session;",
    )
    return {row[0]: Course(row[1], row[2] if row[1] else 0) for row in rows}


def session_view(session: RoomState, course: Course, *, created: bool = False) -> Session:
    """Return a session as callers see it."""
    agent_id, name = session_parts(session.id)
    return Session(
        key=session.key,
        id=session.id,
        agent_id=agent_id,
        name=name,
        label=session.own.name,
        created_at=to_rfc3339(session.created_at),
        updated_at=to_rfc3339(Micros(course.last_message_at or session.created_at)),
        messages=course.messages,
        members=sorted(session.members),
        generation=session.own.generation,
        created=created,
    )


async def create(
    tx: Transaction, network: Network, session_id: str, label: str, members: Sequence[str], actor: str
) -> Session:
    """Open a session whose name was never taken."""
    at = now()
    key = room_key(RoomKind.SESSION, session_id)
    session = RoomState(key, session_id, RoomKind.SESSION, network.id, at, Rules(label))
    session.own = session.own.with_members(sorted(members), 0)
    event = await _append(tx, session, "session.opened", actor, at)
    await tx.execute(
        INSERT_ROOM,
        HOME,
        key,
        RoomKind.SESSION.value,
        session_id,
        label,
        "",
        "",
        session.own.visibility.value,
        session.own.write_policy.value,
        1,
        at,
    )
    for member in session.members:
        await tx.execute(INSERT_MEMBER, HOME, key, member, event.seq)
    return session_view(session, Course(), created=True)


async def begin_anew(
    tx: Transaction, session: RoomState, label: str, members: Sequence[str], actor: str, *, kind: str
) -> Session:
    """Begin another generation: of a removed session (`session.opened`), or of one that stands (`session.reset`).

    What was said before stays in the log, and is no part of the conversation any more.
    """
    at = now()
    session.created_at = at
    session.own = session.own.begun_anew(label, sorted(members), session.own.generation + 1, 0)
    event = await _append(tx, session, kind, actor, at)
    await tx.execute(
        "UPDATE rooms SET name = ?3, created_at = ?4, generation = ?5, begins_after = ?6, removed_at = NULL,"
        " revision = revision + 1, messages_before ="
        " COALESCE((SELECT messages FROM heads h WHERE h.org = rooms.org AND h.room = rooms.key), 0)"
        " WHERE org = ?1 AND key = ?2",
        HOME,
        session.key,
        label,
        at,
        session.own.generation,
        event.seq - 1,
    )
    await tx.execute("DELETE FROM members WHERE org = ?1 AND room = ?2", HOME, session.key)
    for member in session.members:
        await tx.execute(INSERT_MEMBER, HOME, session.key, member, event.seq)
    return session_view(session, Course(), created=kind == "session.opened")


async def change(tx: Transaction, session: RoomState, label: str, members: Sequence[str], actor: str) -> Session:
    """Give a session this label and exactly these members; nothing is stored when nothing differs."""
    before = session.members
    left, joined = sorted(before.keys() - set(members)), sorted(set(members) - before.keys())
    if left or joined or label != session.own.name:
        session.own = replace(session.own, name=label).with_members(sorted(members), 0)
        event = await _append(tx, session, "session.updated", actor)
        for member in left:
            gone = "DELETE FROM members WHERE org = ?1 AND room = ?2 AND member = ?3"
            await tx.execute(gone, HOME, session.key, member)
        for member in joined:
            await tx.execute(INSERT_MEMBER, HOME, session.key, member, event.seq)
        renamed = "UPDATE rooms SET name = ?3, revision = revision + 1 WHERE org = ?1 AND key = ?2"
        await tx.execute(renamed, HOME, session.key, label)
    return session_view(session, (await courses(tx, session.key))[session.key])


async def remove(tx: Transaction, session: RoomState, actor: str) -> Session:
    """Remove a session: nobody reads or writes it any more."""
    at = now()
    was = session_view(session, (await courses(tx, session.key))[session.key])
    await _append(tx, session, "session.removed", actor, at)
    removed = "UPDATE rooms SET removed_at = ?3, revision = revision + 1 WHERE org = ?1 AND key = ?2"
    await tx.execute(removed, HOME, session.key, at)
    return was


async def leave_sessions(tx: Transaction, network: Network, member: str, actor: str) -> None:
    """Take a canonical member out of every session; for who removes an agent, within the same transaction."""
    rows = await tx.rows(
        "SELECT m.room FROM members m JOIN rooms r ON r.org = m.org AND r.key = m.room"
        " WHERE m.org = ?1 AND m.member = ?2 AND r.kind = 'session' AND r.removed_at IS NULL ORDER BY m.room",
        HOME,
        member,
    )
    for (key,) in rows:
        session = await read_room(tx, RoomKey(key), network)
        assert session is not None
        await change(tx, session, session.own.name, sorted(session.members.keys() - {member}), actor)


async def _append(tx: Transaction, session: RoomState, kind: str, actor: str, at: Micros | None = None) -> Event:
    agent_id, name = session_parts(session.id)
    own = session.own
    made = SessionEvent(session.key, session.id, agent_id, name, own.name, sorted(own.members), own.generation)
    return await append(tx, Draft(session.key, new_id("evt"), kind, ENCODER.encode(made), at or now(), actor))
