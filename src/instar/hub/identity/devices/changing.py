"""What is done to a device that was let in. Each change is its rows and its event in one transaction."""

from dataclasses import dataclass

from msgspec.structs import replace

from instar.base.clock import Micros
from instar.base.errors import InstarError
from instar.hub.identity import minting
from instar.hub.identity.attenuation import outlives
from instar.hub.identity.grant_table import find as find_grant
from instar.hub.identity.principals import Grant
from instar.hub.identity.tokens import new_token
from instar.store.seam import Transaction
from instar.wire.devices import Device, DeviceGrant, PairingState, Role
from instar.wire.identity import Scope

from . import deciding, request_table, table
from .admission import changed
from .events import say
from .requests import shown


@dataclass(frozen=True, slots=True)
class Change:
    """Which device is changed, when and by whom."""

    device_id: str
    at: Micros
    actor: str


async def rename(tx: Transaction, change: Change, name: str) -> Device:
    """Call a device something else."""
    device = await table.found(tx, change.device_id)
    await table.rename(tx, device.id, replace(device.facts, name=shown(name)))
    return await changed(tx, device.id, change.at, change.actor)


async def rotate(
    tx: Transaction, change: Change, role: Role, holder: Grant, scopes: frozenset[Scope] | None
) -> tuple[Device, str]:
    """Give a device another token in a role, and with `scopes` fewer rights; return it and the token.

    Args:
        tx: The transaction.
        change: Which device.
        role: Which of its grants.
        holder: Who does it: a grant that lasts longer than theirs is not theirs to take over.
        scopes: What it keeps; None: all.

    Raises:
        InstarError: `conflict` when it has no grant in this role, `forbidden` when more is wanted than it has.
    """
    device = await table.found(tx, change.device_id)
    held = _grant_of(device, role)
    if scopes is not None and (excess := scopes - set(held.scopes)):
        raise InstarError(
            "forbidden",
            f"the device was not given {', '.join(sorted(excess))}",
            hint="A token can only be narrowed; for more the device has to ask anew.",
        )
    stored = await find_grant(tx, held.key_id)
    if stored is not None and outlives(stored.grant, holder):
        raise InstarError("forbidden", f"needs a grant that lasts as long as {held.key_id}")
    token = new_token("device")
    await minting.rotate(tx, held.key_id, token, actor=change.actor, scopes=scopes)
    dropped = set[Scope]() if scopes is None else set(held.scopes) - scopes
    await table.mark_rotated(tx, held.key_id, sorted({*held.withheld, *dropped}), change.at)
    return await changed(tx, device.id, change.at, change.actor), token.text


async def hand_out(tx: Transaction, device_id: str, role: Role, at: Micros) -> tuple[Device, str] | None:
    """Give a device its first token in a role; None when it was given one before."""
    device = await table.found(tx, device_id)
    held = _grant_of(device, role)
    if held.rotated_at:
        return None
    token = new_token("device")
    await minting.hand_out(tx, held.key_id, token)
    await table.mark_rotated(tx, held.key_id, held.withheld, at)
    return await changed(tx, device.id, at, device.principal), token.text


async def revoke(tx: Transaction, change: Change, role: Role | None) -> Device:
    """End a device's grant in one role; or all of them, and refuse its key until it is removed."""
    device = await table.found(tx, change.device_id)
    for grant in device.grants:
        if role in (None, grant.role):
            await minting.revoke(tx, grant.key_id, actor=change.actor)
            await table.drop_grant(tx, device.id, grant.role)
    if role is None:
        await _turn_away(tx, change)
        if not device.revoked_at:
            await table.mark_revoked(tx, device.id, change.at)
    return await changed(tx, device.id, change.at, change.actor)


async def remove(tx: Transaction, change: Change) -> Device:
    """Forget a device; return it as it was."""
    device = await table.found(tx, change.device_id)
    for grant in device.grants:
        await minting.revoke(tx, grant.key_id, actor=change.actor)
    await _turn_away(tx, change)
    await table.remove(tx, device.id)
    await say(tx, "device.removed", device, change.at, change.actor)
    return device


async def _turn_away(tx: Transaction, change: Change) -> None:
    """Reject what the device still asks for."""
    for request in await request_table.pending(tx):
        if request.device_id == change.device_id:
            await deciding.settle(tx, request, PairingState.REJECTED, change.at, change.actor)


def _grant_of(device: Device, role: Role) -> DeviceGrant:
    held = next((grant for grant in device.grants if grant.role is role), None)
    if held is None:
        raise InstarError(
            "conflict", f"the device has no grant in role {role}", hint="Let it connect, then approve its request."
        )
    return held
