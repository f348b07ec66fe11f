"""The life of runs from the message that wakes the agent to the answer, on the real store."""

from dataclasses import replace

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.wire.agents import Activity
from instar.wire.delivery import ItemState
from instar.wire.events import Event
from instar.wire.runs import CancelRun, DeltaSignal, RunQuery, RunRef, RunSignal, RunState, ThoughtDelta, WaitingUpdate


async def test_a_message_becomes_a_run_and_its_answer_a_message(world):
    sent = await world.send("hello")
    run = await world.puppet.runs.get()
    assert (run.work.agent_id, run.work.room, run.work.attempt) == ("guide", "room:general", 1)
    assert run.work.message.parts[0].text == "hello"
    run.say("Hel")
    run.say("lo!")
    run.end()
    (finished,) = await world.finished()
    assert (finished["state"], finished["cause"], finished["item_seq"]) == ("done", sent.event_id, sent.seq)
    assert await world.said() == ["hello", "Hello!"]
    (record,) = await world.all_runs()
    assert (record.state, record.fence, record.attempt, record.partial) == (RunState.DONE, 1, 1, "")
    assert record.started_at
    assert record.ended_at
    assert await world.unsettled() == 0


async def test_signals_come_first_and_the_message_replaces_them(world):
    await world.send("hello")
    run = await world.puppet.runs.get()
    run.say("Hel")
    run.say("lo!")
    run.end()
    await world.finished()
    heard = world.listener.heard
    deltas = [one for one in heard if isinstance(one, DeltaSignal)]
    assert [(delta.offset, delta.text) for delta in deltas] == [(0, "Hel"), (3, "lo!")]
    (answer,) = [
        one for one in heard if isinstance(one, Event) and one.type == "message.created" and b'"run":' in one.payload
    ]
    message = msgspec.json.decode(answer.payload)
    assert message["id"] == deltas[0].message_id
    assert message["run"] == deltas[0].run_id == run.work.run_id
    assert message["cause"] == world.listener.of("message.created")[0].id
    assert message["hops"] == 1
    started = world.listener.of("run.started")[0]
    order = [heard.index(one) for one in (started, deltas[0], deltas[1], answer, world.listener.of("run.finished")[0])]
    assert order == sorted(order)
    await world.idle()
    states = [one.state for one in heard if isinstance(one, RunSignal)]
    assert states == [RunState.LEASED, RunState.STREAMING, RunState.DONE]


async def test_answer_and_end_follow_each_other_in_the_room(world):
    await world.send("hello")
    run = await world.puppet.runs.get()
    run.say("yes")
    run.end()
    await world.finished()
    answer, finished = world.listener.of("message.created")[1], world.listener.of("run.finished")[0]
    assert finished.prev == answer.seq


async def test_a_run_that_says_nothing_leaves_no_message(world):
    await world.send("hello")
    run = await world.puppet.runs.get()
    run.say(ThoughtDelta("hm"))
    run.end()
    (finished,) = await world.finished()
    assert finished["state"] == "done"
    assert await world.said() == ["hello"]


async def test_what_the_runtime_does_not_heed_is_settled_without_a_run(world):
    await world.send(world.puppet.unheeded)
    await world.send("hello")
    (await world.puppet.runs.get()).end()
    await world.finished()
    assert len(await world.all_runs()) == 1
    assert await world.unsettled() == 0


async def test_waiting_is_a_state_of_its_own(world):
    await world.send("hello")
    run = await world.puppet.runs.get()
    run.say(WaitingUpdate("approval"))
    waits = RunSignal(run.work.run_id, "guide", "room:general", RunState.WAITING)
    await world.listener.until(lambda: waits in world.listener.heard)
    assert (await world.invoke("runs.get", RunRef(run.work.run_id))).state is RunState.WAITING
    run.say("ok")
    run.end()
    (finished,) = await world.finished()
    assert finished["state"] == "done"


async def test_one_run_at_a_time_in_a_room_and_in_order(world):
    for text in ("one", "two", "three"):
        await world.send(text)
    for text in ("one", "two", "three"):
        run = await world.puppet.runs.get()
        assert run.work.message.parts[0].text == text
        assert world.puppet.runs.empty()
        assert world.runs.open_runs() == 1
        run.say(f"re {text}")
        run.end()
    await world.finished(3)
    assert await world.said() == ["one", "two", "three", "re one", "re two", "re three"]


async def test_a_run_knows_what_was_said_before(world):
    for text in ("one", "two"):
        await world.send(text)
        run = await world.puppet.runs.get()
        before = await run.work.history(10)
        run.say(f"re {text}")
        run.end()
        await world.finished(1 if text == "one" else 2)
    assert [message.parts[0].text for message in before] == ["one", "re one"]


async def test_the_agent_is_connected_and_busy_while_it_runs(world):
    await world.listener.until(lambda: world.listener.of("agent.connected"))
    assert world.agents.presence("guide")[0] is Activity.IDLE
    await world.send("hello")
    run = await world.puppet.runs.get()
    assert world.agents.presence("guide")[:2] == (Activity.BUSY, "answering in room:general")
    run.end()
    await world.finished()
    await world.listener.until(lambda: world.agents.presence("guide")[0] is Activity.IDLE)


async def test_cancel_in_the_middle_keeps_what_was_said_and_does_not_retry(world):
    await world.send("hello")
    run = await world.puppet.runs.get()
    run.say("Once upon")
    await world.listener.until(lambda: any(isinstance(one, DeltaSignal) for one in world.listener.heard))
    live = await world.invoke("runs.get", RunRef(run.work.run_id))
    assert (live.state, live.partial) == (RunState.STREAMING, "Once upon")
    ended = await world.invoke("runs.cancel", CancelRun(run.work.run_id, "enough"))
    assert (ended.state, ended.partial, ended.error) == (RunState.CANCELLED, "Once upon", "enough")
    assert run.was_cancelled
    (finished,) = await world.finished()
    assert (finished["state"], finished["partial"]) == ("cancelled", "Once upon")
    assert await world.said() == ["hello"]
    assert await world.unsettled() == 0
    with pytest.raises(InstarError) as refused:
        await world.invoke("runs.cancel", CancelRun("run_x"))
    assert refused.value.code == "not_found"


async def test_a_run_that_has_ended_cannot_be_cancelled(world):
    await world.send("hello")
    run = await world.puppet.runs.get()
    run.end()
    await world.finished()
    await world.idle()
    with pytest.raises(InstarError) as refused:
        await world.invoke("runs.cancel", CancelRun(run.work.run_id))
    assert refused.value.code == "conflict"


async def test_pausing_the_agent_cancels_its_run_and_resuming_goes_on(world):
    await world.send("one")
    await world.send("two")
    run = await world.puppet.runs.get()
    await world.change("agent.paused", paused=True)
    (finished,) = await world.finished()
    assert (finished["state"], finished["error"]) == ("cancelled", "the agent was paused")
    assert run.was_cancelled
    assert world.puppet.runs.empty()
    await world.change("agent.resumed", paused=False)
    assert (await world.puppet.runs.get()).work.message.parts[0].text == "two"


async def test_removing_the_agent_ends_its_run(world):
    await world.send("one")
    run = await world.puppet.runs.get()
    await world.remove()
    (finished,) = await world.finished()
    assert (finished["state"], finished["error"]) == ("cancelled", "the agent was removed")
    assert run.was_cancelled


async def test_runs_are_listed_newest_first_in_pages(world):
    for text in ("one", "two", "three"):
        await world.send(text)
        (await world.puppet.runs.get()).end()
    await world.finished(3)
    first = await world.invoke("runs.list", RunQuery(limit=2))
    assert first.has_more
    rest = await world.invoke("runs.list", RunQuery(limit=2, before=first.runs[-1].id))
    assert not rest.has_more
    newest_first = [run.item_seq for run in [*first.runs, *rest.runs]]
    assert newest_first == sorted(newest_first, reverse=True)
    assert len(newest_first) == 3
    assert (await world.invoke("runs.list", RunQuery(state=RunState.FAILED))).runs == []
    assert (await world.invoke("runs.list", RunQuery(agent_id="nobody"))).runs == []
    with pytest.raises(InstarError) as refused:
        await world.invoke("runs.list", RunQuery(before="run_x"))
    assert refused.value.code == "unknown_cursor"


async def test_an_item_that_somebody_else_leases_is_not_run(world):
    await world.change("agent.paused", paused=True)
    await world.send("one")
    await world.delivery.inboxes.count("guide")
    opened = await world.delivery.desks.open("guide")
    (item,) = opened.desk.items.values()
    opened.desk.put([replace(item, state=ItemState.LEASED, lease="theirs", until=2**60)])
    await world.change("agent.resumed", paused=False)
    await world.send("two")
    assert (await world.puppet.runs.get()).work.message.parts[0].text == "two"
