"""One agent in several rooms, and agents that come and go."""

from instar.wire.limits import RUN_ROOMS_MAX
from instar.wire.runs import RunState

from .conftest import RUNTIME, World


async def opened(tmp_path, *rooms):
    return await (await World(tmp_path / "hub").open()).begin(*rooms)


async def test_rooms_run_side_by_side(tmp_path):
    world = await opened(tmp_path, "one", "two")
    await world.send("first", "one")
    await world.send("second", "one")
    await world.send("first", "two")
    runs = {(run := await world.puppet.runs.get()).work.room: run for _ in range(2)}
    assert set(runs) == {"room:one", "room:two"}
    assert world.puppet.runs.empty()
    runs["room:one"].end()
    assert (await world.puppet.runs.get()).work.message.parts[0].text == "second"
    await world.close()


async def test_no_more_rooms_at_once_than_the_limit(tmp_path):
    rooms = [f"r{number}" for number in range(RUN_ROOMS_MAX + 1)]
    world = await opened(tmp_path, *rooms)
    for room in rooms:
        await world.send("hello", room)
    runs = [await world.puppet.runs.get() for _ in range(RUN_ROOMS_MAX)]
    assert world.runs.open_runs() == RUN_ROOMS_MAX
    assert world.puppet.runs.empty()
    runs[0].end()
    assert (await world.puppet.runs.get()).work.room == f"room:{rooms[-1]}"
    await world.close()


async def test_one_settled_item_does_not_settle_what_came_before(tmp_path):
    world = await opened(tmp_path, "one", "two")
    await world.send("slow", "one")
    await world.send("quick", "two")
    runs = {(run := await world.puppet.runs.get()).work.room: run for _ in range(2)}
    runs["room:two"].end()
    await world.finished()
    assert await world.unsettled() == 1
    runs["room:one"].end()
    await world.finished(2)
    assert await world.unsettled() == 0
    await world.close()


async def test_many_unheeded_messages_are_passed_over(tmp_path):
    world = await opened(tmp_path)
    await world.change("agent.paused", paused=True)
    for _ in range(130):
        await world.send(world.puppet.unheeded)
    await world.send("hello")
    await world.change("agent.resumed", paused=False)
    assert (await world.puppet.runs.get()).work.message.parts[0].text == "hello"
    await world.close()


async def test_a_runtime_that_cannot_judge_runs_and_fails_visibly(tmp_path):
    world = await opened(tmp_path)
    world.puppet.heeds = lambda agent, message: 1 / 0
    await world.send("hello")
    (await world.puppet.runs.get()).end(ValueError())
    (failed,) = await world.finished()
    assert failed["state"] == RunState.FAILED
    await world.close()


async def test_agents_that_come_later_are_served_and_other_runtimes_are_not(tmp_path):
    world = await opened(tmp_path)
    await world.register("later")
    await world.register("elsewhere", runtime="claude-code")
    names = {event.id for event in world.listener.of("agent.connected")}
    await world.listener.until(lambda: len(world.listener.of("agent.connected")) == 2)
    assert len(names) <= 2
    assert world.agents.is_connected("later")
    assert not world.agents.is_connected("elsewhere")
    await world.close()


async def test_an_agent_that_moves_to_another_runtime_is_served_no_more(tmp_path):
    world = await opened(tmp_path)
    await world.send("hello")
    run = await world.puppet.runs.get()
    await world.change("agent.updated", runtime="claude-code")
    (finished,) = await world.finished()
    assert finished["error"] == "the agent is hosted elsewhere now"
    assert run.was_cancelled
    await world.listener.until(lambda: world.listener.of("agent.disconnected"))
    await world.change("agent.updated", runtime=RUNTIME)
    await world.send("again")
    assert (await world.puppet.runs.get()).work.message.parts[0].text == "again"
    await world.close()
