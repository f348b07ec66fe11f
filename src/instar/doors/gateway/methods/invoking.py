"""Commands on nodes, as operators ask for them: each is a call, which permits, rules and approvals judge."""

from collections.abc import Mapping
from typing import Any

import msgspec

from instar.base.errors import InstarError
from instar.doors.gateway import node_calls
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import invoke, opened, place
from instar.doors.gateway.node_calls import Wanted
from instar.doors.gateway.times import millis, now_ms
from instar.wire import calls as c
from instar.wire import nodes as n
from instar.wire.gateway.commands import BROWSE, LIST_FOLDER
from instar.wire.gateway.method import Generation
from instar.wire.limits import CALL_QUEUE_S, GATEWAY_INVOKE_S

QUEUED = {"status.request": "device.status", "location.request": "location.get"}
"""What may be asked of a node that is away → the command that it is."""
_json = msgspec.json.Encoder().encode


async def invoke_node(call: Call) -> object:
    """Ask a node for a command and answer in the dialect's shape when the call has ended.

    Raises:
        InstarError: Why there is no result: refused, denied, away, failed; `timeout` when the client's time is over,
            which says whether the call waits for an approval.
    """
    asked = call.params
    is_moltis = call.generation is Generation.MOLTIS
    node = await node_calls.node_of(call, asked.node_id)
    wanted = node_calls.wanted_of(asked.command, asked.args if is_moltis else asked.params)
    node_calls.check(node, wanted)
    within_s = GATEWAY_INVOKE_S if is_moltis else (asked.timeout_ms or 0) / 1_000 or GATEWAY_INVOKE_S
    room = await _room(call, None if is_moltis else getattr(asked, "session_key", None))
    carried = await node_calls.carry(call, node, wanted, within_s=within_s, room=room)
    if (error := node_calls.failure_of(carried)) is not None:
        raise error
    if is_moltis:
        return node_calls.moltis_payload_of(carried, wanted)
    payload = node_calls.payload_of(carried)
    return {
        "ok": True,
        "nodeId": node.id,
        "command": asked.command,
        "payload": payload,
        "payloadJSON": None if payload is None else _json(payload).decode(),
        "callId": carried.call.id,
    }


async def enqueue(call: Call) -> dict[str, Any]:
    """Ask a node for its state or its place; where it is away, as soon as it is back."""
    asked = call.params
    node = await node_calls.node_of(call, asked.node_id)
    wanted = Wanted(QUEUED[asked.type])
    started = await node_calls.start(call, node, wanted, if_away=c.IfAway.QUEUE)
    at = millis(started.created_at) or now_ms()
    queued: dict[str, Any] = {
        "id": started.id,
        "type": asked.type,
        "priority": asked.priority,
        "createdAtMs": at,
        "expiresAtMs": at + (asked.expires_in_ms or int(CALL_QUEUE_S * 1_000)),
        "payload": {},
    }
    return {"nodeId": node.id, "revision": 0, "queued": queued, "wakeTriggered": False}


async def set_session(call: Call) -> dict[str, Any]:
    """Choose where the calls of a session go; null leaves it to the agent, the org, and the hub itself."""
    asked = call.params
    meant = await place(call, asked.session_key)
    node = await node_calls.node_of(call, asked.node_id) if asked.node_id else None
    if node is not None and node.kind is n.NodeKind.NODE and not node.is_connected:
        raise InstarError("node_away", "node not connected", detail={"code": "NOT_CONNECTED"})
    await opened(call, meant)
    await invoke(call, c.SET_ROUTE, c.SetRoute(node.id if node else "", room=meant.room))
    return {"ok": True, "node_id": (node.alias or node.id) if node else None}


async def list_folder(call: Call) -> object:
    """List a folder of a node.

    Raises:
        InstarError: `not_available` without a node: the hub shows no folders of its own.
    """
    asked = call.params
    if not asked.node_id:
        raise InstarError("not_available", "fs.listDir needs nodeId: the hub shows no folders of its own")
    return await _result(call, asked.node_id, Wanted(LIST_FOLDER, {"path": asked.path} if asked.path else {}))


async def browse(call: Call) -> object:
    """Ask the browser of a node: the one that is named, or the only one that may be asked."""
    asked = call.params
    node_id = asked.node_id or await _only(call, BROWSE)
    named = {"method": asked.method, "path": asked.path, "query": asked.query, "body": asked.body}
    args = {name: value for name, value in named.items() if value is not None}
    within_s = (asked.timeout_ms or 0) / 1_000 or GATEWAY_INVOKE_S
    return await _result(call, node_id, Wanted(BROWSE, args), within_s)


async def _result(call: Call, node_id: str, wanted: Wanted, within_s: float = GATEWAY_INVOKE_S) -> object:
    node = await node_calls.node_of(call, node_id)
    node_calls.check(node, wanted)
    carried = await node_calls.carry(call, node, wanted, within_s=within_s)
    if (error := node_calls.failure_of(carried)) is not None:
        raise error
    return node_calls.payload_of(carried)


async def _only(call: Call, command: str) -> str:
    found: n.NodeList = await invoke(call, n.LIST, n.NodeQuery(connected=True))
    able = [node.id for node in found.nodes if command in node.commands]
    if len(able) == 1:
        return able[0]
    told = f"{len(able)} connected nodes may be asked for {command}"
    raise InstarError("not_available", told, hint="Name one with `nodeId`, or permit it to a node that offers it.")


async def _room(call: Call, session_key: str | None) -> str:
    if not session_key:
        return ""
    meant = await place(call, session_key)
    await opened(call, meant)
    return meant.room


HANDLERS: Mapping[str, Handler] = {
    "node.invoke": invoke_node,
    "node.pending.enqueue": enqueue,
    "nodes.set_session": set_session,
    "fs.listDir": list_folder,
    "browser.request": browse,
}
