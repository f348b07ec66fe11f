"""Looking at the clock: what passed while nobody looked, several loops at once, faults, and the watchdog."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.schedules import scheduler as module
from instar.hub.schedules.scheduler import SLOTS_AT_ONCE, Scheduler
from instar.wire.limits import SCHEDULE_TICK_S

from .conftest import World, cron, each


async def test_it_waits_for_what_is_due_next_and_a_tick_at_most(world: World):
    assert await world.look() == SCHEDULE_TICK_S
    await world.schedule(each(60))
    assert await world.look() == SCHEDULE_TICK_S
    world.clock.forward(59.75)
    assert await world.look() == 0.25


@pytest.mark.parametrize(
    ("catch_up", "fired"),
    [("skip", []), ("once", ["08:05:00"]), ("all", ["08:01:00", "08:02:00", "08:03:00", "08:04:00", "08:05:00"])],
)
async def test_what_passed_while_the_hub_did_not_run_is_caught_up(
    begin: Callable[..., Any], world: World, catch_up: str, fired: list[str]
):
    await world.schedule(catch_up=catch_up)
    world.clock.forward(330)
    world = await begin()
    await world.settle()
    assert world.times("fired") == fired
    assert world.times() == ["08:01:00", "08:02:00", "08:03:00", "08:04:00", "08:05:00"]
    await world.pass_time(30)
    assert world.times("fired")[-1] == "08:06:00", "on time again"


async def test_a_slot_found_late_by_a_busy_hub_is_on_time(world: World):
    await world.schedule(catch_up="skip")
    await world.look()
    world.clock.forward(75)
    await world.settle()
    assert world.times("fired") == ["08:01:00"]


async def test_more_than_is_looked_at_one_by_one_ends_as_one(begin: Callable[..., Any], world: World):
    made = await world.schedule(each(1), catch_up="all")
    world.clock.forward(3_000)
    world = await begin()
    await world.settle()
    assert len(world.ended("fired")) == 1_000
    (heap,) = world.ended("missed")
    assert heap.reason.startswith("2,000 slots up to this one passed")
    assert heap.at == "2026-03-02T08:33:20Z"
    page = await world.do(world.admin, "schedules.history", schedule_id=made.id, limit=500)
    assert (len(page.slots), page.has_more) == (500, True)


async def test_no_schedule_holds_up_another(begin: Callable[..., Any], world: World):
    greedy = await world.schedule(each(1), catch_up="all")
    modest = await world.schedule(each(600), catch_up="all")
    world.clock.forward(650)
    world = await begin()
    await world.look()
    count = Counter(slot.schedule_id for slot in world.ended())
    assert count == {greedy.id: SLOTS_AT_ONCE, modest.id: 1}


async def test_a_pause_passes_unrecorded_and_going_on_begins_now(world: World):
    made = await world.schedule()
    await world.pass_time(60, 10)
    await world.do(world.admin, "schedules.pause", schedule_id=made.id)
    await world.pass_time(180, 10)
    await world.do(world.admin, "schedules.resume", schedule_id=made.id)
    await world.pass_time(60, 10)
    assert world.times() == ["08:01:00", "08:05:00"]


async def test_several_loops_end_each_slot_once(world: World):
    for _ in range(3):
        await world.schedule(each(1), catch_up="all")
    loops = [
        Scheduler(world.schedules.scheduler._plans, world.schedules.scheduler._firing, world.clock, world.engine.scope)
        for _ in range(4)
    ]
    for _ in range(20):
        world.clock.forward(1)
        await asyncio.gather(*(loop.look() for loop in loops))
    ended = Counter((slot.schedule_id, slot.at) for slot in world.ended("fired"))
    assert (len(ended), set(ended.values()), len(world.said())) == (60, {1}, 60)


async def test_one_that_fails_stops_no_other_and_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch):
    bad, good = await world.schedule(name="bad"), await world.schedule(name="good")
    firing, is_broken = world.schedules.scheduler._firing, True
    settle = firing.settle

    async def fail(record: Any, *rest: Any) -> None:
        if is_broken and record.id == bad.id:
            raise InstarError("storage_full", "the disk is full")
        await settle(record, *rest)

    monkeypatch.setattr(firing, "settle", fail)
    world.clock.forward(60)
    assert await world.look() == SCHEDULE_TICK_S, "not at once"
    assert [slot.schedule_id for slot in world.ended()] == [good.id]
    is_broken = False
    await world.settle()
    assert {slot.schedule_id for slot in world.ended()} == {bad.id, good.id}


async def test_a_stored_time_that_is_none_any_more_is_said_and_harms_nobody(begin: Callable[..., Any], world: World):
    lost = await world.schedule(cron("* * * * *", "Europe/Berlin"))
    await world.schedule()
    await world.engine.store.transact(
        lambda tx: tx.execute(
            "UPDATE schedules SET body = REPLACE(body, 'Europe/Berlin', 'Europe/Atlantis') WHERE id = ?1", lost.id
        )
    )
    world = await begin()
    await world.pass_time(60, 10)
    assert world.times() == ["08:01:00"]
    shown = await world.do(world.admin, "schedules.get", schedule_id=lost.id)
    assert (shown.fault, shown.next_at) == ("there is no time zone 'Europe/Atlantis'", "")


async def test_a_schedule_made_anew_is_heard_of_at_once(world: World):
    """The running loop, on a clock that the test moves: what is due fires without a tick in between."""
    world.schedules.open()
    made = await world.schedule()
    world.clock.forward(60)
    await world.do(world.admin, "schedules.update", schedule_id=made.id, text="now")
    await world.engine.until(lambda: world.ended("fired"))
    await world.schedules.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SCHEDULE_TICK_S", 0.01)
    monkeypatch.setattr(module, "SCHEDULE_STALL_S", 0.02)


@pytest.mark.usefixtures("quick")
async def test_a_loop_that_stalls_is_started_anew(world: World, monkeypatch: pytest.MonkeyPatch):
    scheduler, stalls = world.schedules.scheduler, 1
    look = scheduler.look

    async def hang_once() -> float:
        nonlocal stalls
        stalls -= 1
        if stalls >= 0:
            await asyncio.Event().wait()
        return await look()

    monkeypatch.setattr(scheduler, "look", hang_once)
    await world.schedule()
    world.schedules.open()
    world.clock.forward(60)
    await world.engine.until(lambda: world.ended("fired"))
    assert scheduler.restarts >= 1
    await world.schedules.close()
    await world.schedules.close()


@pytest.mark.usefixtures("quick")
async def test_a_loop_that_crashes_is_started_anew_and_the_crash_is_heard(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    scheduler, crashes = world.schedules.scheduler, 1
    look = scheduler.look

    async def crash_once() -> float:
        nonlocal crashes
        crashes -= 1
        if crashes >= 0:
            raise RuntimeError("a bug")
        return await look()

    monkeypatch.setattr(scheduler, "look", crash_once)
    await world.schedule()
    world.schedules.open()
    world.clock.forward(60)
    await world.engine.until(lambda: world.ended("fired"))
    assert scheduler.restarts >= 1
    await world.schedules.close()
    (heard,) = world.engine.crashes
    assert isinstance(heard, RuntimeError)
    world.engine.crashes.clear()
