"""The tables `grants` and `principals`: one row a grant, revoked and expired ones included."""

from dataclasses import dataclass

import msgspec

from instar.base.clock import Micros, to_rfc3339
from instar.store.seam import HOME, Reader, Row, Transaction
from instar.wire.identity import Key, Principal, PrincipalKind, Scope

from .principals import Grant, GrantKind
from .tokens import Token

COLUMNS = (
    "g.id, g.principal, p.kind, p.name, g.parent, g.name, g.kind, g.scopes, g.agents, g.rooms, g.token_hash, "
    "g.prefix, g.created_at, g.expires_at, g.revoked_at, g.last_used_at"
)
"""Columns of a grant `g` and its principal `p`, in the order that `from_row` reads."""
_SELECT = f"SELECT {COLUMNS} FROM grants g JOIN principals p ON p.org = g.org AND p.id = g.principal WHERE g.org = ?1"  # noqa: S608


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant with what the table knows besides."""

    grant: Grant
    name: str
    token_hash: str
    prefix: str
    created_at: Micros
    revoked_at: Micros | None = None
    last_used_at: Micros | None = None

    def holds(self, at: Micros) -> bool:
        """Whether it was neither revoked nor has ended."""
        return self.revoked_at is None and not self.grant.has_ended(at)


async def insert(tx: Transaction, grant: Grant, name: str, token: Token, at: Micros) -> StoredGrant:
    """Store a new grant and its principal."""
    principal = grant.principal
    await tx.execute(
        "INSERT INTO principals (org, id, kind, name, created_at) VALUES (?1, ?2, ?3, ?4, ?5)"
        " ON CONFLICT (org, id) DO UPDATE SET name = excluded.name",
        HOME, principal.id, principal.kind.value, principal.name, at,
    )  # fmt: skip
    await tx.execute(
        "INSERT INTO grants (org, id, principal, parent, name, kind, scopes, agents, rooms, token_hash, prefix,"
        " created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        HOME, grant.id, principal.id, grant.parent, name, grant.kind, _list(grant.scopes), _optional(grant.agents),
        _optional(grant.rooms), token.hash, token.prefix, at, grant.expires_at,
    )  # fmt: skip
    return StoredGrant(grant, name, token.hash, token.prefix, at)


async def find(reader: Reader, grant_id: str) -> StoredGrant | None:
    """Return the grant with this id, whatever has become of it."""
    row = await reader.row(f"{_SELECT} AND g.id = ?2", HOME, grant_id)
    return from_row(row) if row else None


async def everyone(reader: Reader) -> list[StoredGrant]:
    """Return all grants, newest first."""
    rows = await reader.rows(f"{_SELECT} ORDER BY g.created_at DESC, g.id", HOME)
    return [from_row(row) for row in rows]


async def live(reader: Reader, at: Micros) -> list[StoredGrant]:
    """Return the grants that are neither revoked nor expired."""
    rows = await reader.rows(
        f"{_SELECT} AND g.revoked_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > ?2)", HOME, at
    )
    return [from_row(row) for row in rows]


async def children(reader: Reader, grant_id: str) -> list[StoredGrant]:
    """Return the unrevoked grants that were narrowed from this one."""
    rows = await reader.rows(f"{_SELECT} AND g.parent = ?2 AND g.revoked_at IS NULL", HOME, grant_id)
    return [from_row(row) for row in rows]


async def of_agent(reader: Reader, agent_id: str) -> list[StoredGrant]:
    """Return the unrevoked tokens of an agent."""
    rows = await reader.rows(
        f"{_SELECT} AND g.principal = ?2 AND g.kind = 'agent' AND g.revoked_at IS NULL", HOME, agent_id
    )
    return [from_row(row) for row in rows]


async def mark_revoked(tx: Transaction, grant_id: str, at: Micros) -> bool:
    """Revoke a grant. Return False when it was revoked before."""
    changed = await tx.execute(
        "UPDATE grants SET revoked_at = ?3 WHERE org = ?1 AND id = ?2 AND revoked_at IS NULL", HOME, grant_id, at
    )
    return changed == 1


async def replace_token(tx: Transaction, grant_id: str, token: Token) -> None:
    """Give a grant another token."""
    await tx.execute(
        "UPDATE grants SET token_hash = ?3, prefix = ?4 WHERE org = ?1 AND id = ?2",
        HOME, grant_id, token.hash, token.prefix,
    )  # fmt: skip


async def set_scopes(tx: Transaction, grant_id: str, scopes: frozenset[Scope]) -> None:
    """Store what a grant allows from now on."""
    await tx.execute("UPDATE grants SET scopes = ?3 WHERE org = ?1 AND id = ?2", HOME, grant_id, _list(scopes))


async def mark_used(tx: Transaction, grant_id: str, at: Micros) -> None:
    """Note when a grant was last used."""
    await tx.execute("UPDATE grants SET last_used_at = ?3 WHERE org = ?1 AND id = ?2", HOME, grant_id, at)


async def forget_sessions(tx: Transaction, before: Micros) -> int:
    """Forget sessions that ended before this time; return how many. Nothing is ever narrowed from a session."""
    return await tx.execute("DELETE FROM grants WHERE org = ?1 AND kind = 'session' AND expires_at <= ?2", HOME, before)


def key_of(stored: StoredGrant, last_used_at: Micros | None = None) -> Key:
    """Return the grant as callers see it; `last_used_at` is a use that the table has not seen yet."""
    grant = stored.grant
    return Key(
        id=grant.id,
        principal=grant.principal.id,
        name=stored.name,
        scopes=sorted(grant.scopes),
        created_at=to_rfc3339(stored.created_at),
        agents=None if grant.agents is None else sorted(grant.agents),
        rooms=None if grant.rooms is None else sorted(grant.rooms),
        prefix=stored.prefix,
        expires_at=_time(grant.expires_at),
        revoked_at=_time(stored.revoked_at),
        last_used_at=_time(last_used_at or stored.last_used_at),
        parent=grant.parent,
        kind=grant.kind,
    )


def _time(at: Micros | None) -> str:
    return "" if at is None else to_rfc3339(at)


def _list(members: frozenset[str] | frozenset[Scope]) -> str:
    return msgspec.json.encode(sorted(members)).decode()


def _optional(members: frozenset[str] | None) -> str | None:
    return None if members is None else _list(members)


def _set(text: str | None) -> frozenset[str] | None:
    return None if text is None else msgspec.json.decode(text, type=frozenset[str])


def from_row(row: Row) -> StoredGrant:
    """Return the grant of a row with `COLUMNS`."""
    grant_id, principal, principal_kind, principal_name, parent, name, kind, scopes, agents, rooms, *rest = row
    token_hash, prefix, created_at, expires_at, revoked_at, last_used_at = rest
    kind_of_grant: GrantKind = kind
    grant = Grant(
        id=grant_id,
        principal=Principal(principal, PrincipalKind(principal_kind), principal_name),
        kind=kind_of_grant,
        scopes=msgspec.json.decode(scopes, type=frozenset[Scope]),
        agents=_set(agents),
        rooms=_set(rooms),
        expires_at=expires_at,
        parent=parent,
    )
    return StoredGrant(grant, name, token_hash, prefix, created_at, revoked_at, last_used_at)
