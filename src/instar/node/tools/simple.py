"""The small tools: background jobs, where programs are, nothing at all."""

import asyncio
import shutil

from instar.base.errors import InstarError
from instar.wire import tools as wire
from instar.wire.tool_results import JobKilled, JobList, Pong, Programs

from .context import ToolAnswer, ToolContext

_ACTIONS = ("list", "output", "kill")


async def process(context: ToolContext, params: wire.Process) -> ToolAnswer:
    """List background jobs, read one's output, or kill it."""
    if params.action not in _ACTIONS:
        raise InstarError(
            "unprocessable_entity",
            f"`process` knows no action {params.action!r}",
            hint=f"One of {', '.join(_ACTIONS)}.",
        )
    if context.jobs is None:
        raise InstarError("command_refused", "this node keeps no background jobs", hint="Ask another node.")
    if params.action == "list":
        return ToolAnswer(JobList(list(context.jobs.listed())))
    if not params.call_id:
        raise InstarError("unprocessable_entity", "no job is named", hint="Give its `call_id`; `list` has them.")
    if params.action == "output":
        return ToolAnswer(context.jobs.output(params.call_id, params.offset))
    return ToolAnswer(JobKilled(await context.jobs.kill(params.call_id)))


async def which(context: ToolContext, params: wire.Which) -> ToolAnswer:
    """Say where programs are on the PATH that programs of this node get."""
    found = await asyncio.to_thread(
        lambda: {name: shutil.which(name, path=context.path_env or None) or "" for name in params.names}
    )
    return ToolAnswer(Programs(found))


async def ping(context: ToolContext, params: wire.Ping) -> ToolAnswer:  # noqa: ARG001 - the shape of a tool
    """Do nothing."""
    return ToolAnswer(Pong())
