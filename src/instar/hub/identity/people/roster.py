"""Which grant belongs to which login: a projection of `person.*` events, for who is vouched for without a password."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from instar.base.clock import Micros
from instar.base.ids import new_id
from instar.store.seam import Draft, Transaction
from instar.wire.events import KEYRING, Event

from .table import StoredPerson

Change = Literal["", "password", "disabled", "enabled"]


class PersonEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payload of `person.*`: never a password, nor its hash."""

    id: str
    login: str
    name: str
    key_id: str
    """The grant, as `key.*` events show it."""
    change: Change = ""


async def append(
    tx: Transaction, kind: str, person: StoredPerson, at: Micros, *, actor: str, change: Change = ""
) -> None:
    """Append what became of a person."""
    payload = PersonEvent(person.id, person.login, person.grant.principal.name, person.grant.id, change)
    await tx.append(Draft(KEYRING, new_id("evt"), kind, msgspec.json.encode(payload), at, actor))


class Roster:
    """Login → id of the person's grant, ended ones too. Changed only on the event loop: at load and by the pump."""

    def __init__(self) -> None:
        self._grants: dict[str, str] = {}

    def load(self, people: Iterable[StoredPerson]) -> None:
        """Take the people that the table holds at start."""
        self._grants = {person.login: person.grant.id for person in people}

    def grant_of(self, login: str) -> str:
        """Return the id of the grant of who has this login, whatever its case; empty: nobody has."""
        return self._grants.get(login.lower(), "")

    def changed(self, event: Event) -> None:
        """Apply `person.added` and `person.changed`."""
        person = msgspec.json.decode(event.payload, type=PersonEvent)
        self._grants[person.login] = person.key_id

    def removed(self, event: Event) -> None:
        """Apply `person.removed`."""
        self._grants.pop(msgspec.json.decode(event.payload, type=PersonEvent).login, None)
