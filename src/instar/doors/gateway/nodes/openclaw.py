"""Calls on a node of OpenClaw: a headless node host, or an app with a camera, a screen, a place."""

from collections.abc import Sequence
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.wire.execution import Ended, FileFact, Preparation, Start
from instar.wire.gateway.commands import PREPARE, RUN, WHICH
from instar.wire.gateway.invocations import Answer
from instar.wire.gateway.method import Generation
from instar.wire.limits import GATEWAY_NODE_GRACE_S, NODE_ASK_S
from instar.wire.machine import UNREADABLE
from instar.wire.tools import Exec, Shell, Which

from .executor import PROGRAMS, DialectExecutor, Resolved, arguments, planned, time_of
from .line import NodeLine
from .results import Done, answered, failed, found, ran
from .running import LOST, Running

CALLS_MAX = 8
"""Calls at once: a node host starts a process for each."""
CANNOT_BIND = "SYSTEM_RUN_DENIED: approval cannot safely bind"
"""How a node begins its refusal to plan a command whose script it cannot tell from its arguments."""
UNPLANNED = [
    "the node resolves nothing before it runs: the program, the working directory and every file may be others by then"
]
PLANNED = ["the node holds to this command line, this folder and at most one script; every other file may change"]


class _Operand(Struct, rename="camel"):
    path: str
    sha256: str
    argv_index: int = 1


class _Plan(Struct, rename="camel"):
    """What the hub reads of a node's own plan."""

    argv: Annotated[list[str], Meta(min_length=1)]
    command_text: str
    cwd: str | None = None
    mutable_file_operand: _Operand | None = None


class _Prepared(Struct, rename="camel"):
    plan: msgspec.Raw


class OpenClawExecutor(DialectExecutor):
    """Carries calls out on a node of OpenClaw.

    Args:
        target_id: The device.
        line: The way to it.
        offered: The hub's names of what it may be asked.
        commands: What it declared, in its own words.
        platform: Which shell it has.
        tasks: The parent of calls under way.
    """

    def __init__(
        self,
        target_id: str,
        line: NodeLine,
        offered: Sequence[str],
        commands: Sequence[str],
        platform: str,
        tasks: TaskScope,
    ) -> None:
        super().__init__(target_id, line, offered, tasks)
        self._plans = PREPARE in commands and line.generation is Generation.V4
        self._is_windows = platform.lower().startswith("win")

    @property
    def calls_max(self) -> int:
        """How many calls it takes at once."""
        return CALLS_MAX

    async def _resolved(self, preparation: Preparation) -> Resolved:
        if preparation.tool not in PROGRAMS:
            arguments(preparation, Which if preparation.tool == "which" else dict[str, Any])
            return Resolved(planned(self.target_id, preparation))
        argv = self._argv(preparation)
        own = await self._own_plan(preparation, argv)
        if own is None:
            return Resolved(planned(self.target_id, preparation, argv=argv), UNPLANNED)
        plan, _ = own
        facts = [_fact(one)] if (one := plan.mutable_file_operand) else []
        bound = planned(self.target_id, preparation, argv=plan.argv, cwd=plan.cwd or "")
        return Resolved(msgspec.structs.replace(bound, files=facts), PLANNED, own)

    def _argv(self, preparation: Preparation) -> list[str]:
        if preparation.tool == "exec":
            return arguments(preparation, Exec).argv
        line = arguments(preparation, Shell).command
        return ["cmd.exe", "/d", "/s", "/c", line] if self._is_windows else ["/bin/sh", "-c", line]

    async def _own_plan(self, preparation: Preparation, argv: Sequence[str]) -> tuple[_Plan, msgspec.Raw] | None:
        """Return the node's own canonical plan, which it holds a run to; None where it makes none."""
        if not self._plans:
            return None
        params: dict[str, Any] = {"command": argv, **_given(cwd=preparation.cwd, env=preparation.env)}
        answer = await self._line.invoke(PREPARE, params, within_s=NODE_ASK_S)
        if not answer.is_ok:
            if CANNOT_BIND in answer.message:
                return None
            done = failed(answer)
            raise InstarError(done.code, done.message)
        return _read(answer)

    async def _performed(self, running: Running, start: Start, resolved: Resolved) -> Done:
        preparation = start.preparation
        within_s = start.deadline_s or time_of(preparation)
        if preparation.tool not in PROGRAMS:
            return await self._commanded(running, preparation, within_s)
        argv = self._argv(preparation)
        params: dict[str, Any] = {"command": argv, **_given(cwd=preparation.cwd, env=preparation.env)}
        if resolved.own is not None:
            plan, raw = cast("tuple[_Plan, msgspec.Raw]", resolved.own)
            # What the gate let through is this plan; the node refuses to run any other under it.
            params |= {"command": plan.argv, "rawCommand": plan.command_text, "systemRunPlan": raw}
            params |= {"approved": True, "approvalDecision": "allow-once", **_given(cwd=plan.cwd)}
        params |= {"timeoutMs": round(within_s * 1_000), "runId": preparation.call_id, "suppressNotifyOnExit": True}
        answer = await self._asked(running, RUN, params, within_s)
        return ran(answer.payload, RUN) if answer.is_ok else failed(answer)

    async def _commanded(self, running: Running, preparation: Preparation, within_s: float) -> Done:
        if preparation.tool == "which":
            names = arguments(preparation, Which).names
            answer = await self._asked(running, WHICH, {"bins": names}, within_s)
            return found(answer.payload, names) if answer.is_ok else failed(answer)
        params = arguments(preparation, dict[str, Any])
        answer = await self._asked(running, preparation.tool, params, within_s)
        return answered(answer.payload, preparation.tool) if answer.is_ok else failed(answer)

    async def _asked(self, running: Running, command: str, params: object, within_s: float) -> Answer:
        running.started()
        grace = within_s + GATEWAY_NODE_GRACE_S
        return await self._line.invoke(
            command, params, within_s=grace, key=running.call_id, progress=running.progress
        )  # fmt: skip

    def _stopped(self, ended: Ended) -> Done:
        if self._line.generation is Generation.V4:
            code = "timeout" if ended is Ended.EXPIRED else ""
            return Done(ended, code=code, message="the node was told to end every process of it")
        return LOST


def _fact(operand: _Operand) -> FileFact:
    # The node does not say how large the file is.
    return FileFact(operand.path, operand.sha256, 0, "operand" if operand.argv_index else "executable")


def _given(**members: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return {name: value for name, value in members.items() if value}


def _read(answer: Answer) -> tuple[_Plan, msgspec.Raw]:
    try:
        raw = msgspec.json.decode(msgspec.json.encode(answer.payload), type=_Prepared).plan
        return msgspec.json.decode(raw, type=_Plan), raw
    except UNREADABLE as error:
        raise InstarError("bad_gateway", f"the node's plan cannot be read: {str(error)[:200]}") from None
