"""Handlers of `schedules.*`."""

from collections.abc import Awaitable, Callable

import msgspec

from instar.base.clock import Micros, to_rfc3339
from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.authority import Authority
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import Caller
from instar.hub.identity.standing import lasting_grant
from instar.hub.rooms.openings import DecideAnewError
from instar.store.seam import Store, Transaction
from instar.wire import schedules as wire
from instar.wire.limits import GUARD_RETRIES, SCHEDULE_CATCH_UP_MAX, SCHEDULES_MAX
from instar.wire.operation import Nothing, ObjectKind, Verb
from instar.wire.schedules import Schedule, Slot

from . import records, slots
from .firing import Firing
from .obstacles import LocatedSchedule, Obstacles
from .plans import Plan, Plans
from .records import ScheduleRecord
from .slots import SlotId
from .timing import moment, next_slot, recurrence_of, slots_between
from .verdicts import missed

_REPLACEABLE = ("name", "timing", "room", "text", "catch_up", "lateness_s", "agent_id", "description", "is_once")
_Ref = wire.ScheduleRef | wire.UpdateSchedule | wire.SlotQuery
ScheduleAct = Act[wire.ScheduleRef, LocatedSchedule]


class Handlers:
    """What callers may do to schedules."""

    def __init__(
        self,
        store: Store,
        authority: Authority,
        plans: Plans,
        obstacles: Obstacles,
        firing: Firing,
        clock: Callable[[], Micros],
    ) -> None:
        self._store = store
        self._authority = authority
        self._plans = plans
        self._obstacles = obstacles
        self._firing = firing
        self._clock = clock

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (
            bind(wire.CREATE, self.create),
            bind(wire.LIST, self.list),
            bind(wire.GET, self.get, self.locate),
            bind(wire.UPDATE, self.update, self.locate),
            bind(wire.REMOVE, self.remove, self.locate),
            bind(wire.PAUSE, self.pause, self.locate),
            bind(wire.RESUME, self.resume, self.locate),
            bind(wire.RUN, self.run, self.locate),
            bind(wire.HISTORY, self.history, self.locate),
        )

    def locate(self, caller: Caller, params: _Ref) -> LocatedSchedule:  # noqa: ARG002 - the shape of Locate
        """Find a schedule.

        Raises:
            InstarError: `not_found`.
        """
        return self._obstacles.locate(self._plan(params.schedule_id).record)

    async def create(self, act: Act[wire.CreateSchedule, None]) -> Schedule:
        """Make a schedule; it speaks by the caller's right.

        Raises:
            InstarError: `unprocessable_entity` (timing, agent), `not_found` (room), `forbidden` (the right to speak
                there), `conflict` (the id was used, or there are too many).
        """
        at = self._clock()
        body = msgspec.structs.replace(act.params, timing=_anchored(act.params.timing, at))
        grant = act.caller.grant
        record = records.made(body, grant.principal.id, lasting_grant(act.caller), at)
        act.audit_subject = record.id

        async def work(tx: Transaction) -> Schedule:
            _check_future(record, at)
            self._obstacles.refuse(act.caller, self._obstacles.locate(record))
            if await records.is_taken(tx, record.id):
                raise InstarError("conflict", f"{record.id!r} is, or was, a schedule's id", hint="Choose another id.")
            if await records.count(tx) >= SCHEDULES_MAX:
                raise InstarError("conflict", f"there are {SCHEDULES_MAX:,} schedules", hint="Remove one first.")
            await records.put(tx, record, "schedule.created", grant.principal.id)
            return Plan(record).view()

        return await act.transact(work, Schedule)

    async def list(self, act: Act[Nothing, None]) -> wire.ScheduleList:
        """List the schedules that the caller may read, by when they are due next."""
        found = [plan.view() for plan in self._plans.all() if self._reads(act.caller, plan)]
        return wire.ScheduleList(sorted(found, key=lambda each: (not each.next_at, each.next_at, each.name, each.id)))

    async def get(self, act: ScheduleAct) -> Schedule:
        """Show one schedule."""
        return self._plan(act.object.id).view()

    async def update(self, act: Act[wire.UpdateSchedule, LocatedSchedule]) -> Schedule:
        """Change a schedule; from now on it speaks by the caller's right.

        Raises:
            InstarError: `conflict` when it has another revision than was seen; and what `create` raises.
        """
        params, at, caller = act.params, self._clock(), act.caller
        wanted = {name: value for name in _REPLACEABLE if (value := getattr(params, name)) is not None}
        if params.timing is not None:
            wanted["timing"] = _anchored(params.timing, at)

        def change(stored: ScheduleRecord) -> ScheduleRecord:
            if params.revision is not None and params.revision != stored.revision:
                raise InstarError(
                    "conflict",
                    f"schedule {stored.id!r} is at revision {stored.revision}, not {params.revision}",
                    hint="Read it again, then repeat the change.",
                )
            right = {"owner": caller.principal.id, "grant_id": lasting_grant(caller)}
            changed = records.changed(stored, at, **wanted, **right)
            if params.timing is not None:
                _check_future(changed, at)
            self._obstacles.refuse(caller, self._obstacles.locate(changed))
            return changed

        reason = "the schedule was given another time" if params.timing is not None else ""
        return await self._change(act, at, change, reason)

    async def pause(self, act: ScheduleAct) -> Schedule:
        """Let a schedule rest; pausing twice changes nothing."""
        at = self._clock()

        def change(stored: ScheduleRecord) -> ScheduleRecord:
            return stored if stored.is_paused else records.changed(stored, at, is_paused=True)

        return await self._change(act, at, change, "the schedule was paused")

    async def resume(self, act: ScheduleAct) -> Schedule:
        """Go on from now; resuming twice changes nothing."""
        at = self._clock()

        def change(stored: ScheduleRecord) -> ScheduleRecord:
            until = to_rfc3339(max(at, stored.settled))
            return records.changed(stored, at, is_paused=False, settled_until=until) if stored.is_paused else stored

        return await self._change(act, at, change, "")

    async def remove(self, act: ScheduleAct) -> Schedule:
        """Remove a schedule; what became of its slots stays stored."""
        at, actor = self._clock(), act.caller.principal.id
        act.audit_subject = act.object.id

        async def work(tx: Transaction) -> Schedule:
            stored = await _stored(tx, act.object.id)
            await self._end_open(tx, stored, at, "the schedule was removed")
            await records.remove(tx, stored, actor)
            return Plan(stored).view()

        return await act.transact(work, Schedule)

    async def run(self, act: ScheduleAct) -> Slot:
        """Fire a schedule now, besides its slots: by its owner's right, as always. What is in its way is answered."""
        act.audit_subject = act.object.id
        for _ in range(GUARD_RETRIES + 1):
            at, schedule = self._clock(), self._obstacles.locate(self._plan(act.object.id).record)
            work = self._run_once(schedule, self._obstacles.now(schedule), at)
            try:
                return await act.transact(work, Slot)
            except DecideAnewError:
                continue
        raise InstarError("conflict", f"{act.object.record.room} kept changing meanwhile", hint="Run it again.")

    async def history(self, act: Act[wire.SlotQuery, LocatedSchedule]) -> wire.SlotList:
        """Return what became of the slots, newest first.

        Raises:
            InstarError: `unprocessable_entity` when `before` is no time.
        """
        query = act.params
        before = moment(query.before, "before") if query.before else None
        found = await self._store.read(lambda reader: slots.page(reader, act.object.id, before, query.limit + 1))
        return wire.SlotList(found[: query.limit], len(found) > query.limit)

    def _run_once(
        self, schedule: LocatedSchedule, obstacle: str, at: Micros
    ) -> Callable[[Transaction], Awaitable[Slot]]:
        async def work(tx: Transaction) -> Slot:
            await _stored(tx, schedule.id)
            return await self._firing.run_now(tx, schedule, obstacle, at)

        return work

    async def _change(
        self,
        act: Act[wire.UpdateSchedule, LocatedSchedule] | ScheduleAct,
        at: Micros,
        change: Callable[[ScheduleRecord], ScheduleRecord],
        reason: str,
    ) -> Schedule:
        """Write the next revision, if there is one; with a reason, slots that are due still are missed for it."""
        act.audit_subject = act.object.id

        async def work(tx: Transaction) -> Schedule:
            stored = await _stored(tx, act.object.id)
            changed = change(stored)
            if changed is not stored:
                if reason:
                    await self._end_open(tx, stored, at, reason)
                    changed = msgspec.structs.replace(changed, settled_until=to_rfc3339(max(at, stored.settled)))
                await records.put(tx, changed, "schedule.updated", act.caller.principal.id)
            known = self._plans.get(changed.id)
            return Plan(changed, known.last if known else None).view()

        return await act.transact(work, Schedule)

    async def _end_open(self, tx: Transaction, stored: ScheduleRecord, at: Micros, reason: str) -> None:
        """Record the slots that are due and have not ended as missed: the schedule is about to leave them behind."""
        if stored.is_paused or Plan(stored).recurrence is None:
            return
        due = slots_between(recurrence_of(stored.timing), stored.settled, at, SCHEDULE_CATCH_UP_MAX)
        for verdict in missed(due, reason):
            slot_id = SlotId(stored.id, verdict.at)
            await slots.record(tx, slot_id, slot_id.ended(verdict.missed_for, at), stored.owner)

    def _plan(self, schedule_id: str) -> Plan:
        plan = self._plans.get(schedule_id)
        if plan is None:
            raise missing("schedule", schedule_id)
        return plan

    def _reads(self, caller: Caller, plan: Plan) -> bool:
        located = self._obstacles.locate(plan.record)
        return self._authority.may(caller, Verb.READ, ObjectKind.SCHEDULE, located).allowed


async def _stored(tx: Transaction, schedule_id: str) -> ScheduleRecord:
    """Return the schedule as the transaction sees it.

    Raises:
        InstarError: `not_found`: it was removed meanwhile.
    """
    stored = await records.find(tx, schedule_id)
    if stored is None:
        raise missing("schedule", schedule_id)
    return stored


def _anchored(timing: wire.Timing, at: Micros) -> wire.Timing:
    """Return the timing with the anchor of an interval fixed."""
    is_open = isinstance(timing, wire.Every) and not timing.anchor
    return msgspec.structs.replace(timing, anchor=to_rfc3339(at)) if is_open else timing


def _check_future(record: ScheduleRecord, at: Micros) -> None:
    """Refuse a timing that is never due.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    if next_slot(recurrence_of(record.timing), at) is not None:
        return
    cause = "that time has passed" if isinstance(record.timing, wire.At) else "no time to come fits it"
    raise InstarError("unprocessable_entity", f"the schedule would never be due: {cause}", hint="Give a later time.")
