"""What is asked before a call runs, and how it ends when the answer is no, never comes, or its way breaks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from instar.base.errors import InstarError
from instar.hub.approvals.asking import ApprovalDraft
from instar.hub.calls import records
from instar.hub.calls.outputs import Tail
from instar.hub.identity.authentication import Credential
from instar.hub.identity.principals import Caller
from instar.policy.digest import plan_digest
from instar.wire.approvals import Action, Approval, ApprovalState
from instar.wire.calls import CallState
from instar.wire.execution import Channel, Ended, Outcome, Preparation, Prepared, ReadRule, Sandbox
from tests.hub.calls.conftest import Bench, ScriptedGate
from tests.hub.calls.executors import ScriptedExecutor, plan_of


def code(call: Any) -> str:
    return call.error.code if call.error else ""


async def test_what_is_denied_never_reaches_the_machine(
    bench: Bench, box: ScriptedExecutor, gate: ScriptedGate
) -> None:
    gate.action = Action.DENY
    call = await bench.ask(target="box", wait=5)
    assert (call.state, code(call), call.has_run) == (CallState.FAILED, "denied", False)
    assert [method for method, _ in box.asked] == ["prepare"]


async def test_it_waits_for_an_approval_and_then_runs_what_was_shown(
    bench: Bench, box: ScriptedExecutor, gate: ScriptedGate
) -> None:
    gate.action = Action.ASK
    call = await bench.ask(target="box")
    await bench.until(lambda: call.id in gate.approvals)
    await bench.until(lambda: bench.state(call.id) == "awaiting_approval")
    assert (await bench.get(call.id)).waits_for
    gate.decide(call.id, ApprovalState.APPROVED)
    await bench.until(lambda: bench.state(call.id) == "streaming")
    (start,) = [what for method, what in box.asked if method == "start"]
    assert start.digest == gate.approvals[call.id].digest
    box.end(call.id)
    ended = await bench.get(call.id, wait=5)
    assert (ended.state, ended.approved_by, ended.approval_id) == (
        CallState.DONE,
        "operator",
        gate.approvals[call.id].id,
    )
    await bench.until(lambda: box.settled == [call.id])


async def test_who_sees_that_it_waits_finds_what_it_waits_for(
    bench: Bench, box: ScriptedExecutor, gate: ScriptedGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.action = Action.ASK
    is_asked, may_answer, request = asyncio.Event(), asyncio.Event(), gate.request

    async def slow(draft: ApprovalDraft) -> Approval:
        is_asked.set()
        await may_answer.wait()
        return await request(draft)

    monkeypatch.setattr(gate, "request", slow)
    call = await bench.ask(target="box")
    await is_asked.wait()
    assert bench.state(call.id) == "admitted"
    may_answer.set()
    await bench.until(lambda: bench.state(call.id) == "awaiting_approval")
    assert (await bench.get(call.id)).approval_id == gate.approvals[call.id].id


@pytest.mark.parametrize(
    ("state", "ends", "why"),
    [
        (ApprovalState.DENIED, CallState.FAILED, "denied"),
        (ApprovalState.EXPIRED, CallState.EXPIRED, "expired"),
        (ApprovalState.CANCELLED, CallState.CANCELLED, "cancelled"),
    ],
)
async def test_without_an_approval_nothing_runs(
    bench: Bench, box: ScriptedExecutor, gate: ScriptedGate, state: ApprovalState, ends: CallState, why: str
) -> None:
    gate.action = Action.ASK
    call = await bench.ask(target="box")
    await bench.until(lambda: call.id in gate.approvals)
    gate.decide(call.id, state, feedback="use the other disk")
    ended = await bench.get(call.id, wait=5)
    assert (ended.state, code(ended), ended.has_run) == (ends, why, False)
    assert not box.starts
    if state is ApprovalState.DENIED:
        assert ended.error is not None
        assert "use the other disk" in ended.error.message


async def test_cancelled_while_it_waits_it_withdraws_its_approval(bench: Bench, gate: ScriptedGate) -> None:
    gate.action = Action.ASK
    call = await bench.ask(target="box")
    await bench.until(lambda: bench.state(call.id) == "awaiting_approval")
    ended = await bench.do(bench.engine.admin, "calls.cancel", call_id=call.id)
    assert ended.state is CallState.CANCELLED
    await bench.until(lambda: gate.cancelled == [call.id])


async def test_what_the_permit_lacks_is_refused(bench: Bench, box: ScriptedExecutor) -> None:
    bench.target.refusal = "the permit of box lists no `exec`"
    call = await bench.ask(target="box", wait=5)
    assert (call.state, code(call)) == (CallState.FAILED, "command_refused")
    assert not box.asked


async def test_variables_that_no_permit_lists_are_refused(bench: Bench, box: ScriptedExecutor) -> None:
    bench.target.env = ["EDITION"]
    refused = await bench.ask(target="box", env={"LD_PRELOAD": "x", "EDITION": "2", "LANG": "C"}, wait=5)
    assert (refused.state, code(refused)) == (CallState.FAILED, "unprocessable_entity")
    assert refused.error is not None
    assert "LD_PRELOAD" in refused.error.message
    call = await bench.ask(target="box", env={"EDITION": "2", "LANG": "C"})
    await bench.until(lambda: call.id in box.starts)
    asked = next(what for method, what in box.asked if method == "prepare")
    assert (asked.env, asked.env_allowed) == ({"EDITION": "2", "LANG": "C"}, ["EDITION"])


async def test_a_plan_that_its_digest_does_not_fit_is_refused(bench: Bench, box: ScriptedExecutor) -> None:
    box.faults["start"] = InstarError("plan_changed", "it is another file now")
    call = await bench.ask(target="box", wait=5)
    assert (call.state, code(call), call.has_run) == (CallState.FAILED, "plan_changed", False)


async def test_a_plan_of_another_command_is_shown_to_nobody(
    bench: Bench, box: ScriptedExecutor, gate: ScriptedGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def prepare(preparation: Preparation) -> Prepared:
        plan = replace(plan_of("box", preparation).plan, argv=["rm", "-rf", "/"])
        return Prepared(plan, plan_digest(plan))

    monkeypatch.setattr(box, "prepare", prepare)
    gate.action = Action.ASK
    for tool, args in (("exec", {"argv": ["rm", "x"]}), ("shell", {"command": "rm x"})):
        call = await bench.ask(tool, target="box", args=args, wait=5)
        assert (call.state, code(call)) == (CallState.FAILED, "plan_changed")
    assert not gate.approvals
    assert not box.starts


async def test_a_machine_that_knows_nothing_of_what_may_be_read_searches_nothing(
    bench: Bench, box: ScriptedExecutor, gate: ScriptedGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.rules = [ReadRule("file", "*.env", "deny")]
    call = await bench.ask("grep", args={"pattern": "x"}, target="box")
    await bench.until(lambda: box.starts)
    assert [what.preparation.read_rules for method, what in box.asked if method == "start"] == [gate.rules]
    box.end(call.id)

    async def prepare(preparation: Preparation) -> Prepared:
        plan = replace(plan_of("box", preparation).plan, read_rules=[])
        return Prepared(plan, plan_digest(plan))

    monkeypatch.setattr(box, "prepare", prepare)
    assert code(await bench.ask("grep", args={"pattern": "x"}, target="box", wait=5)) == "plan_changed"


@pytest.mark.parametrize(("asked", "kept", "is_run"), [
    (Sandbox.NONE, Sandbox.STRICT, True), (Sandbox.NETWORK, Sandbox.STRICT, True),
    (Sandbox.STRICT, Sandbox.NETWORK, False), (Sandbox.NETWORK, Sandbox.NONE, False),
])  # fmt: skip
async def test_a_machine_keeps_a_program_in_more_than_was_asked_and_never_in_less(
    bench: Bench, box: ScriptedExecutor, asked: Sandbox, kept: Sandbox, is_run: bool
) -> None:
    bench.target.kinds = [Sandbox.STRICT, Sandbox.NETWORK]
    box.kept_in = kept
    call = await bench.ask(target="box", sandbox=asked)
    await bench.until(lambda: bench.state(call.id) in ("streaming", "ended"))
    assert bool(box.starts) is is_run
    if not is_run:
        assert code(await bench.get(call.id)) == "plan_changed"


async def test_agents_are_kept_in_a_sandbox_and_ask_to_leave_it(
    bench: Bench, box: ScriptedExecutor, gate: ScriptedGate
) -> None:
    bench.target.kinds = [Sandbox.STRICT, Sandbox.NETWORK]
    kept = await bench.ask(target="box", agent_id="bot")
    free = await bench.ask(target="box")
    await bench.until(lambda: len(box.starts) == 2)
    boxes = {what.call_id: what.sandbox for method, what in box.asked if method == "prepare"}
    assert boxes == {kept.id: Sandbox.STRICT, free.id: Sandbox.NONE}
    lax = await bench.ask(target="box", agent_id="bot", sandbox="network")
    await bench.until(lambda: lax.id in gate.approvals)
    assert gate.asked[-1].is_lax
    bench.target.kinds = []
    none = await bench.ask(target="box", sandbox="strict", wait=5)
    assert code(none) == "sandbox_unavailable"


async def test_an_agents_credential_speaks_for_its_agent(bench: Bench) -> None:
    caller: Caller = await bench.engine.agent("bot")
    with pytest.raises(InstarError) as refusal:
        await bench.ask(target="box", caller=caller)
    assert refusal.value.code == "forbidden"


async def test_without_a_machine_it_fails_with_the_reason(bench: Bench) -> None:
    call = await bench.ask(wait=5)
    assert (call.state, code(call)) == (CallState.FAILED, "no_target")
    away = bench.target
    away.leave("box")
    call = await bench.ask(target="box", wait=5)
    assert (call.state, code(call)) == (CallState.FAILED, "node_away")


async def test_a_queued_call_waits_for_its_machine(bench: Bench, box: ScriptedExecutor) -> None:
    bench.target.leave("box")
    call = await bench.ask(target="box", if_away="queue")
    await bench.until(lambda: "connect" in (bench.calls.handlers.live(call.id) or call).waits_for)
    bench.target.come("box")
    await bench.until(lambda: call.id in box.starts)
    box.end(call.id)
    assert (await bench.get(call.id, wait=5)).state is CallState.DONE


async def test_when_the_way_breaks_it_ends_at_once_and_the_machine_is_told_later(
    bench: Bench, box: ScriptedExecutor
) -> None:
    call = await bench.ask(target="box")
    await bench.until(lambda: bench.state(call.id) == "streaming")
    bench.target.leave("box")
    box.sever()
    ended = await bench.get(call.id, wait=5)
    assert (ended.state, code(ended), ended.has_run) == (CallState.LOST, "node_away", True)
    box.is_reached = True
    bench.target.come("box")
    await bench.until(lambda: any(method == "cancel" for method, _ in box.asked))
    await bench.until(lambda: call.id in box.sinks)
    box.end(call.id, Ended.CANCELLED)
    await bench.until(lambda: box.settled == [call.id])
    assert (await bench.get(call.id)).state is CallState.LOST


async def test_a_queued_call_is_taken_up_again_where_its_output_stood(bench: Bench, box: ScriptedExecutor) -> None:
    call = await bench.ask(target="box", if_away="queue")
    await bench.until(lambda: bench.state(call.id) == "streaming")
    box.sinks[call.id].output(1, 0, b"one\n")
    bench.target.leave("box")
    box.sever()
    await bench.until(lambda: "come back" in (bench.calls.handlers.live(call.id) or call).waits_for)
    box.is_reached = True
    bench.target.come("box")
    await bench.until(lambda: call.id in box.sinks)
    assert ("resume", (call.id, {1: 4, 2: 0, 0: 0})) in box.asked
    box.sinks[call.id].output(1, 0, b"one\ntwo\n")
    box.end(call.id)
    ended = await bench.get(call.id, wait=5)
    assert (ended.state, ended.stdout) == (CallState.DONE, "one\ntwo\n")
    assert box.starts == {call.id: 1}


async def test_a_start_that_was_never_heard_is_repeated_for_a_queued_call(bench: Bench, box: ScriptedExecutor) -> None:
    box.faults["start"] = InstarError("node_away", "the link broke")
    call = await bench.ask(target="box", if_away="queue")
    await bench.until(lambda: call.id in box.starts)
    box.end(call.id)
    ended = await bench.get(call.id, wait=5)
    assert (ended.state, box.starts) == (CallState.DONE, {call.id: 1})


@pytest.mark.parametrize("was_heard", [True, False])
async def test_a_restart_of_the_hub_asks_what_became_of_a_call(
    bench: Bench, box: ScriptedExecutor, was_heard: bool
) -> None:
    call = await bench.ask(target="box")
    await bench.until(lambda: bench.state(call.id) == "streaming")
    if was_heard:
        box.end(call.id, exit_status=7)
        box.ledger[call.id] = Outcome(call.id, Ended.DONE, 7)
        # The hub heard it; whatever it had written, the machine repeats it.
    await bench.restart()
    if not was_heard:
        await bench.until(lambda: any(method == "recall" for method, _ in box.asked))
        await bench.until(lambda: call.id in box.sinks)
        box.end(call.id, exit_status=7)
    ended = await bench.get(call.id, wait=5)
    assert (ended.state, ended.exit_status, box.starts) == (CallState.DONE, 7, {call.id: 1})


@pytest.mark.parametrize("calls_max", [1, 2])
async def test_after_a_restart_a_machine_takes_no_more_calls_at_once_than_before(
    bench: Bench, box: ScriptedExecutor, calls_max: int
) -> None:
    box.calls_max = 2
    running = [(await bench.ask(target="box")).id for _ in range(2)]
    await bench.until(lambda: len(box.sinks) == 2)
    box.calls_max = calls_max
    box.sinks.clear()
    await bench.restart()
    next_up = [(await bench.ask(target="box")).id for _ in range(2)]
    await bench.until(lambda: set(box.sinks) >= set(running) and all(map(bench.waits_for, next_up)))
    for _ in range(20):
        await bench.pause()
    assert set(box.starts) == set(running)
    started: list[str] = []
    for call_id in (*running, *next_up):
        box.end(call_id)
        await bench.until(lambda call_id=call_id: bench.state(call_id) == "ended")
        left = [each for each in (*running, *next_up) if bench.state(each) != "ended"]
        await bench.until(lambda left=left: set(left[:calls_max]) <= set(box.sinks))
        started = [each for each in left if each in box.starts]
        assert len(started) <= calls_max
    assert not started


async def test_after_a_restart_an_approval_still_counts(
    bench: Bench, box: ScriptedExecutor, gate: ScriptedGate
) -> None:
    gate.action = Action.ASK
    call = await bench.ask(target="box")
    await bench.until(lambda: bench.state(call.id) == "awaiting_approval")
    await bench.restart()
    await bench.until(lambda: bench.state(call.id) == "awaiting_approval")
    gate.decide(call.id, ApprovalState.APPROVED)
    await bench.until(lambda: call.id in box.starts)
    box.end(call.id)
    assert (await bench.get(call.id, wait=5)).state is CallState.DONE


async def test_after_a_restart_what_waits_for_an_approval_needs_no_machine_before_it_is_decided(
    bench: Bench, box: ScriptedExecutor, gate: ScriptedGate
) -> None:
    gate.action = Action.ASK
    call = await bench.ask(target="box")
    await bench.until(lambda: bench.state(call.id) == "awaiting_approval")
    bench.target.leave("box")
    await bench.restart()
    await bench.until(lambda: len(gate.asked) == 2)
    gate.decide(call.id, ApprovalState.APPROVED)
    await bench.until(lambda: bench.waits_for(call.id) == "waits for Box to connect")
    bench.target.come("box")
    await bench.until(lambda: call.id in box.starts)
    box.end(call.id)
    assert (await bench.get(call.id, wait=5)).state is CallState.DONE
    assert [method for method, _ in box.asked].count("prepare") == 1


@pytest.mark.parametrize("comes_back", [True, False])
async def test_after_a_restart_a_machine_has_some_time_to_come_back(
    make_bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, comes_back: bool
) -> None:
    box = ScriptedExecutor(calls_max=1)
    bench = await make_bench(box)
    first, second = [await bench.ask(target="box") for _ in range(2)]
    await bench.until(lambda: bench.state(first.id) == "streaming")
    bench.target.leave("box")
    if not comes_back:
        monkeypatch.setattr("instar.hub.calls.dispatch.CALL_RECALL_S", 0.01)
    await bench.restart()
    if comes_back:
        await bench.until(lambda: bench.waits_for(second.id) == "waits for Box to connect")
        bench.target.come("box")
        await bench.until(lambda: any(method == "resume" for method, _ in box.asked))
        box.end(first.id)  # It had the one turn that there is.
        await bench.until(lambda: second.id in box.starts)
        box.end(second.id)
    ended = await bench.get(second.id, wait=5)
    expected = (CallState.DONE, "") if comes_back else (CallState.FAILED, "node_away")
    assert (ended.state, code(ended)) == expected


async def test_without_a_ledger_a_call_of_an_earlier_process_is_lost(make_bench: Callable[..., Any]) -> None:
    box = ScriptedExecutor(keeps_ledger=False)
    bench = await make_bench(box)
    call = await bench.ask(target="box")
    await bench.until(lambda: bench.state(call.id) == "streaming")
    await bench.restart()
    ended = await bench.get(call.id, wait=5)
    assert (ended.state, code(ended)) == (CallState.LOST, "node_away")
    await bench.until(lambda: call.id in box.settled)
    await bench.restart()
    assert await bench.engine.store.read(records.owed) == []


async def test_to_a_machine_that_was_removed_nothing_is_owed(
    bench: Bench, box: ScriptedExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await bench.ask(target="box")
    await bench.until(lambda: bench.state(call.id) == "streaming")
    box.is_reached = False
    box.sever()
    bench.target.leave("box")
    await bench.do(bench.engine.admin, "calls.cancel", call_id=call.id)
    await bench.until(lambda: bench.state(call.id) == "ended")
    assert await bench.engine.store.read(records.owed) == [("box", call.id)]
    await bench.calls.sweep()
    assert await bench.engine.store.read(records.owed) == [("box", call.id)]
    registry = bench.engine.identity.devices.registry
    del bench.target.executors["box"]
    with monkeypatch.context() as revoked:
        revoked.setattr(registry, "get", lambda device_id: device_id)
        await bench.calls.sweep()
        assert await bench.engine.store.read(records.owed) == [("box", call.id)]
    await bench.calls.sweep()
    assert await bench.engine.store.read(records.owed) == []
    bench.target.executors["box"] = box
    box.is_reached = True
    box.asked.clear()
    bench.target.come("box")
    await bench.pause()
    assert [method for method, _ in box.asked] == []


async def test_a_machine_is_let_forget_what_it_repeats_in_vain(bench: Bench, box: ScriptedExecutor) -> None:
    call = await bench.ask(target="box")
    await bench.until(lambda: call.id in box.sinks)
    box.end(call.id)
    await bench.get(call.id, wait=5)
    box.settled.clear()
    bench.calls.stray("elsewhere", Outcome(call.id, Ended.DONE))
    bench.calls.stray("box", Outcome(call.id, Ended.DONE))
    bench.calls.stray("box", Outcome("call_of_a_hub_before_its_backup", Ended.DONE))
    await bench.until(lambda: len(box.settled) == 2)
    assert set(box.settled) == {call.id, "call_of_a_hub_before_its_backup"}


async def test_input_that_a_broken_link_lost_is_sent_again(bench: Bench, box: ScriptedExecutor) -> None:
    call = await bench.ask(target="box", has_input=True, if_away="queue")
    await bench.until(lambda: call.id in box.sinks)
    live = bench.calls.handlers.live(call.id)
    assert live is not None
    live.input.write(0, b"one ")
    box.received[call.id] = 3
    box.sever()
    bench.target.leave("box")
    await bench.until(lambda: bench.waits_for(call.id) == "waits for Box to come back")
    live.input.write(4, b"two")
    box.is_reached = True
    box.asked.clear()
    bench.target.come("box")
    await bench.until(lambda: any(method == "resume" for method, _ in box.asked))
    await bench.pause()
    assert [what for method, what in box.asked if method == "write"] == [(call.id, 3, b" "), (call.id, 4, b"two")]


async def test_after_a_restart_input_goes_on_where_its_machine_has_it(bench: Bench, box: ScriptedExecutor) -> None:
    call = await bench.ask(target="box", has_input=True)
    await bench.until(lambda: call.id in box.sinks)
    box.received[call.id] = 3
    box.is_reached = False
    await bench.restart()
    written = asyncio.ensure_future(
        bench.do(bench.engine.admin, "calls.input", call_id=call.id, body=lambda: _chunks(b"two"), eof=True)
    )
    await bench.until(lambda: bench.waits_for(call.id) == "waits for Box to come back")
    box.is_reached = True
    bench.target.come("box")
    assert (await written).offset == 6
    assert ("write", (call.id, 3, b"two")) in box.asked
    live = bench.calls.handlers.live(call.id)
    assert live is not None
    live.input.end(6)
    with pytest.raises(InstarError, match="goes on at 6"):
        live.input.write(7, b"gap")


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Executors have no time beyond a call's own to end it."""
    for name in ("CALL_KILL_GRACE_S", "CALL_OBEY_S"):
        monkeypatch.setattr(f"instar.hub.calls.live.{name}", 0.0)


@pytest.mark.usefixtures("no_grace")
@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_call_whose_machine_does_not_end_it_in_time_expires(
    bench: Bench, box: ScriptedExecutor, is_restarted: bool
) -> None:
    call = await bench.ask(target="box", timeout_s=0.2 if is_restarted else 0.01)
    await bench.until(lambda: bench.state(call.id) == "streaming")
    if is_restarted:
        await bench.restart()
    await bench.until(lambda: any(method == "cancel" for method, _ in box.asked))
    box.end(call.id, Ended.CANCELLED, exit_status=None)
    ended = await bench.get(call.id, wait=5)
    assert (ended.state, code(ended)) == (CallState.EXPIRED, "timeout")


@pytest.mark.usefixtures("no_grace")
async def test_while_its_machine_is_away_a_queued_call_is_not_said_to_run_too_long(
    bench: Bench, box: ScriptedExecutor
) -> None:
    call = await bench.ask(target="box", timeout_s=0.01, if_away="queue")
    await bench.until(lambda: call.id in box.sinks)
    box.sever()
    bench.target.leave("box")
    await asyncio.sleep(0.03)
    box.is_reached = True
    box.end(call.id)
    bench.target.come("box")
    assert (await bench.get(call.id, wait=5)).state is CallState.DONE


async def test_a_call_ends_though_its_output_cannot_be_read(
    bench: Bench, box: ScriptedExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreadable(path: Any) -> Tail:
        raise InstarError("internal_error", "too many open files")

    monkeypatch.setattr("instar.hub.calls.outputs.read_tail", unreadable)
    call = await bench.ask(target="box")
    await bench.until(lambda: call.id in box.sinks)
    box.sinks[call.id].output(Channel.STDOUT, 0, bytes(100_000))
    box.end(call.id)
    ended = await bench.do(bench.engine.admin, "calls.cancel", call_id=call.id)
    assert (ended.state, ended.stdout) == (CallState.DONE, "")


async def test_a_repeat_with_the_same_key_asks_once(bench: Bench, box: ScriptedExecutor) -> None:
    one = await bench.do(bench.engine.admin, "calls.start", key="k", tool="ping", target="box")
    two = await bench.do(bench.engine.admin, "calls.start", key="k", tool="ping", target="box")
    assert one.id == two.id
    await bench.until(lambda: box.starts == {one.id: 1})


async def test_a_revoked_credential_stops_what_it_asked_for(bench: Bench, gate: ScriptedGate) -> None:
    engine = bench.engine
    made = await engine.do(engine.admin, "keys.create", name="runner", scopes=["execute", "observe"])
    caller = engine.identity.authenticate(Credential(made.token))
    gate.action = Action.ASK
    call = await bench.ask(target="box", caller=caller)
    await bench.until(lambda: bench.state(call.id) == "awaiting_approval")
    await engine.do(engine.admin, "keys.revoke", key_id=made.key.id)
    ended = await bench.get(call.id, wait=5)
    assert ended.state is CallState.CANCELLED


async def test_wrong_arguments_are_refused_before_anything_is_written(bench: Bench) -> None:
    wrongs: list[dict[str, Any]] = [{"argv": []}, {"argv": ["a"], "more": 1}, {}]
    for wrong in wrongs:
        with pytest.raises(InstarError) as refusal:
            await bench.ask("exec", args=wrong, target="box")
        assert refusal.value.code == "unprocessable_entity"
    with pytest.raises(InstarError, match="no terminal"):
        await bench.ask("ping", target="box", terminal={"rows": 2, "columns": 2})
    assert not bench.engine.of("call.admitted")


async def test_no_op_calls_cost_three_writes_and_no_round_trip_more(bench: Bench, box: ScriptedExecutor) -> None:
    call = await bench.ask("ping", target="box")
    await bench.until(lambda: call.id in box.starts)
    box.end(call.id)
    await bench.get(call.id, wait=5)
    assert [method for method, _ in box.asked] == ["start"]
    mine = [event.type for event in bench.engine.events if event.type.startswith("call.")]
    assert mine == ["call.admitted", "call.dispatched", "call.ended"]


async def test_a_hub_that_stops_lets_nobody_wait_and_leaves_its_calls_running(
    bench: Bench, box: ScriptedExecutor
) -> None:
    asked = asyncio.create_task(bench.ask(target="box", wait=60))
    await bench.until(lambda: len(box.sinks) == 1)
    (call_id,) = box.sinks
    await bench.calls.close()
    assert (await asked).state is CallState.STREAMING
    box.sever()
    box.is_reached = True
    await bench.restart()
    await bench.until(lambda: call_id in box.sinks)
    box.end(call_id)
    assert (await bench.get(call_id, wait=5)).state is CallState.DONE
