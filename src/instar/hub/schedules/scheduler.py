"""The loop that looks at the clock, and the watchdog that starts it anew."""

import asyncio
import time
from collections.abc import Callable

import structlog

from instar.base.clock import MICROS_PER_S, Micros
from instar.base.tasks import TaskScope
from instar.hub.rooms.openings import DecideAnewError
from instar.wire.limits import SCHEDULE_CATCH_UP_MAX, SCHEDULE_STALL_S, SCHEDULE_TICK_S

from .firing import Firing
from .plans import Plan, Plans
from .timing import slots_between
from .verdicts import Verdict, judge

_log = structlog.get_logger("instar.schedules")

TOGETHER = 64
"""Schedules that are settled at the same time: their transactions share a commit, and leave the loop room between."""
SLOTS_AT_ONCE = 50
"""Slots of one schedule in one transaction; the others wait for the next look, so that no schedule holds up another."""


class Scheduler:
    """Ends every slot that is due. It may be started anew, or run twice, at any moment: the tables decide.

    Args:
        plans: The schedules.
        firing: Ends their slots.
        clock: Wall-clock time, for tests.
        scope: The parent of its tasks.
    """

    def __init__(self, plans: Plans, firing: Firing, clock: Callable[[], Micros], scope: TaskScope) -> None:
        self._plans = plans
        self._firing = firing
        self._clock = clock
        self._scope = scope
        self._begun_at: Micros | None = None
        self._turned_at_s = 0.0
        self._failing: set[str] = set()
        """Whose last look raised: it is logged once."""
        self._waiting: set[str] = set()
        """Who was due at the last look and came no further."""
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._watchdog: asyncio.Task[None] | None = None
        self.restarts = 0
        """How often the loop was started anew, after a crash or a stall."""
        plans.on_change(self._news.set)

    def start(self) -> None:
        """Look at the clock from now on: what was due before is caught up."""
        self._begin()
        self._watchdog = self._scope.start("schedules:watchdog", self._watch())

    async def close(self) -> None:
        """Look no more. What was not written is due at the next start. Twice is no error."""
        tasks = [task for task in (self._watchdog, self._task) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def look(self) -> float:
        """End what is due now; return the seconds until something may be due again, a tick at most."""
        now = self._clock()
        # A clock that was set back makes a start out of an earlier moment.
        self._begun_at = now if self._begun_at is None else min(self._begun_at, now)
        since = max(self._begun_at, Micros(now - int(SCHEDULE_STALL_S * MICROS_PER_S)))
        self._waiting.clear()
        due = [plan for plan in self._plans.all() if plan.next_at is not None and plan.next_at <= now]
        room = asyncio.Semaphore(TOGETHER)

        async def settle(plan: Plan) -> None:
            async with room:
                await self._settle(plan, now, since)

        async with asyncio.TaskGroup() as group:
            for plan in due:
                group.create_task(settle(plan))
        return self._until_next()

    async def _settle(self, plan: Plan, now: Micros, since: Micros) -> None:
        record, before, self._turned_at_s = plan.record, plan.settled, time.monotonic()
        self._waiting.add(record.id)
        try:
            await self._firing.settle(record, self._judged(plan, now, since)[:SLOTS_AT_ONCE], now)
        except DecideAnewError:
            self._waiting.discard(record.id)
            return
        except Exception:  # noqa: BLE001 - one schedule that fails must not stop the others
            if record.id not in self._failing:
                _log.exception("a schedule fails; it is tried again", schedule=record.id)
            self._failing.add(record.id)
            return
        self._failing.discard(record.id)
        if plan.settled > before:
            self._waiting.discard(record.id)

    def _judged(self, plan: Plan, now: Micros, since: Micros) -> list[Verdict]:
        if plan.recurrence is None:
            return []
        due = slots_between(plan.recurrence, plan.settled, now, SCHEDULE_CATCH_UP_MAX)
        policy = plan.record
        return judge(due, now=now, since=since, catch_up=policy.catch_up, lateness_s=policy.lateness_s)

    def _until_next(self) -> float:
        """Return how long to wait. What came no further is tried again at the next tick, not at once."""
        now = self._clock()
        times = (plan.next_at for plan in self._plans.all() if plan.record.id not in self._waiting)
        soonest = min((at for at in times if at is not None), default=None)
        return SCHEDULE_TICK_S if soonest is None else min(SCHEDULE_TICK_S, max(0.0, (soonest - now) / MICROS_PER_S))

    def _begin(self) -> None:
        self._turned_at_s = time.monotonic()
        self._task = self._scope.start("schedules", self._run())

    async def _run(self) -> None:
        while True:
            self._turned_at_s = time.monotonic()
            self._news.clear()
            wait_s = await self.look()
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _watch(self) -> None:
        """Start the loop anew when it crashed or stalls."""
        while True:
            await asyncio.sleep(SCHEDULE_TICK_S)
            task, silent_s = self._task, time.monotonic() - self._turned_at_s
            if task is None or not (task.done() or silent_s > SCHEDULE_STALL_S):
                continue
            self.restarts += 1
            _log.error("the scheduler is started anew", crashed=task.done(), silent_s=round(silent_s, 1))
            task.cancel()
            await asyncio.wait({task}, timeout=SCHEDULE_TICK_S)
            self._begin()
