"""A schedule as its events and its row hold it. Every event carries the whole of it, so a projection needs no more."""

import msgspec

from instar.base.clock import Micros, from_rfc3339, now, to_rfc3339
from instar.base.ids import new_id
from instar.store.seam import HOME, Draft, Reader, Row, Transaction
from instar.wire.events import SCHEDULES
from instar.wire.schedules import CreateSchedule, Schedule

_COLUMNS = "id, grant_id, owner, body, revision, is_paused, settled_until, created_at, updated_at"


class ScheduleRecord(Schedule, frozen=True, omit_defaults=True):
    """Payload of `schedule.created`, `schedule.updated` and `schedule.removed`."""

    grant_id: str = ""
    """Whose right it speaks by."""
    settled_until: str = ""
    """Every slot up to here has ended: none is ever done twice."""

    @property
    def settled(self) -> Micros:
        """`settled_until` as a time."""
        return from_rfc3339(self.settled_until)


def made(body: CreateSchedule, owner: str, grant_id: str, at: Micros) -> ScheduleRecord:
    """Return a new schedule."""
    return ScheduleRecord(
        body.id or new_id("sch"), body.name, body.timing, body.room, body.text, to_rfc3339(at), to_rfc3339(at), owner,
        body.catch_up, body.lateness_s, body.agent_id, body.description, body.is_paused, body.is_once,
        grant_id=grant_id, settled_until=to_rfc3339(at),
    )  # fmt: skip


def changed(record: ScheduleRecord, at: Micros, **fields: object) -> ScheduleRecord:
    """Return the next revision."""
    return msgspec.structs.replace(record, revision=record.revision + 1, updated_at=to_rfc3339(at), **fields)


async def standing(reader: Reader) -> list[ScheduleRecord]:
    """Return every schedule that was not removed."""
    sql = f"SELECT {_COLUMNS} FROM schedules WHERE org = ?1 AND removed_at IS NULL ORDER BY id"  # noqa: S608
    return [_of_row(row) for row in await reader.rows(sql, HOME)]


async def find(reader: Reader, schedule_id: str) -> ScheduleRecord | None:
    """Return a schedule that was not removed, as this snapshot or transaction sees it."""
    sql = f"SELECT {_COLUMNS} FROM schedules WHERE org = ?1 AND id = ?2 AND removed_at IS NULL"  # noqa: S608
    row = await reader.row(sql, HOME, schedule_id)
    return _of_row(row) if row else None


async def is_taken(reader: Reader, schedule_id: str) -> bool:
    """Whether the id is, or was, a schedule's."""
    return await reader.row("SELECT 1 FROM schedules WHERE org = ?1 AND id = ?2", HOME, schedule_id) is not None


async def count(reader: Reader) -> int:
    """Return how many schedules there are."""
    row = await reader.row("SELECT COUNT(*) FROM schedules WHERE org = ?1 AND removed_at IS NULL", HOME)
    return row[0] if row else 0


async def put(tx: Transaction, record: ScheduleRecord, kind: str, actor: str) -> None:
    """Write a schedule's row and append the event that says so."""
    await tx.execute(
        "INSERT INTO schedules (org, id, grant_id, owner, body, revision, is_paused, settled_until, created_at,"
        " updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        " ON CONFLICT (org, id) DO UPDATE SET grant_id = excluded.grant_id, owner = excluded.owner,"
        " body = excluded.body, revision = excluded.revision, is_paused = excluded.is_paused,"
        " settled_until = excluded.settled_until, updated_at = excluded.updated_at",
        HOME, record.id, record.grant_id, record.owner, msgspec.json.encode(_body(record)).decode(), record.revision,
        int(record.is_paused), record.settled, from_rfc3339(record.created_at), from_rfc3339(record.updated_at),
    )  # fmt: skip
    await _append(tx, record, kind, actor)


async def remove(tx: Transaction, record: ScheduleRecord, actor: str) -> None:
    """Take a schedule away; its id stays taken, and its slots stay stored."""
    await tx.execute("UPDATE schedules SET removed_at = ?3 WHERE org = ?1 AND id = ?2", HOME, record.id, now())
    await _append(tx, record, "schedule.removed", actor)


async def settle(tx: Transaction, schedule_id: str, until: Micros) -> None:
    """Write down that every slot up to here has ended."""
    await tx.execute(
        "UPDATE schedules SET settled_until = ?3 WHERE org = ?1 AND id = ?2 AND settled_until < ?3",
        HOME, schedule_id, until,
    )  # fmt: skip


async def _append(tx: Transaction, record: ScheduleRecord, kind: str, actor: str) -> None:
    await tx.append(Draft(SCHEDULES, new_id("evt"), kind, msgspec.json.encode(record), now(), actor))


def _body(record: ScheduleRecord) -> CreateSchedule:
    return CreateSchedule(
        record.name, record.timing, record.room, record.text, record.id, record.catch_up, record.lateness_s,
        record.agent_id, record.description, record.is_paused, record.is_once,
    )  # fmt: skip


def _of_row(row: Row) -> ScheduleRecord:
    schedule_id, grant_id, owner, body, revision, is_paused, settled_until, created_at, updated_at = row
    stored = msgspec.json.decode(body, type=CreateSchedule)
    return msgspec.structs.replace(
        made(stored, owner, grant_id, Micros(created_at)),
        id=schedule_id, revision=revision, is_paused=bool(is_paused), updated_at=to_rfc3339(Micros(updated_at)),
        settled_until=to_rfc3339(Micros(settled_until)),
    )  # fmt: skip
