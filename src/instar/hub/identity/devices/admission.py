"""How a device gets its grant: narrowed from who lets it in, in one transaction with the device itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from instar.base.clock import Micros
from instar.base.errors import InstarError
from instar.hub.identity import grant_table, minting
from instar.hub.identity.attenuation import Wanted, is_within
from instar.hub.identity.principals import DEVICE_ID_PREFIX, Grant
from instar.store.seam import Transaction
from instar.wire.devices import Device, Role
from instar.wire.identity import Principal, PrincipalKind, Scope
from instar.wire.limits import DEVICES_MAX

from . import table
from .events import say


@dataclass(frozen=True, slots=True)
class Given:
    """What a device gets in one role."""

    role: Role
    scopes: frozenset[Scope]
    withheld: Iterable[Scope] = ()
    """Scopes that it asked for and does not get."""
    agents: frozenset[str] | None = None
    rooms: frozenset[str] | None = None
    expires_at: Micros | None = None


def wanted_of(given: Given, device_id: str, name: str) -> Wanted:
    """Return the grant that is wanted for a device."""
    principal = Principal(DEVICE_ID_PREFIX + device_id, PrincipalKind.DEVICE, name)
    return Wanted(
        "device", name, given.scopes, given.agents, given.rooms, given.expires_at, principal=principal
    )  # fmt: skip


async def admit(
    tx: Transaction,
    holder: Grant,
    device: Device,
    public_key: bytes,
    given: Given,
    at: Micros,
    *,
    hands_out: bool = False,
) -> tuple[Device, str]:
    """Let a device in, in one role; return it as it is then, and its token. The grant of that role it had ends.

    `hands_out` says that the token is shown now; else nobody knows it, and the device is given one when it connects.

    Raises:
        InstarError: `forbidden` when more is given than the holder has, `unauthorized` when the holder was revoked,
            `conflict` when there are too many devices.
    """
    known = await table.find(tx, device.id)
    if known is None and await table.count(tx) >= DEVICES_MAX:
        raise InstarError(
            "conflict", f"there are {DEVICES_MAX} devices already", hint="Remove one with `instar devices remove ID`."
        )
    actor = holder.principal.id
    wanted = wanted_of(given, device.id, device.facts.name)
    stored, token = await minting.mint(tx, holder, wanted)
    for older in known.grants if known else ():
        if older.role is given.role:
            await _give_way(tx, older.key_id, holder)
    await table.put(tx, device, public_key, at)
    withheld, shown_at = sorted(given.withheld), at if hands_out else None
    await table.put_grant(tx, device.id, given.role, stored.grant.id, withheld, shown_at)
    return await changed(tx, device.id, at, actor), token


async def _give_way(tx: Transaction, grant_id: str, holder: Grant) -> None:
    """End the grant that another one replaces.

    Raises:
        InstarError: `forbidden` when it is wider than the holder's: to replace it is to take the rest away.
    """
    older = await grant_table.find(tx, grant_id)
    if older is not None and not is_within(older.grant, holder):
        raise InstarError("forbidden", "needs a grant as wide as the one that the device has")
    await minting.revoke(tx, grant_id, actor=holder.principal.id, reason="replaced")


async def changed(tx: Transaction, device_id: str, at: Micros, actor: str) -> Device:
    """Say in the log what a device is now, and return it.

    Raises:
        InstarError: `not_found` when there is none.
    """
    device = await table.found(tx, device_id)
    await say(tx, "device.changed", device, at, actor)
    return device
