"""Keys and targets as their rows and their events hold them. Every event carries the whole of one, never a secret."""

import msgspec

from instar.base.clock import Micros, from_rfc3339, now, to_rfc3339
from instar.base.ids import new_id
from instar.store.seam import HOME, Draft, Reader, Row, Transaction
from instar.wire.events import NODES
from instar.wire.ssh import SshKey, SshMode, SshTarget, SshTest

CHANGED, REMOVED = "ssh.changed", "ssh.removed"
KEY_ADDED, KEY_REMOVED = "ssh.key_added", "ssh.key_removed"

_KEY = "id, name, public_key, fingerprint, created_at"
_TARGET = (
    "id, label, address, port, mode, key_id, known_host, blocked_fingerprint, last_test, is_default, created_at,"
    " updated_at"
)


class TargetRecord(SshTarget, frozen=True, omit_defaults=True):
    """Payload of `ssh.changed` and `ssh.removed`; what is derived (names, fingerprints) is left empty."""

    updated_at: str = ""


def secret_of(key_id: str) -> str:
    """Return the context under which a key's private half is sealed."""
    return f"ssh-key:{key_id}"


async def keys(reader: Reader) -> list[SshKey]:
    """Return every managed key, by name."""
    sql = f"SELECT {_KEY} FROM ssh_keys WHERE org = ?1 ORDER BY name, id"  # noqa: S608
    return [_key_of(row) for row in await reader.rows(sql, HOME)]


async def find_key(reader: Reader, key: str) -> SshKey | None:
    """Return the key with this id or name."""
    sql = f"SELECT {_KEY} FROM ssh_keys WHERE org = ?1 AND (id = ?2 OR lower(name) = lower(?2))"  # noqa: S608
    rows = [_key_of(row) for row in await reader.rows(sql, HOME, key)]
    return next((each for each in rows if each.id == key), rows[0] if rows else None)


async def add_key(tx: Transaction, key: SshKey, actor: str) -> None:
    """Write a key's public half and append the event; the private half is its owner's affair."""
    await tx.execute(
        "INSERT INTO ssh_keys (org, id, name, public_key, fingerprint, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        HOME, key.id, key.name, key.public_key, key.fingerprint, from_rfc3339(key.created_at),
    )  # fmt: skip
    await _append(tx, KEY_ADDED, key, actor)


async def remove_key(tx: Transaction, key: SshKey, actor: str) -> None:
    """Remove a key's row and append the event."""
    await tx.execute("DELETE FROM ssh_keys WHERE org = ?1 AND id = ?2", HOME, key.id)
    await _append(tx, KEY_REMOVED, key, actor)


async def targets(reader: Reader) -> list[TargetRecord]:
    """Return every target, the one changed last first."""
    sql = f"SELECT {_TARGET} FROM ssh_targets WHERE org = ?1 ORDER BY updated_at DESC, id"  # noqa: S608
    return [_target_of(row) for row in await reader.rows(sql, HOME)]


async def find_target(reader: Reader, target_id: str) -> TargetRecord | None:
    """Return the target with this id."""
    sql = f"SELECT {_TARGET} FROM ssh_targets WHERE org = ?1 AND id = ?2"  # noqa: S608
    row = await reader.row(sql, HOME, target_id)
    return _target_of(row) if row else None


async def put(tx: Transaction, target: TargetRecord, actor: str) -> None:
    """Write a target and append the event; the default one takes that from any other."""
    if target.is_default:
        for other in await targets(tx):
            if other.is_default and other.id != target.id:
                await put(tx, msgspec.structs.replace(other, is_default=False), actor)
    await tx.execute(
        f"INSERT INTO ssh_targets (org, {_TARGET})"  # noqa: S608
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
        " ON CONFLICT (org, id) DO UPDATE SET label = excluded.label, address = excluded.address,"
        " port = excluded.port, mode = excluded.mode, key_id = excluded.key_id, known_host = excluded.known_host,"
        " blocked_fingerprint = excluded.blocked_fingerprint, last_test = excluded.last_test,"
        " is_default = excluded.is_default, updated_at = excluded.updated_at",
        HOME, target.id, target.label, target.address, target.port, target.mode, target.key_id, target.known_host,
        target.blocked_fingerprint, msgspec.json.encode(target.last_test).decode() if target.last_test else "",
        int(target.is_default), from_rfc3339(target.created_at), from_rfc3339(target.updated_at),
    )  # fmt: skip
    await _append(tx, CHANGED, target, actor)


async def remove(tx: Transaction, target: TargetRecord, actor: str) -> None:
    """Remove a target and append the event."""
    await tx.execute("DELETE FROM ssh_targets WHERE org = ?1 AND id = ?2", HOME, target.id)
    await _append(tx, REMOVED, target, actor)


async def _append(tx: Transaction, kind: str, payload: msgspec.Struct, actor: str) -> None:
    await tx.append(Draft(NODES, new_id("evt"), kind, msgspec.json.encode(payload), now(), actor))


def _key_of(row: Row) -> SshKey:
    key_id, name, public_key, fingerprint, created_at = row
    return SshKey(key_id, name, public_key, fingerprint, to_rfc3339(Micros(created_at)))


def _target_of(row: Row) -> TargetRecord:
    target_id, label, address, port, mode, key_id, known_host, blocked, test, is_default, created_at, updated_at = row
    return TargetRecord(
        target_id, label, address, SshMode(mode), to_rfc3339(Micros(created_at)), port, key_id,
        known_host=known_host, is_default=bool(is_default), is_blocked=bool(blocked), blocked_fingerprint=blocked,
        last_test=msgspec.json.decode(test, type=SshTest) if test else None,
        updated_at=to_rfc3339(Micros(updated_at)),
    )  # fmt: skip
