"""Carries calls out on one SSH target. It keeps no ledger: what a broken connection leaves behind nobody can ask."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.hub.execution import CallSink
from instar.policy.digest import plan_digest
from instar.policy.environment import filtered
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
from instar.wire.limits import SSH_CALLS_MAX
from instar.wire.ssh import SshMode
from instar.wire.tools import TOOLS, Exec, Shell

from .failures import ConnectError, Failure, Refusal, changed
from .inventory import Located
from .reaching import Reach
from .running import Running
from .script import encoded, new_mark, program

SERVED = ("exec", "shell")
_FILES = "files and programs on the host: SSH looks at none of them before the command starts"
_IDENTITY = "which machine answers: no host key is pinned, so the account's own ssh configuration decides"


def obstacle(located: Located) -> Refusal | None:
    """Return why a target cannot be used, as far as the hub knows without trying; None when it may be tried."""
    if located.record.is_blocked:
        return changed(located.record.blocked_fingerprint)
    if located.record.mode is SshMode.MANAGED and not located.pins:
        return Refusal(Failure.HOST_KEY_UNKNOWN, "no host key is pinned, which managed mode needs")
    return None


class SshExecutor:
    """One target's executor, as `hub.execution.Executor` describes it.

    Args:
        target_id: `ssh:ID`.
        find: The target as it is now; raises `not_found`.
        reach: How hosts are reached.
        block: Takes note that the host showed another key.
        scope: The parent of calls under way.
    """

    keeps_ledger = False
    calls_max = SSH_CALLS_MAX

    def __init__(
        self,
        target_id: str,
        find: Callable[[], Located],
        reach: Reach,
        block: Callable[[Located, str], Awaitable[None]],
        scope: TaskScope,
    ) -> None:
        self.target_id = target_id
        self._find = find
        self._reach = reach
        self._block = block
        self._scope = scope
        self._running: dict[str, Running] = {}
        self._starting: set[str] = set()

    @property
    def calls_running(self) -> int:
        """Calls under way."""
        return len(self._running.keys() | self._starting)

    async def prepare(self, preparation: Preparation) -> Prepared:
        """Return the plan. Nothing runs, and nobody is asked: SSH has no way to look without running something.

        Raises:
            InstarError: `command_refused`, `sandbox_unavailable`, `unprocessable_entity`; `host_key_changed` for a
                blocked target; `not_found` when it was removed; `ssh_failed`.
        """
        located = self._usable()
        plan = self._plan(located, preparation)
        encoded(program(preparation.call_id, new_mark(), plan.argv, plan.cwd, plan.env))
        unbound = [_FILES] if located.pins else [_FILES, _IDENTITY]
        return Prepared(plan, plan_digest(plan), unbound, is_ruleable=bool(located.pins))

    async def start(self, start: Start, sink: CallSink) -> None:
        """Run exactly what was prepared; return once the host said that it runs.

        Raises:
            InstarError: As `prepare`; `plan_changed` when anything of it is another, the target's address and pin
                included; `overloaded`; `secret_unreadable`. Nothing ran then. `timeout` and `node_away`: it may have.
        """
        call_id = start.preparation.call_id
        if call_id in self._running or call_id in self._starting:
            return
        located = self._usable()
        plan = self._plan(located, start.preparation)
        if plan_digest(plan) != start.digest:
            raise InstarError("plan_changed", f"{located.record.label}, its address or its pin was changed meanwhile")
        if self.calls_running >= self.calls_max:
            raise InstarError("overloaded", f"{located.record.label} has {self.calls_max} calls under way")
        self._starting.add(call_id)
        try:
            running = await self._begin(located, plan, start.preparation, sink)
        except BaseException:
            self._running.pop(call_id, None)
            raise
        finally:
            self._starting.discard(call_id)
        self._scope.start(f"ssh call {call_id}", self._follow(running, start.deadline_s))

    async def order(self, method: str, order: CallOrder) -> None:
        """`cancel`, `signal`, `resize` or `close_input` a running call; of one that has ended nothing is wrong.

        Raises:
            InstarError: `unprocessable_entity` for a signal that cannot be sent; `ssh_failed` when it got nowhere.
        """
        running = self._running.get(order.call_id)
        if running is None:
            return
        if method == "cancel":
            self._scope.start(f"stop ssh call {order.call_id}", running.stop(Ended.CANCELLED, order.reason))
        elif method == "signal":
            await running.signal(order.signal)
        elif method == "resize":
            running.resize(order)
        else:
            running.close_input(order.size_bytes)

    def write(self, call_id: str, offset: int, content: bytes) -> None:
        """Send input to a call."""
        if (running := self._running.get(call_id)) is not None:
            running.write(offset, content)

    def allow(self, call_id: str, channel: int, upto: int) -> None:
        """Let output of a call come up to this offset."""
        if (running := self._running.get(call_id)) is not None:
            running.allow(channel, upto)

    async def recall(self, call_ids: Sequence[str]) -> list[LedgerEntry]:
        """Return what is known: of a call that does not run now, that nobody can say what became of it."""
        return [self._entry(call_id) for call_id in call_ids]

    async def resume(self, call_id: str, offsets: Mapping[int, int], sink: CallSink) -> None:  # noqa: ARG002
        """Say that a call is lost: what a connection carried cannot be asked for again."""
        if call_id not in self._running:
            sink.ended(Outcome(call_id, Ended.LOST, message="its connection ended, and SSH keeps no record"))

    def settle(self, call_id: str) -> None:
        """Nothing is kept."""

    def _usable(self) -> Located:
        located = self._find()
        if (refusal := obstacle(located)) is not None:
            raise refusal.error(located.record.label)
        return located

    def _plan(self, located: Located, preparation: Preparation) -> Plan:
        if preparation.sandbox is not Sandbox.NONE:
            raise InstarError(
                "sandbox_unavailable", f"{located.record.label} is reached by SSH, which has no sandbox",
                hint="Ask for `sandbox: none`, or run a node on that machine.",
            )  # fmt: skip
        env, _ = filtered(preparation.env, ())
        return Plan(
            self.target_id, preparation.tool, preparation.args, preparation.cwd, _argv(preparation), env,
            has_terminal=preparation.terminal is not None, timeout_s=preparation.timeout_s,
            is_background=preparation.is_background, address=located.destination.shown,
            host_keys=located.fingerprints,
        )  # fmt: skip

    async def _begin(self, located: Located, plan: Plan, preparation: Preparation, sink: CallSink) -> Running:
        mark = new_mark()
        has_terminal = plan.has_terminal
        command = encoded(
            program(preparation.call_id, mark, plan.argv, plan.cwd, plan.env, has_terminal=has_terminal)
        )  # fmt: skip
        try:
            remote = await self._reach.way(located).open(
                command, terminal=preparation.terminal, term=plan.env.get("TERM", ""), has_input=preparation.has_input
            )
            running = Running(
                preparation.call_id, remote, mark, sink,
                lambda script, seconds: self._reach.run(located, script, seconds), has_terminal=has_terminal,
            )  # fmt: skip
            # Input may come before the host has said that it runs.
            self._running[preparation.call_id] = running
            try:
                await running.begin()
            except BaseException:
                await remote.close()
                raise
        except ConnectError as error:
            if error.refusal.failure is Failure.HOST_KEY_CHANGED:
                await self._block(located, error.refusal.fingerprint)
            raise error.refusal.error(located.record.label) from error
        return running

    async def _follow(self, running: Running, deadline_s: float) -> None:
        try:
            await running.follow(deadline_s)
        finally:
            self._running.pop(running.call_id, None)
            await running.close()

    def _entry(self, call_id: str) -> LedgerEntry:
        if (running := self._running.get(call_id)) is not None:
            return LedgerEntry(call_id, LedgerState.RUNNING, produced=running.produced())
        lost = Outcome(call_id, Ended.LOST, message="SSH keeps no record of calls")
        return LedgerEntry(call_id, LedgerState.ENDED, lost)


def _argv(preparation: Preparation) -> list[str]:
    """Return what is run.

    Raises:
        InstarError: `command_refused`: the tool needs a node; `unprocessable_entity`: its arguments are none of its.
    """
    if preparation.tool not in SERVED:
        raise InstarError("command_refused", unserved(preparation.tool), hint="Run a node there: `instar node join`.")
    try:
        params = msgspec.json.decode(preparation.args, type=TOOLS[preparation.tool].params)
    except msgspec.MsgspecError as error:
        raise InstarError(
            "unprocessable_entity", f"the arguments of {preparation.tool} are wrong: {error}", hint="Change them."
        ) from error
    if isinstance(params, Exec):
        return list(params.argv)
    return ["sh", "-c", params.command] if isinstance(params, Shell) else []


def unserved(tool: str) -> str:
    """Return why a tool cannot be asked of an SSH target."""
    return f"an SSH target serves {' and '.join(SERVED)} only; {tool[:64]!r} needs a node on that machine"
