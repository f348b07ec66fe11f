"""Carries calls out on this machine: each call id at most once, exactly as it was shown, and to its very end."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.policy.searching import unasked
from instar.wire.execution import (
    CallOrder,
    Channel,
    Ended,
    LedgerEntry,
    LedgerState,
    Outcome,
    Plan,
    Preparation,
    Prepared,
    Start,
)
from instar.wire.limits import NODE_CALLS_MAX
from instar.wire.tools import TOOLS

from . import preparing
from .grants import Granted, Grants
from .jobs import Background, JobTable
from .ledger import Ledger
from .preparing import Place, Ready
from .processes import Supervisors
from .running import Ending, Run
from .streams import Input, Output, Streams
from .tools.context import ToolContext
from .using import use

T = TypeVar("T")
REPEATABLE = frozenset(("ping", "which", "read_file", "list", "glob", "grep", "get_file", "process"))
"""Tools that change nothing: that they begin need not be on disk first."""
_ENDED_KEPT = 1_000
"""Calls that ended, and that the hub never confirmed, whose output is held ready."""
_WENT_DOWN = "the machine went down, and whether the call had begun is not known"


@dataclass(slots=True)
class _Live:
    """A call that runs, or has ended and is not settled."""

    call_id: str
    tool: str
    streams: Streams
    source: Input
    run: Run | None = None
    task: asyncio.Task[None] | None = None
    job: Background | None = None
    is_cancelled: bool = False


class Machine:
    """The executor of this node (`hub.execution.Executor` is the hub's end of it). Use it in one event loop.

    Args:
        place: What of this machine decides a plan.
        state: Folder of the ledger and of output that is kept.
        grants: What this machine ever permits.
        calls_max: Calls at once.
        on_crash: Told of a defect in a call's task.
    """

    def __init__(
        self,
        place: Place,
        state: Path,
        grants: Grants,
        *,
        calls_max: int = NODE_CALLS_MAX,
        on_crash: Callable[[str, BaseException], None] = lambda _name, _error: None,
    ) -> None:
        self.place = place
        self._state = state
        self._grants = grants
        self._calls_max = calls_max
        self._outputs = state / "calls"
        self._calls: dict[str, _Live] = {}
        self._beginning: dict[str, asyncio.Future[None]] = {}
        self._supervisors = Supervisors(state / "processes.lock")
        self._tasks = TaskScope(on_crash)
        self._is_ending = False
        self.jobs = JobTable(state / "jobs", self._end_job)
        self._ledger: Ledger | None = None

    async def open(self) -> None:
        """Open the ledger and wait until nothing is left of a node that was killed.

        Raises:
            InstarError: `conflict` when another node uses the folder.
        """
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._ledger = Ledger(self._state / "ledger.db")
        await self._supervisors.open()
        keep = {outcome.call_id for outcome in self._ledger.unsettled()}
        await asyncio.to_thread(_sweep, self._outputs, keep)
        await asyncio.to_thread(_sweep, self._state / "jobs", set[str]())

    @property
    def running(self) -> int:
        """How many calls are under way."""
        return sum(call.streams.outcome is None for call in self._calls.values())

    async def prepare(self, preparation: Preparation) -> Prepared:
        """Resolve what would run; nothing runs.

        Raises:
            InstarError: `command_refused`, `outside_roots`, `not_found`, `sandbox_unavailable`, `unprocessable_entity`.
        """
        prepared = await self._whole(f"prepare {preparation.call_id}", self._prepare(preparation))
        if isinstance(prepared, InstarError):
            raise prepared
        return prepared

    async def start(self, start: Start, output: Output) -> None:
        """Run exactly what was prepared, once; a call that was started before goes on to `output`.

        Raises:
            InstarError: `plan_changed`, `overloaded`, `expired`; as `prepare`. Nothing ran then.
        """
        call_id = start.preparation.call_id
        preparing.check_call_id(call_id)
        if self._is_ending:
            raise InstarError("node_away", "the node is about to stop")
        await self._begun(call_id)
        self._beginning[call_id] = asyncio.get_running_loop().create_future()
        try:
            failure = await self._whole(f"begin {call_id}", self._start(start, output))
        except asyncio.CancelledError:
            if (beginning := self._beginning.get(call_id)) is not None:
                beginning.add_done_callback(lambda _begun: self.detach(output))
            else:
                self.detach(output)
            raise
        if failure is not None:
            raise failure

    async def order(self, method: str, order: CallOrder) -> None:
        """`cancel`, `signal`, `resize` or `close_input` a call; of one that has ended nothing is wrong.

        Raises:
            InstarError: `unprocessable_entity` for a signal that there is none of; `bad_request`.
        """
        await self._begun(order.call_id)
        call = self._calls.get(order.call_id)
        if call is None or call.streams.outcome is not None:
            return
        if method == "cancel":
            self._cancel(call, order.reason)
        elif method == "close_input":
            call.source.close(order.size_bytes)
        elif method == "signal":
            if call.run is not None:
                call.run.signal(order.signal)
        elif method == "resize":
            if call.run is not None:
                call.run.resize(max(1, order.rows), max(1, order.columns))
        else:
            raise InstarError("bad_request", f"there is no order {method[:50]!r}")

    def write(self, call_id: str, offset: int, content: bytes | memoryview) -> None:
        """Take input of a call.

        Raises:
            InstarError: `bad_request` when some is missing, or more came than was let come.
        """
        call = self._calls.get(call_id)
        if call is not None and call.streams.outcome is None:
            call.source.write(offset, content)

    def allow(self, call_id: str, channel: int, upto: int) -> None:
        """Let a channel of a call's output go up to this offset."""
        if (call := self._calls.get(call_id)) is not None:
            call.streams.allow(channel, upto)

    async def recall(self, call_ids: Sequence[str]) -> list[LedgerEntry]:
        """Return what is known of these calls, in the same order."""
        return [await self._recall(call_id) for call_id in call_ids]

    async def resume(self, call_id: str, offsets: Mapping[int, int], output: Output) -> None:
        """Go on with a call's output from these offsets, or say again how it ended.

        Raises:
            InstarError: `not_found` for a call that never came here, or is forgotten.
        """
        call = self._calls.get(call_id)
        if call is None:
            outcome = await self._open_ledger.find(call_id)
            if outcome is None:
                raise InstarError("not_found", f"this node knows of no call {call_id[:140]!r}")
            call = self._calls[call_id] = self._made(call_id, "", drops=True)
            call.streams.restore(outcome)
        call.source.reattached()
        call.streams.attach(output, offsets)

    def detach(self, output: Output) -> None:
        """The link of this output is gone: its call goes on, and what it writes is kept."""
        for call in list(self._calls.values()):
            call.streams.detach(output)

    def settle(self, call_id: str) -> None:
        """The hub has the outcome: forget the call's output."""
        self._open_ledger.settle(call_id)
        call = self._calls.get(call_id)
        if call is not None and call.streams.outcome is not None:
            self._forget(call)

    def unsettled(self) -> list[Outcome]:
        """Return the outcomes that no link was told yet and the hub has not confirmed."""
        return [each for each in self._open_ledger.unsettled() if not self._is_told(each.call_id)]

    def trust_ledger(self) -> None:
        """The hub has asked for all that it began before the machine went down: what is not known never came here."""
        self._open_ledger.is_doubtful = False

    def tell_again(self) -> None:
        """Repeat the outcomes that were told and are not confirmed."""
        for call in list(self._calls.values()):
            call.streams.again()

    async def finish(self, reason: str) -> None:
        """End every call and everything that runs for one; their outcomes are told if a link is there."""
        self._is_ending = True
        if self._beginning:
            await asyncio.wait(self._beginning.values())
        for call in list(self._calls.values()):
            if call.streams.outcome is None:
                self._cancel(call, reason)
        running = [call.task for call in self._calls.values() if call.task is not None]
        if running:
            await asyncio.wait(running)

    async def close(self) -> None:
        """End every call and everything that runs for one, and close the ledger."""
        await self.finish("the node was stopped")
        await self._tasks.close()
        await self._supervisors.close()
        for call in self._calls.values():
            call.streams.close()
        if self._ledger is not None:
            await self._ledger.close()

    # Inner parts

    @property
    def _open_ledger(self) -> Ledger:
        assert self._ledger is not None, "open the machine first"
        return self._ledger

    async def _whole(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        """Do work to its end though its asker leaves: a link that breaks leaves nothing half begun."""
        return await asyncio.shield(self._tasks.start(name, work))

    async def _prepare(self, preparation: Preparation) -> Prepared | InstarError:
        try:
            with self._grants.held() as granted:
                ready = await self._resolve(preparation, granted)
        except InstarError as error:
            return error
        ready.close()
        return ready.prepared

    async def _start(self, start: Start, output: Output) -> InstarError | None:
        """Begin a call, or go on with it; return why it could not."""
        call_id = start.preparation.call_id
        try:
            if await self._is_known(call_id, start.preparation.tool):
                await self.resume(call_id, {}, output)
            elif self.running >= self._calls_max:
                return InstarError("overloaded", f"{self._calls_max} calls run on this machine")
            else:
                await self._begin(start, output)
        except InstarError as error:
            return error
        finally:
            self._beginning.pop(call_id).set_result(None)
        return None

    async def _resolve(self, preparation: Preparation, granted: Granted) -> Ready:
        tool = TOOLS.get(preparation.tool)
        if tool is None or tool.runs_programs:
            return await preparing.prepare(self.place, preparation, granted.allowed, granted.roots.paths)
        if not tool.is_bound:
            params = preparing.decode(preparation, granted.allowed)
            return preparing.unbound(self.place, preparation, params)
        context = self._context(preparation, granted)
        return await preparing.prepare_tool(self.place, preparation, granted.allowed, context)

    async def _begin(self, start: Start, output: Output) -> None:
        preparation = start.preparation
        granted = self._grants.take()
        try:
            ready = await self._resolve(preparation, granted)
            try:
                if TOOLS[preparation.tool].is_bound and ready.prepared.digest != start.digest:
                    raise InstarError("plan_changed", "what would run now is not what was shown")
                await self._run(start, ready, granted, output)
            finally:
                ready.close()
        except BaseException:
            granted.release()
            raise

    async def _run(self, start: Start, ready: Ready, granted: Granted, output: Output) -> None:
        """Note that it begins, then begin."""
        preparation = start.preparation
        call_id, tool = preparation.call_id, preparation.tool
        if tool not in REPEATABLE and not await self._open_ledger.begin(call_id, tool):
            granted.release()
            await self.resume(call_id, {}, output)
            return
        runs_program = ready.resolved is not None
        call = self._calls[call_id] = self._made(call_id, tool, drops=runs_program)
        call.streams.attach(output, {})
        if not runs_program:
            work = self._use(call, start, ready.params, self._context(preparation, granted, call, ready.prepared.plan))
        else:
            if preparation.is_background:
                call.job = self.jobs.begin(call_id, preparing.command_text(ready.params))
                call.streams.on_content = call.job.spool.append
            call.run = Run(call_id, call.streams, call.source if preparation.has_input else None, preparation.terminal)
            deadline_s = _earliest(start.deadline_s, ready.prepared.plan.timeout_s)
            try:
                await call.run.begin(self._supervisors, preparing.program(self.place, ready), deadline_s)
            except InstarError as error:
                if error.detail.get("may_have_run"):
                    granted.release()
                    self._finish(call, Outcome(call_id, Ended.LOST, code=error.code, message=error.message))
                    return
                self._never_ran(call, error)
                raise
            work = self._wait(call, call.run)
        call.task = self._tasks.start(f"call {call_id}", work)
        call.task.add_done_callback(lambda _task: self._ended(call, granted))

    def _never_ran(self, call: _Live, error: InstarError) -> None:
        """The program could not be executed: the refusal says so, and nobody needs to confirm it."""
        outcome = Outcome(call.call_id, Ended.FAILED, code=error.code, message=error.message)
        self._open_ledger.end(outcome)
        self._open_ledger.settle(call.call_id)
        if call.job is not None:
            call.job.outcome = outcome
        self._forget(call)

    def _ended(self, call: _Live, granted: Granted) -> None:
        """The call's task has ended, in whatever way: every call has an outcome."""
        granted.release()
        if call.streams.outcome is None:
            ended = Ended.CANCELLED if call.is_cancelled else Ended.FAILED
            code = "cancelled" if call.is_cancelled else "internal_error"
            self._finish(call, Outcome(call.call_id, ended, code=code, streams=call.streams.ends()))

    async def _wait(self, call: _Live, run: Run) -> None:
        """Wait for a program's end."""
        self._finish(call, await run.outcome())

    async def _use(self, call: _Live, start: Start, params: Struct, context: ToolContext) -> None:
        """Use a tool that runs no program."""
        limit_s = _earliest(start.deadline_s, start.preparation.timeout_s)
        try:
            outcome = await use(call.call_id, call.tool, call.streams, context, params, limit_s)
        finally:
            call.is_cancelled = True
        self._finish(call, outcome)

    def _context(
        self, preparation: Preparation, granted: Granted, call: _Live | None = None, plan: Plan | None = None
    ) -> ToolContext:
        cwd = preparing.working_dir(self.place, preparation)
        context = ToolContext(granted.roots, cwd, jobs=self.jobs, path_env=self.place.account.path)
        if call is None or plan is None:
            return context
        return replace(
            context, input=call.source.pieces(), is_cancelled=lambda: call.is_cancelled, read_rules=unasked(plan)
        )

    def _finish(self, call: _Live, outcome: Outcome) -> None:
        if call.tool not in REPEATABLE:
            self._open_ledger.end(outcome)
        if call.job is not None:
            call.job.outcome = outcome
        call.streams.finish(outcome)
        ended = [each for each in self._calls.values() if each.streams.outcome is not None]
        for old in ended[: max(0, len(ended) - _ENDED_KEPT)]:
            del self._calls[old.call_id]
            old.streams.close()

    def _cancel(self, call: _Live, reason: str) -> None:
        call.is_cancelled = True
        if call.run is not None:
            call.run.end(Ending(Ended.CANCELLED, "cancelled", reason or "it was cancelled"))
        elif call.task is not None:
            call.task.cancel()

    async def _end_job(self, call_id: str) -> None:
        call = self._calls.get(call_id)
        if call is not None and call.task is not None:
            self._cancel(call, "it was ended by `process`")
            await asyncio.wait([call.task])

    def _made(self, call_id: str, tool: str, *, drops: bool) -> _Live:
        streams = Streams(self._outputs / call_id, drops=drops)
        call = _Live(call_id, tool, streams, Input(streams.credit))
        streams.on_room = lambda channel: None if call.run is None else call.run.go_on(channel)
        return call

    def _forget(self, call: _Live) -> None:
        call.streams.close()
        if self._calls.get(call.call_id) is call:
            del self._calls[call.call_id]
        if call.streams.has_files:
            shutil.rmtree(self._outputs / call.call_id, ignore_errors=True)

    async def _is_known(self, call_id: str, tool: str) -> bool:
        if call_id in self._calls:
            return True
        return tool not in REPEATABLE and await self._open_ledger.find(call_id) is not None

    async def _begun(self, call_id: str) -> None:
        """Wait while a call begins: what concerns it comes after."""
        while (beginning := self._beginning.get(call_id)) is not None:
            await asyncio.wait([beginning])

    def _is_told(self, call_id: str) -> bool:
        call = self._calls.get(call_id)
        return call is not None and call.streams.is_attached

    async def _recall(self, call_id: str) -> LedgerEntry:
        call = self._calls.get(call_id)
        if call is None and call_id in self._beginning:
            return LedgerEntry(call_id, LedgerState.RUNNING)
        if call is None:
            outcome = await self._open_ledger.find(call_id)
            if outcome is None and self._open_ledger.is_doubtful:
                outcome = Outcome(call_id, Ended.LOST, code="node_away", message=_WENT_DOWN)
            if outcome is None:
                return LedgerEntry(call_id, LedgerState.UNKNOWN)
            produced = {str(end.channel): end.size_bytes - end.dropped_bytes for end in outcome.streams}
            return LedgerEntry(call_id, LedgerState.ENDED, outcome, produced)
        produced = {str(int(Channel.STDIN)): call.source.received, **call.streams.produced()}
        state = LedgerState.RUNNING if call.streams.outcome is None else LedgerState.ENDED
        return LedgerEntry(call_id, state, call.streams.outcome, produced)


def _earliest(*limits_s: float) -> float:
    """Return the shortest limit; 0: there is none."""
    return min((limit_s for limit_s in limits_s if limit_s > 0), default=0.0)


def _sweep(folder: Path, keep: set[str]) -> None:
    """Remove what is kept of calls that need it no more."""
    if folder.is_dir():
        for path in folder.iterdir():
            if path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)
                path.unlink(missing_ok=True)
