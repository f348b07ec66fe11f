"""Devices and pairing requests as the dialect shows them: with their fingerprints, and never with a token."""

from typing import Any

from instar.wire.devices import Device, DeviceGrant, PairingRequest, Role
from instar.wire.gateway.commands import commands_of
from instar.wire.gateway.scopes import PAIRING, theirs
from instar.wire.nodes import Node

from .times import millis


def _given(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without what is not known."""
    return {name: value for name, value in row.items() if value not in ("", None)}


def request_row(request: PairingRequest) -> dict[str, Any]:
    """Return a pairing request as a row of `device.pair.list`, and as the event that tells of it."""
    facts = request.facts
    return _given(
        {
            "requestId": request.id,
            "deviceId": request.device_id,
            "publicKey": request.public_key,
            "fingerprint": request.fingerprint,
            "displayName": facts.name,
            "platform": facts.platform,
            "deviceFamily": facts.family,
            "clientId": facts.client_id,
            "clientMode": facts.client_mode,
            "role": str(request.role),
            "roles": [str(request.role)],
            "scopes": scopes_of(request),
            "remoteIp": request.address,
            "reason": str(request.reason),
            "silent": request.is_silent,
            "isRepair": request.is_repair,
            "ts": millis(request.created_at),
            "expiresAtMs": millis(request.expires_at),
        }
    )


def node_request_row(request: PairingRequest) -> dict[str, Any]:
    """Return the request of a device that wants to be a node as a row of `node.pair.list`, and as its event."""
    facts = request.facts
    return {
        "requestId": request.id,
        "nodeId": request.device_id,
        "fingerprint": request.fingerprint,
        "displayName": facts.name or facts.client_id or request.device_id,
        "platform": facts.platform,
        "version": facts.version,
        "caps": [],
        "commands": [],
        "remoteIp": request.address,
        "scopes": scopes_of(request),
        "requiredApproveScopes": [PAIRING],
        "isRepair": request.is_repair,
        "silent": request.is_silent,
        "ts": millis(request.created_at),
    }


def scopes_of(request: PairingRequest) -> list[str]:
    """Return what a device asks for, in the dialect's words."""
    return request.asked or theirs(frozenset(request.scopes))


def device_row(device: Device) -> dict[str, Any]:
    """Return a device as a row of `device.pair.list`."""
    facts = device.facts
    words = theirs(frozenset(scope for grant in device.grants for scope in grant.scopes))
    return _given(
        {
            "deviceId": device.id,
            "publicKey": device.public_key,
            "fingerprint": device.fingerprint,
            "displayName": facts.name,
            "platform": facts.platform,
            "deviceFamily": facts.family,
            "clientId": facts.client_id,
            "clientMode": facts.client_mode,
            "role": str(device.grants[0].role) if device.grants else None,
            "roles": [str(grant.role) for grant in device.grants],
            "scopes": words,
            "approvedVia": device.approved_by,
            "createdAtMs": millis(device.created_at),
            "approvedAtMs": millis(device.created_at),
            "lastSeenAtMs": millis(device.last_seen_at),
            "revokedAtMs": millis(device.revoked_at),
            "tokens": [_token_row(grant, device.revoked_at) for grant in device.grants],
        }
    )


def _token_row(grant: DeviceGrant, revoked_at: str) -> dict[str, Any]:
    return _given(
        {
            "role": str(grant.role),
            "scopes": theirs(frozenset(grant.scopes)),
            "createdAtMs": millis(grant.created_at),
            "rotatedAtMs": millis(grant.rotated_at),
            "revokedAtMs": millis(revoked_at),
            "lastUsedAtMs": millis(grant.last_used_at),
            "expiresAtMs": millis(grant.expires_at),
        }
    )


def moltis_request_row(request: PairingRequest) -> dict[str, Any]:
    """Return a pairing request as Moltis lists it."""
    return {
        "id": request.id,
        "deviceId": request.alias or request.device_id,
        "displayName": request.facts.name or None,
        "platform": request.facts.platform,
        "fingerprint": request.fingerprint or None,
    }


def moltis_device_row(device: Device) -> dict[str, Any]:
    """Return a device as Moltis lists it."""
    return {
        "deviceId": device.alias or device.id,
        "displayName": device.facts.name or None,
        "platform": device.facts.platform,
        "publicKey": device.public_key or None,
        "fingerprint": device.fingerprint or None,
        "createdAt": device.created_at,
    }


def is_node(device: Device) -> bool:
    """Whether a device may connect as a node."""
    return any(grant.role is Role.NODE for grant in device.grants)


def paired_row(device: Device, node: Node | None) -> dict[str, Any]:
    """Return a device that was let in as a node as a row of `node.pair.list`, with what is known of the node."""
    facts = device.facts
    return _given(
        {
            "nodeId": device.id,
            "displayName": facts.name,
            "platform": facts.platform,
            "version": facts.version,
            "deviceFamily": facts.family,
            "modelIdentifier": facts.model,
            "fingerprint": device.fingerprint,
            "caps": node.capabilities if node is not None else [],
            "commands": commands_of(node.commands) if node is not None else [],
            "approvedAtMs": millis(device.created_at),
            "lastSeenAtMs": millis(device.last_seen_at),
            "lastConnectedAtMs": millis(node.connected_at) if node is not None else None,
            "approvalState": "approved",
            "paired": True,
        }
    )
