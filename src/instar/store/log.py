"""Reading the log: keyset pages over any `Reader`. Writing it is the engine's work."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from instar.base.clock import Micros
from instar.base.errors import InstarError
from instar.wire.events import Event, RoomKey

from .seam import HOME, Reader, Row

COLUMNS = "seq, prev, org, room, id, type, actor, created_at, payload, digest, chain, redacted"

SEQ_MAX = 2**63 - 1

_SEQS_PER_STATEMENT = 64
_PLACES = ", ".join(f"?{place + 2}" for place in range(_SEQS_PER_STATEMENT))
_BY_SEQ = f"SELECT {COLUMNS} FROM events WHERE org = ?1 AND seq IN ({_PLACES})"  # noqa: S608


def event_of(row: Row) -> Event:
    """Return the event of a row with `COLUMNS`.

    Raises:
        InstarError: `data_corrupt`: the payload is not the one that was appended.
    """
    seq, prev, org, room, event_id, kind, actor, at, payload, digest, chain, redacted = row
    if not redacted and sha256(payload).digest() != digest:
        raise InstarError("data_corrupt", f"event {seq} of {room} does not match its digest", detail={"seq": seq})
    return Event(
        seq,
        prev,
        org,
        RoomKey(room),
        event_id,
        kind,
        actor,
        Micros(at),
        payload,
        digest,
        chain,
        bool(redacted),
    )


class RoomHead(NamedTuple):
    """Where a room's log ends."""

    seq: int
    messages: int
    last_message_at: Micros


NO_HEAD = RoomHead(0, 0, Micros(0))
"""The head of a room without events."""


async def head(reader: Reader, room: RoomKey, org: str = HOME) -> RoomHead:
    """Return where a room's log ends, `NO_HEAD` for a room without events."""
    row = await reader.row("SELECT seq, messages, last_message_at FROM heads WHERE org = ?1 AND room = ?2", org, room)
    return RoomHead(*row) if row else NO_HEAD


async def heads(reader: Reader, org: str = HOME) -> dict[RoomKey, RoomHead]:
    """Return where the log of every room with events ends."""
    rows = await reader.rows("SELECT room, seq, messages, last_message_at FROM heads WHERE org = ?1", org)
    return {RoomKey(room): RoomHead(*end) for room, *end in rows}


async def by_id(reader: Reader, event_id: str, org: str = HOME) -> Event | None:
    """Return the event with this id, or None."""
    row = await reader.row(f"SELECT {COLUMNS} FROM events WHERE org = ?1 AND id = ?2", org, event_id)  # noqa: S608
    return event_of(row) if row else None


async def after(
    reader: Reader, seq: int, limit: int, *, rooms: Sequence[str] | None = None, org: str = HOME
) -> list[Event]:
    """Return at most `limit` events with a greater `seq`, ascending, of all rooms or of those given."""
    return [event_of(row) for row in await _page(reader, "seq > ?2", "ASC", seq, limit, rooms, "", org)]


async def before(
    reader: Reader,
    seq: int,
    limit: int,
    *,
    rooms: Sequence[str] | None = None,
    kind: str = "",
    org: str = HOME,
) -> list[Event]:
    """Return at most `limit` events with a smaller `seq`, the latest ones, in ascending order."""
    rows = await _page(reader, "seq < ?2", "DESC", seq, limit, rooms, kind, org)
    return [event_of(row) for row in reversed(rows)]


async def page_after(reader: Reader, room: RoomKey, seq: int, limit: int, *, kind: str, org: str = HOME) -> list[Event]:
    """Return at most `limit` events of one room and type with a greater `seq`, ascending."""
    return [event_of(row) for row in await _page(reader, "seq > ?2", "ASC", seq, limit, [room], kind, org)]


async def _page(
    reader: Reader,
    edge: str,
    order: str,
    seq: int,
    limit: int,
    rooms: Sequence[str] | None,
    kind: str,
    org: str,
) -> list[Row]:
    """Read one keyset page in the given order."""
    if rooms is not None and not rooms:
        return []
    if rooms is not None and len(rooms) > 1:
        return await _rows_of(reader, await _merge(reader, edge, order, seq, limit, rooms, kind, org), org)
    of_kind = " AND type = ?4" if kind else ""
    values = (org, seq, limit) + ((kind,) if kind else ())
    of_room = f" AND room = ?{len(values) + 1}" if rooms else ""
    sql = f"SELECT {COLUMNS} FROM events WHERE org = ?1 AND {edge}{of_kind}{of_room} ORDER BY seq {order} LIMIT ?3"  # noqa: S608
    return await reader.rows(sql, *values, *(rooms or ()))


async def _merge(
    reader: Reader, edge: str, order: str, seq: int, limit: int, rooms: Sequence[str], kind: str, org: str
) -> list[int]:
    """Return the numbers of a page over several rooms.

    Each room is asked by its index, for numbers only, and for none beyond the page that the rooms before it fill.
    """
    of_kind = " AND type = ?6" if kind else ""
    within = "seq <= ?5" if order == "ASC" else "seq >= ?5"
    sql = f"SELECT seq FROM events WHERE org = ?1 AND {edge} AND room = ?4 AND {within}{of_kind} ORDER BY seq {order} LIMIT ?3"  # noqa: S608, E501
    bound = SEQ_MAX if order == "ASC" else 0
    found: list[int] = []
    for room in rooms:
        rows = await reader.rows(sql, org, seq, limit, room, bound, *((kind,) if kind else ()))
        found.extend(row[0] for row in rows)
        found.sort(reverse=order == "DESC")
        del found[limit:]
        if len(found) == limit:
            bound = found[-1]
    return found


async def _rows_of(reader: Reader, seqs: Sequence[int], org: str) -> list[Row]:
    """Return the rows with these numbers in their order."""
    rows: dict[int, Row] = {}
    for at in range(0, len(seqs), _SEQS_PER_STATEMENT):
        part = list(seqs[at : at + _SEQS_PER_STATEMENT])
        part += part[-1:] * (_SEQS_PER_STATEMENT - len(part))  # repeats, so that there is only one statement
        rows.update((row[0], row) for row in await reader.rows(_BY_SEQ, org, *part))
    return [rows[seq] for seq in seqs]
