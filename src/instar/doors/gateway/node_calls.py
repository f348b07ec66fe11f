"""`node.invoke` as a call: what a command of the dialects asks for, and how the call's end looks in its words."""

import asyncio
import base64
import re
import time
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from instar.base.errors import InstarError
from instar.wire import calls as c
from instar.wire import nodes as n
from instar.wire.gateway.commands import INNER, RUN, WHICH, in_dialect
from instar.wire.gateway.errors import NODE_TIMEOUT
from instar.wire.gateway.method import Generation
from instar.wire.limits import (
    GATEWAY_INVOKE_S,
    GATEWAY_RESULT_MAX_BYTES,
    GATEWAY_V3_RESULT_MAX_BYTES,
    WAIT_MAX_S,
)

from .call import Call
from .conversation import invoke
from .nodes.results import members

UNKNOWN_NODE = "unknown nodeId"
MOLTIS_UNKNOWN_NODE = "node not found"
PROGRAMS = ("exec", "shell")
_CODES = {
    c.CallState.FAILED: "bad_gateway",
    c.CallState.CANCELLED: "cancelled",
    c.CallState.EXPIRED: "expired",
    c.CallState.LOST: "node_away",
}
"""How a call ended without a word → the hub's code for it."""
_NODE_ERROR = re.compile(r"([A-Z][A-Z0-9_]{1,63})(?:: (.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command asks for, in the hub's words."""

    tool: str
    args: dict[str, Any] = field(default_factory=dict[str, Any])
    cwd: str = ""
    env: dict[str, str] = field(default_factory=dict[str, str])
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """A call that has ended, with what it wrote."""

    call: c.Call
    stdout: bytes
    stderr: bytes


class _Run(msgspec.Struct, rename="camel"):
    """What matters of the parameters of `system.run`, of either dialect."""

    command: list[str] | str
    raw_command: str | None = None
    cwd: str | None = None
    env: dict[str, str] | None = None
    timeout_ms: float | None = None
    timeout: float | None = None


class _Which(msgspec.Struct):
    bins: list[str] | None = None
    binary: str | None = None


async def node_of(call: Call, wanted: str) -> n.Node:
    """Return a node.

    Raises:
        InstarError: `not_found` in the dialect's words.
    """
    try:
        return await invoke(call, n.GET, n.NodeRef(wanted))
    except InstarError as error:
        if error.code != "not_found":
            raise
    is_moltis = call.generation is Generation.MOLTIS
    raise InstarError("not_found", MOLTIS_UNKNOWN_NODE if is_moltis else UNKNOWN_NODE)


def wanted_of(command: str, params: Any) -> Wanted:  # noqa: ANN401 - any JSON value
    """Return what a command asks for; `system.run` and `system.which` are the hub's own tools.

    Raises:
        InstarError: `bad_request` for parameters that are none, and for a shown command that is not what would run.
    """
    if params is not None and members(params) != params:
        raise InstarError("bad_request", f"invalid node.invoke params: {command} takes an object")
    if command == RUN:
        return _run_of(params)
    if command == WHICH:
        named = _read(command, params, _Which)
        return Wanted("which", {"names": named.bins or ([named.binary] if named.binary else [])})
    if command in INNER:
        raise refused(command, "command not allowlisted")
    return Wanted(command, members(params))


def _run_of(params: Any) -> Wanted:  # noqa: ANN401 - any JSON value
    run: _Run = _read(RUN, params, _Run)
    timeout_s = (run.timeout_ms or run.timeout or 0) / 1_000 or None
    if isinstance(run.command, str):
        return Wanted("shell", {"command": run.command}, run.cwd or "", run.env or {}, timeout_s)
    # What is shown and what runs must be one: a shown text is either the arguments, or the line that a shell is given.
    shown = (run.raw_command or "").strip()
    if not run.command or (shown and shown not in (_formatted(run.command), run.command[-1].strip())):
        told = "rawCommand does not match command" if run.command else "command required"
        raise InstarError("bad_request", told, detail={"code": "RAW_COMMAND_MISMATCH"} if run.command else {})
    return Wanted("exec", {"argv": run.command}, run.cwd or "", run.env or {}, timeout_s)


def _formatted(argv: list[str]) -> str:
    """Return arguments as the dialect shows them: in quotes where they hold spaces or quotes."""
    return " ".join(_quoted(one) for one in argv)


def _quoted(argument: str) -> str:
    if argument and not re.search(r'[\s"]', argument):
        return argument
    escaped = argument.replace('"', '\\"')
    return f'"{escaped}"'


def _read(command: str, params: Any, shape: Any) -> Any:  # noqa: ANN401 - the shape's own type
    try:
        return msgspec.convert(members(params), shape)
    except msgspec.ValidationError as error:
        raise InstarError("bad_request", f"invalid {command} params: {str(error)[:300]}") from None


def refused(command: str, reason: str) -> InstarError:
    """Return that a node may not be asked for a command, in the dialect's words."""
    told = f"node command not allowed: {command}"
    detail = {"code": "NODE_COMMAND_NOT_ALLOWED", "reason": reason, "command": command}
    return InstarError("command_refused", told, hint="Permit it with `instar node allow NODE COMMAND`.", detail=detail)


def check(node: n.Node, wanted: Wanted) -> None:
    """Refuse what the gate would refuse, in the dialect's words; the gate decides all the same.

    Raises:
        InstarError: `command_refused`; `node_away`.
    """
    command = in_dialect(wanted.tool)
    if not node.declared:
        raise refused(command, "node did not declare commands")
    if wanted.tool not in node.declared:
        raise refused(command, "command not declared by node")
    if wanted.tool not in node.commands:
        raise refused(command, "command not allowlisted")
    if node.kind is n.NodeKind.NODE and not node.is_connected:
        told = {"code": "NOT_CONNECTED", "message": "node not connected"}
        raise InstarError("node_away", "node not connected", detail={"code": "NOT_CONNECTED", "nodeError": told})


async def carry(
    call: Call,
    node: n.Node,
    wanted: Wanted,
    *,
    within_s: float = GATEWAY_INVOKE_S,
    room: str = "",
    if_away: c.IfAway = c.IfAway.FAIL,
) -> Carried:
    """Ask for a call on a node and return it when it has ended.

    Raises:
        InstarError: Why it failed; `timeout` when the client's time is over first. The call goes on: the error names
            it, and the approval that it waits for.
    """
    ends = time.monotonic() + within_s
    asked = await start(call, node, wanted, within_s=within_s, room=room, if_away=if_away)
    if call.peer is not None:
        call.peer.only_waits()
    while not is_over(asked):
        left = ends - time.monotonic()
        if left <= 0:
            raise _late(asked, wanted, within_s)
        asked = await invoke(call, c.GET, c.AwaitCall(asked.id, wait=min(left, WAIT_MAX_S)))
    stdout, stderr = await output(call, asked)
    return Carried(asked, stdout, stderr)


async def start(
    call: Call,
    node: n.Node,
    wanted: Wanted,
    *,
    within_s: float = 0.0,
    room: str = "",
    if_away: c.IfAway = c.IfAway.FAIL,
) -> c.Call:
    """Ask for a call on a node and return it as it stands; a repeat with the same idempotency key is the same call."""
    ask = c.StartCall(
        wanted.tool,
        args=wanted.args,
        target=node.id,
        room=room,
        cwd=wanted.cwd,
        env=wanted.env,
        timeout_s=wanted.timeout_s or within_s or None,
        if_away=if_away,
    )
    return await invoke(call, c.START, ask, key=call.key)


def is_over(asked: c.Call) -> bool:
    """Whether a call has ended."""
    return asked.state not in (
        c.CallState.ADMITTED, c.CallState.AWAITING_APPROVAL, c.CallState.DISPATCHED, c.CallState.STREAMING
    )  # fmt: skip


def _late(asked: c.Call, wanted: Wanted, within_s: float) -> InstarError:
    detail: dict[str, Any] = {"cause": NODE_TIMEOUT, "callId": asked.id, "command": in_dialect(wanted.tool)}
    if asked.state is c.CallState.AWAITING_APPROVAL:
        told = f"the call waits for an approval ({asked.approval_id}); nothing has run"
        hint = f"Approve it with `instar approvals approve {asked.approval_id}`; its result is that of call {asked.id}."
        detail |= {"code": "APPROVAL_PENDING", "approvalId": asked.approval_id}
    else:
        told = f"the node did not answer within {within_s:g} s"
        hint = f"Read call {asked.id} with `instar calls show {asked.id}`."
        detail["code"] = "TIMEOUT"
    detail["nodeError"] = {"code": "TIMEOUT", "message": told}
    return InstarError("timeout", told, hint=hint, detail=detail)


async def output(call: Call, asked: c.Call) -> tuple[bytes, bytes]:
    """Return what a call wrote, all of it.

    Raises:
        InstarError: `too_large` when it is more than a frame of the dialect should hold; as `hub.watch_call`.
    """
    size = sum(stream.size_bytes for stream in asked.streams)
    is_fourth = call.generation is Generation.V4
    if size > (GATEWAY_RESULT_MAX_BYTES if is_fourth else GATEWAY_V3_RESULT_MAX_BYTES):
        raise InstarError(
            "too_large",
            f"the output of call {asked.id} is {size:,} bytes, more than a frame of the dialect should hold",
            hint=f"Read it with `instar calls output {asked.id}`.",
            detail={"callId": asked.id},
        )
    if not size:
        return b"", b""
    reader = _Reader()
    watch = await call.hub.watch_call(call.caller, asked.id, reader, {})
    try:
        for channel in (1, 2):
            watch.allow(channel, size)
        await reader.is_over.wait()
    finally:
        watch.close()
    if reader.error is not None:
        raise reader.error
    return bytes(reader.channels[1]), bytes(reader.channels[2])


class _Reader:
    """Takes the whole output of a call that has ended."""

    def __init__(self) -> None:
        self.channels = {1: bytearray(), 2: bytearray()}
        self.is_over = asyncio.Event()
        self.error: InstarError | None = None

    def output(self, channel: int, offset: int, content: bytes) -> None:  # noqa: ARG002 - the shape of Watcher
        self.channels[channel] += content

    def allowed(self, upto: int) -> None:
        """Nothing is written here."""

    def ended(self, call: c.Call) -> None:  # noqa: ARG002 - the shape of Watcher
        self.is_over.set()

    def failed(self, error: InstarError) -> None:
        self.error = error
        self.is_over.set()


def failure_of(carried: Carried) -> InstarError | None:
    """Return why a call gave no result; None when it gave one. A program that ran has one, whatever its status."""
    asked = carried.call
    if asked.state is c.CallState.DONE or (asked.tool in PROGRAMS and asked.state is c.CallState.EXPIRED):
        return None
    error = asked.error
    code, message = (error.code, error.message) if error is not None else (_CODES[asked.state], f"it is {asked.state}")
    named = _NODE_ERROR.fullmatch(message)
    detail: dict[str, Any] = {"callId": asked.id}
    if named is not None:
        detail["nodeError"] = {"code": named[1], "message": named[2] or named[1]}
        detail["code"] = named[1]
    return InstarError(code, message, hint=error.hint if error is not None else "", detail=detail)


def payload_of(carried: Carried) -> Any:  # noqa: ANN401 - any JSON value
    """Return the result of a call as the node's own dialect has it."""
    asked = carried.call
    if asked.tool in PROGRAMS:
        is_late = asked.state is c.CallState.EXPIRED
        return {
            "exitCode": asked.exit_status,
            "timedOut": is_late,
            "success": asked.exit_status == 0 and not is_late,
            "stdout": carried.stdout.decode(errors="replace"),
            "stderr": carried.stderr.decode(errors="replace"),
        } | ({"error": asked.error.message} if asked.error is not None else {})
    if asked.tool == "which":
        paths = members(members(asked.result).get("paths"))
        return {"bins": {name: path for name, path in paths.items() if path}}
    result: Any = asked.result
    if carried.stdout and isinstance(result, dict):
        return {**cast("dict[str, Any]", result), "base64": base64.b64encode(carried.stdout).decode()}
    return result


def moltis_payload_of(carried: Carried, wanted: Wanted) -> Any:  # noqa: ANN401 - any JSON value
    """Return the result of a call as a Moltis node has it."""
    asked = carried.call
    if asked.tool in PROGRAMS:
        told = payload_of(carried)
        status = told["exitCode"] if told["exitCode"] is not None else -1
        return {"stdout": told["stdout"], "stderr": told["stderr"], "exitCode": status}
    if asked.tool == "which" and len(wanted.args["names"]) == 1:
        path = members(members(asked.result).get("paths")).get(wanted.args["names"][0]) or None
        return {"found": path is not None, "path": path}
    return payload_of(carried)
