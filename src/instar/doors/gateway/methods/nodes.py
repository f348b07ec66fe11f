"""Nodes: devices with that role, who of them is connected, and the window in which unknown ones may ask."""

from collections.abc import Mapping
from typing import Any

from instar.base.errors import InstarError
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import invoke, reworded
from instar.doors.gateway.devices import is_node, moltis_request_row, node_request_row, paired_row
from instar.doors.gateway.node_calls import UNKNOWN_NODE, node_of
from instar.doors.gateway.nodes.rows import (
    moltis_details,
    moltis_row,
    node_row,
    surface,
    surface_request,
    surface_row,
)
from instar.doors.gateway.times import millis, now_ms
from instar.wire import devices as d
from instar.wire import nodes as n
from instar.wire.gateway.method import Generation
from instar.wire.operation import Nothing

from .devices import UNKNOWN_REQUEST, approve, approve_request, devices, reject, requests


async def _nodes(call: Call) -> list[n.Node]:
    """Return every node, and SSH targets after them; the hub's own machine is none to the dialects."""
    found: n.NodeList = await invoke(call, n.LIST, n.NodeQuery())
    return [node for node in found.nodes if node.kind is not n.NodeKind.LOCAL]


async def list_nodes(call: Call) -> object:
    """List nodes, connected ones first."""
    rank = {n.NodeKind.SSH: 1}
    nodes = sorted(
        await _nodes(call), key=lambda one: (rank.get(one.kind, 0), not one.is_connected, one.name, one.id)
    )  # fmt: skip
    if call.generation is Generation.MOLTIS:
        return [moltis_row(node) for node in nodes]
    return {"ts": now_ms(), "nodes": [node_row(node) for node in nodes if node.kind is n.NodeKind.NODE]}


async def describe(call: Call) -> dict[str, Any]:
    """Show one node.

    Raises:
        InstarError: `not_found` in the dialect's words.
    """
    node = await node_of(call, call.params.node_id)
    if call.generation is Generation.MOLTIS:
        return moltis_row(node) | moltis_details(node, now_ms())
    return {"ts": now_ms(), **node_row(node)}


async def rename(call: Call) -> dict[str, Any]:
    """Call a node something else."""
    wanted = d.RenameDevice(call.params.node_id, call.params.display_name)
    device: d.Device = await reworded(call, d.RENAME, wanted, UNKNOWN_NODE)
    if call.generation is Generation.MOLTIS:
        return {}
    return {"nodeId": device.id, "displayName": device.facts.name}


async def list_pairing(call: Call) -> object:
    """List nodes, devices that want to be nodes, and nodes that want to be asked for what they offer.

    Moltis lists the devices alone.
    """
    pending = [one for one in await requests(call) if one.role is d.Role.NODE]
    if call.generation is Generation.MOLTIS:
        return [moltis_request_row(one) for one in pending]
    nodes = await _seen(call)
    # Who is connected is another right than to pair; `node.list` says it.
    paired = [paired_row(one, nodes.get(one.id)) for one in await devices(call) if is_node(one)]
    surfaces = [surface_row(node) for node in nodes.values() if surface_request(node)]
    return {"pending": [node_request_row(one) for one in pending] + surfaces, "paired": paired}


async def _seen(call: Call) -> dict[str, n.Node]:
    """Return the nodes that the caller may see, by id; who may only pair sees none of them as such."""
    try:
        return {node.id: node for node in await _nodes(call)}
    except InstarError as error:
        if error.code != "forbidden":
            raise
        return {}


async def approve_node(call: Call) -> dict[str, Any]:
    """Let a node in; or let one that is in be asked for what it offers, but for what a permit names one by one."""
    if call.generation is Generation.MOLTIS:
        return await approve(call)
    if (node := await _surfaced(call)) is not None:
        permit = n.Permit(commands=surface(node))
        return {
            "requestId": call.params.request_id,
            "node": node_row(await invoke(call, n.PERMIT, n.SetPermit(node.id, permit))),
        }
    device = await approve_request(call)
    return {"requestId": call.params.request_id, "node": paired_row(device, None)}


async def reject_node(call: Call) -> dict[str, Any]:
    """Turn a node away.

    Raises:
        InstarError: `not_available` for one that is in: nothing is permitted to it, so there is nothing to take back.
    """
    if call.generation is not Generation.MOLTIS and await _surfaced(call) is not None:
        told = "the node may be asked for nothing as it is; there is nothing to take back"
        raise InstarError("not_available", told, hint="Remove the node to let it in no more.")
    told = await reject(call)
    return {"requestId": told["requestId"], "nodeId": told["deviceId"]} if told else told


async def _surfaced(call: Call) -> n.Node | None:
    """Return the node whose request to be asked for what it offers this is."""
    wanted: str = call.params.request_id
    if not wanted.startswith("surface-"):
        return None
    node = next((one for one in (await _seen(call)).values() if surface_request(one) == wanted), None)
    if node is None:
        raise InstarError(
            "not_found", UNKNOWN_REQUEST, hint="List them with `node.pair.list`: the node offers others now."
        )
    return node


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
