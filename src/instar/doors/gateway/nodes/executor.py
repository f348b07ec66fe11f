"""A node of a dialect as an executor of calls (`hub.execution.Executor`): what all generations share."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.hub.operations.hub import CallSink
from instar.policy.digest import plan_digest
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
)
from instar.wire.limits import CALL_COMMAND_S, CALL_TOOL_S
from instar.wire.machine import UNREADABLE
from instar.wire.tools import TOOLS

from .line import NodeLine
from .results import Done
from .running import Running

PROGRAMS = ("exec", "shell")
"""Tools that run a program; every other is a command with a result."""


class Resolved(NamedTuple):
    """What would run."""

    plan: Plan
    unbound: Sequence[str] = ()
    """What may change before it does, as sentences."""
    own: Any = None
    """The node's own plan, where it makes one."""


class DialectExecutor(ABC):
    """Carries calls out on one connected node, and forgets them with its connection: the node keeps no ledger for us.

    Args:
        target_id: The device.
        line: The way to it.
        offered: The hub's names of what it may be asked.
        tasks: The parent of calls under way.
    """

    keeps_ledger = False

    def __init__(self, target_id: str, line: NodeLine, offered: Sequence[str], tasks: TaskScope) -> None:
        self._target_id = target_id
        self._line = line
        self._offered = frozenset(offered)
        self._tasks = tasks
        self._running: dict[str, Running] = {}

    @property
    def target_id(self) -> str:
        """The device."""
        return self._target_id

    @property
    @abstractmethod
    def calls_max(self) -> int:
        """How many calls it takes at once."""

    @property
    def calls_running(self) -> int:
        """How many calls are under way there."""
        return len(self._running)

    def has(self, call_id: str) -> bool:
        """Whether a call is under way there."""
        return call_id in self._running

    async def prepare(self, preparation: Preparation) -> Prepared:
        """Say what would run, and what the node does not hold to. Nothing runs.

        Raises:
            InstarError: `command_refused` for what the node does not offer; `not_available` for what its dialect
                cannot do; `unprocessable_entity` for arguments that do not fit; `node_away`; `timeout`.
        """
        self._check(preparation)
        resolved = await self._resolved(preparation)
        return Prepared(resolved.plan, plan_digest(resolved.plan), list(resolved.unbound), is_ruleable=False)

    async def start(self, start: Start, sink: CallSink) -> None:
        """Run what was prepared; a call that runs already is left alone.

        Raises:
            InstarError: `plan_changed`; as `prepare`.
        """
        preparation = start.preparation
        if preparation.call_id in self._running:
            return
        running = Running(preparation.call_id, sink, self._forget)
        self._running[preparation.call_id] = running
        try:
            resolved = await self._allowed(running, start)
        except BaseException:
            self._forget(preparation.call_id)
            raise
        running.task = self._tasks.start("gateway node call", self._carry(running, start, resolved))

    async def order(self, method: str, order: CallOrder) -> None:
        """Cancel a running call; of one that has ended nothing is wrong.

        Raises:
            InstarError: `not_available` for signals, input and terminals, which the dialects do not have.
        """
        if method != "cancel":
            raise InstarError("not_available", f"a node of this dialect has no `{method}`", hint="Cancel the call.")
        running = self._running.get(order.call_id)
        if running is None:
            return
        running.is_cancelled = True
        if running.task is not None and running.is_entered:
            running.task.cancel()

    def write(self, call_id: str, offset: int, content: bytes) -> None:  # noqa: B027 - there is nothing to override
        """Take input; the dialects have none, so that no call is prepared that would send any."""

    def allow(self, call_id: str, channel: int, upto: int) -> None:
        """Let output of a channel come up to this offset."""
        if running := self._running.get(call_id):
            running.allow(channel, upto)

    async def recall(self, call_ids: Sequence[str]) -> list[LedgerEntry]:
        """Return what is known of calls: those of this connection run, of others nobody can say anything."""
        return [
            LedgerEntry(one, LedgerState.RUNNING)
            if one in self._running
            else LedgerEntry(one, LedgerState.ENDED, Outcome(one, Ended.LOST))
            for one in call_ids
        ]

    async def resume(self, call_id: str, offsets: Mapping[int, int], sink: CallSink) -> None:  # noqa: ARG002 - the seam's
        """Refuse: without a ledger there is nothing to go on with.

        Raises:
            InstarError: `not_available`, always.
        """
        raise InstarError("not_available", "a node of this dialect keeps no ledger of calls")

    def settle(self, call_id: str) -> None:  # noqa: B027 - there is nothing to override
        """Forget nothing: no ledger is kept."""

    def severed(self, reason: str) -> None:
        """End the line: every call under way is severed, and what is asked from now on fails with `node_away`."""
        self._line.close(reason)
        for running in tuple(self._running.values()):
            running.sever(reason)

    # What the dialects differ in

    @abstractmethod
    async def _resolved(self, preparation: Preparation) -> Resolved:
        """Return what would run, and what may change before it does."""

    @abstractmethod
    async def _performed(self, running: Running, start: Start, resolved: Resolved) -> Done:
        """Ask the node, and return how it ended."""

    @abstractmethod
    def _stopped(self, ended: Ended) -> Done:
        """Return how a call ends that nobody waits for any more while the node carries it out."""

    # Inner parts

    async def _allowed(self, running: Running, start: Start) -> Resolved:
        """Return what is to run, which must be what the gate let through.

        Raises:
            InstarError: `plan_changed`; `cancelled`; as `prepare`.
        """
        preparation = start.preparation
        self._check(preparation)
        resolved = await self._resolved(preparation)
        row = TOOLS.get(preparation.tool)
        # Of a tool that names nothing which could change the hub makes the plan itself.
        if (row is None or row.is_bound) and plan_digest(resolved.plan) != start.digest:
            raise InstarError("plan_changed", "the node would run something else now than what was allowed")
        if running.is_cancelled:
            raise InstarError("cancelled", "the call was cancelled before it began")
        return resolved

    def _check(self, preparation: Preparation) -> None:
        tool = preparation.tool
        if tool not in self._offered:
            raise InstarError("command_refused", f"the node does not offer {tool[:128]!r}")
        lacks = {
            "a terminal": preparation.terminal is not None,
            "input": preparation.has_input,
            "jobs in the background": preparation.is_background,
            "a sandbox": preparation.sandbox is not Sandbox.NONE,
        }
        if lacking := [name for name, is_asked in lacks.items() if is_asked]:
            told = f"a node of this dialect has no {' and no '.join(lacking)}"
            raise InstarError("not_available", told, hint="Ask without, or use a node of `instar node join`.")
        if tool not in PROGRAMS and (preparation.cwd or preparation.env):
            raise InstarError("unprocessable_entity", f"{tool} takes no working directory and no environment")

    async def _carry(self, running: Running, start: Start, resolved: Resolved) -> None:
        # A task that is cancelled before its first step never runs: it could not say how the call ended.
        running.is_entered = True
        if running.is_cancelled:
            running.end(Done(Ended.CANCELLED))
            return
        try:
            done = await self._performed(running, start, resolved)
        except asyncio.CancelledError:
            if not running.is_cancelled:
                if running.is_over:
                    return
                raise
            done = self._stopped(Ended.CANCELLED) if running.is_begun else Done(Ended.CANCELLED)
        except InstarError as error:
            if error.code == "node_away":
                running.sever(error.message)
                return
            if error.code == "timeout":
                done = self._stopped(Ended.EXPIRED)
            else:
                done = Done(Ended.FAILED, code=error.code, message=error.message)
        running.end(done)

    def _forget(self, call_id: str) -> None:
        self._running.pop(call_id, None)


def time_of(preparation: Preparation) -> float:
    """Return how long a call may run: as it says, or as the dialects have it."""
    usual = CALL_COMMAND_S if preparation.tool in PROGRAMS else CALL_TOOL_S
    return preparation.timeout_s or usual


T = TypeVar("T")


def arguments(preparation: Preparation, shape: type[T]) -> T:
    """Return the arguments of a call.

    Raises:
        InstarError: `unprocessable_entity` that names the place.
    """
    try:
        return msgspec.json.decode(preparation.args, type=shape)
    except UNREADABLE as error:
        raise InstarError("unprocessable_entity", f"{preparation.tool}: {str(error)[:300]}") from None


def planned(
    target_id: str, preparation: Preparation, *, argv: Sequence[str] = (), cwd: str = "", timeout_s: float = 0.0
) -> Plan:
    """Return a plan of what a node was asked, in the hub's words."""
    return Plan(
        target_id,
        preparation.tool,
        preparation.args,
        cwd=cwd or preparation.cwd,
        argv=list(argv),
        env=preparation.env,
        timeout_s=timeout_s or time_of(preparation),
    )
