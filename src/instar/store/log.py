"""Reading the log: keyset pages over any `Reader`. Writing it is the engine's work."""

from collections.abc import Sequence

from instar.base.clock import Micros
from instar.wire.events import Event, RoomKey

from .seam import HOME, Reader, Row

COLUMNS = "seq, prev, org, room, id, type, actor, created_at, payload, digest, chain, redacted"


def event_of(row: Row) -> Event:
    """Return the event of a row with `COLUMNS`."""
    seq, prev, org, room, event_id, kind, actor, at, payload, digest, chain, redacted = row
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
    """Read one keyset page. Several rooms are read each by its index and merged: no scan of what is not theirs."""
    if rooms is not None and not rooms:
        return []
    of_kind = " AND type = ?4" if kind else ""
    tail = f"{of_kind} ORDER BY seq {order} LIMIT ?3"
    values = (org, seq, limit) + ((kind,) if kind else ())
    if rooms is None:
        return await reader.rows(f"SELECT {COLUMNS} FROM events WHERE org = ?1 AND {edge}{tail}", *values)  # noqa: S608
    at = len(values) + 1
    sql = f"SELECT {COLUMNS} FROM events WHERE org = ?1 AND {edge} AND room = ?{at}{tail}"  # noqa: S608
    if len(rooms) == 1:
        return await reader.rows(sql, *values, rooms[0])
    found: list[Row] = []
    for room in rooms:
        found.extend(await reader.rows(sql, *values, room))
    found.sort(key=lambda row: row[0], reverse=order == "DESC")
    return found[:limit]
