"""What the log knows of a conversation: where it ends, how many messages it has, how many a reader has not read."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from instar.base.clock import Micros, to_rfc3339
from instar.store.seam import HOME, Reader
from instar.wire.events import RoomKey
from instar.wire.limits import UNREAD_COUNT_MAX

from .placeholders import numbered


class Head(NamedTuple):
    """Where the log of a room ends."""

    seq: int = 0
    messages: int = 0
    last_message_at: int = 0

    @property
    def last_message_text(self) -> str:
        """When the last message came, as text; empty without one."""
        return to_rfc3339(Micros(self.last_message_at)) if self.last_message_at else ""


class Unread(NamedTuple):
    """How far a principal has read a room."""

    last_read_seq: int = 0
    messages: int = 0
    """Messages past the marker, counted up to `UNREAD_COUNT_MAX`."""


NO_HEAD = Head()
NO_MARKER = Unread()


async def heads_of(reader: Reader, keys: Sequence[RoomKey]) -> Mapping[str, Head]:
    """Return the heads of these rooms; rooms without an event are left out."""
    if not keys:
        return {}
    rows = await reader.rows(
        f"SELECT room, seq, messages, last_message_at FROM heads"  # noqa: S608
        f" WHERE org = ?1 AND room IN ({numbered(len(keys), 2)})",
        HOME,
        *keys,
    )
    return {row[0]: Head(row[1], row[2], row[3]) for row in rows}


async def unread_of(
    reader: Reader,
    principal: str,
    keys: Sequence[RoomKey],
    heads: Mapping[str, Head],
    begun_anew: Mapping[RoomKey, int] = MappingProxyType({}),
) -> Mapping[str, Unread]:
    """Return what `principal` has not read of these rooms; in those that began anew, of what came since."""
    if not (keys and principal):
        return {}
    rows = await reader.rows(
        f"SELECT room, seq FROM read_markers"  # noqa: S608
        f" WHERE org = ?1 AND principal = ?2 AND room IN ({numbered(len(keys), 3)})",
        HOME,
        principal,
        *keys,
    )
    marked: dict[str, int] = {row[0]: row[1] for row in rows}
    begin = {key: max(marked.get(key, 0), begun_anew.get(key, 0)) for key in keys}
    return {key: await _unread(reader, key, begin[key], heads.get(key, NO_HEAD)) for key in keys}


async def _unread(reader: Reader, key: RoomKey, marker: int, head: Head) -> Unread:
    if marker >= head.seq:
        return Unread(marker, 0)
    if marker == 0:
        return Unread(0, min(head.messages, UNREAD_COUNT_MAX))
    row = await reader.row(
        "SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE org = ?1 AND room = ?2 AND seq > ?3"
        " AND type = 'message.created' LIMIT ?4) AS newer",
        HOME,
        key,
        marker,
        UNREAD_COUNT_MAX,
    )
    return Unread(marker, row[0] if row else 0)
