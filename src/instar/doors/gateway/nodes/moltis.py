"""Calls on a stock Moltis node: `system.run` with a line for the shell, one after the other."""

import asyncio
import shlex
from collections.abc import Sequence
from typing import Any

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.wire.execution import Ended, Preparation, Start
from instar.wire.gateway.commands import PROVIDERS, RUN, WHICH
from instar.wire.gateway.invocations import Answer
from instar.wire.limits import GATEWAY_NODE_GRACE_S, GATEWAY_PROVIDERS_S, PATH_MAX_CHARS
from instar.wire.nodes import Provider
from instar.wire.tools import Exec, Shell, Which

from .executor import PROGRAMS, DialectExecutor, Resolved, arguments, planned, time_of
from .line import NodeLine
from .results import Done, answered, failed, items, members, ran
from .running import LOST, Running

UNBOUND = [
    "the node resolves nothing before it runs: the program, the working directory and every file may be others by then",
    "the command gets the whole environment of the node's own process",
    "the node cannot be told to stop it, and does not end it when its time is over",
]
PROVIDERS_MAX = 64
MODELS_MAX = 256


class MoltisExecutor(DialectExecutor):
    """Carries calls out on a Moltis node, which does one thing at a time and answers nothing meanwhile.

    Args:
        target_id: The device.
        line: The way to it.
        offered: The hub's names of what it may be asked.
        tasks: The parent of calls under way.
    """

    def __init__(self, target_id: str, line: NodeLine, offered: Sequence[str], tasks: TaskScope) -> None:
        super().__init__(target_id, line, offered, tasks)
        self._turn = asyncio.Lock()

    @property
    def calls_max(self) -> int:
        """One: a second command would wait in the node's socket."""
        return 1

    async def providers(self) -> list[Provider]:
        """Return the providers of models that the node reaches; none where it does not say.

        Raises:
            InstarError: `node_away`; `timeout`.
        """
        async with self._turn:
            answer = await self._line.invoke(PROVIDERS, {}, within_s=GATEWAY_PROVIDERS_S)
        return _providers(answer)

    async def _resolved(self, preparation: Preparation) -> Resolved:
        if preparation.tool not in PROGRAMS:
            arguments(preparation, Which if preparation.tool == "which" else dict[str, Any])
            return Resolved(planned(self.target_id, preparation))
        line = _line(preparation)
        return Resolved(planned(self.target_id, preparation, argv=["sh", "-c", line]), UNBOUND)

    async def _performed(self, running: Running, start: Start, resolved: Resolved) -> Done:  # noqa: ARG002 - the seam's
        preparation = start.preparation
        within_s = start.deadline_s or time_of(preparation)
        if preparation.tool == "which":
            return await self._found(running, arguments(preparation, Which).names, within_s)
        if preparation.tool not in PROGRAMS:
            params = arguments(preparation, dict[str, Any])
            answer = await self._asked(running, preparation.tool, params, within_s)
            return answered(answer.payload, preparation.tool) if answer.is_ok else failed(answer)
        params = {"command": _line(preparation), "timeout": round(within_s * 1_000)}
        params |= {"cwd": preparation.cwd} if preparation.cwd else {}
        params |= {"env": preparation.env} if preparation.env else {}
        answer = await self._asked(running, RUN, params, within_s)
        if not answer.is_ok and answer.message.startswith("command timed out"):
            return Done(Ended.EXPIRED, code="timeout", message=failed(answer).message)
        return ran(answer.payload, RUN) if answer.is_ok else failed(answer)

    async def _found(self, running: Running, names: Sequence[str], within_s: float) -> Done:
        """Ask for one program after the other: the dialect knows no list."""
        paths: dict[str, str] = {}
        for name in names:
            answer = await self._asked(running, WHICH, {"binary": name}, within_s)
            if not answer.is_ok:
                return failed(answer)
            path = members(answer.payload).get("path")
            paths[name] = path[:PATH_MAX_CHARS] if isinstance(path, str) else ""
        return Done(Ended.DONE, result={"paths": paths})

    async def _asked(self, running: Running, command: str, params: object, within_s: float) -> Answer:
        """Ask, in turn. Who stops waiting leaves the turn to the command, which the node goes on with."""
        await self._turn.acquire()
        running.started()
        asked = self._tasks.start("gateway node command", self._held(command, params, within_s))
        answer = await asyncio.shield(asked)
        if isinstance(answer, InstarError):
            raise answer
        return answer

    async def _held(self, command: str, params: object, within_s: float) -> Answer | InstarError:
        """Return the answer, or why there is none: nobody may wait for it any more."""
        try:
            return await self._line.invoke(command, params, within_s=within_s + GATEWAY_NODE_GRACE_S)
        except InstarError as error:
            return error
        finally:
            self._turn.release()

    def _stopped(self, ended: Ended) -> Done:  # noqa: ARG002 - the seam's
        return LOST


def _line(preparation: Preparation) -> str:
    if preparation.tool == "shell":
        return arguments(preparation, Shell).command
    return shlex.join(arguments(preparation, Exec).argv)


def _providers(answer: Answer) -> list[Provider]:
    rows = items(members(answer.payload).get("providers")) if answer.is_ok else []
    found: list[Provider] = []
    for row in rows[:PROVIDERS_MAX]:
        models = items(members(row).get("models"))[:MODELS_MAX]
        if isinstance(name := members(row).get("provider"), str):
            found.append(Provider(name[:128], [one[:256] for one in models if isinstance(one, str)]))
    return found
