"""The tables `devices` and `device_grants`, read as callers see them."""

import msgspec

from instar.base.clock import Micros, to_rfc3339
from instar.hub.identity.missing import missing
from instar.store.seam import HOME, Reader, Row, Transaction
from instar.wire.devices import Device, DeviceGrant, Facts, Role
from instar.wire.identity import Scope
from instar.wire.signatures import fingerprint, to_base64url

_DEVICES = (
    "SELECT id, principal, public_key, facts, alias, dialect, approved_by, created_at, revoked_at, last_seen_at"
    " FROM devices WHERE org = ?1"
)
_GRANTS = (
    "SELECT d.device, d.role, d.grant_id, d.withheld, d.rotated_at, g.scopes, g.agents, g.rooms, g.created_at,"
    " g.expires_at, g.last_used_at FROM device_grants d JOIN grants g ON g.org = d.org AND g.id = d.grant_id"
    " WHERE d.org = ?1 AND g.revoked_at IS NULL"
)
_BY_ROLE = " ORDER BY d.device, d.role"


async def everyone(reader: Reader) -> list[Device]:
    """Return all devices, newest first, revoked ones included."""
    grants: dict[str, list[DeviceGrant]] = {}
    for row in await reader.rows(_GRANTS + _BY_ROLE, HOME):
        grants.setdefault(row[0], []).append(_grant(row))
    rows = await reader.rows(_DEVICES + " ORDER BY created_at DESC, id", HOME)
    return [_device(row, grants.get(row[0], [])) for row in rows]


async def find(reader: Reader, device_id: str) -> Device | None:
    """Return the device with this id."""
    row = await reader.row(_DEVICES + " AND id = ?2", HOME, device_id)
    if row is None:
        return None
    grants = await reader.rows(_GRANTS + " AND d.device = ?2" + _BY_ROLE, HOME, device_id)
    return _device(row, [_grant(each) for each in grants])


async def found(reader: Reader, device_id: str) -> Device:
    """Return the device with this id.

    Raises:
        InstarError: `not_found`.
    """
    device = await find(reader, device_id)
    if device is None:
        raise missing("device", device_id)
    return device


async def named(reader: Reader, alias: str) -> Device | None:
    """Return the unrevoked device that is pinned to this alias."""
    row = await reader.row(
        "SELECT id FROM devices WHERE org = ?1 AND alias = ?2 AND alias <> '' AND revoked_at IS NULL", HOME, alias
    )
    return await find(reader, row[0]) if row else None


async def count(reader: Reader) -> int:
    """Return how many devices there are."""
    row = await reader.row("SELECT COUNT(*) FROM devices WHERE org = ?1", HOME)
    return row[0] if row else 0


async def put(tx: Transaction, device: Device, public_key: bytes, at: Micros) -> None:
    """Store what a device is; of a known one everything but its key, its principal and since when."""
    await tx.execute(
        "INSERT INTO devices (org, id, principal, public_key, facts, alias, dialect, approved_by, created_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (org, id) DO UPDATE SET facts = excluded.facts,"
        " alias = excluded.alias, dialect = excluded.dialect, approved_by = excluded.approved_by",
        HOME, device.id, device.principal, public_key or None, _json(device.facts), device.alias, device.dialect,
        device.approved_by, at,
    )  # fmt: skip


async def put_grant(
    tx: Transaction, device_id: str, role: Role, grant_id: str, withheld: list[Scope], rotated_at: Micros | None
) -> None:
    """Note which grant a device has in a role, instead of the one it had."""
    await tx.execute(
        "INSERT INTO device_grants (org, device, role, grant_id, withheld, rotated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        " ON CONFLICT (org, device, role) DO UPDATE SET grant_id = excluded.grant_id, withheld = excluded.withheld,"
        " rotated_at = excluded.rotated_at",
        HOME, device_id, role.value, grant_id, _json(withheld), rotated_at,
    )  # fmt: skip


async def mark_rotated(tx: Transaction, grant_id: str, withheld: list[Scope], at: Micros) -> None:
    """Note that the device got a token, and what it may not have."""
    await tx.execute(
        "UPDATE device_grants SET rotated_at = ?3, withheld = ?4 WHERE org = ?1 AND grant_id = ?2",
        HOME, grant_id, at, _json(withheld),
    )  # fmt: skip


async def drop_grant(tx: Transaction, device_id: str, role: Role) -> None:
    """Forget the grant of a device in a role."""
    await tx.execute(
        "DELETE FROM device_grants WHERE org = ?1 AND device = ?2 AND role = ?3", HOME, device_id, role.value
    )


async def rename(tx: Transaction, device_id: str, facts: Facts) -> None:
    """Store what a device is called."""
    await tx.execute("UPDATE devices SET facts = ?3 WHERE org = ?1 AND id = ?2", HOME, device_id, _json(facts))


async def mark_revoked(tx: Transaction, device_id: str, at: Micros) -> None:
    """Refuse the device's key from now on."""
    await tx.execute("UPDATE devices SET revoked_at = ?3 WHERE org = ?1 AND id = ?2", HOME, device_id, at)


async def remove(tx: Transaction, device_id: str) -> None:
    """Forget a device and which grants it had."""
    await tx.execute("DELETE FROM device_grants WHERE org = ?1 AND device = ?2", HOME, device_id)
    await tx.execute("DELETE FROM devices WHERE org = ?1 AND id = ?2", HOME, device_id)


async def mark_seen(tx: Transaction, grant_id: str, at: Micros) -> None:
    """Note when a grant's device was last here; of a grant that is no device's, nothing."""
    await tx.execute(
        "UPDATE devices SET last_seen_at = ?3 WHERE org = ?1 AND id IN"
        " (SELECT device FROM device_grants WHERE org = ?1 AND grant_id = ?2)",
        HOME, grant_id, at,
    )  # fmt: skip


def _device(row: Row, grants: list[DeviceGrant]) -> Device:
    device_id, principal, key, facts, alias, dialect, approved_by, created_at, revoked_at, last_seen_at = row
    return Device(
        id=device_id,
        principal=principal,
        facts=msgspec.json.decode(facts, type=Facts),
        created_at=to_rfc3339(created_at),
        grants=grants,
        fingerprint=fingerprint(key) if key else "",
        public_key=to_base64url(key) if key else "",
        alias=alias,
        dialect=dialect,
        approved_by=approved_by,
        revoked_at=_time(revoked_at),
        last_seen_at=_time(last_seen_at),
    )


def _grant(row: Row) -> DeviceGrant:
    _, role, grant_id, withheld, rotated_at, scopes, agents, rooms, created_at, expires_at, last_used_at = row
    return DeviceGrant(
        role=Role(role),
        key_id=grant_id,
        scopes=msgspec.json.decode(scopes, type=list[Scope]),
        created_at=to_rfc3339(created_at),
        agents=_list(agents),
        rooms=_list(rooms),
        rotated_at=_time(rotated_at),
        last_used_at=_time(last_used_at),
        expires_at=_time(expires_at),
        withheld=msgspec.json.decode(withheld, type=list[Scope]),
    )


def _time(at: Micros | None) -> str:
    return "" if at is None else to_rfc3339(at)


def _list(text: str | None) -> list[str] | None:
    return None if text is None else msgspec.json.decode(text, type=list[str])


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
