"""Tools as agents see them: a catalogue with JSON Schemas, and one way to use one (Moltis spec §5).

A tool is no right of its own: using one invokes the operations that it stands for, as the caller.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

from .limits import WAIT_MAX_S
from .operation import ObjectKind, Operation, Route, Verb


class ToolQuery(Struct, omit_defaults=True):
    """Whose tools: with a room, `exec` names the targets that can be chosen now."""

    room: str = ""
    agent_id: str = ""


class AgentTool(Struct, frozen=True):
    """One tool."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of its arguments."""


class ToolList(Struct, frozen=True):
    """The tools that the caller may use now."""

    tools: list[AgentTool]


class UseTool(Struct, omit_defaults=True):
    """Use a tool."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    arguments: dict[str, Any] = {}
    room: Annotated[str, Meta(max_length=192)] = ""
    """Key of the session or room that the agent works in; its route counts."""
    agent_id: str = ""
    run_id: str = ""
    wait: Annotated[float, Meta(ge=0, le=WAIT_MAX_S)] = WAIT_MAX_S


class ToolResult(Struct, frozen=True, omit_defaults=True):
    """What a model reads. A failure is a result as well: its text says why and what to do."""

    text: str
    is_error: bool = False
    data: dict[str, Any] = {}
    """The same as an object."""
    call_id: str = ""
    is_pending: bool = False
    """The call has not ended: read it with `calls.get`."""


LIST = Operation(
    "tools.list", ToolQuery, ToolList, Verb.CREATE, ObjectKind.CALL,
    "List the tools that an agent may use", Route("GET", "/v1/tools"),
)  # fmt: skip
USE = Operation(
    "tools.use", UseTool, ToolResult, Verb.CREATE, ObjectKind.CALL,
    "Use a tool", Route("POST", "/v1/tools/use"), idempotent=True,
)  # fmt: skip

OPERATIONS = (LIST, USE)
