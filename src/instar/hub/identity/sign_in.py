"""Signing a browser in: single-use codes, from a link's fragment or typed by a person, become sessions."""

from dataclasses import dataclass
from typing import Literal

from instar.base.clock import MICROS_PER_S, Micros, now
from instar.base.errors import InstarError
from instar.base.ids import new_secret, secret_hash
from instar.store.seam import HOME, Transaction
from instar.wire.identity import ConsoleSession
from instar.wire.limits import CONSOLE_LINK_S, SESSION_S, SETUP_CODE_S, SETUP_CODE_TRIES

from . import grant_table, typed_codes
from .attenuation import Wanted
from .grant_table import StoredGrant
from .minting import mint
from .principals import Grant

_LINK_PREFIX = "il"
_SETUP_HALF_CHARS = 5
"""49 bits in all, guarded by `SETUP_CODE_TRIES`."""

CodeKind = Literal["link", "setup"]


class IssuedSession(ConsoleSession, frozen=True, dict=True):
    """A new session with its token beside it.

    The token is an attribute and no field: no encoder ever writes it. The door that answers `auth.exchange` reads
    `result.token` and sets it as a cookie (`doors.credentials.session_cookie`).
    """

    @property
    def token(self) -> str:
        """The session's token; empty on a copy that was decoded."""
        return vars(self).get("_token", "")


def issued(session: StoredGrant, expires_at: str, token: str) -> IssuedSession:
    """Return the answer to a sign-in."""
    answer = IssuedSession(principal=session.grant.principal, expires_at=expires_at)
    vars(answer)["_token"] = token
    return answer


@dataclass(frozen=True, slots=True)
class Code:
    """A single-use code, shown once."""

    text: str
    expires_at: Micros


async def issue_code(tx: Transaction, kind: CodeKind, grant: Grant) -> Code:
    """Store a code that signs in under `grant`. A new setup code ends the older ones."""
    at = now()
    await tx.execute("DELETE FROM codes WHERE org = ?1 AND expires_at <= ?2", HOME, at)
    if kind == "setup":
        await tx.execute("DELETE FROM codes WHERE org = ?1 AND kind = ?2", HOME, kind)
    text = new_secret(_LINK_PREFIX) if kind == "link" else typed_codes.made(_SETUP_HALF_CHARS)
    expires_at = Micros(at + int((CONSOLE_LINK_S if kind == "link" else SETUP_CODE_S) * MICROS_PER_S))
    await tx.execute(
        "INSERT INTO codes (org, hash, kind, grant_id, tries, created_at, expires_at)"
        " VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6)",
        HOME, secret_hash(_normal(text)), kind, grant.id, at, expires_at,
    )  # fmt: skip
    return Code(text, expires_at)


async def exchange(tx: Transaction, text: str) -> tuple[StoredGrant, str] | None:
    """Use a code up and mint the session that it stands for; None when the code is wrong, used or expired.

    A wrong code counts against the setup codes unless it looks like a link's: `SETUP_CODE_TRIES` in all. It must
    not raise for a wrong code, or the count would be undone with the rest of the transaction.
    """
    at, digest = now(), secret_hash(_normal(text))
    used = await tx.execute(
        "UPDATE codes SET used_at = ?3 WHERE org = ?1 AND hash = ?2 AND used_at IS NULL AND expires_at > ?3"
        " AND tries < ?4",
        HOME, digest, at, SETUP_CODE_TRIES,
    )  # fmt: skip
    if used != 1:
        if not text.startswith(_LINK_PREFIX + "_"):
            await tx.execute("UPDATE codes SET tries = tries + 1 WHERE org = ?1 AND kind = 'setup'", HOME)
        return None
    row = await tx.row("SELECT grant_id FROM codes WHERE org = ?1 AND hash = ?2", HOME, digest)
    holder = await grant_table.find(tx, row[0]) if row else None
    if holder is None or not holder.holds(at):
        return None
    grant = holder.grant
    ends = Micros(at + int(SESSION_S * MICROS_PER_S))
    wanted = Wanted("session", "console", grant.scopes, grant.agents, grant.rooms, ends)
    return await mint(tx, grant, wanted)


def wrong_code() -> InstarError:
    """Return the one refusal of every code that does not sign in: it does not say why."""
    return InstarError(
        "unauthorized",
        "the code is wrong, was used or has expired",
        hint="Print a fresh link with `instar`, or a new setup code with `instar start`.",
    )


def _normal(text: str) -> str:
    """Return a typed code as it was meant; a link's code stays as it is."""
    text = text.strip()
    return text if text.startswith(_LINK_PREFIX + "_") else typed_codes.as_meant(text)
