"""What callers may do to schedules, and what is answered."""

from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.act import Act
from instar.hub.identity.credentials import Credential
from instar.hub.operations.recorder import Recorder
from instar.wire.schedules import RUN, ScheduleRef, SlotState
from instar.wire.table import TABLE

from .conftest import World, at, cron, each


async def refused(world: World, operation: str, **params: Any) -> InstarError:
    with pytest.raises(InstarError) as error:
        await world.do(world.admin, operation, **params)
    return error.value


@pytest.mark.parametrize(
    ("more", "code", "cause"),
    [
        ({"timing": at("2026-03-02T07:59:59Z")}, "unprocessable_entity", "that time has passed"),
        ({"timing": cron("0 0 31 4 *")}, "unprocessable_entity", "bad day-of-month"),
        ({"timing": cron("* * * * *", "Mars/Base")}, "unprocessable_entity", "no time zone"),
        ({"room": "room:nowhere"}, "not_found", "no room 'nowhere'"),
        ({"room": "nowhere"}, "not_found", "no nowhere"),
        ({"room": "system:directory"}, "not_found", "no system 'directory'"),
        ({"agent_id": "nobody"}, "unprocessable_entity", "no agent 'nobody'"),
        ({"agent_id": "gamma"}, "unprocessable_entity", "agent 'gamma' is not in room:review"),
    ],
)
async def test_what_cannot_be_is_refused_when_it_is_made(world: World, more: dict[str, Any], code: str, cause: str):
    await world.engine.agent("gamma")
    with pytest.raises(InstarError) as error:
        await world.schedule(**more)
    assert error.value.code == code
    assert cause in error.value.message
    assert world.engine.of("schedule.created") == []


async def test_an_id_is_taken_for_ever(world: World):
    await world.schedule(id="sch_morning")
    await world.do(world.admin, "schedules.remove", schedule_id="sch_morning")
    with pytest.raises(InstarError) as error:
        await world.schedule(id="sch_morning")
    assert error.value.code == "conflict"
    assert (await refused(world, "schedules.get", schedule_id="sch_morning")).code == "not_found"


async def test_there_is_a_limit(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("instar.hub.schedules.handlers.SCHEDULES_MAX", 1)
    await world.schedule()
    with pytest.raises(InstarError, match="there are 1 schedules"):
        await world.schedule()


async def test_a_list_begins_with_what_is_due_next(world: World):
    rare = await world.schedule(each(3_600), name="rare")
    often = await world.schedule(each(60), name="often")
    paused = await world.schedule(each(60), name="paused", is_paused=True)
    listed = await world.do(world.admin, "schedules.list")
    assert [schedule.id for schedule in listed.schedules] == [often.id, rare.id, paused.id]


async def test_who_may_not_manage_learns_what_is_missing_or_nothing(world: World):
    made = await world.schedule()
    agent = await world.engine.agent("gamma")
    key = await world.do(world.admin, "keys.create", name="k", scopes=["observe", "write"])
    observer = world.engine.identity.authenticate(Credential(key.token))
    with pytest.raises(InstarError) as error:
        await world.do(observer, "schedules.pause", schedule_id=made.id)
    assert (error.value.code, error.value.detail) == ("forbidden", {"missing": "scope admin"})
    with pytest.raises(InstarError) as error:
        await world.do(agent, "schedules.get", schedule_id=made.id)
    assert error.value.code == "not_found"


async def test_an_update_replaces_what_it_names_and_takes_the_right_over(world: World):
    made = await world.schedule(agent_id="beta", description="why")
    key = await world.do(world.admin, "keys.create", name="k", scopes=["admin", "write"])
    other = world.engine.identity.authenticate(Credential(key.token))
    changed = await world.do(other, "schedules.update", schedule_id=made.id, revision=1, text="tock", agent_id="")
    assert (changed.text, changed.agent_id, changed.description, changed.revision) == ("tock", "", "why", 2)
    assert changed.owner == key.key.principal
    assert changed.next_at == made.next_at
    stale = await refused(world, "schedules.update", schedule_id=made.id, revision=1, text="no")
    assert (stale.code, "revision 2" in stale.message) == ("conflict", True)


async def test_who_could_not_speak_there_cannot_make_another_do_so(world: World):
    """A key that administers but may not write puts no words into the mouth of one that may."""
    made = await world.schedule()
    key = await world.do(world.admin, "keys.create", name="k", scopes=["admin", "observe"])
    clerk = world.engine.identity.authenticate(Credential(key.token))
    with pytest.raises(InstarError) as error:
        await world.do(clerk, "schedules.update", schedule_id=made.id, text="obey")
    assert error.value.detail == {"missing": "scope write"}
    with pytest.raises(InstarError):
        await world.do(clerk, "schedules.create", name="M", timing=each(60), room="room:review", text="obey")


async def test_a_new_time_counts_from_now_and_leaves_no_slot_behind(world: World):
    made = await world.schedule(each(60))
    world.clock.forward(90)
    changed = await world.do(world.admin, "schedules.update", schedule_id=made.id, timing=each(600))
    assert changed.next_at == "2026-03-02T08:11:30Z"
    (slot,) = world.ended()
    assert (slot.at, slot.state) == ("2026-03-02T08:01:00Z", SlotState.MISSED)
    assert slot.reason == "the schedule was given another time"
    assert (await refused(world, "schedules.update", schedule_id=made.id, timing=at("2026-03-02T08:00:00Z"))).code == (
        "unprocessable_entity"
    )


@pytest.mark.parametrize(
    ("operation", "reason"), [("pause", "the schedule was paused"), ("remove", "the schedule was removed")]
)
async def test_what_was_due_at_that_moment_is_missed_and_says_why(world: World, operation: str, reason: str):
    made = await world.schedule(each(60))
    world.clock.forward(60)
    await world.do(world.admin, f"schedules.{operation}", schedule_id=made.id)
    await world.settle()
    (slot,) = world.ended()
    assert (slot.state, slot.reason) == (SlotState.MISSED, reason)


async def test_pausing_and_resuming_twice_changes_nothing(world: World):
    made = await world.schedule()
    first = await world.do(world.admin, "schedules.pause", schedule_id=made.id)
    again = await world.do(world.admin, "schedules.pause", schedule_id=made.id)
    assert (first.is_paused, first.next_at, first.revision, again.revision) == (True, "", 2, 2)
    first = await world.do(world.admin, "schedules.resume", schedule_id=made.id)
    again = await world.do(world.admin, "schedules.resume", schedule_id=made.id)
    assert (first.is_paused, first.revision, again.revision) == (False, 3, 3)
    assert len(world.engine.of("schedule.updated")) == 2


async def test_a_run_by_hand_moves_no_slot(world: World):
    made = await world.schedule()
    slot = await world.do(world.admin, "schedules.run", schedule_id=made.id)
    assert (slot.state, slot.is_manual, slot.at) == (SlotState.FIRED, True, "2026-03-02T08:00:00Z")
    assert [message["id"] for message in world.said()] == [slot.message_id]
    again = await world.do(world.admin, "schedules.run", schedule_id=made.id)
    assert again.message_id != slot.message_id
    await world.pass_time(60, 10)
    assert world.times("fired") == ["08:00:00", "08:00:00", "08:01:00"]
    page = await world.do(world.admin, "schedules.history", schedule_id=made.id)
    assert [slot.is_manual for slot in page.slots] == [False, True, True]


async def test_a_paused_one_can_be_run_by_hand(world: World):
    made = await world.schedule(is_paused=True, is_once=True)
    slot = await world.do(world.admin, "schedules.run", schedule_id=made.id)
    assert slot.state is SlotState.FIRED
    shown = await world.do(world.admin, "schedules.get", schedule_id=made.id)
    assert shown.last == slot, "once means once by its slots"


async def test_a_repeated_run_answers_the_first_one(world: World):
    made = await world.schedule()
    binding = world.engine.bindings["schedules.run"]

    async def run(key: str) -> Any:
        params = ScheduleRef(made.id)
        located = binding.locate(world.admin, params)
        return await binding.handler(Act(world.admin, RUN, params, located, world.engine.store, Recorder(), "r", key))

    first = await run("key-1")
    world.clock.forward(5)
    assert await run("key-1") == first
    assert await run("key-2") != first
    assert len(world.said()) == 2


async def test_history_pages_newest_first_and_keeps_so_much(world: World, monkeypatch: pytest.MonkeyPatch):
    made = await world.schedule(each(1))
    await world.pass_time(10)
    page = await world.do(world.admin, "schedules.history", schedule_id=made.id, limit=4)
    assert ([slot.at[-3:] for slot in page.slots], page.has_more) == (["10Z", "09Z", "08Z", "07Z"], True)
    page = await world.do(world.admin, "schedules.history", schedule_id=made.id, limit=8, before=page.slots[-1].at)
    assert ([slot.at[-3:] for slot in page.slots][-1], page.has_more) == ("01Z", False)
    assert (await refused(world, "schedules.history", schedule_id=made.id, before="then")).code == (
        "unprocessable_entity"
    )
    monkeypatch.setattr("instar.hub.schedules.slots.SLOTS_KEEP", 3)
    assert await world.schedules.trim() == 7
    page = await world.do(world.admin, "schedules.history", schedule_id=made.id)
    assert [slot.at[-3:] for slot in page.slots] == ["10Z", "09Z", "08Z"]


async def test_what_there_was_is_there_after_a_restart(begin: Any, world: World):
    made = await world.schedule(cron("*/5 * * * *", "Europe/Berlin"), agent_id="beta", description="d", lateness_s=60)
    await world.pass_time(300, 30)
    before = await world.do(world.admin, "schedules.get", schedule_id=made.id)
    world = await begin()
    assert await world.do(world.admin, "schedules.get", schedule_id=made.id) == before
    assert before.last.state is SlotState.FIRED


async def test_every_change_is_an_event_that_says_all(world: World):
    made = await world.schedule()
    await world.do(world.admin, "schedules.pause", schedule_id=made.id)
    await world.do(world.admin, "schedules.remove", schedule_id=made.id)
    kinds = [event.type for event in world.engine.events if event.room == "system:schedules"]
    assert kinds == ["schedule.created", "schedule.updated", "schedule.removed"]
    audited = [event for event in world.engine.of("audit.recorded") if made.id.encode() in event.payload]
    assert len(audited) == 3


def test_every_operation_is_bound(world: World):
    assert {name for name in TABLE if name.startswith("schedules.")} <= world.engine.bindings.keys()
