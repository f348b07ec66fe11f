"""Runs that cannot go on: failure, retry, dead letter, budget, loops, crash and a worker that lost its lease."""

import msgspec
import pytest
from msgspec.structs import replace

from instar.base.errors import InstarError
from instar.hub.runs import execution, patience, records
from instar.hub.runs.machine import Move
from instar.hub.runs.records import LeaseLostError
from instar.wire.agents import StopAll
from instar.wire.delivery import ItemState
from instar.wire.limits import RUN_ATTEMPTS_MAX, RUN_TEXT_MAX_CHARS
from instar.wire.runs import DeltaSignal, RunRef, RunState

from .conftest import World


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr("instar.hub.delivery.desk.INBOX_RETRY_BASE_S", 0.001)


async def dead(world):
    rows = await world.store.read(
        lambda reader: reader.rows("SELECT seq, attempts, error FROM inbox WHERE state = ?1", ItemState.DEAD)
    )
    return [tuple(row) for row in rows]


async def test_a_failed_run_says_so_with_what_it_had_said_and_is_tried_again(world):
    await world.send("hello")
    run = await world.puppet.runs.get()
    run.say("I was about to")
    run.end(InstarError("bad_gateway", "the model is away"))
    (failed,) = await world.finished()
    assert (failed["state"], failed["error"]) == ("failed", "bad_gateway: the model is away")
    assert failed["partial"] == "I was about to"
    again = await world.puppet.runs.get()
    assert (again.work.attempt, again.work.message.id) == (2, run.work.message.id)
    again.say("Here I am.")
    again.end()
    await world.finished(2)
    assert await world.said() == ["hello", "Here I am."]
    assert [record.attempt for record in await world.all_runs()] == [2, 1]
    assert await dead(world) == []


async def test_after_the_last_attempt_it_is_a_dead_letter(world):
    sent = await world.send("hello")
    for attempt in range(1, 6):
        run = await world.puppet.runs.get()
        assert run.work.attempt == attempt
        run.end(RuntimeError("secret detail"))
    failures = await world.finished(5)
    assert {failed["error"] for failed in failures} == {"internal_error: the runtime raised RuntimeError"}
    await world.listener.until(lambda: world.listener.of("agent.wake.failed"))
    assert await dead(world) == [(sent.seq, 5, "internal_error: the runtime raised RuntimeError")]
    assert await world.unsettled() == 0


async def test_a_failure_that_cannot_heal_is_dead_at_once(world):
    sent = await world.send("hello")
    (await world.puppet.runs.get()).end(InstarError("unprocessable_entity", "told to fail"))
    await world.finished()
    assert await dead(world) == [(sent.seq, 1, "unprocessable_entity: told to fail")]


async def test_an_answer_that_is_too_long_is_cut_off(world):
    sent = await world.send("hello")
    run = await world.puppet.runs.get()
    run.say("x" * RUN_TEXT_MAX_CHARS)
    run.say("y")
    (failed,) = await world.finished()
    assert failed["error"].startswith("too_large")
    assert len(failed["partial"]) == RUN_TEXT_MAX_CHARS
    assert [letter[0] for letter in await dead(world)] == [sent.seq]


async def test_an_answer_into_a_room_that_it_may_not_write_is_dead_with_its_text(world):
    await world.send("hello")
    run = await world.puppet.runs.get()
    await world.store.transact(
        lambda tx: tx.execute("DELETE FROM members WHERE room = 'room:general' AND member = 'guide'")
    )
    run.say("too late")
    run.end()
    (failed,) = await world.finished()
    assert failed["error"].startswith("forbidden")
    assert failed["partial"] == "too late"
    assert await world.said() == ["hello"]


async def test_the_budget_ends_a_run(tmp_path):
    world = await (await World(tmp_path / "hub").open(budget_s=0.01)).begin()
    await world.send("hello")
    run = await world.puppet.runs.get()
    (failed,) = await world.finished()
    assert failed["error"].startswith("timeout")
    assert run.was_cancelled
    await world.close()


async def test_another_budget_holds_for_the_runs_that_begin_after_it(world):
    world.runs.budget_s = 0.01
    await world.send("hello")
    (failed,) = await world.finished()
    assert failed["error"].startswith("timeout: the run took longer than its 0.01 s")


async def test_stop_all_cancels_every_run_until_resumed(world):
    await world.send("one")
    run = await world.puppet.runs.get()
    binding = next(each for each in world.delivery.bindings() if each.operation.name == "agents.stop_all")
    stopped = await binding.handler(world.act(binding, StopAll("enough")))
    assert stopped.cancelled_runs == 1
    (finished,) = await world.finished()
    assert (finished["state"], finished["error"]) == ("cancelled", "all agents were stopped")
    assert run.was_cancelled
    await world.idle()
    await world.send("two")
    assert world.puppet.runs.empty()
    resume = next(each for each in world.delivery.bindings() if each.operation.name == "agents.resume_all")
    await resume.handler(world.act(resume, msgspec.Struct()))
    assert (await world.puppet.runs.get()).work.message.parts[0].text == "two"


async def test_the_loop_guard_is_asked_before_a_run(world, monkeypatch):
    admit = world.guard.admit

    def refuse_agents(sender, is_agent, room, cause):
        if is_agent:
            raise InstarError("loop_stopped", "the room cools down", retry_after_s=60)
        return admit(sender, is_agent, room, cause)

    monkeypatch.setattr(world.guard, "admit", refuse_agents)
    await world.send("hello")
    await world.listener.until(lambda: world.listener.of("agent.wake.failed"))
    assert world.puppet.runs.empty()
    assert await world.all_runs() == []
    assert [letter[2] for letter in await dead(world)] == ["loop_stopped: the room cools down"]


async def test_what_was_said_is_stored_while_it_streams(world, monkeypatch):
    monkeypatch.setattr(execution, "RUN_PARTIAL_S", 0.001)
    await world.send("hello")
    run = await world.puppet.runs.get()
    run.say("Once upon a time")

    record = await world.stored_partial()
    assert (record.partial, record.state) == ("Once upon a time", RunState.STREAMING)
    run.end()
    await world.finished()


async def test_a_crash_ends_the_run_visibly_and_a_new_attempt_answers(world, monkeypatch):
    monkeypatch.setattr(execution, "RUN_PARTIAL_S", 0.001)
    sent = await world.send("hello")
    run = await world.puppet.runs.get()
    run.say("Once upon")
    await world.listener.until(lambda: any(isinstance(one, DeltaSignal) for one in world.listener.heard))
    await world.stored_partial()
    after = await World(await world.image()).open()
    await after.runs.open()
    (interrupted,) = await after.finished()
    assert (interrupted["state"], interrupted["partial"]) == ("failed", "Once upon")
    assert interrupted["error"] == "the hub stopped while this run was under way"
    again = await after.puppet.runs.get()
    assert (again.work.attempt, again.work.message.id) == (2, sent.message_id)
    again.say("Once upon a time.")
    again.end()
    await after.finished(2)
    assert await after.said() == ["hello", "Once upon a time."]
    assert await after.unsettled() == 0
    await after.close()


async def test_a_run_that_kills_the_process_is_quarantined(world):
    sent = await world.send("hello")
    run = await world.puppet.runs.get()
    images = [world]
    for attempt in range(1, RUN_ATTEMPTS_MAX + 1):
        assert run.work.attempt == attempt
        after = await World(await images[-1].image()).open()
        images.append(after)
        await after.runs.open()
        await after.finished()
        if attempt < RUN_ATTEMPTS_MAX:
            run = await after.puppet.runs.get()
    assert [letter[0] for letter in await dead(after)] == [sent.seq]
    assert after.listener.of("agent.wake.failed")
    assert await after.unsettled() == 0
    for image in images[1:]:
        await image.close()


async def test_an_orderly_stop_ends_runs_visibly_and_they_come_again(tmp_path):
    world = await (await World(tmp_path / "hub").open()).begin()
    await world.send("hello")
    run = await world.puppet.runs.get()
    run.say("Once")
    await world.listener.until(lambda: any(isinstance(one, DeltaSignal) for one in world.listener.heard))
    await world.close()
    (failed,) = [msgspec.json.decode(event.payload) for event in world.listener.of("run.finished")]
    assert (failed["state"], failed["partial"]) == ("failed", "Once")
    world = await World(tmp_path / "hub").open()
    await world.runs.open()
    assert (await world.puppet.runs.get()).work.attempt == 2
    await world.close()


async def test_a_worker_that_lost_its_run_writes_nothing(world):
    await world.send("hello")
    run = await world.puppet.runs.get()
    (record,) = await world.all_runs()
    taken = replace(record, fence=record.fence + 1)
    await world.store.transact(lambda tx: records.write(tx, taken, record.fence))
    run.say("I am a ghost")
    run.end()
    await world.idle()
    assert await world.said() == ["hello"]
    assert world.listener.of("run.finished") == []
    assert (await world.invoke("runs.get", RunRef(record.id))).state is RunState.LEASED
    with pytest.raises(LeaseLostError):
        await world.store.transact(lambda tx: records.write(tx, record, record.fence))


async def test_a_heartbeat_without_the_fence_stops_the_runtime(world, monkeypatch):
    monkeypatch.setattr(execution, "RUN_PARTIAL_S", 0.001)
    monkeypatch.setattr(execution, "RUN_HEARTBEAT_S", 0.001)
    await world.send("hello")
    run = await world.puppet.runs.get()
    (record,) = await world.all_runs()
    taken = replace(record, fence=record.fence + 9)
    while True:
        try:
            await world.store.transact(lambda tx: records.write(tx, taken, record.fence))
            break
        except LeaseLostError:
            pass
    await world.idle()
    assert run.was_cancelled
    assert world.listener.of("run.finished") == []


async def test_an_ended_run_is_nobodys_to_write(world):
    await world.send("hello")
    (await world.puppet.runs.get()).end()
    await world.finished()
    (record,) = await world.all_runs()
    assert record.is_ended
    with pytest.raises(LeaseLostError):
        await world.store.transact(lambda tx: records.write(tx, record, record.fence))


async def test_a_full_disk_delays_the_end_and_loses_nothing(world, monkeypatch):
    monkeypatch.setattr(patience, "full_jitter", lambda *_: iter(lambda: 0.0, None))
    await world.send("hello")
    run = await world.puppet.runs.get()
    real, failures = world.store.transact, iter([1, 1, 1])

    async def transact(work):
        if next(failures, None):
            raise InstarError("storage_full", "no space")
        return await real(work)

    world.store.transact = transact
    run.say("at last")
    run.end()
    (finished,) = await world.finished()
    assert finished["state"] == "done"
    assert await world.said() == ["hello", "at last"]


def test_a_record_refuses_moves_that_the_table_lacks():
    record = records.RunRecord("r", "a", "room:x", RunState.DONE, "", 1, "m", 1, 1, 0, "", "", 1)
    with pytest.raises(RuntimeError):
        record.after(Move.SPEAK)
