"""The tools of this node by name, and what each binds before it may run."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from instar.wire import tools as wire
from instar.wire.execution import FileFact

from . import editing, fetching, finding, operands, patching, reading, simple, transfer, writing
from .context import Jobs, ToolAnswer, ToolContext

__all__ = ["TOOLS", "Handler", "Jobs", "ToolAnswer", "ToolContext", "resolve"]

Handler = Callable[[ToolContext, Any], Awaitable[ToolAnswer]]
"""`async def run(context, params)`: raises `InstarError` when it cannot; cancelling its task stops it."""

TOOLS: Mapping[str, Handler] = MappingProxyType(
    {
        "read_file": reading.read_file,
        "write_file": writing.write_file,
        "edit_file": editing.edit_file,
        "list": reading.list_folder,
        "glob": finding.glob,
        "grep": finding.grep,
        "apply_patch": patching.apply_patch,
        "process": simple.process,
        "put_file": transfer.put_file,
        "get_file": transfer.get_file,
        "fetch": fetching.fetch,
        "which": simple.which,
        "ping": simple.ping,
    }
)
"""Every tool of `wire.tools.TOOLS` that runs no program."""


async def resolve(context: ToolContext, params: Struct) -> list[FileFact]:
    """Return the files and folders that a call names, as they are now: what an approval of it binds.

    Paths come absolute and without links. A file has its SHA-256; one that is larger than `PLAN_FILE_MAX_BYTES`, one
    that is not there yet, and a folder (role `folder`) have none: `operands.unbound` says so in words.

    Raises:
        InstarError: As `Roots.place`, or `unprocessable_entity` for a patch that cannot be read.
    """
    return await operands.facts(context, operands.of(params))


def unbound(facts: list[FileFact]) -> list[str]:
    """Return, as sentences for an approver, which of these may change between approval and start."""
    return operands.unbound(facts)


assert set(TOOLS) == {name for name, tool in wire.TOOLS.items() if not tool.runs_programs}
