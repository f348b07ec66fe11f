"""The schedules in memory, changed only by the pump: what the scheduler looks at."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from instar.base.clock import Micros, from_rfc3339, to_rfc3339
from instar.base.errors import InstarError
from instar.bus.fanout import Pump
from instar.store.seam import Reader, Store
from instar.wire.events import Event
from instar.wire.schedules import Schedule, Slot

from . import records, slots
from .records import ScheduleRecord
from .timing import Recurrence, next_slot, recurrence_of


class Plan:
    """One schedule: its record, how far it has come, and when it is due next."""

    def __init__(self, record: ScheduleRecord, last: Slot | None = None) -> None:
        self.record = record
        self.settled = record.settled
        """Every slot up to here has ended."""
        self.last = last
        self.fault = ""
        self.recurrence: Recurrence | None = None
        try:
            self.recurrence = recurrence_of(record.timing)
        except InstarError as error:
            self.fault = error.message
        self.next_at = self._next()

    def ended(self, slot: Slot) -> None:
        """Take note that a slot has ended."""
        self.last = slot
        at = from_rfc3339(slot.at)
        if not slot.is_manual and at > self.settled:
            self.settled = at
            self.next_at = self._next()

    def view(self) -> Schedule:
        """Return the schedule as callers see it."""
        fields: dict[str, Any] = {name: getattr(self.record, name) for name in Schedule.__struct_fields__}
        next_at = "" if self.next_at is None else to_rfc3339(self.next_at)
        fields |= {"next_at": next_at, "last": self.last, "fault": self.fault}
        return Schedule(**fields)

    def _next(self) -> Micros | None:
        if self.recurrence is None or self.record.is_paused:
            return None
        return next_slot(self.recurrence, self.settled)


class Plans:
    """The projection of tables `schedules` and `slots`."""

    def __init__(self, pump: Pump) -> None:
        self._plans: dict[str, Plan] = {}
        self._listeners: list[Callable[[], None]] = []
        pump.apply_with("schedule.created", self._changed)
        pump.apply_with("schedule.updated", self._changed)
        pump.apply_with("schedule.removed", self._removed)
        for kind in slots.KINDS.values():
            pump.apply_with(kind, self._ended)

    async def load(self, store: Store) -> None:
        """Read the tables; called once, before the pump starts."""

        async def read(reader: Reader) -> tuple[Sequence[ScheduleRecord], Sequence[Slot]]:
            return await records.standing(reader), await slots.latest(reader)

        found, ended = await store.read(read)
        last = {slot.schedule_id: slot for slot in ended}
        self._plans = {record.id: Plan(record, last.get(record.id)) for record in found}

    def get(self, schedule_id: str) -> Plan | None:
        """Return a schedule that was not removed, or None."""
        return self._plans.get(schedule_id)

    def all(self) -> list[Plan]:
        """Return every schedule."""
        return list(self._plans.values())

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after a schedule was made, changed or removed."""
        self._listeners.append(listener)

    def _changed(self, event: Event) -> None:
        record = msgspec.json.decode(event.payload, type=ScheduleRecord)
        known = self._plans.get(record.id)
        self._plans[record.id] = Plan(record, known.last if known else None)
        self._tell()

    def _removed(self, event: Event) -> None:
        self._plans.pop(msgspec.json.decode(event.payload, type=ScheduleRecord).id, None)
        self._tell()

    def _ended(self, event: Event) -> None:
        slot = msgspec.json.decode(event.payload, type=Slot)
        if (plan := self._plans.get(slot.schedule_id)) is not None:
            plan.ended(slot)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
