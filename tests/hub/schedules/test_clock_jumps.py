"""R-16: the clock jumps in every way that clocks do, and no slot ends twice or never."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from instar.base.clock import to_rfc3339
from instar.wire.schedules import CatchUp

from .conftest import Clock, World, cron, each

DAY, HOUR = 86_400, 3_600
BEGINNINGS = {
    "an ordinary day": "2026-06-10T08:00:00Z",
    "before the gap of Berlin": "2026-03-29T00:20:00Z",
    "before the equal hours of Berlin": "2026-10-25T00:20:00Z",
    "before 32 bits overflow": "2038-01-19T03:10:00Z",
    "a leap day after 2038": "2040-02-28T23:50:00Z",
    "before 33 bits overflow": "2106-02-07T06:20:00Z",
}
JUMPS = {
    "none": 0, "a day forward": DAY, "a day back": -DAY, "an hour forward": HOUR, "an hour back": -HOUR,
    "a second forward": 1, "a second back": -1,
}  # fmt: skip
EVERY_S = 120
"""A day of these is less than is looked at one by one."""


@pytest.fixture(params=BEGINNINGS)
def beginning(request: pytest.FixtureRequest, clock: Clock) -> str:
    clock.set(BEGINNINGS[request.param])
    return BEGINNINGS[request.param]


def intervals(begin: str, reached: datetime) -> list[str]:
    """Every slot of the interval, counted by hand."""
    at = datetime.fromisoformat(begin)
    found: list[str] = []
    while (at := at + timedelta(seconds=EVERY_S)) <= reached:
        found.append(at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return found


def quarters(begin: str, reached: datetime) -> list[str]:
    """Every quarter of an hour, counted by hand: they lie at the same moments in every zone of whole hours."""
    at = datetime.fromisoformat(begin)
    found: list[str] = []
    while (at := at + timedelta(minutes=1)) <= reached:
        if at.astimezone(ZoneInfo("Europe/Berlin")).minute % 15 == 0:
            found.append(at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return found


@pytest.mark.parametrize("jump", JUMPS)
async def test_every_slot_ends_once_however_the_clock_jumps(
    begin: Callable[..., Any], beginning: str, clock: Clock, jump: str
):
    policies = list(CatchUp)
    # Each policy meets each beginning and each jump; all together would say no more and take three times as long.
    catch_up = policies[(list(JUMPS).index(jump) + list(BEGINNINGS.values()).index(beginning)) % len(policies)]
    world: World = await begin()
    await world.engine.room("review")
    interval = await world.schedule(each(EVERY_S), catch_up=catch_up)
    quarter = await world.schedule(cron("*/15 * * * *", "Europe/Berlin"), catch_up=catch_up)
    reached = clock()
    await world.pass_time(1_200, 5)
    reached = max(reached, clock())
    clock.forward(JUMPS[jump])
    await world.settle()
    reached = max(reached, clock())
    await world.pass_time(1_200, 5)
    reached = max(reached, clock())

    end = datetime.fromisoformat(to_rfc3339(reached)).astimezone(UTC)
    ended = Counter((slot.schedule_id, slot.at) for slot in world.ended())
    assert set(ended.values()) == {1}
    assert sorted(at for schedule_id, at in ended if schedule_id == interval.id) == intervals(beginning, end)
    assert sorted(at for schedule_id, at in ended if schedule_id == quarter.id) == quarters(beginning, end)
    assert len(world.said()) == len(world.ended("fired"))
    late = [slot for slot in world.ended("missed") if "late" not in slot.reason]
    assert late == []


@pytest.mark.parametrize(
    ("begin_at", "hours", "expected"),
    [
        ("2026-03-28T20:00:00Z", 30, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        ("2026-10-24T20:00:00Z", 30, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
        ("2040-03-24T20:00:00Z", 30, ["2040-03-25T01:00:00Z", "2040-03-26T00:30:00Z"]),
        ("2040-10-27T20:00:00Z", 30, ["2040-10-28T00:30:00Z", "2040-10-29T01:30:00Z"]),
    ],
)
@pytest.mark.parametrize("back_s", [0, HOUR])
async def test_daylight_saving_neither_skips_nor_doubles_a_night(
    begin: Callable[..., Any], clock: Clock, begin_at: str, hours: int, expected: list[str], back_s: int
):
    """Also when the clock is set back an hour by hand in that very hour."""
    clock.set(begin_at)
    world: World = await begin()
    await world.engine.room("review")
    await world.schedule(cron("30 2 * * *", "Europe/Berlin"))
    await world.pass_time(6 * HOUR, 20)
    clock.forward(-back_s)
    await world.pass_time(hours * HOUR - 6 * HOUR + back_s, 20)
    assert [slot.at for slot in world.ended("fired")] == expected
    assert world.ended("missed") == []


async def test_order_is_that_of_the_log_when_time_runs_back(world: World):
    await world.schedule(each(60))
    await world.pass_time(120, 10)
    world.clock.forward(-600)
    await world.schedule(each(60), name="later")
    await world.pass_time(120, 10)
    fired = world.engine.of("schedule.fired")
    assert [event.seq for event in fired] == sorted(event.seq for event in fired)
    assert len(fired) == 4, "what was made after the jump is on time"


async def test_what_was_settled_ahead_is_not_done_again(world: World):
    """Forward by mistake and back again: the day that was settled has ended, and says so."""
    made = await world.schedule(each(3_600), catch_up="once")
    world.clock.forward(DAY + 600)
    await world.settle()
    assert [slot.state.value for slot in world.ended()] == ["missed"] * 23 + ["fired"]
    world.clock.forward(-DAY)
    await world.pass_time(DAY, 600)
    assert len(world.ended()) == 24
    shown = await world.do(world.admin, "schedules.get", schedule_id=made.id)
    assert shown.next_at == "2026-03-03T09:00:00Z"
