"""Handler of `auth.password`: a name and a password become a session."""

from instar.base.clock import MICROS_PER_S, Micros, now
from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity import grant_table, minting
from instar.hub.identity.attenuation import Wanted
from instar.hub.identity.lockout import Lockout
from instar.hub.identity.sign_in import IssuedSession, issued
from instar.store.seam import Store, Transaction
from instar.wire.limits import SESSION_S
from instar.wire.people import PASSWORD, PasswordSignIn

from . import table
from .guessing import guess_site
from .passwords import Passwords
from .table import StoredPerson

Minted = tuple[grant_table.StoredGrant, str]


class SignIn:
    """Signs people in.

    Args:
        store: Where people are.
        passwords: What checks.
        lockout: Who guessed too often.
    """

    def __init__(self, store: Store, passwords: Passwords, lockout: Lockout) -> None:
        self._store = store
        self._passwords = passwords
        self._lockout = lockout

    def bindings(self) -> Bindings:
        """Return the operation with its handler."""
        return (bind(PASSWORD, self.sign_in),)

    async def sign_in(self, act: Act[PasswordSignIn, None]) -> IssuedSession:
        """Check the password and make a session; the door sets the cookie from the answer's `token`.

        Unknown, disabled and wrong are one answer after one time, and each counts for the lock of the address.

        Raises:
            InstarError: `unauthorized`, `rate_limited`, or `overloaded` when too many sign in at once.
        """
        site, params = guess_site(act), act.params
        self._lockout.refuse(site)
        person = await self._store.read(lambda reader: table.find(reader, params.login))
        renewed = ""
        async with self._passwords.turn():
            self._lockout.refuse(site)  # by guesses that waited beside this one
            is_right = await self._passwords.check(person.password if person else "", params.password)
            if person and is_right and self._passwords.is_outdated(person.password):
                renewed = await self._passwords.hash(params.password)
        minted = await self._mint(person, renewed) if person and is_right else None
        if minted is None:
            self._lockout.failed(site)
            raise InstarError(
                "unauthorized", "the name or the password is wrong",
                hint="Type both again; who runs the hub can set another password.",
                detail={"cause": "password_mismatch"},
            )  # fmt: skip
        session, token = minted
        return issued(session, grant_table.key_of(session).expires_at, token)

    async def _mint(self, checked: StoredPerson, renewed: str) -> Minted | None:
        """Make the session; None when the person was disabled, or has another password since it was checked."""

        async def work(tx: Transaction) -> Minted | None:
            at = now()
            person = await table.find(tx, checked.id)
            if person is None or person.password != checked.password or person.disabled_at(at) is not None:
                return None
            if renewed:
                await table.replace_password(tx, person, renewed, at)
            ends, grant = Micros(at + int(SESSION_S * MICROS_PER_S)), person.grant
            wanted = Wanted("session", "console", grant.scopes, grant.agents, grant.rooms, ends)
            return await minting.mint(tx, grant, wanted)

        return await self._store.transact(work)
