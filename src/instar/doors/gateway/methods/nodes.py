"""Nodes: devices with that role, who of them is connected, and the window in which unknown ones may ask."""

from collections.abc import Mapping
from typing import Any

from instar.base.errors import InstarError
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import invoke, reworded
from instar.doors.gateway.devices import is_node, moltis_node_row, moltis_request_row, node_request_row, node_row
from instar.doors.gateway.presence import is_connected_node
from instar.doors.gateway.times import millis, now_ms
from instar.wire import devices as d
from instar.wire.gateway.method import Generation
from instar.wire.operation import Nothing
from instar.wire.presence import LIST, PresenceEntry, PresenceList

from .devices import approve, approve_request, devices, reject, requests

UNKNOWN_NODE = "unknown nodeId"
MOLTIS_UNKNOWN_NODE = "node not found"


async def _connected(call: Call) -> dict[str, PresenceEntry]:
    """Return the nodes that are connected, by the id of their device."""
    found: PresenceList = await invoke(call, LIST, Nothing())
    return {one.device_id: one for one in found.entries if is_connected_node(one) and one.device_id}


async def _known(call: Call) -> list[d.Device]:
    """Return the nodes that were let in; for who may not see devices, a node exists while it is connected."""
    try:
        return [one for one in await devices(call) if is_node(one)]
    except InstarError as error:
        if error.code != "forbidden":
            raise
        return []


async def _rows(call: Call) -> list[dict[str, Any]]:
    row = moltis_node_row if call.generation is Generation.MOLTIS else node_row
    connected = await _connected(call)
    known = await _known(call)
    ids = {device.id for device in known}
    rows = [row(device, connected.get(device.id)) for device in known]
    rows += [row(None, entry) for device_id, entry in connected.items() if device_id not in ids]
    return sorted(rows, key=lambda one: (not one["connected"], one.get("displayName") or "", one["nodeId"]))


async def list_nodes(call: Call) -> object:
    """List nodes, connected ones first."""
    rows = await _rows(call)
    return rows if call.generation is Generation.MOLTIS else {"ts": now_ms(), "nodes": rows}


async def describe(call: Call) -> dict[str, Any]:
    """Show one node.

    Raises:
        InstarError: `not_found` in the dialect's words.
    """
    wanted: str = call.params.node_id
    is_moltis = call.generation is Generation.MOLTIS
    for row in await _rows(call):
        if row["nodeId"] == wanted:
            return row if is_moltis else {"ts": now_ms(), **row}
    raise InstarError("not_found", MOLTIS_UNKNOWN_NODE if is_moltis else UNKNOWN_NODE)


async def rename(call: Call) -> dict[str, Any]:
    """Call a node something else."""
    wanted = d.RenameDevice(call.params.node_id, call.params.display_name)
    device: d.Device = await reworded(call, d.RENAME, wanted, UNKNOWN_NODE)
    if call.generation is Generation.MOLTIS:
        return {}
    return {"nodeId": device.id, "displayName": device.facts.name}


async def list_pairing(call: Call) -> object:
    """List nodes and the requests of devices that want to be nodes; Moltis lists the requests alone."""
    pending = [one for one in await requests(call) if one.role is d.Role.NODE]
    if call.generation is Generation.MOLTIS:
        return [moltis_request_row(one) for one in pending]
    # Who is connected is another right than to pair; `node.list` says it.
    paired = [node_row(one, None) for one in await devices(call) if is_node(one)]
    paired = [{name: value for name, value in row.items() if name != "connected"} for row in paired]
    return {"pending": [node_request_row(one) for one in pending], "paired": paired}


async def approve_node(call: Call) -> dict[str, Any]:
    """Let a node in."""
    if call.generation is Generation.MOLTIS:
        return await approve(call)
    device = await approve_request(call)
    return {"requestId": call.params.request_id, "node": node_row(device, None)}


async def reject_node(call: Call) -> dict[str, Any]:
    """Turn a node away."""
    told = await reject(call)
    return {"requestId": told["requestId"], "nodeId": told["deviceId"]} if told else told


async def remove(call: Call) -> dict[str, Any]:
    """Forget a node."""
    device: d.Device = await reworded(call, d.REMOVE, d.DeviceRef(call.params.node_id), UNKNOWN_NODE)
    return {"nodeId": device.id}


async def enable_pairing(call: Call) -> dict[str, Any]:
    """Let unknown devices ask; the window closes by itself."""
    window: d.PairingWindow = await invoke(call, d.OPEN, d.OpenPairing())
    return {"enabled": window.is_open, "closesAtMs": millis(window.closes_at)}


async def disable_pairing(call: Call) -> dict[str, Any]:
    """Let unknown devices ask no more."""
    window: d.PairingWindow = await invoke(call, d.CLOSE, Nothing())
    return {"enabled": window.is_open}


async def pairing_status(call: Call) -> dict[str, Any]:
    """Say whether unknown devices may ask."""
    window: d.PairingWindow = await invoke(call, d.WINDOW, Nothing())
    return {"enabled": window.is_open}


HANDLERS: Mapping[str, Handler] = {
    "node.list": list_nodes,
    "node.describe": describe,
    "node.rename": rename,
    "node.pair.list": list_pairing,
    "node.pair.approve": approve_node,
    "node.pair.reject": reject_node,
    "node.pair.remove": remove,
    "node.pairing.enable": enable_pairing,
    "node.pairing.disable": disable_pairing,
    "node.pairing.status": pairing_status,
}
