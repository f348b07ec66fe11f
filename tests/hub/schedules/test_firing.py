"""What one slot does: its event, its message, its row and `settled_until`, all or nothing."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.hub.identity.credentials import Credential
from instar.hub.identity.policy import AuthPolicy
from instar.wire.schedules import SlotState

from .conftest import World, at, cron, each


async def test_a_due_slot_is_one_event_and_one_message(world: World):
    made = await world.schedule(text="Stand up, @beta", name="Stand-up")
    assert made.next_at == "2026-03-02T08:01:00Z"
    await world.pass_time(61)
    (slot,) = world.ended()
    (said,) = world.said()
    assert (slot.schedule_id, slot.at, slot.state) == (made.id, "2026-03-02T08:01:00Z", SlotState.FIRED)
    assert slot.message_id == said["id"]
    assert said["from"] == {
        "type": "schedule", "id": made.id, "name": "Stand-up", "network_id": "local",
        "fqid": f"molt://local/agents/{made.id}",
    }  # fmt: skip
    assert "hops" not in said
    assert said["mentions"] == ["molt://local/agents/beta"]
    event = world.engine.of("message.created")[-1]
    assert (event.room, event.actor) == ("room:review", "operator")
    shown = await world.do(world.admin, "schedules.get", schedule_id=made.id)
    assert (shown.last, shown.next_at) == (slot, "2026-03-02T08:02:00Z")


async def test_it_wakes_whom_it_names_by_their_wake_policy(world: World):
    caller = await world.engine.agent("gamma", wake="mentions")
    await world.do(world.admin, "rooms.members", room_id="review", add=["gamma"])
    await world.schedule(agent_id="gamma", timing=at("2026-03-02T08:00:30Z"))
    await world.schedule(timing=at("2026-03-02T08:00:40Z"))
    await world.pass_time(60, 10)
    page = await world.do(caller, "inbox.read", agent_id="gamma")
    assert [item.reason for item in page.items] == ["mention"]


async def test_it_speaks_into_sessions_and_threads(world: World):
    caller = await world.engine.agent("gamma", wake="mentions")
    opened = await world.do(world.admin, "sessions.open", agent_id="gamma", name="main")
    await world.schedule(agent_id="gamma", room=f"session:{opened.id}")
    thread = {"kind": "thread", "room_id": "review", "thread_id": "t1"}
    await world.engine.say(world.admin, "let us talk", target=thread)
    await world.schedule(room="thread:t1", agent_id="beta")
    await world.pass_time(60, 10)
    assert {message["target"]["kind"] for message in world.said()} == {"session", "thread"}
    page = await world.do(caller, "inbox.read", agent_id="gamma")
    assert len(page.items) == 1


async def test_nobody_is_made_to_speak_where_they_take_no_part(world: World):
    """A direct conversation of two agents is closed to an administrator, by the clock as by hand."""
    caller = await world.engine.agent("gamma")
    opened = await world.do(caller, "dms.open", participant_ids=["beta"])
    with pytest.raises(InstarError) as refused:
        await world.schedule(room=f"dm:{opened.id}")
    assert (refused.value.code, refused.value.detail) == ("forbidden", {"missing": f"a part in dm:{opened.id}"})
    own = await world.do(world.admin, "dms.open", participant_ids=["gamma"])
    await world.schedule(room=f"dm:{own.id}")
    await world.pass_time(60, 10)
    assert [message["target"]["dm_id"] for message in world.said()] == [own.id]


async def test_an_answer_to_it_is_the_first_of_a_chain(world: World):
    caller = await world.engine.agent("gamma")
    await world.do(world.admin, "rooms.members", room_id="review", add=["gamma"])
    await world.schedule(agent_id="gamma")
    await world.pass_time(60, 10)
    await world.do(caller, "inbox.read", agent_id="gamma")
    await world.engine.say(caller, "done", **{"from": {"type": "agent", "id": "gamma"}})
    answer = msgspec.json.decode(world.engine.of("message.created")[-1].payload)
    assert answer["hops"] == 1


async def test_the_right_it_speaks_by_must_hold(world: World):
    key = await world.do(world.admin, "keys.create", name="k", scopes=["admin", "write", "observe"])
    owner = world.engine.identity.authenticate(credential(key.token))
    made = await world.do(owner, "schedules.create", name="Minute", timing=each(60), room="room:review", text="tick")
    await world.pass_time(60, 10)
    await world.do(world.admin, "keys.revoke", key_id=key.key.id)
    await world.pass_time(60, 10)
    assert [slot.state for slot in world.ended()] == [SlotState.FIRED, SlotState.MISSED]
    shown = await world.do(world.admin, "schedules.get", schedule_id=made.id)
    assert shown.last.reason == f"the right of {key.key.principal} that it speaks by has ended"
    assert len(world.said()) == 1


async def test_a_session_lends_no_more_than_its_lender_and_its_end_ends_nothing(world: World):
    link = await world.do(world.admin, "auth.console_link")
    issued = await world.do(world.engine.identity.visitor(), "auth.exchange", code=link.url.rpartition("code=")[2])
    session = world.engine.identity.authenticate(credential(issued.token))
    made = await world.do(session, "schedules.create", name="Minute", timing=each(60), room="room:review", text="tick")
    await world.do(session, "auth.logout")
    await world.pass_time(60, 10)
    assert (made.owner, [slot.state for slot in world.ended()]) == ("operator", [SlotState.FIRED])


async def hinder_by_room(world: World) -> None:
    await world.do(world.admin, "rooms.remove", room_id="review")


async def hinder_by_pause(world: World) -> None:
    await world.do(world.admin, "agents.pause", agent_id="beta")


async def hinder_by_leaving(world: World) -> None:
    await world.do(world.admin, "rooms.members", room_id="review", remove=["beta"])


async def hinder_by_removal(world: World) -> None:
    await world.do(world.admin, "agents.remove", agent_id="beta")


async def hinder_by_stop(world: World) -> None:
    await world.do(world.admin, "agents.stop_all", reason="fire drill")


@pytest.mark.parametrize(
    ("hinder", "reason"),
    [
        (hinder_by_room, "there is no room:review any more"),
        (hinder_by_pause, "agent 'beta' is paused"),
        (hinder_by_leaving, "agent 'beta' is not in room:review"),
        (hinder_by_removal, "there is no agent 'beta'"),
        (hinder_by_stop, "all agents are stopped: fire drill"),
    ],
)
async def test_what_stands_in_its_way_is_said(world: World, hinder: Callable[[World], Any], reason: str):
    made = await world.schedule(agent_id="beta")
    await hinder(world)
    await world.pass_time(60, 10)
    (slot,) = world.ended()
    assert (slot.state, slot.reason, slot.message_id) == (SlotState.MISSED, reason, "")
    assert world.said() == []
    ran = await world.do(world.admin, "schedules.run", schedule_id=made.id)
    assert (ran.state, ran.reason, ran.is_manual) == (SlotState.MISSED, reason, True)


async def test_a_right_that_is_confined_to_rooms_speaks_there_only(world: World):
    await world.engine.room("other")
    key = await world.do(world.admin, "keys.create", name="k", scopes=["admin", "write"], rooms=["review"])
    owner = world.engine.identity.authenticate(credential(key.token))
    tick = {"name": "M", "timing": each(60), "text": "tick"}
    made = await world.do(owner, "schedules.create", room="room:review", **tick)
    with pytest.raises(InstarError) as refused:
        await world.do(owner, "schedules.create", room="room:other", **tick)
    assert refused.value.code == "not_found"
    elsewhere = await world.schedule(room="room:other")
    listed = await world.do(owner, "schedules.list")
    assert [schedule.id for schedule in listed.schedules] == [made.id]
    with pytest.raises(InstarError) as refused:
        await world.do(owner, "schedules.pause", schedule_id=elsewhere.id)
    assert refused.value.code == "not_found"


async def test_once_is_gone_when_it_has_fired_and_not_when_it_missed(world: World):
    await world.do(world.admin, "agents.pause", agent_id="beta")
    made = await world.schedule(agent_id="beta", timing=each(60), is_once=True)
    await world.pass_time(60, 10)
    assert [slot.state for slot in world.ended()] == [SlotState.MISSED]
    await world.do(world.admin, "agents.resume", agent_id="beta")
    await world.pass_time(120, 10)
    assert [slot.state for slot in world.ended()] == [SlotState.MISSED, SlotState.FIRED]
    with pytest.raises(InstarError, match="no schedule"):
        await world.do(world.admin, "schedules.get", schedule_id=made.id)
    (removed,) = world.engine.of("schedule.removed")
    assert removed.seq > world.engine.of("schedule.fired")[-1].seq


async def test_a_message_that_can_never_be_said_is_missed(world: World):
    members = [f"m{number}" for number in range(65)]
    await world.schedule(text=" ".join(f"@{member}" for member in members))
    await world.do(world.admin, "rooms.members", room_id="review", add=members)
    await world.pass_time(60, 10)
    (slot,) = world.ended()
    assert slot.reason == "65 mentions are more than 64"


async def test_rules_that_change_meanwhile_are_decided_on_anew(world: World):
    """The room changes in the commit before: the slot is settled by what it is then."""
    await world.schedule(agent_id="beta")
    world.clock.forward(60)
    directory = world.engine.rooms.directory
    room = directory.get("room:review")
    known = room.own
    room.own = known.next()
    await world.look()
    assert world.ended() == []
    room.own = known
    await world.settle()
    assert [slot.state for slot in world.ended()] == [SlotState.FIRED]


async def test_nobody_else_speaks_as_a_schedule(world: World):
    made = await world.schedule()
    for sender in ({"type": "schedule", "id": "beta"}, {"type": "agent", "id": made.id}):
        with pytest.raises(InstarError) as refused:
            await world.engine.say(world.admin, "I am time", **{"from": sender})
        assert refused.value.code == "forbidden"
    with pytest.raises(InstarError):
        await world.engine.agent(made.id)


async def test_mode_none_lends_its_right_while_it_lasts(begin: Callable[..., Any], world: World):
    here = AuthPolicy(mode="none")
    world = await begin(auth=here)
    anybody = world.engine.identity.authenticate(credential("", is_local=True))
    made = await world.do(anybody, "schedules.create", name="M", timing=each(60), room="room:review", text="tick")
    await world.pass_time(60, 10)
    assert [slot.state for slot in world.ended()] == [SlotState.FIRED]
    world = await begin()
    await world.pass_time(60, 10)
    (slot,) = world.ended()
    assert (slot.schedule_id, slot.reason) == (made.id, "the right of anonymous that it speaks by has ended")


async def test_people_who_may_not_send_do_not_send_by_the_clock(begin: Callable[..., Any], world: World):
    await world.schedule(timing=cron("* * * * *"))
    world = await begin(auth=AuthPolicy(human_ingress=False))
    await world.pass_time(60, 10)
    assert "auth.human_ingress" in world.ended()[0].reason


def credential(token: str, *, is_local: bool = False) -> Any:
    return Credential(token, is_local=is_local)
