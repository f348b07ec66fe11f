"""Handlers of `people.*`."""

from dataclasses import replace

from instar.base.clock import now
from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity import grant_table, minting
from instar.hub.identity.attenuation import Wanted
from instar.hub.identity.lockout import Lockout
from instar.hub.identity.missing import missing
from instar.hub.identity.principals import PERSON_ID_PREFIX, Caller
from instar.store.seam import Store, Transaction
from instar.wire import people as wire
from instar.wire.identity import Principal, PrincipalKind
from instar.wire.limits import PEOPLE_MAX
from instar.wire.operation import Nothing

from . import roster, table
from .guessing import guess_site
from .passwords import Passwords
from .table import StoredPerson, person_of


class Handlers:
    """What callers may do to people.

    Args:
        store: Where people are.
        passwords: What hashes and checks.
        lockout: Who guessed too often.
    """

    def __init__(self, store: Store, passwords: Passwords, lockout: Lockout) -> None:
        self._store = store
        self._passwords = passwords
        self._lockout = lockout

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (
            bind(wire.ADD, self.add),
            bind(wire.LIST, self.list),
            bind(wire.SET_PASSWORD, self.set_password, self._locate),
            bind(wire.DISABLE, self.disable, self._locate),
            bind(wire.ENABLE, self.enable, self._locate),
            bind(wire.REMOVE, self.remove, self._locate),
        )

    async def add(self, act: Act[wire.AddPerson, None]) -> wire.Person:
        """Add a person whose rights lie within the caller's own grant."""
        params, holder, actor = act.params, act.caller.grant, act.caller.principal.id
        login = params.login.lower()
        if login.startswith(PERSON_ID_PREFIX):
            raise InstarError("unprocessable_entity", f"a login does not begin with `{PERSON_ID_PREFIX}`, as ids do")
        person_id = act.audit_subject = new_id(PERSON_ID_PREFIX.rstrip("_"))
        rooms = None if params.rooms is None else frozenset(params.rooms)
        principal = Principal(person_id, PrincipalKind.PERSON, params.name or params.login)
        wanted = Wanted("person", login, frozenset(params.scopes), rooms=rooms, principal=principal)
        async with self._passwords.turn():
            hashed = await self._passwords.hash(params.password)

        async def work(tx: Transaction) -> wire.Person:
            if await table.find(tx, login) is not None:
                raise InstarError("conflict", f"there is a person with the login {login!r}", hint="Choose another one.")
            if await table.count(tx) >= PEOPLE_MAX:
                raise InstarError("conflict", f"there are {PEOPLE_MAX} people already", hint="Remove one first.")
            held, _ = await minting.mint(tx, holder, wanted)
            person = StoredPerson(person_id, login, hashed, held.created_at, None, held)
            await table.insert(tx, person)
            await roster.append(tx, "person.added", person, held.created_at, actor=actor)
            return person_of(person, held.created_at)

        return await act.transact(work, wire.Person)

    async def list(self, act: Act[Nothing, None]) -> wire.PersonList:  # noqa: ARG002 - the shape of a handler
        """List people."""
        found, at = await self._store.read(table.everyone), now()
        return wire.PersonList([person_of(person, at) for person in found])

    async def set_password(self, act: Act[wire.SetPassword, StoredPerson]) -> wire.Person:
        """Replace a password and end the person's sessions, but for the one that one changes one's own in."""
        checked, actor = act.object, act.caller.principal.id
        act.audit_subject = checked.id
        is_own = actor == checked.id
        async with self._passwords.turn():
            if is_own:
                await self._check_current(act)
            hashed = await self._passwords.hash(act.params.password)
        kept = act.caller.grant.id if is_own else ""

        async def work(tx: Transaction) -> wire.Person:
            at, person = now(), await _again(tx, checked)
            if not await table.replace_password(tx, checked, hashed, at):
                raise InstarError("conflict", f"{checked.login!r} got another password just now")
            for session in await grant_table.children(tx, person.grant.id):
                if session.grant.kind == "session" and session.grant.id != kept:
                    await minting.revoke(tx, session.grant.id, actor=actor, reason="password changed")
            await roster.append(tx, "person.changed", person, at, actor=actor, change="password")
            return person_of(person, at)

        return await act.transact(work, wire.Person)

    async def _check_current(self, act: Act[wire.SetPassword, StoredPerson]) -> None:
        """Ask for the password that holds: a browser that somebody left open must not be enough to take it over."""
        site = guess_site(act)
        self._lockout.refuse(site)
        if not await self._passwords.check(act.object.password, act.params.current):
            self._lockout.failed(site)
            raise InstarError(
                "forbidden", "the current password is wrong", hint="Type the one that you sign in with now."
            )

    async def disable(self, act: Act[wire.PersonRef, StoredPerson]) -> wire.Person:
        """End a person's grant, and with it sessions, keys and devices that come of it."""
        actor = act.caller.principal.id
        act.audit_subject = act.object.id

        async def work(tx: Transaction) -> wire.Person:
            at, person = now(), await _again(tx, act.object)
            if person.disabled_at(at) is None:
                await minting.revoke(tx, person.grant.id, actor=actor, reason="disabled")
                await roster.append(tx, "person.changed", person, at, actor=actor, change="disabled")
            return person_of(await _again(tx, person), at)

        return await act.transact(work, wire.Person)

    async def enable(self, act: Act[wire.PersonRef, StoredPerson]) -> wire.Person:
        """Give a person a new grant with the rights of the one that ended, narrowed from the caller's own."""
        caller = act.caller
        act.audit_subject = act.object.id

        async def work(tx: Transaction) -> wire.Person:
            at, person = now(), await _again(tx, act.object)
            if person.disabled_at(at) is not None:
                held, _ = await minting.mint(tx, caller.grant, _same_rights(person))
                await table.replace_grant(tx, person.id, held.grant.id)
                person = replace(person, held=held)
                await roster.append(tx, "person.changed", person, at, actor=caller.principal.id, change="enabled")
            return person_of(person, at)

        return await act.transact(work, wire.Person)

    async def remove(self, act: Act[wire.PersonRef, StoredPerson]) -> wire.Person:
        """Forget a person; everything that came of the grant ends."""
        actor = act.caller.principal.id
        act.audit_subject = act.object.id

        async def work(tx: Transaction) -> wire.Person:
            at, person = now(), await _again(tx, act.object)
            await minting.revoke(tx, person.grant.id, actor=actor, reason="person removed")
            await table.remove(tx, person.id)
            await roster.append(tx, "person.removed", person, at, actor=actor)
            return person_of(person, at)

        return await act.transact(work, wire.Person)

    async def _locate(self, caller: Caller, params: wire.PersonRef | wire.SetPassword) -> StoredPerson:  # noqa: ARG002 - the shape of Locate
        stored = await self._store.read(lambda reader: table.find(reader, params.person_id))
        if stored is None:
            raise missing("person", params.person_id)
        return stored


async def _again(tx: Transaction, person: StoredPerson) -> StoredPerson:
    """Return the person as the transaction finds one: others may have acted since the person was looked up.

    Raises:
        InstarError: `not_found` when another act removed the person.
    """
    stored = await table.find(tx, person.id)
    if stored is None:
        raise missing("person", person.id)
    return stored


def _same_rights(person: StoredPerson) -> Wanted:
    grant = person.grant
    return Wanted("person", person.login, grant.scopes, grant.agents, grant.rooms, principal=grant.principal)
