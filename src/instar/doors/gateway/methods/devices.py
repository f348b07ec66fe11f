"""Devices: who asks, who was let in, their tokens."""

from collections.abc import Mapping
from typing import Any

from instar.base.errors import InstarError
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import invoke, reworded
from instar.doors.gateway.devices import device_row, moltis_device_row, request_row
from instar.doors.gateway.times import millis, now_ms
from instar.wire import devices as d
from instar.wire.gateway.method import Generation
from instar.wire.gateway.scopes import APPROVALS, NODE, OPERATOR, READ, WRITE, asked, besides, ours, theirs
from instar.wire.identity import Scope
from instar.wire.operation import Nothing

UNKNOWN_REQUEST = "unknown requestId"
UNKNOWN_DEVICE = "unknown deviceId"
DENIED = "device pairing approval denied"
"""How the dialect's clients recognise that they should ask with wider scopes."""


async def requests(call: Call) -> list[d.PairingRequest]:
    """Return the requests that wait, oldest first."""
    found: d.RequestList = await invoke(call, d.REQUESTS, Nothing())
    return found.requests


async def devices(call: Call) -> list[d.Device]:
    """Return the devices that may come in, newest first."""
    found: d.DeviceList = await invoke(call, d.LIST, Nothing())
    return [one for one in found.devices if not one.revoked_at]


async def list_pairing(call: Call) -> object:
    """List devices and the requests that wait; Moltis lists devices alone."""
    known = await devices(call)
    if call.generation is Generation.MOLTIS:
        return [moltis_device_row(one) for one in known]
    pending = [request_row(one) for one in await requests(call)]
    return {"pending": pending, "paired": [device_row(one) for one in known]}


def _request_id(call: Call) -> str:
    return call.params.id if call.generation is Generation.MOLTIS else call.params.request_id


async def approve_request(call: Call) -> d.Device:
    """Let a device in with what it asked for; without `execute` where the caller itself may not ask for calls.

    Raises:
        InstarError: `not_found` in the dialect's words; `forbidden` when it asks for more than the caller has.
    """
    wanted = d.ApprovePairing(_request_id(call))
    if Scope.EXECUTE not in call.caller.grant.scopes:
        for one in await requests(call):
            if one.id == wanted.request_id and Scope.EXECUTE in one.scopes:
                wanted.scopes = [scope for scope in one.scopes if scope is not Scope.EXECUTE]
    try:
        return await reworded(call, d.APPROVE, wanted, UNKNOWN_REQUEST)
    except InstarError as error:
        if error.code != "forbidden" or call.method.name.startswith("node."):
            raise
        raise InstarError("forbidden", f"{DENIED}: {error.message}", hint=error.hint) from None


async def reject_request(call: Call) -> d.PairingRequest:
    """Turn a device away.

    Raises:
        InstarError: `not_found` in the dialect's words.
    """
    return await reworded(call, d.REJECT, d.RequestRef(_request_id(call)), UNKNOWN_REQUEST)


async def approve(call: Call) -> dict[str, Any]:
    """Let a device in. It gets its token when it connects, and nobody else sees it."""
    device = await approve_request(call)
    if call.generation is Generation.MOLTIS:
        return {"deviceId": device.alias or device.id, "scopes": device_row(device)["scopes"]}
    return {"requestId": _request_id(call), "device": device_row(device)}


async def reject(call: Call) -> dict[str, Any]:
    """Turn a device away."""
    request = await reject_request(call)
    return {} if call.generation is Generation.MOLTIS else {"requestId": request.id, "deviceId": request.device_id}


async def remove(call: Call) -> dict[str, Any]:
    """Forget a device: its key may ask again."""
    device: d.Device = await reworded(call, d.REMOVE, d.DeviceRef(call.params.device_id), UNKNOWN_DEVICE)
    return {"deviceId": device.id}


async def rename(call: Call) -> dict[str, Any]:
    """Call a device something else."""
    wanted = d.RenameDevice(call.params.device_id, call.params.label)
    device: d.Device = await reworded(call, d.RENAME, wanted, UNKNOWN_DEVICE)
    return {"deviceId": device.id, "label": device.facts.name, "device": device_row(device)}


def _role(word: str) -> d.Role:
    if word not in (OPERATOR, NODE):
        raise InstarError("bad_request", f"unknown role: {word[:64]!r}", hint="A device is an operator or a node.")
    return d.Role(word)


async def rotate(call: Call) -> dict[str, Any]:
    """Replace a device's token; the old one ends at once. Generation 4 shows it to the device itself alone.

    Raises:
        InstarError: `bad_request` for a role that there is not; `not_found`; `forbidden`.
    """
    params = call.params
    if call.generation is Generation.MOLTIS:
        made = await _rotated(call, d.RotateToken(params.device_id))
        return {"deviceToken": made.token, "scopes": theirs(frozenset(made.scopes))}
    role = _role(params.role)
    scopes = None if params.scopes is None else await _kept(call, role)
    made = await _rotated(call, d.RotateToken(params.device_id, role, scopes))
    told: dict[str, Any] = {"deviceId": made.device_id, "role": str(made.role)}
    told |= {"scopes": theirs(frozenset(made.scopes)), "rotatedAtMs": millis(made.rotated_at)}
    if call.generation is Generation.V3:
        return told | {"token": made.token}
    if call.client.device_id != made.device_id:
        return told | {"tokenDelivery": "withheld-cross-device"}
    return told | {"token": made.token, "tokenDelivery": "in-band"}


async def _kept(call: Call, role: d.Role) -> list[Scope]:
    """Return the rights that a device keeps; `execute` goes with the dialect's scopes where it has it."""
    wanted = ours(call.params.scopes, role)
    if also := besides(call.params.scopes, role):
        device: d.Device = await reworded(call, d.GET, d.DeviceRef(call.params.device_id), UNKNOWN_DEVICE)
        wanted |= also & {scope for grant in device.grants if grant.role is role for scope in grant.scopes}
    return sorted(wanted)


async def _rotated(call: Call, wanted: d.RotateToken) -> d.DeviceToken:
    return await reworded(call, d.ROTATE, wanted, UNKNOWN_DEVICE)


async def revoke(call: Call) -> dict[str, Any]:
    """End a device's rights in one role; Moltis ends the device. Its sockets close within a second."""
    params = call.params
    role = None if call.generation is Generation.MOLTIS else _role(params.role)
    device: d.Device = await reworded(call, d.REVOKE, d.RevokeDevice(params.device_id, role), UNKNOWN_DEVICE)
    if role is None:
        return {}
    return {"deviceId": device.id, "role": str(role), "revokedAtMs": millis(device.revoked_at) or now_ms()}


async def create_token(call: Call) -> dict[str, Any]:
    """Make a device without a key, which shows its token alone: read and write, as Moltis has it."""
    scopes = sorted(asked((READ, WRITE, APPROVALS), OPERATOR) - ({Scope.EXECUTE} - call.caller.grant.scopes))
    name = call.params.display_name
    code: d.PairingCode = await invoke(call, d.MAKE_CODE, d.MakeCode(scopes, name=name))
    facts = d.Facts(name=name, platform=call.params.platform)
    made: d.DeviceToken = await invoke(call, d.USE_CODE, d.UseCode(code.code, facts))
    return {"deviceToken": made.token, "deviceId": made.device_id, "scopes": theirs(frozenset(made.scopes))}


HANDLERS: Mapping[str, Handler] = {
    "device.pair.list": list_pairing,
    "device.pair.approve": approve,
    "device.pair.reject": reject,
    "device.pair.remove": remove,
    "device.pair.rename": rename,
    "device.token.rotate": rotate,
    "device.token.revoke": revoke,
    "device.token.create": create_token,
}
