"""Nodes as the dialects list them: what they offer, what they may be asked, and how they are."""

import hashlib
from typing import Any

from instar.doors.gateway.times import millis, now_ms
from instar.wire.gateway.commands import DANGEROUS, commands_of
from instar.wire.gateway.scopes import ADMIN, PAIRING, WRITE
from instar.wire.nodes import Node, NodeKind

from .telemetry import in_moltis, in_openclaw

_ADMINS = frozenset({"system.run", "system.which", "fs.listDir", "browser.proxy", "system.execApprovals.set"})
"""Commands that the dialect lets admins alone let a node have."""


def surface(node: Node) -> list[str]:
    """Return what a node offers and an operator may let it have in one step: all but what a permit names one by one."""
    return [name for name in node.declared if name not in DANGEROUS]


def surface_request(node: Node) -> str:
    """Return the id of a node's request to be asked for what it offers; empty when it has been decided on.

    The dialect's second approval: it is no record, but what is plain to see, so that its id says what it is for.
    """
    is_waiting = node.kind is NodeKind.NODE and node.is_connected and not node.permit.commands and surface(node)
    if not is_waiting:
        return ""
    shown = "\n".join((node.id, *sorted(surface(node))))
    return "surface-" + hashlib.sha256(shown.encode()).hexdigest()[:24]


def surface_row(node: Node) -> dict[str, Any]:
    """Return that request as a row of `node.pair.list`."""
    commands = commands_of(surface(node))
    needed = [PAIRING, ADMIN] if _ADMINS.intersection(commands) else [PAIRING, WRITE]
    return {
        "requestId": surface_request(node),
        "nodeId": node.id,
        "fingerprint": node.fingerprint,
        "displayName": node.name,
        "platform": node.platform,
        "version": node.version,
        "caps": node.capabilities,
        "commands": commands,
        "remoteIp": node.address,
        "scopes": [],
        "requiredApproveScopes": needed,
        "isRepair": False,
        "silent": False,
        "ts": millis(node.connected_at) or now_ms(),
    }


def node_row(node: Node) -> dict[str, Any]:
    """Return a node as a row of OpenClaw's `node.list`: `commands` is what it may be asked now."""
    request = surface_request(node)
    stats = in_openclaw(node.telemetry, millis(node.telemetry.taken_at) or 0) if node.telemetry is not None else None
    row: dict[str, Any] = {
        "nodeId": node.id,
        "displayName": node.name,
        "platform": node.platform,
        "version": node.version,
        "deviceFamily": _detail(node, "device_family"),
        "modelIdentifier": _detail(node, "model_identifier"),
        "clientId": _detail(node, "client_id"),
        "fingerprint": node.fingerprint,
        "remoteIp": node.address,
        "caps": node.capabilities,
        "commands": commands_of(node.commands),
        "declaredCommands": commands_of(node.declared),
        "permissions": node.permissions or None,
        "pathEnv": node.path_env,
        "hostStats": stats,
        "connectedAtMs": millis(node.connected_at) if node.is_connected else None,
        "lastSeenAtMs": millis(node.last_seen_at),
        "approvalState": "pending-approval" if request else "approved" if node.permit.commands else "unapproved",
        "pendingRequestId": request,
        "pendingDeclaredCommands": commands_of(surface(node)) if request else None,
        "pendingDeclaredCaps": node.capabilities if request else None,
        "paired": True,
        "connected": node.is_connected,
    }
    return {name: value for name, value in row.items() if value not in ("", None)}


def moltis_row(node: Node) -> dict[str, Any]:
    """Return a node as Moltis lists it; SSH targets stand among them, without telemetry."""
    is_ssh = node.kind is NodeKind.SSH
    told = node.telemetry
    row: dict[str, Any] = {
        "nodeId": node.alias or node.id,
        "displayName": node.name or None,
        "platform": "ssh" if is_ssh else node.platform,
        "version": node.version,
        "fingerprint": node.fingerprint or None,
        "capabilities": commands_of(node.declared),
        "commands": commands_of(node.commands),
        "remoteIp": node.address or None,
        "connected": node.is_connected,
        "telemetry": in_moltis(told, is_stale=node.is_stale) if told is not None and not is_ssh else None,
        "providers": [{"provider": one.name, "models": one.models} for one in told.providers] if told else [],
    }
    return row | ({"hostPinned": node.host_pinned, "services": ["ssh"]} if is_ssh else {})


def moltis_details(node: Node, at_ms: int) -> dict[str, Any]:
    """Return what `node.describe` of Moltis says besides; `connectedAt` is the seconds since then, as theirs is."""
    since = millis(node.connected_at)
    return {
        "permissions": node.permissions,
        "pathEnv": node.path_env or None,
        "connectedAt": (at_ms - since) // 1_000 if since is not None and node.is_connected else None,
    }


def _detail(node: Node, name: str) -> str:
    value = node.details.get(name)
    return value if isinstance(value, str) else ""
