"""What the store or somebody else refuses: the runner goes on, and nothing stays open unseen."""

from dataclasses import replace as changed

import pytest
from msgspec.structs import replace

from instar.base.errors import InstarError
from instar.hub.identity.principals import Caller
from instar.hub.identity.roots import anonymous_anywhere
from instar.hub.runs import execution, records, worker
from instar.hub.runs.transitions import INTERRUPTED
from instar.wire.delivery import ItemState
from instar.wire.operation import ObjectKind, Verb
from instar.wire.runs import CancelRun, DeltaSignal, RunQuery, RunState

from .conftest import OPERATOR, World


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(worker, "PAUSE_S", 0.0)


def failing(real, code, times=1):
    """Return `real`, but failing so often first."""
    left = [times]

    async def call(*values):
        if left[0]:
            left[0] -= 1
            raise InstarError(code, "the store says no")
        return await real(*values)

    return call


async def orphan(world) -> records.RunRecord:
    """Leave a run open that nobody performs, as another process would."""
    await world.send("hello")
    run = await world.puppet.runs.get()
    run.end()
    await world.finished()
    await world.idle()
    (record,) = await world.all_runs()
    left = replace(record, id="run_orphan", attempt=9, state=RunState.STREAMING, partial="half", ended_at=None)
    await world.store.transact(lambda tx: records.insert(tx, left))
    return left


async def test_an_inbox_that_cannot_be_read_is_read_again(world):
    world.store.read = failing(world.store.read, "data_corrupt")
    await world.send("hello")
    assert (await world.puppet.runs.get()).work.message.parts[0].text == "hello"


@pytest.mark.parametrize("code", ["data_corrupt", "overloaded"])
async def test_a_run_that_cannot_be_begun_is_begun_later(world, code):
    transitions = world.stage.transitions
    transitions.begin = failing(transitions.begin, code)
    await world.send("hello")
    run = await world.puppet.runs.get()
    assert run.work.attempt == 1


async def test_a_partial_text_that_cannot_be_stored_ends_nothing(world, monkeypatch):
    monkeypatch.setattr(execution, "RUN_PARTIAL_S", 0.001)
    transitions = world.stage.transitions
    transitions.save = failing(transitions.save, "data_corrupt")
    await world.send("hello")
    run = await world.puppet.runs.get()
    run.say("one ")
    await world.listener.until(lambda: any(isinstance(one, DeltaSignal) for one in world.listener.heard))
    run.say("two")
    await world.stored_partial()
    run.end()
    (finished,) = await world.finished()
    assert finished["state"] == "done"


async def test_an_item_that_was_taken_between_look_and_lease_is_left_alone(world):
    transitions, begin = world.stage.transitions, world.stage.transitions.begin

    async def begin_late(agent_id, event):
        opened = await world.delivery.desks.open(agent_id)
        item = opened.desk.items[event.seq]
        opened.desk.put([changed(item, state=ItemState.LEASED, lease="theirs", until=2**60)])
        transitions.begin = begin
        return await begin(agent_id, event)

    transitions.begin = begin_late
    await world.send("one")
    await world.send("two")
    assert (await world.puppet.runs.get()).work.message.parts[0].text == "two"
    assert [run.cause for run in await world.all_runs()] == [world.listener.of("message.created")[1].id]


async def test_an_agent_that_is_paused_between_look_and_run_is_not_run(world, monkeypatch):
    admit = world.guard.admit

    def paused(sender, is_agent, room, cause):
        if is_agent:
            monkeypatch.setattr(world.guard, "admit", admit)
            raise InstarError("paused", "the agent is paused")
        return admit(sender, is_agent, room, cause)

    monkeypatch.setattr(world.guard, "admit", paused)
    await world.send("hello")
    assert (await world.puppet.runs.get()).work.attempt == 1


async def test_messages_of_a_room_that_the_agent_has_left_are_passed_over(world):
    await world.change("agent.paused", paused=True)
    await world.send("hello")
    await world.delivery.inboxes.count("guide")
    world.directory.get("room:general").own = changed(world.directory.get("room:general").own, members={})
    await world.change("agent.resumed", paused=False)
    await world.register("other", runtime="none")
    while await world.unsettled():
        pass
    assert await world.all_runs() == []


async def test_an_open_run_that_nobody_performs_can_be_cancelled(world):
    left = await orphan(world)
    ended = await world.invoke("runs.cancel", CancelRun(left.id))
    assert (ended.state, ended.partial, ended.error) == (RunState.CANCELLED, "half", "cancelled by operator")


async def test_a_run_that_moves_while_it_is_cancelled_is_a_conflict(world, monkeypatch):
    left = await orphan(world)

    async def lost(*_):
        raise records.LeaseLostError

    monkeypatch.setattr(world.stage.transitions, "cancel", lost)
    with pytest.raises(InstarError) as refused:
        await world.invoke("runs.cancel", CancelRun(left.id))
    assert refused.value.code == "conflict"


async def test_open_runs_of_removed_agents_end_as_well(tmp_path):
    world = await (await World(tmp_path / "hub").open()).begin()
    await orphan(world)
    await world.remove()
    await world.close()
    world = await World(tmp_path / "hub").open()
    await world.runs.open()
    (finished,) = await world.finished()
    assert (finished["state"], finished["error"], finished["partial"]) == ("failed", INTERRUPTED, "half")
    await world.close()


async def test_only_who_may_manage_the_run_may_cancel_it(world):
    await world.send("hello")
    run = await world.puppet.runs.get()
    binding = next(each for each in world.runs.bindings() if each.operation.name == "runs.cancel")
    located = await binding.locate(OPERATOR, CancelRun(run.work.run_id))
    may = world.identity.authority.may
    assert may(OPERATOR, Verb.MANAGE, ObjectKind.RUN, located).allowed
    assert not may(Caller(anonymous_anywhere()), Verb.MANAGE, ObjectKind.RUN, located).allowed
    assert located.agent_id == "guide"


async def test_who_may_not_read_the_room_sees_no_runs_of_it(world, monkeypatch):
    for text in ("one", "two", "three"):
        await world.send(text)
        (await world.puppet.runs.get()).end()
    await world.finished(3)
    stranger = Caller(anonymous_anywhere())
    seen = await world.invoke("runs.list", RunQuery(limit=1), stranger)
    assert (seen.runs, seen.has_more) == ([], False)
    monkeypatch.setattr("instar.hub.runs.handlers._PAGES_MAX", 1)
    assert (await world.invoke("runs.list", RunQuery(limit=1), stranger)).runs == []
