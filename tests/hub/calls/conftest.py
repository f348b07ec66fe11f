"""A hub with calls over executors of the test's own, and a gate that answers as the test says."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from instar.base.ids import new_id
from instar.hub.act import Act
from instar.hub.approvals.asking import ApprovalDraft
from instar.hub.calls.calls import Calls
from instar.hub.calls.policy import CallPolicy
from instar.hub.identity.principals import Caller
from instar.hub.operations.recorder import Recorder
from instar.policy.routing import TargetFacts
from instar.store.seam import Transaction
from instar.wire.approvals import Action, Approval, ApprovalState, Judged, Verdict
from instar.wire.calls import Call
from instar.wire.events import Event
from instar.wire.execution import ReadRule
from tests.hub.calls.executors import ProcessExecutor, ScriptedExecutor, Target
from tests.hub.conftest import Engine


class ScriptedGate:
    """Says of every call what the test says; approvals are kept beside the hub, as on disk."""

    def __init__(self) -> None:
        self.action = Action.ALLOW
        self.rules: list[ReadRule] = []
        self.asked: list[ApprovalDraft] = []
        self.approvals: dict[str, Approval] = {}
        self.cancelled: list[str] = []
        self.callbacks: list[Callable[[Approval], None]] = []

    def judge(self, draft: ApprovalDraft) -> Verdict:
        self.asked.append(draft)
        return Verdict(self.action, [Judged("it", self.action)])

    def read_rules(self, tool: str, target: TargetFacts, agent_id: str, room: str) -> list[ReadRule]:
        return self.rules

    async def request(self, draft: ApprovalDraft) -> Approval:
        return self.approvals.setdefault(
            draft.call_id,
            Approval(
                new_id("apr"), draft.call_id, ApprovalState.PENDING, draft.prepared.digest, draft.requester, "t", "T",
                draft.prepared.plan.tool, "it", draft.prepared.plan, "", "",
            ),
        )  # fmt: skip

    def on_decided(self, callback: Callable[[Approval], None]) -> None:
        self.callbacks.append(callback)

    async def cancel(self, call_id: str, reason: str) -> None:
        self.cancelled.append(call_id)

    def decide(self, call_id: str, state: ApprovalState, **more: Any) -> None:
        decided = msgspec.structs.replace(self.approvals[call_id], state=state, decided_by="operator", **more)
        self.approvals[call_id] = decided
        for callback in self.callbacks:
            callback(decided)


async def _nothing(tx: Transaction) -> None:
    """Write nothing."""


class Bench:
    """Calls on a hub, started and restarted."""

    def __init__(self, engine: Engine, target: Target, gate: ScriptedGate, policy: CallPolicy) -> None:
        self.engine = engine
        self.target = target
        self.gate = gate
        self.policy = policy
        self.calls: Calls

    async def start(self) -> None:
        """Bring up a hub's part of calls, as a start of the process does."""
        engine = self.engine
        self.gate.callbacks.clear()
        self.calls = Calls(
            engine.store, engine.pump, engine.fanout, engine.identity, engine.rooms.directory, self.gate,
            [self.target], engine.data_dir, engine.scope, self.policy,
        )  # fmt: skip
        self.bindings = {binding.operation.name: binding for binding in self.calls.bindings()}
        await self.calls.load()
        self.calls.open()

    async def restart(self) -> None:
        """Stop without a word, and start again over the same disk."""
        await self.calls.close()
        await self.engine.store.transact(_nothing)  # What a process that stops has written is on disk.
        self.target.callbacks.clear()
        await self.start()

    async def do(self, caller: Caller, name: str, /, body: Any = None, key: str = "", **params: Any) -> Any:
        binding = self.bindings[name]
        operation = binding.operation
        decoded = msgspec.convert(params, operation.params)
        located = binding.locate(caller, decoded)
        if inspect.isawaitable(located):
            located = await located
        engine = self.engine
        engine.identity.authority.require(caller, operation.verb, operation.object, located)
        act = Act(caller, operation, decoded, located, engine.store, Recorder(), "req_1", key, body)
        return await binding.handler(act)

    async def ask(self, tool: str = "exec", /, caller: Caller | None = None, **params: Any) -> Call:
        """Ask for a call; `argv` for short."""
        if "argv" in params:
            params["args"] = {"argv": params.pop("argv")}
        params.setdefault("args", {"argv": ["true"]} if tool == "exec" else {})
        return await self.do(caller or self.engine.admin, "calls.start", tool=tool, **params)

    async def get(self, call_id: str, wait: float = 0.0, caller: Caller | None = None) -> Call:
        return await self.do(caller or self.engine.admin, "calls.get", call_id=call_id, wait=wait)

    async def until(self, is_so: Callable[[], Any]) -> None:
        """Let the loop, its threads and its processes turn until something is so."""
        for _ in range(20_000):
            if is_so():
                return
            await asyncio.sleep(0.0005)
        raise AssertionError("it never came to be so")

    async def pause(self) -> None:
        """Let the loop and its threads turn a little."""
        await asyncio.sleep(0.001)

    def payload(self, event: Event) -> dict[str, Any]:
        """Return what an event carries."""
        return msgspec.json.decode(event.payload)

    def state(self, call_id: str) -> str:
        live = self.calls.handlers.live(call_id)
        return live.state if live else "ended"

    def waits_for(self, call_id: str) -> str:
        live = self.calls.handlers.live(call_id)
        return live.waits_for if live else ""


@pytest.fixture
def gate() -> ScriptedGate:
    return ScriptedGate()


@pytest.fixture
def box() -> ScriptedExecutor:
    """The machine named `box`, which does as it is told."""
    return ScriptedExecutor()


@pytest.fixture
async def make_bench(engine: Engine, gate: ScriptedGate) -> AsyncIterator[Callable[..., Any]]:
    made: list[Bench] = []

    async def make(*executors: Any, **policy: Any) -> Bench:
        bench = Bench(engine, Target(*executors), gate, CallPolicy(**policy))
        made.append(bench)
        await bench.start()
        return bench

    yield make
    for bench in made:
        await bench.calls.close()
        for executor in bench.target.executors.values():
            if isinstance(executor, ProcessExecutor):
                await executor.close()
    assert engine.crashes == []


@pytest.fixture
async def bench(make_bench: Callable[..., Any], box: ScriptedExecutor) -> Bench:
    """A hub with the one scripted machine."""
    return await make_bench(box)
