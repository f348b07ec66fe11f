"""Two executors: one that runs real processes in this one, and one that does what a test tells it."""

import asyncio
import hashlib
import os
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from instar.base.errors import InstarError
from instar.hub.execution import CallSink, Executor
from instar.policy.digest import plan_digest
from instar.policy.routing import TargetFacts
from instar.wire.execution import (
    CallOrder,
    Ended,
    LedgerEntry,
    LedgerState,
    Outcome,
    Plan,
    Preparation,
    Prepared,
    Sandbox,
    Start,
    StreamEnd,
)


def plan_of(target_id: str, asked: Preparation) -> Prepared:
    args = msgspec.json.decode(asked.args)
    argv = args.get("argv") or (["sh", "-c", args["command"]] if "command" in args else [])
    plan = Plan(
        target_id, asked.tool, asked.args, asked.cwd or "/", argv, asked.env, [], asked.sandbox,
        asked.terminal is not None, asked.timeout_s, asked.is_background, read_rules=asked.read_rules,
    )  # fmt: skip
    return Prepared(plan, plan_digest(plan))


class Target:
    """A source of one or more targets."""

    def __init__(self, *executors: "Executor", labels: Mapping[str, str] | None = None) -> None:
        self.executors: dict[str, Executor] = {each.target_id: each for each in executors}
        self.away: set[str] = set()
        self.refusal = ""
        self.env: list[str] = []
        self.kinds: list[Sandbox] = []
        self.labels = dict(labels or {})
        self.callbacks: list[Callable[[str], None]] = []

    def targets(self) -> Sequence[TargetFacts]:
        kinds = {"local": "local"}
        return [
            TargetFacts(each, each.title(), kinds.get(each, "node"), self.labels, each not in self.away)
            for each in self.executors
        ]

    def target(self, target_id: str) -> TargetFacts | None:
        return next((each for each in self.targets() if each.id == target_id), None)

    def executor(self, target_id: str) -> Executor | None:
        return None if target_id in self.away else self.executors.get(target_id)

    def permits(self, target_id: str, tool: str, agent_id: str) -> str:
        return self.refusal

    def env_allowed(self, target_id: str) -> Sequence[str]:
        return self.env

    def sandboxes(self, target_id: str) -> Collection[Sandbox]:
        return self.kinds

    def on_connected(self, callback: Callable[[str], None]) -> None:
        self.callbacks.append(callback)

    def leave(self, target_id: str) -> None:
        self.away.add(target_id)

    def come(self, target_id: str) -> None:
        self.away.discard(target_id)
        for callback in self.callbacks:
            callback(target_id)


class _Job:
    def __init__(self, process: asyncio.subprocess.Process, sink: CallSink) -> None:
        self.process = process
        self.sink = sink
        self.kept: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
        self.upto: dict[int, int] = {1: 4_194_304, 2: 4_194_304}
        self.may = asyncio.Event()
        self.end = Ended.DONE
        self.outcome: Outcome | None = None


class ProcessExecutor:
    """Runs programs for real, with a ledger in memory, credit and process groups."""

    keeps_ledger = True

    def __init__(self, target_id: str = "local", calls_max: int = 4) -> None:
        self.target_id = target_id
        self.calls_max = calls_max
        self.jobs: dict[str, _Job] = {}
        self.settled: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def prepare(self, preparation: Preparation) -> Prepared:
        return plan_of(self.target_id, preparation)

    async def start(self, start: Start, sink: CallSink) -> None:
        asked = start.preparation
        prepared = plan_of(self.target_id, asked)
        if prepared.digest != start.digest:
            raise InstarError("plan_changed", "it is another plan")
        if asked.call_id in self.jobs:
            self.jobs[asked.call_id].sink = sink
            return
        if asked.tool == "ping":
            sink.ended(Outcome(asked.call_id, Ended.DONE, result=msgspec.Raw(b"{}")))
            return
        process = await asyncio.create_subprocess_exec(
            *prepared.plan.argv, cwd=prepared.plan.cwd, env={**os.environ, **asked.env}, start_new_session=True,
            stdin=asyncio.subprocess.PIPE if asked.has_input else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        job = self.jobs[asked.call_id] = _Job(process, sink)
        sink.started()
        task = asyncio.get_running_loop().create_task(self._run(asked.call_id, job, start.deadline_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, call_id: str, job: _Job, deadline_s: float) -> None:
        process = job.process
        assert process.stdout is not None
        assert process.stderr is not None
        pumps = asyncio.gather(self._pump(job, 1, process.stdout), self._pump(job, 2, process.stderr))
        try:
            async with asyncio.timeout(deadline_s or None):
                await pumps
                await process.wait()
        except TimeoutError:
            job.end = Ended.EXPIRED
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        code = process.returncode or 0
        streams = [StreamEnd(c, len(k), hashlib.sha256(k).hexdigest()) for c, k in job.kept.items() if k]
        by = signal.Signals(-code).name.removeprefix("SIG") if code < 0 else ""
        job.outcome = Outcome(call_id, job.end, None if by else code, by, streams=streams)
        job.sink.ended(job.outcome)

    async def _pump(self, job: _Job, channel: int, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(65_536):
            at = len(job.kept[channel])
            job.kept[channel] += chunk
            while at + len(chunk) > job.upto[channel]:
                job.may.clear()
                await job.may.wait()
            job.sink.output(channel, at, chunk)

    async def order(self, method: str, order: CallOrder) -> None:
        job = self.jobs.get(order.call_id)
        if job is None or job.outcome is not None:
            return
        if method == "cancel":
            job.end = Ended.CANCELLED
            os.killpg(job.process.pid, signal.SIGKILL)
        elif method == "signal":
            os.killpg(job.process.pid, getattr(signal, f"SIG{order.signal}"))
        elif method == "close_input" and job.process.stdin is not None:
            job.process.stdin.close()

    def write(self, call_id: str, offset: int, content: bytes) -> None:
        job = self.jobs[call_id]
        assert job.process.stdin is not None
        job.process.stdin.write(content)
        job.sink.allowed(offset + len(content) + 4_194_304)

    def allow(self, call_id: str, channel: int, upto: int) -> None:
        job = self.jobs[call_id]
        job.upto[channel] = max(upto, job.upto[channel])
        job.may.set()

    async def recall(self, call_ids: Sequence[str]) -> list[LedgerEntry]:
        return [self._entry(call_id) for call_id in call_ids]

    def _entry(self, call_id: str) -> LedgerEntry:
        job = self.jobs.get(call_id)
        if job is None:
            return LedgerEntry(call_id, LedgerState.UNKNOWN)
        state = LedgerState.ENDED if job.outcome else LedgerState.RUNNING
        return LedgerEntry(call_id, state, job.outcome, {str(c): len(k) for c, k in job.kept.items()})

    async def resume(self, call_id: str, offsets: Mapping[int, int], sink: CallSink) -> None:
        job = self.jobs[call_id]
        job.sink = sink
        for channel, kept in job.kept.items():
            at = offsets.get(channel, 0)
            if at < len(kept):
                sink.output(channel, at, bytes(kept[at:]))
        if job.outcome is not None:
            sink.ended(job.outcome)

    def settle(self, call_id: str) -> None:
        self.settled.append(call_id)

    def sever(self, reason: str = "cut") -> None:
        """Break the way to the hub: what runs goes on unheard."""
        for job in self.jobs.values():
            sink, job.sink = job.sink, _Nobody()
            sink.severed(reason)

    async def close(self) -> None:
        for job in self.jobs.values():
            if job.outcome is None:
                os.killpg(job.process.pid, signal.SIGKILL)
        await asyncio.gather(*self._tasks)


class _Nobody:
    def started(self) -> None: ...

    def output(self, channel: int, offset: int, content: bytes | memoryview) -> None: ...

    def allowed(self, upto: int) -> None: ...

    def ended(self, outcome: Outcome) -> None: ...

    def severed(self, reason: str) -> None: ...


class ScriptedExecutor:
    """Notes what it is asked; a test says what comes of it."""

    def __init__(self, target_id: str = "box", calls_max: int = 64, *, keeps_ledger: bool = True) -> None:
        self.target_id = target_id
        self.calls_max = calls_max
        self.keeps_ledger = keeps_ledger
        self.is_reached = True
        self.asked: list[tuple[str, Any]] = []
        self.ledger: dict[str, Outcome | None] = {}
        """What was started → how it ended, None while it runs. Starting twice starts once."""
        self.starts: dict[str, int] = {}
        """How often each call had an effect."""
        self.sinks: dict[str, CallSink] = {}
        self.faults: dict[str, InstarError] = {}
        """Method → what it raises once."""
        self.heard_before_fault = False
        """Whether a `start` that raises `node_away` was heard nevertheless."""
        self.kept_in: Sandbox | None = None
        """What its plans say of the sandbox; None: what is asked."""
        self.received: dict[str, int] = {}
        """How much input of a call came here, as the ledger says."""
        self.settled: list[str] = []
        self.given: dict[tuple[str, int], int] = {}

    def _ask(self, method: str, what: Any) -> None:
        self.asked.append((method, what))
        if not self.is_reached:
            raise InstarError("node_away", f"{self.target_id} is away")
        if (fault := self.faults.pop(method, None)) is not None:
            raise fault

    async def prepare(self, preparation: Preparation) -> Prepared:
        self._ask("prepare", preparation)
        kept_in = preparation.sandbox if self.kept_in is None else self.kept_in
        return plan_of(self.target_id, replace(preparation, sandbox=kept_in))

    async def start(self, start: Start, sink: CallSink) -> None:
        call_id = start.preparation.call_id
        is_heard = self.is_reached and ("start" not in self.faults or self.heard_before_fault)
        if is_heard and call_id not in self.ledger:
            self.ledger[call_id] = None
            self.starts[call_id] = self.starts.get(call_id, 0) + 1
        self._ask("start", start)
        self.sinks[call_id] = sink
        if self.ledger[call_id] is None:
            sink.started()
        else:
            self.end(call_id)

    async def order(self, method: str, order: CallOrder) -> None:
        self._ask(method, order)

    def write(self, call_id: str, offset: int, content: bytes) -> None:
        self.asked.append(("write", (call_id, offset, content)))

    def allow(self, call_id: str, channel: int, upto: int) -> None:
        self.given[call_id, channel] = upto

    async def recall(self, call_ids: Sequence[str]) -> list[LedgerEntry]:
        self._ask("recall", list(call_ids))
        return [self._entry(call_id) for call_id in call_ids]

    def _entry(self, call_id: str) -> LedgerEntry:
        if call_id not in self.ledger:
            return LedgerEntry(call_id, LedgerState.UNKNOWN)
        outcome = self.ledger[call_id]
        produced = {"0": self.received.get(call_id, 0)}
        return LedgerEntry(call_id, LedgerState.ENDED if outcome else LedgerState.RUNNING, outcome, produced)

    async def resume(self, call_id: str, offsets: Mapping[int, int], sink: CallSink) -> None:
        self._ask("resume", (call_id, dict(offsets)))
        self.sinks[call_id] = sink
        if (outcome := self.ledger[call_id]) is not None:
            sink.ended(outcome)

    def settle(self, call_id: str) -> None:
        self.settled.append(call_id)

    def end(self, call_id: str, ended: Ended = Ended.DONE, **more: Any) -> None:
        """Let a call end where it runs; heard if the way stands."""
        more.setdefault("exit_status", 0)
        outcome = self.ledger[call_id] or Outcome(call_id, ended, **more)
        self.ledger[call_id] = outcome
        if self.is_reached and (sink := self.sinks.get(call_id)) is not None:
            sink.ended(outcome)

    def sever(self) -> None:
        """Break the way to the hub."""
        self.is_reached = False
        sinks, self.sinks = self.sinks, {}
        for sink in sinks.values():
            sink.severed("the link broke")
