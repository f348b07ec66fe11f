"""What became of slots: an event and a row for each, under an id that slot and schedule fix for ever."""

from typing import NamedTuple

import msgspec

from instar.base.clock import Micros, from_rfc3339, to_rfc3339
from instar.base.ids import derived_uuid, new_id
from instar.store.seam import HOME, Appended, Draft, Reader, Row, Transaction
from instar.wire.events import SCHEDULES
from instar.wire.limits import SLOTS_KEEP
from instar.wire.schedules import Slot, SlotState

_COLUMNS = "schedule, at, nth, state, recorded_at, message_id, reason"
KINDS = {SlotState.FIRED: "schedule.fired", SlotState.MISSED: "schedule.missed"}


class SlotId(NamedTuple):
    """What a slot's event is known by: whoever derives it again gets the same."""

    schedule_id: str
    at: Micros
    nth: int = 0
    """0 for the slot itself; a manual run counts on."""

    @property
    def event_id(self) -> str:
        """Id of the event that says how it ended."""
        return "evt_" + derived_uuid(f"slot\x1f{self.schedule_id}\x1f{self.at}\x1f{self.nth}")

    def ended(self, missed_for: str, recorded_at: Micros) -> Slot:
        """Return the slot with its end: missed for a reason, or fired with a fresh message id."""
        return Slot(
            self.schedule_id, to_rfc3339(self.at), SlotState.MISSED if missed_for else SlotState.FIRED,
            to_rfc3339(recorded_at), "" if missed_for else new_id("msg"), missed_for, self.nth > 0,
        )  # fmt: skip


async def record(tx: Transaction, slot_id: SlotId, slot: Slot, actor: str) -> bool:
    """Append the event of a slot's end and write its row. False: it had ended before, and nothing was written."""
    at, recorded_at = slot_id.at, from_rfc3339(slot.recorded_at)
    payload = msgspec.json.encode(slot)
    result = await tx.append(Draft(SCHEDULES, slot_id.event_id, KINDS[slot.state], payload, recorded_at, actor))
    if not isinstance(result, Appended) or result.is_duplicate:
        return False
    await tx.execute(
        "INSERT INTO slots (org, schedule, at, nth, state, recorded_at, message_id, reason)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        HOME, slot.schedule_id, at, slot_id.nth, slot.state.value, recorded_at, slot.message_id, slot.reason,
    )  # fmt: skip
    return True


async def next_manual(reader: Reader, schedule_id: str, at: Micros) -> SlotId:
    """Return the id of a run that is asked for at this moment."""
    row = await reader.row(
        "SELECT MAX(nth) FROM slots WHERE org = ?1 AND schedule = ?2 AND at = ?3", HOME, schedule_id, at
    )
    return SlotId(schedule_id, at, ((row[0] if row else None) or 0) + 1)


async def page(reader: Reader, schedule_id: str, before: Micros | None, limit: int) -> list[Slot]:
    """Return the slots of a schedule, newest first."""
    earlier = "" if before is None else " AND at < ?4"
    sql = f"SELECT {_COLUMNS} FROM slots WHERE org = ?1 AND schedule = ?2{earlier} ORDER BY at DESC, nth DESC LIMIT ?3"  # noqa: S608
    values = (HOME, schedule_id, limit) + (() if before is None else (before,))
    return [_of_row(row) for row in await reader.rows(sql, *values)]


async def latest(reader: Reader) -> list[Slot]:
    """Return the slot of each schedule that was recorded last."""
    rows = await reader.rows(
        f"SELECT {_COLUMNS} FROM slots s WHERE org = ?1 AND at = "  # noqa: S608
        "(SELECT MAX(at) FROM slots o WHERE o.org = s.org AND o.schedule = s.schedule) ORDER BY schedule, nth",
        HOME,
    )
    return [_of_row(row) for row in rows]


async def trim(tx: Transaction) -> int:
    """Forget the oldest slots of schedules that have more than `SLOTS_KEEP`; return how many were forgotten."""
    crowded = await tx.rows(
        "SELECT schedule FROM slots WHERE org = ?1 GROUP BY schedule HAVING COUNT(*) > ?2", HOME, SLOTS_KEEP
    )
    forgotten = 0
    for (schedule_id,) in crowded:
        forgotten += await tx.execute(
            "DELETE FROM slots WHERE org = ?1 AND schedule = ?2 AND at <="
            " (SELECT at FROM slots WHERE org = ?1 AND schedule = ?2 ORDER BY at DESC, nth DESC LIMIT 1 OFFSET ?3)",
            HOME, schedule_id, SLOTS_KEEP,
        )  # fmt: skip
    return forgotten


def _of_row(row: Row) -> Slot:
    schedule_id, at, nth, state, recorded_at, message_id, reason = row
    return Slot(
        schedule_id, to_rfc3339(Micros(at)), SlotState(state), to_rfc3339(Micros(recorded_at)), message_id, reason,
        nth > 0,
    )  # fmt: skip
