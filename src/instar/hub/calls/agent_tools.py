"""Handlers of `tools.*`: a model's tool becomes the operations that it stands for, done as its caller."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity.principals import Caller
from instar.wire import agent_tools as wire
from instar.wire import calls, nodes
from instar.wire.agent_tools import ToolList, ToolQuery, ToolResult, UseTool
from instar.wire.calls import Call, CallState
from instar.wire.codes import CODES
from instar.wire.operation import Operation

from .catalogue import (
    EXEC,
    NODES_DESCRIBE,
    NODES_LIST,
    NODES_SELECT,
    DescribeNode,
    RunCommand,
    SelectNode,
    arguments_of,
    catalogue,
    names,
    takes_node,
)
from .machine import ENDED
from .routes import WantedCall
from .targets import Targets

_NAMED_MAX = 20
_SAID_MAX_CHARS = 500


class Invoke(Protocol):
    """Does an operation as a caller: `hub.operations.invoke`."""

    def __call__(
        self, caller: Caller, operation: Operation[Any, Any], params: Struct, *, idempotency_key: str = ""
    ) -> Awaitable[Any]:
        """Return its result.

        Raises:
            InstarError: What the operation raises.
        """
        ...


class AgentTools:
    """The catalogue, and the use of a tool.

    Args:
        targets: What can be chosen.
        locate: Finds on whose behalf a call is asked for.
    """

    def __init__(self, targets: Targets, locate: Callable[[Caller, Any], WantedCall]) -> None:
        self._targets = targets
        self._locate = locate
        self.invoke: Invoke
        """Set by whoever joins the operations."""

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return bind(wire.LIST, self.list, self._locate), bind(wire.USE, self.use, self._locate)

    async def list(self, act: Act[ToolQuery, WantedCall]) -> ToolList:  # noqa: ARG002 - the shape of a handler
        """List the tools; `exec` names the machines that can be chosen now."""
        return ToolList(catalogue(self._targets.facts()))

    async def use(self, act: Act[UseTool, WantedCall]) -> ToolResult:
        """Use a tool. What fails is a result as well, whose text says why and what to do.

        Raises:
            InstarError: `id_reused`; `unauthorized`.
        """
        wanted = act.params
        try:
            node, arguments = _decoded(wanted)
            if wanted.name == NODES_LIST:
                return await self._list_nodes(act)
            if isinstance(arguments, DescribeNode):
                return await self._describe(act, arguments)
            if isinstance(arguments, SelectNode):
                return await self._select(act, arguments)
            return await self._call(act, node, arguments)
        except InstarError as error:
            if error.code in ("id_reused", "unauthorized", "rate_limited"):
                raise
            return failed(error.code, error.message, error.hint)

    async def _list_nodes(self, act: Act[UseTool, WantedCall]) -> ToolResult:
        found = await self.invoke(act.caller, nodes.LIST, nodes.NodeQuery())
        shown: list[dict[str, Any]] = [_shown(node) for node in found.nodes]
        return ToolResult("\n".join(map(_text, shown)), data={"nodes": shown})

    async def _describe(self, act: Act[UseTool, WantedCall], arguments: DescribeNode) -> ToolResult:
        node = await self.invoke(act.caller, nodes.GET, nodes.NodeRef(arguments.node))
        shown = _shown(node)
        return ToolResult(_text(shown), data=shown)

    async def _select(self, act: Act[UseTool, WantedCall], arguments: SelectNode) -> ToolResult:
        room = act.params.room
        if not room:
            raise InstarError("unprocessable_entity", "a machine is chosen for a conversation, and none is named")
        wanted = calls.SetRoute(arguments.node or "", room)
        answer: calls.RouteAnswer = await self.invoke(act.caller, calls.SET_ROUTE, wanted)
        chosen = answer.target_id if arguments.node else ""
        done = {"ok": True, "node_id": chosen or None}
        if not chosen:
            return ToolResult("No machine is chosen for this conversation any more.", data=done)
        away = f" It is not usable now: {answer.error.message}." if answer.error else ""
        return ToolResult(f"Commands of this conversation run on {answer.target_name} from now on.{away}", data=done)

    async def _call(self, act: Act[UseTool, WantedCall], node: str, arguments: Struct) -> ToolResult:
        wanted = act.params
        asked = calls.StartCall(
            wanted.name, msgspec.to_builtins(arguments), node, wanted.room, wanted.agent_id, wanted.run_id,
            wait=wanted.wait,
        )  # fmt: skip
        if isinstance(arguments, RunCommand):
            asked.tool, asked.args = "shell", {"command": arguments.command}
            asked.cwd, asked.timeout_s = arguments.working_dir, arguments.timeout
        call: Call = await self.invoke(act.caller, calls.START, asked, idempotency_key=act.idempotency_key)
        return result_of(call)


def _decoded(wanted: UseTool) -> tuple[str, Struct]:
    """Return the machine that a tool's use names, and its arguments.

    Raises:
        InstarError: `unprocessable_entity`.
    """
    if wanted.name not in names():
        known = ", ".join(names())
        raise InstarError("unprocessable_entity", f"there is no tool {wanted.name!r}", hint=f"There are: {known}.")
    given = dict(wanted.arguments)
    node = given.pop("node", "") if takes_node(wanted.name) else ""
    taken = arguments_of(wanted.name).__struct_encode_fields__
    if unknown := [name for name in given if name not in taken]:
        # A model that names a wish in a field of its own would believe that it was heard.
        also = (*taken, "node") if takes_node(wanted.name) else taken
        raise InstarError(
            "unprocessable_entity", f"`{wanted.name}` takes no {', '.join(map(repr, unknown))}"[:_SAID_MAX_CHARS],
            hint=f"It takes: {', '.join(also)}." if also else "It takes nothing.",
            detail={"unknown": unknown[:_NAMED_MAX]},
        )  # fmt: skip
    try:
        arguments = msgspec.convert(given, arguments_of(wanted.name))
        return msgspec.convert(node or "", str).strip(), arguments
    except msgspec.ValidationError as error:
        raise InstarError("unprocessable_entity", f"the arguments of `{wanted.name}` are wrong: {error}") from error


def failed(code: str, message: str, hint: str, call_id: str = "") -> ToolResult:
    """Return a failure as a model reads it."""
    next_step = hint or (CODES[code].hint if code in CODES else "")
    text = f"Error ({code}): {message}." + (f" {next_step}" if next_step else "")
    return ToolResult(text, True, {"error": {"code": code, "message": message, "hint": next_step}}, call_id)


def result_of(call: Call) -> ToolResult:
    """Return a call as a model reads it: what came of it, or that it waits."""
    if call.state not in ENDED:
        waits = f" It {call.waits_for}." if call.waits_for else ""
        return ToolResult(
            f"The call has not ended: it is {call.state}.{waits} Read it later with `calls.get` {call.id}.",
            data={"call_id": call.id, "state": str(call.state)}, call_id=call.id, is_pending=True,
        )  # fmt: skip
    if call.state is not CallState.DONE:
        error = call.error or calls.CallError("internal_error", f"it {call.state}")
        told = failed(error.code, error.message, error.hint, call.id)
        wrote = _wrote(call)
        return msgspec.structs.replace(told, text=f"{told.text}\n{wrote}" if wrote else told.text)
    if call.tool in ("shell", EXEC):
        ended = f"exit code: {call.exit_status}" if not call.signal else f"ended by signal {call.signal}"
        data = {"stdout": call.stdout, "stderr": call.stderr, "exit_code": call.exit_status}
        return ToolResult("\n".join(filter(None, (_wrote(call), ended))), bool(call.signal), data, call.id)
    text = _said(call.result) or _text(call.result)
    return ToolResult("\n".join(filter(None, (text, _wrote(call)))), False, {"result": call.result}, call.id)


def _said(result: Any) -> str:  # noqa: ANN401 - any tool's JSON
    """Return the text of a result that is text with facts beside it; empty for any other."""
    match result:
        case {"text": str(text)}:
            return text
        case _:
            return ""


def _wrote(call: Call) -> str:
    parts = [call.stdout.rstrip("\n")]
    if call.stderr:
        parts.append(f"stderr:\n{call.stderr.rstrip()}")
    if call.is_truncated:
        sizes = ", ".join(f"{'stdout' if end.channel == 1 else 'stderr'} {end.size_bytes:,}" for end in call.streams)
        parts.append(f"(the beginning is left out; bytes in all: {sizes}; `calls.output` {call.id} has them)")
    return "\n".join(filter(None, parts))


def _shown(node: nodes.Node) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(node)
    # What it declares but may not be asked is of no use to a model, nor is who gave which label.
    for hidden in ("fingerprint", "permit", "details", "path_env", "declared", "given_labels", "calls_max"):
        shown.pop(hidden, None)
    return shown


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


__all__ = ["NODES_DESCRIBE", "NODES_LIST", "NODES_SELECT", "AgentTools"]
