"""What nodes say: answers to what they were asked, how they are, and what happened there."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from instar.base.errors import InstarError
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.nodes.results import members
from instar.doors.gateway.nodes.side import NodeSide
from instar.wire.gateway.invocations import Answer, Taken, answer_of, moltis_answer, parsed
from instar.wire.gateway.method import Generation

UNSUPPORTED = "unsupported_event"
UNKNOWN_RUN = "unknown_run"
NO_VOICE = "a node asks nothing itself: speak over a connection of role operator"
Heard = Callable[[Call, NodeSide, object], Awaitable[str]]
"""Takes an event; returns why it was not handled, or nothing."""


def _side(call: Call) -> NodeSide:
    node = call.peer.node if call.peer is not None else None
    if node is None:
        raise InstarError("not_available", f"{call.method.name} is for the socket of a node")
    return node


async def answered(call: Call) -> dict[str, Any]:
    """Take a node's answer to what it was asked on this socket; what nobody waits for is ignored and told so.

    Raises:
        InstarError: `bad_request` in another node's name, and of Moltis for an id that nobody waits for.
    """
    node, told = _side(call), call.params
    if call.generation is Generation.MOLTIS:
        if node.line.answered(told.invoke_id, moltis_answer(told.result)) is Taken.IGNORED:
            raise InstarError("bad_request", "unknown invoke id")
        return {}
    error = {} if told.error is None else {"code": told.error.code or "", "message": told.error.message or ""}
    answer: Answer = answer_of(is_ok=told.ok, payload=told.payload, payload_json=told.payload_json, error=error)
    taken = node.line.answered(told.id, answer, told.node_id)
    return {"ok": True} if taken is Taken.TAKEN else {"ok": True, "ignored": True}


async def progressed(call: Call) -> dict[str, Any]:
    """Take text that a running command wrote."""
    told = call.params
    _side(call).line.progressed(told.invoke_id, told.seq, told.chunk, told.node_id)
    return {"ok": True}


async def happened(call: Call) -> dict[str, Any]:
    """Take what a node says by itself: how it is, and of runs what the hub started. Nothing is passed on unread.

    Raises:
        InstarError: `not_available` for what is not handled, where the generation has no other word for it.
    """
    node, told = _side(call), call.params
    payload = told.payload if told.payload_json is None else parsed(told.payload_json)
    hear = EVENTS.get(told.event)
    reason = await hear(call, node, payload) if hear is not None else UNSUPPORTED
    if call.generation is Generation.V4:
        handled = {"ok": True, "event": told.event, "handled": not reason}
        return handled | ({"reason": reason} if reason else {})
    if reason:
        raise InstarError("not_available", f"the event {told.event[:64]!r} is not handled: {reason}")
    return {} if call.generation is Generation.MOLTIS else {"ok": True}


async def _measured(call: Call, node: NodeSide, payload: object) -> str:  # noqa: ARG001 - the shape of Heard
    node.reported(payload)
    return ""


async def _ran(call: Call, node: NodeSide, payload: object) -> str:  # noqa: ARG001 - the shape of Heard
    """Only of runs that the hub started is anything believed, and of those it has the answer itself."""
    run_id = members(payload).get("runId")
    return "" if isinstance(run_id, str) and node.runs(run_id) else UNKNOWN_RUN


async def _asked(call: Call, node: NodeSide, payload: object) -> str:  # noqa: ARG001 - the shape of Heard
    """What would speak to an agent, or hear one: a node has no right to either."""
    return NO_VOICE


EVENTS: Mapping[str, Heard] = {
    "node.telemetry": _measured,
    "node.host.stats": _measured,
    "exec.started": _ran,
    "exec.finished": _ran,
    "exec.denied": _ran,
    "voice.transcript": _asked,
    "agent.request": _asked,
    "chat.subscribe": _asked,
    "chat.unsubscribe": _asked,
}
"""Event of a node → what is done with it. Every other is not handled, and none is passed on to anybody."""


async def pulled(call: Call) -> dict[str, Any]:
    """Return what waits for the node: nothing, as the hub asks a node itself as soon as it is connected."""
    return {"nodeId": _side(call).node_id, "actions": []}


async def drained(call: Call) -> dict[str, Any]:
    """Return what waits for the node: nothing, as the hub asks a node itself as soon as it is connected."""
    return {"nodeId": _side(call).node_id, "revision": 0, "items": [], "hasMore": False}


async def acknowledged(call: Call) -> dict[str, Any]:
    """Take note that nothing was taken: nothing waits."""
    return {"nodeId": _side(call).node_id, "ackedIds": [], "remainingCount": 0}


async def bins(call: Call) -> dict[str, Any]:  # noqa: ARG001 - the shape of Handler
    """Return the programs that skills need: none, as skills are documents here."""
    return {"bins": []}


HANDLERS: Mapping[str, Handler] = {
    "node.invoke.result": answered,
    "node.invoke.progress": progressed,
    "node.event": happened,
    "node.pending.pull": pulled,
    "node.pending.drain": drained,
    "node.pending.ack": acknowledged,
    "skills.bins": bins,
}
