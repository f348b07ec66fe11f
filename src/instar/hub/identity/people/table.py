"""The table `people`: one row a person, joined with the grant that says what the person may do."""

from dataclasses import dataclass

from instar.base.clock import Micros, to_rfc3339
from instar.hub.identity.grant_table import COLUMNS, StoredGrant, from_row, key_of
from instar.hub.identity.principals import PERSON_ID_PREFIX, Grant
from instar.store.seam import HOME, Reader, Row, Transaction
from instar.wire.people import Person

_USED = (
    "SELECT MAX(s.last_used_at) FROM grants s"
    " WHERE s.org = g.org AND (s.id = g.id OR (s.parent = g.id AND s.kind = 'session'))"
)
_SELECT = (
    f"SELECT u.id, u.login, u.password, u.created_at, ({_USED}), {COLUMNS} FROM people u"  # noqa: S608
    " JOIN grants g ON g.org = u.org AND g.id = u.grant_id"
    " JOIN principals p ON p.org = g.org AND p.id = g.principal WHERE u.org = ?1"
)


@dataclass(frozen=True, slots=True)
class StoredPerson:
    """A person as stored; fulfils `facts.PersonFacts`."""

    id: str
    login: str
    """Lower case."""
    password: str
    """Argon2id hash."""
    created_at: Micros
    used_at: Micros | None
    """When a session of the person's, or the grant itself, was last written down as used."""
    held: StoredGrant

    @property
    def grant(self) -> Grant:
        """What the person may do, or might before being disabled."""
        return self.held.grant

    def disabled_at(self, at: Micros) -> Micros | None:
        """Return when the person's grant ended, by whichever hand or its time; None while it holds."""
        end = self.held.grant.expires_at
        return self.held.revoked_at if self.held.revoked_at is not None or end is None or end > at else end


async def insert(tx: Transaction, person: StoredPerson) -> None:
    """Store a new person; the grant is stored already."""
    await tx.execute(
        "INSERT INTO people (org, id, login, password, grant_id, created_at, changed_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        HOME, person.id, person.login, person.password, person.grant.id, person.created_at,
    )  # fmt: skip


async def find(reader: Reader, person_id: str) -> StoredPerson | None:
    """Return the person with this id, or with this login whatever its case."""
    if person_id.startswith(PERSON_ID_PREFIX):
        row = await reader.row(f"{_SELECT} AND u.id = ?2", HOME, person_id)
    else:
        row = await reader.row(f"{_SELECT} AND u.login = ?2", HOME, person_id.lower())
    return _stored(row) if row else None


async def everyone(reader: Reader) -> list[StoredPerson]:
    """Return all people, by login."""
    return [_stored(row) for row in await reader.rows(f"{_SELECT} ORDER BY u.login", HOME)]


async def count(reader: Reader) -> int:
    """Return how many people there are."""
    row = await reader.row("SELECT COUNT(*) FROM people WHERE org = ?1", HOME)
    return row[0] if row else 0


async def replace_password(tx: Transaction, person: StoredPerson, password: str, at: Micros) -> bool:
    """Store another hash; return False when the one that `person` was read with is no longer the stored one."""
    changed = await tx.execute(
        "UPDATE people SET password = ?4, changed_at = ?5 WHERE org = ?1 AND id = ?2 AND password = ?3",
        HOME, person.id, person.password, password, at,
    )  # fmt: skip
    return changed == 1


async def replace_grant(tx: Transaction, person_id: str, grant_id: str) -> None:
    """Let another grant say what the person may do."""
    await tx.execute("UPDATE people SET grant_id = ?3 WHERE org = ?1 AND id = ?2", HOME, person_id, grant_id)


async def remove(tx: Transaction, person_id: str) -> None:
    """Forget a person; the principal stays, as what was said stays."""
    await tx.execute("DELETE FROM people WHERE org = ?1 AND id = ?2", HOME, person_id)


def person_of(stored: StoredPerson, at: Micros) -> Person:
    """Return the person as callers see one."""
    key, disabled_at = key_of(stored.held, stored.used_at), stored.disabled_at(at)
    return Person(
        id=stored.id,
        login=stored.login,
        name=stored.grant.principal.name,
        scopes=key.scopes,
        created_at=to_rfc3339(stored.created_at),
        rooms=key.rooms,
        disabled_at="" if disabled_at is None else to_rfc3339(disabled_at),
        last_used_at=key.last_used_at,
    )


def _stored(row: Row) -> StoredPerson:
    person_id, login, password, created_at, used_at, *grant = row
    return StoredPerson(person_id, login, password, created_at, used_at, from_row(tuple(grant)))
