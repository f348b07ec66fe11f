"""Proof that a room's log is whole: every payload, chain value and link to the event before."""

from hashlib import sha256

import msgspec

from instar.wire.events import RoomKey, envelope_chain
from instar.wire.limits import CATCH_UP_PAGE

from .log import COLUMNS
from .seam import HOME, Reader, Row


class Verdict(msgspec.Struct, frozen=True):
    """What came of verifying one room."""

    room: RoomKey
    events: int
    """Events that verify, from the first one on."""
    damaged_seq: int = 0
    """The first event that does not; 0: all do."""
    cause: str = ""
    head_seq: int = 0
    """The last event that verifies …"""
    head: bytes = b""
    """… and its chain value, which fixes every event before it."""

    @property
    def is_sound(self) -> bool:
        """Whether the whole log of the room verifies."""
        return not self.damaged_seq


async def verify(reader: Reader, room: RoomKey, org: str = HOME, *, is_erasable: bool = True) -> Verdict:
    """Walk a room's log from its first event to its head and stop at the first damage.

    Args:
        reader: The snapshot.
        room: Whose log.
        org: Of which org.
        is_erasable: Whether an erased payload is as it should be; where nothing is ever erased, it hides a change.
    """
    prev, chain, count = 0, b"", 0
    sql = f"SELECT {COLUMNS} FROM events WHERE org = ?1 AND room = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4"  # noqa: S608
    while rows := await reader.rows(sql, org, room, prev, CATCH_UP_PAGE):
        for row in rows:
            if cause := _damage(row, prev, chain) or _erasure(row, is_erasable=is_erasable):
                return Verdict(room, count, row[0], cause, prev, chain)
            prev, chain, count = row[0], row[10], count + 1
    end = await reader.row("SELECT seq, chain FROM heads WHERE org = ?1 AND room = ?2", org, room)
    if (end or (0, b"")) != (prev, chain):
        return Verdict(room, count, end[0] if end else prev, "the room's head is not its last event", prev, chain)
    return Verdict(room, count, head_seq=prev, head=chain)


def _erasure(row: Row, *, is_erasable: bool) -> str:
    return "its payload was erased, which nothing does to this room" if row[11] and not is_erasable else ""


def _damage(row: Row, prev: int, chain: bytes) -> str:
    """Return what is wrong with an event, given the `seq` and chain value of the one before."""
    _, its_prev, _, room, event_id, kind, actor, at, payload, digest, its_chain, redacted = row
    if its_prev != prev:
        return f"it follows {its_prev}, not {prev}: an event is missing or was put in"
    if not redacted and sha256(payload).digest() != digest:
        return "its payload does not match its digest"
    if envelope_chain(chain, event_id, room, kind, actor, at, digest) != its_chain:
        return "its envelope does not match the chain"
    return ""
