"""How grants come and go: each change is a row and an event in one transaction."""

from dataclasses import replace

import msgspec

from instar.base.clock import Micros, now
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.store.seam import HOME, Draft, Transaction
from instar.wire.events import KEYRING
from instar.wire.identity import Scope

from . import grant_table
from .attenuation import Wanted, attenuate, confine
from .grant_table import StoredGrant
from .keyring import ROTATED, KeyEvent, event_of
from .principals import Grant
from .tokens import Token, new_token


async def mint(tx: Transaction, holder: Grant, wanted: Wanted) -> tuple[StoredGrant, str]:
    """Narrow `holder` to what is wanted; return the new grant and its token, which nothing shows again.

    What a session makes is narrowed from the grant that the session came of, so that signing out ends the session
    and not the keys that were made in it.

    Raises:
        InstarError: `forbidden` when more is wanted than the holder has; `unauthorized` when the holder was revoked
            meanwhile.
    """
    actor = holder.principal.id
    source = await grant_table.find(tx, holder.id)
    if source is not None and source.revoked_at is not None:
        raise InstarError("unauthorized", "the credential was revoked")
    if holder.kind == "session" and (lender := await grant_table.find(tx, holder.parent)) is not None:
        holder = replace(holder, id=lender.grant.id, expires_at=lender.grant.expires_at)
    return await establish(tx, attenuate(holder, wanted), wanted.name, new_token(wanted.kind), actor=actor)


async def establish(
    tx: Transaction, grant: Grant, name: str, token: Token, *, actor: str = ""
) -> tuple[StoredGrant, str]:
    """Store a grant that `attenuate` made, or a root, with its token and the event that makes it hold."""
    at = now()
    stored = await grant_table.insert(tx, grant, name, token, at)
    await _append(tx, "key.created", event_of(stored), actor, at)
    return stored, token.text


async def revoke(tx: Transaction, grant_id: str, *, actor: str = "", reason: str = "revoked") -> None:
    """Revoke a grant and all that were narrowed from it, at any depth. What is revoked already stays so.

    Raises:
        InstarError: `not_found` when there is no such grant.
    """
    stored = await grant_table.find(tx, grant_id)
    if stored is None:
        raise InstarError("not_found", f"there is no key {grant_id}")
    at = now()
    waiting = [(stored, reason)]
    while waiting:
        ending, why = waiting.pop()
        if await grant_table.mark_revoked(tx, ending.grant.id, at):
            await _append(tx, "key.revoked", event_of(ending, why), actor, at)
        waiting.extend((child, "parent revoked") for child in await grant_table.children(tx, ending.grant.id))


async def revoke_agent_tokens(tx: Transaction, agent_id: str, *, actor: str = "", reason: str = "revoked") -> None:
    """Revoke every token of an agent, and what was narrowed from them."""
    for stored in await grant_table.of_agent(tx, agent_id):
        await revoke(tx, stored.grant.id, actor=actor, reason=reason)


async def rotate(
    tx: Transaction, grant_id: str, token: Token, *, actor: str = "", scopes: frozenset[Scope] | None = None
) -> StoredGrant:
    """Replace a grant's token; the old one ends at once, and so do the sign-ins that it served for.

    With `scopes` the grant keeps those alone. What was narrowed from it stays, unless the grant itself is narrowed.

    Raises:
        InstarError: `not_found` when there is no such grant, `conflict` when it has ended.
    """
    stored, at = await _holding(tx, grant_id), now()
    grant = stored.grant if scopes is None else confine(stored.grant, scopes)
    await grant_table.replace_token(tx, grant_id, token)
    await _append(tx, "key.revoked", event_of(stored, ROTATED), actor, at)
    await tx.execute("DELETE FROM codes WHERE org = ?1 AND grant_id = ?2", HOME, grant_id)
    is_narrowed = grant.scopes != stored.grant.scopes
    if is_narrowed:
        await grant_table.set_scopes(tx, grant_id, grant.scopes)
    for child in await grant_table.children(tx, grant_id):
        if is_narrowed or child.grant.kind == "session":
            await revoke(tx, child.grant.id, actor=actor, reason="parent narrowed" if is_narrowed else ROTATED)
    return await _renew(tx, stored, grant, token, actor, at)


async def hand_out(tx: Transaction, grant_id: str, token: Token) -> StoredGrant:
    """Give a grant whose token nobody was shown another one. Nothing ends: nobody holds the old one.

    Raises:
        InstarError: `not_found` when there is no such grant, `conflict` when it has ended.
    """
    stored, at = await _holding(tx, grant_id), now()
    await grant_table.replace_token(tx, grant_id, token)
    return await _renew(tx, stored, stored.grant, token, "", at)


async def restore_root(tx: Transaction, grant_id: str, root: Grant) -> None:
    """Give a stored root what it holds by now: a newer hub may know scopes that an older one did not."""
    stored = await _holding(tx, grant_id)
    await grant_table.set_scopes(tx, grant_id, root.scopes)
    await _append(tx, "key.created", event_of(replace(stored, grant=root), "upgraded"), "", now())


async def _holding(tx: Transaction, grant_id: str) -> StoredGrant:
    stored = await grant_table.find(tx, grant_id)
    if stored is None:
        raise InstarError("not_found", f"there is no key {grant_id}")
    if not stored.holds(now()):
        raise InstarError("conflict", f"key {grant_id} has ended", hint="Create a new key with `instar keys create`.")
    return stored


async def _renew(
    tx: Transaction, stored: StoredGrant, grant: Grant, token: Token, actor: str, at: Micros
) -> StoredGrant:
    """Say that a grant has another token."""
    renewed = StoredGrant(grant, stored.name, token.hash, token.prefix, stored.created_at)
    await _append(tx, "key.created", event_of(renewed, ROTATED), actor, at)
    return renewed


async def _append(tx: Transaction, kind: str, payload: KeyEvent, actor: str, at: Micros) -> None:
    await tx.append(Draft(KEYRING, new_id("evt"), kind, msgspec.json.encode(payload), at, actor))
