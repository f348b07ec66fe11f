"""Waiting for a run to end."""

import asyncio

import pytest

from instar.base.errors import InstarError
from instar.hub.identity.principals import Caller, Grant
from instar.wire.identity import Principal, PrincipalKind, Scope
from instar.wire.runs import AwaitRun, RunState

STRANGER = Caller(Grant("g", Principal("stranger", PrincipalKind.SERVICE), "key", frozenset({Scope.WRITE})))


async def begin(world, params: AwaitRun) -> asyncio.Task:
    """Start to wait, and let the waiter look once."""
    waiting = asyncio.ensure_future(world.invoke("runs.await", params))
    for _ in range(50):
        await asyncio.sleep(0)
    return waiting


async def test_the_answer_comes_with_the_end(world):
    sent = await world.send("hello")
    waiting = await begin(world, AwaitRun(message_id=sent.message_id, wait=30))
    run = await world.puppet.runs.get()
    run.say("Hel")
    run.say("lo!")
    assert not waiting.done()
    run.end()
    awaited = await waiting
    assert awaited.ended
    assert (awaited.run.state, awaited.run.id, awaited.text) == (RunState.DONE, run.work.run_id, "Hello!")


async def test_a_wait_may_begin_before_its_message(world):
    waiting = await begin(world, AwaitRun(message_id="to-come", wait=30))
    await world.send("hello", message_id="to-come")
    run = await world.puppet.runs.get()
    run.say("there")
    run.end()
    assert (await waiting).text == "there"


async def test_a_run_that_has_ended_is_answered_at_once(world):
    sent = await world.send("hello")
    run = await world.puppet.runs.get()
    run.say("so")
    run.end()
    await world.finished()
    by_message = await world.invoke("runs.await", AwaitRun(message_id=sent.message_id))
    by_run = await world.invoke("runs.await", AwaitRun(run_id=run.work.run_id))
    assert by_message == by_run
    assert by_run.text == "so"


async def test_time_is_up_with_the_run_as_far_as_it_is(world):
    sent = await world.send("hello")
    run = await world.puppet.runs.get()
    run.say("half of")
    awaited = await world.invoke("runs.await", AwaitRun(message_id=sent.message_id, wait=0))
    assert not awaited.ended
    assert awaited.run.state in (RunState.LEASED, RunState.STREAMING)
    assert awaited.text == ""
    run.end()


async def test_what_wakes_nobody_has_no_run(world):
    sent = await world.send("ignore me")
    awaited = await world.invoke("runs.await", AwaitRun(message_id=sent.message_id, wait=0))
    assert (awaited.run, awaited.text, awaited.ended) == (None, "", False)


async def test_a_failed_run_says_why_and_what_it_had_said(world):
    sent = await world.send("hello")
    waiting = await begin(world, AwaitRun(message_id=sent.message_id, wait=30))
    run = await world.puppet.runs.get()
    run.say("half")
    run.end(InstarError("unprocessable_entity", "no good"))
    awaited = await waiting
    assert awaited.ended
    assert awaited.run.state is RunState.FAILED
    assert (awaited.run.partial, awaited.text) == ("half", "")
    assert "no good" in awaited.run.error


async def test_of_several_agents_one_is_awaited(world):
    await world.register("second")
    await world.join("second")
    sent = await world.send("hello")
    runs = {run.work.agent_id: run for run in [await world.puppet.runs.get() for _ in range(2)]}
    waiting = await begin(world, AwaitRun(message_id=sent.message_id, agent_id="second", wait=30))
    runs["guide"].end()
    await world.finished(1)
    assert not waiting.done()
    runs["second"].say("I did")
    runs["second"].end()
    awaited = await waiting
    assert (awaited.run.agent_id, awaited.text) == ("second", "I did")


async def test_who_may_not_read_the_room_is_told_what_is_told_of_none(world):
    sent = await world.send("hello")
    run = await world.puppet.runs.get()
    run.say("secret")
    run.end()
    await world.finished()
    for params in (AwaitRun(message_id=sent.message_id, wait=0), AwaitRun(run_id=run.work.run_id, wait=0)):
        told = await world.invoke("runs.await", params, STRANGER)
        none = await world.invoke("runs.await", AwaitRun(message_id="nothing", wait=0), STRANGER)
        assert told == none


@pytest.mark.parametrize("params", [AwaitRun(), AwaitRun(run_id="r", message_id="m")])
async def test_exactly_one_of_both_is_named(world, params):
    with pytest.raises(InstarError, match="name one of"):
        await world.invoke("runs.await", params)
