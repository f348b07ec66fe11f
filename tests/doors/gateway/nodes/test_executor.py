"""Calls on a node that is scripted here: plans that change, generations without a word, nodes that vanish or flood."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.doors.gateway.nodes import running
from instar.doors.gateway.nodes.executor import DialectExecutor
from instar.doors.gateway.nodes.line import NodeLine
from instar.doors.gateway.nodes.moltis import MoltisExecutor
from instar.doors.gateway.nodes.openclaw import OpenClawExecutor
from instar.wire.execution import CallOrder, Ended, LedgerState, Outcome, Preparation, Start
from instar.wire.gateway.invocations import Answer
from instar.wire.gateway.method import Generation

COMMANDS = ["system.run", "system.run.prepare", "system.which", "canvas.eval"]
TOOLS = ["exec", "shell", "which", "canvas.eval"]
PLAN = {
    "argv": ["/bin/sh", "x.sh"], "cwd": "/srv", "commandText": "/bin/sh x.sh", "agentId": None, "sessionKey": None,
    "policySnapshot": {"security": "full"}, "mutableFileOperand": {"argvIndex": 1, "path": "/srv/x.sh", "sha256": "ab"},
}  # fmt: skip


class Sink:
    """What the hub is told of a call."""

    def __init__(self) -> None:
        self.begun = 0
        self.written = b""
        self.outcomes: list[Outcome] = []
        self.severances: list[str] = []
        self.over = asyncio.Event()

    def started(self) -> None:
        self.begun += 1

    def output(self, channel: int, offset: int, content: bytes | memoryview) -> None:
        self.written += bytes(content)

    def allowed(self, upto: int) -> None: ...

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.over.set()

    def severed(self, reason: str) -> None:
        self.severances.append(reason)
        self.over.set()


class Script:
    """A node that answers as a test says; None: it does not answer."""

    def __init__(self, generation: Generation) -> None:
        self.answers: dict[str, Callable[[Any], Answer | None]] = {}
        self.asked: list[tuple[str, Any, str]] = []
        self.cancelled: list[str] = []
        self.line = NodeLine("node-a", generation, self._told)

    def _told(self, event: str, payload: dict[str, Any]) -> bool:
        if event == "node.invoke.cancel":
            self.cancelled.append(payload["invokeId"])
            return True
        invoke_id = payload.get("id") or payload["invokeId"]
        params = json.loads(payload["paramsJSON"]) if "paramsJSON" in payload else payload["args"]
        self.asked.append((payload["command"], params, invoke_id))
        answer = self.answers.get(payload["command"], lambda _: None)(params)
        if answer is not None:
            self.line.answered(invoke_id, answer)
        return True

    def commands(self) -> list[str]:
        return [command for command, _, _ in self.asked]


@pytest.fixture
async def tasks() -> AsyncIterator[TaskScope]:
    crashed: list[object] = []
    scope = TaskScope(lambda name, error: crashed.append((name, error)))
    yield scope
    await scope.close()
    assert not crashed


def openclaw(tasks: TaskScope, generation: Generation = Generation.V4) -> tuple[Script, OpenClawExecutor]:
    script = Script(generation)
    return script, OpenClawExecutor("dev", script.line, TOOLS, COMMANDS, "linux", tasks)


def asked(tool: str = "exec", args: object = None, **more: Any) -> Preparation:
    return Preparation("call_1", tool, msgspec.Raw(msgspec.json.encode(args or {"argv": ["./x.sh"]})), **more)


async def ran(executor: DialectExecutor, preparation: Preparation, sink: Sink) -> None:
    prepared = await executor.prepare(preparation)
    assert not prepared.is_ruleable
    await executor.start(Start(preparation, prepared.digest), sink)


DONE = Answer(True, {"exitCode": 0, "stdout": "x", "stderr": ""})


async def test_the_nodes_own_plan_is_what_is_approved_and_what_runs(tasks: TaskScope) -> None:
    script, executor = openclaw(tasks)
    script.answers = {"system.run.prepare": lambda _: Answer(True, {"plan": PLAN}), "system.run": lambda _: DONE}
    prepared = await executor.prepare(asked(env={"LANG": "C"}))
    assert (prepared.plan.argv, prepared.plan.cwd) == (["/bin/sh", "x.sh"], "/srv")
    assert (prepared.plan.files[0].path, prepared.plan.files[0].sha256) == ("/srv/x.sh", "ab")
    sink = Sink()
    await executor.start(Start(asked(env={"LANG": "C"}), prepared.digest), sink)
    await sink.over.wait()
    assert (sink.begun, sink.written, sink.outcomes[0].ended) == (1, b"x", Ended.DONE)
    _, params, _ = script.asked[-1]
    assert (params["command"], params["rawCommand"], params["cwd"]) == (PLAN["argv"], PLAN["commandText"], "/srv")
    assert (params["systemRunPlan"], params["approved"], params["env"]) == (PLAN, True, {"LANG": "C"})
    assert executor.calls_running == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"argv": ["/bin/sh", "y.sh"]},
        {"cwd": "/elsewhere"},
        {"mutableFileOperand": {"argvIndex": 1, "path": "/srv/x.sh", "sha256": "cd"}},
        {"mutableFileOperand": None},
    ],
)
async def test_a_plan_that_changed_after_the_approval_does_not_run(tasks: TaskScope, changed: Any) -> None:
    script, executor = openclaw(tasks)
    script.answers = {"system.run.prepare": lambda _: Answer(True, {"plan": PLAN}), "system.run": lambda _: DONE}
    prepared = await executor.prepare(asked())
    script.answers["system.run.prepare"] = lambda _: Answer(True, {"plan": PLAN | changed})
    with pytest.raises(InstarError) as refusal:
        await executor.start(Start(asked(), prepared.digest), Sink())
    assert refusal.value.code == "plan_changed"
    assert "system.run" not in script.commands()
    assert executor.calls_running == 0


async def test_what_a_node_cannot_bind_is_said(tasks: TaskScope) -> None:
    script, executor = openclaw(tasks)
    message = "SYSTEM_RUN_DENIED: approval cannot safely bind this interpreter/runtime command"
    script.answers = {
        "system.run.prepare": lambda _: Answer(False, code="INVALID_REQUEST", message=message),
        "system.run": lambda _: DONE,
    }
    prepared = await executor.prepare(asked("shell", {"command": "node x.js"}))
    assert prepared.plan.argv == ["/bin/sh", "-c", "node x.js"]
    assert "resolves nothing" in prepared.unbound[0]
    sink = Sink()
    await ran(executor, asked("shell", {"command": "node x.js"}), sink)
    await sink.over.wait()
    assert "approved" not in script.asked[-1][1]
    script.answers["system.run.prepare"] = lambda _: Answer(False, code="INVALID_REQUEST", message="no such folder")
    with pytest.raises(InstarError, match="no such folder"):
        await executor.prepare(asked())
    script.answers["system.run.prepare"] = lambda _: Answer(True, {"plan": {"argv": []}})
    with pytest.raises(InstarError, match="cannot be read"):
        await executor.prepare(asked())


async def test_generation_3_makes_no_plans_and_knows_no_cancelling(tasks: TaskScope) -> None:
    script, executor = openclaw(tasks, Generation.V3)
    sink = Sink()
    await ran(executor, asked(), sink)
    await until(lambda: script.commands() == ["system.run"])
    await executor.order("cancel", CallOrder("call_1"))
    await sink.over.wait()
    assert sink.outcomes[0].ended is Ended.LOST
    assert script.cancelled == []


async def test_generation_4_is_told_to_end_it(tasks: TaskScope) -> None:
    script, executor = openclaw(tasks)
    sink = Sink()
    await ran(executor, asked("canvas.eval", {"javaScript": "1"}), sink)
    await until(lambda: bool(script.asked))
    await executor.order("cancel", CallOrder("call_1"))
    await executor.order("cancel", CallOrder("call_1"))
    await sink.over.wait()
    assert sink.outcomes[0].ended is Ended.CANCELLED
    assert script.cancelled == [script.asked[0][2]]
    await executor.order("cancel", CallOrder("call_unknown"))
    with pytest.raises(InstarError, match="has no `signal`"):
        await executor.order("signal", CallOrder("call_1", signal="INT"))


async def test_a_node_that_does_not_answer_in_time(tasks: TaskScope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.doors.gateway.nodes.openclaw.GATEWAY_NODE_GRACE_S", 0.01)
    script, executor = openclaw(tasks)
    sink = Sink()
    await ran(executor, asked("canvas.eval", {}, timeout_s=0.01), sink)
    await sink.over.wait()
    assert (sink.outcomes[0].ended, sink.outcomes[0].code) == (Ended.EXPIRED, "timeout")
    assert len(script.cancelled) == 1


async def test_a_node_that_vanishes(tasks: TaskScope) -> None:
    script, executor = openclaw(tasks)
    sink = Sink()
    await ran(executor, asked("canvas.eval", {}), sink)
    await until(lambda: bool(script.asked))
    assert (await executor.recall(["call_1"]))[0].state is LedgerState.RUNNING
    executor.severed("it left")
    assert (sink.severances, sink.outcomes) == (["it left"], [])
    with pytest.raises(InstarError) as refusal:
        await ran(executor, asked("exec"), sink)
    assert refusal.value.code == "node_away"
    entry = (await executor.recall(["call_1"]))[0]
    assert entry.outcome is not None
    assert entry.outcome.ended is Ended.LOST
    with pytest.raises(InstarError, match="keeps no ledger"):
        await executor.resume("call_1", {}, sink)


async def test_starting_twice_starts_once(tasks: TaskScope) -> None:
    script, executor = openclaw(tasks)
    sink = Sink()
    prepared = await executor.prepare(asked("canvas.eval", {}))
    for _ in range(3):
        await executor.start(Start(asked("canvas.eval", {}), prepared.digest), sink)
    await until(lambda: bool(script.asked))
    assert script.commands() == ["canvas.eval"]


async def test_what_it_does_not_offer(tasks: TaskScope) -> None:
    _, executor = openclaw(tasks)
    for tool in ("camera.snap", "system.run", "system.run.prepare", "read_file"):
        with pytest.raises(InstarError) as refusal:
            await executor.prepare(asked(tool, {}))
        assert refusal.value.code == "command_refused"
    with pytest.raises(InstarError) as refusal:
        await executor.prepare(asked("exec", {"argv": "ls"}))
    assert refusal.value.code == "unprocessable_entity"
    with pytest.raises(InstarError, match="takes no working directory"):
        await executor.prepare(asked("canvas.eval", {}, cwd="/"))


async def test_output_without_end(tasks: TaskScope, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "CALL_OUTPUT_MAX_BYTES", 1_000)
    script, executor = openclaw(tasks)
    sink = Sink()
    await ran(executor, asked("canvas.eval", {}), sink)
    await until(lambda: bool(script.asked))
    executor._running["call_1"]._outflow._streams[1].upto = 0
    for seq in range(30):
        script.line.progressed(script.asked[0][2], seq, "x" * 100)
    executor.allow("call_1", 1, 10_000)
    await sink.over.wait()
    assert (sink.outcomes[0].ended, sink.outcomes[0].code) == (Ended.FAILED, "too_large")
    await until(lambda: bool(script.cancelled))


async def test_a_moltis_node_is_busy_until_it_answers(tasks: TaskScope) -> None:
    """Who stops waiting leaves the turn to the command: the next one waits in the hub, not in the node's socket."""
    script = Script(Generation.MOLTIS)
    executor = MoltisExecutor("dev", script.line, TOOLS, tasks)
    first, second = Sink(), Sink()
    await ran(executor, asked("shell", {"command": "sleep 9"}), first)
    await until(lambda: bool(script.asked))
    await executor.order("cancel", CallOrder("call_1"))
    await first.over.wait()
    assert first.outcomes[0].ended is Ended.LOST
    other = Preparation("call_2", "shell", msgspec.Raw(b'{"command": "echo"}'))
    await ran(executor, other, second)
    await asyncio.sleep(0)
    assert (len(script.asked), second.begun) == (1, 0)
    script.answers["system.run"] = lambda _: DONE
    script.line.answered(script.asked[0][2], DONE)
    await second.over.wait()
    assert (second.outcomes[0].ended, second.begun) == (Ended.DONE, 1)
    third = Sink()
    script.answers.clear()
    await ran(executor, Preparation("call_3", "shell", msgspec.Raw(b'{"command": "a"}')), third)
    fourth = Sink()
    await ran(executor, Preparation("call_4", "shell", msgspec.Raw(b'{"command": "b"}')), fourth)
    await executor.order("cancel", CallOrder("call_4"))
    await fourth.over.wait()
    assert (fourth.outcomes[0].ended, fourth.begun) == (Ended.CANCELLED, 0)
    executor.severed("it left")
    assert third.severances == ["it left"]


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError(condition)
