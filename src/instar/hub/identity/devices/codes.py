"""Pairing codes: what a person types into a client that has no key, instead of approving a request."""

from dataclasses import dataclass

import msgspec

from instar.base.clock import Micros
from instar.base.ids import secret_hash
from instar.hub.identity import grant_table, typed_codes
from instar.hub.identity.principals import Grant
from instar.store.seam import HOME, Transaction
from instar.wire.devices import Role
from instar.wire.identity import Scope
from instar.wire.limits import PAIRING_CODE_TRIES

_HALF_CHARS = 4
"""39 bits in all, guarded by `PAIRING_CODE_TRIES` and the lock of the address."""


@dataclass(frozen=True, slots=True)
class UsedCode:
    """What a right code stands for."""

    holder: Grant
    role: Role
    scopes: frozenset[Scope]
    name: str


async def issue(
    tx: Transaction, holder: Grant, role: Role, scopes: frozenset[Scope], name: str, at: Micros, ends: Micros
) -> str:
    """Store a code that lets one device in, narrowed from `holder`; return it. Dead ones are forgotten."""
    await tx.execute(
        "DELETE FROM pairing_codes WHERE org = ?1 AND (expires_at <= ?2 OR used_at IS NOT NULL OR tries >= ?3)",
        HOME, at, PAIRING_CODE_TRIES,
    )  # fmt: skip
    code = typed_codes.made(_HALF_CHARS)
    await tx.execute(
        "INSERT INTO pairing_codes (org, hash, holder, role, scopes, name, tries, created_at, expires_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8)",
        HOME, secret_hash(typed_codes.as_meant(code)), holder.id, role.value,
        msgspec.json.encode(sorted(scopes)).decode(), name, at, ends,
    )  # fmt: skip
    return code


async def use(tx: Transaction, text: str, at: Micros) -> UsedCode | None:
    """Use a code up; None when it is wrong, used, expired or tried too often, or who made it may no more.

    A wrong one counts against every code there is. It must not raise, or the count would be undone.
    """
    digest = secret_hash(typed_codes.as_meant(text))
    used = await tx.execute(
        "UPDATE pairing_codes SET used_at = ?3 WHERE org = ?1 AND hash = ?2 AND used_at IS NULL AND expires_at > ?3"
        " AND tries < ?4",
        HOME, digest, at, PAIRING_CODE_TRIES,
    )  # fmt: skip
    if used != 1:
        await tx.execute("UPDATE pairing_codes SET tries = tries + 1 WHERE org = ?1 AND used_at IS NULL", HOME)
        return None
    row = await tx.row(
        "SELECT holder, role, scopes, name FROM pairing_codes WHERE org = ?1 AND hash = ?2", HOME, digest
    )
    holder = await grant_table.find(tx, row[0]) if row else None
    if row is None or holder is None or not holder.holds(at):
        return None
    return UsedCode(holder.grant, Role(row[1]), msgspec.json.decode(row[2], type=frozenset[Scope]), row[3])
