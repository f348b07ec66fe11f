"""The package's face: what identity asks of people."""

from instar.hub.act import Bindings
from instar.hub.identity.appliers import Appliers
from instar.hub.identity.lockout import Lockout
from instar.store.seam import Store

from . import table
from .handlers import Handlers
from .passwords import Passwords
from .roster import Roster
from .sign_in import SignIn


class People:
    """Who signs in with a name and a password.

    Args:
        store: Where people are kept.
        pump: What brings committed events to the roster.
        passwords: What hashes and checks.
        lockout: Who guessed too often.
    """

    def __init__(self, store: Store, pump: Appliers, passwords: Passwords, lockout: Lockout) -> None:
        self._store = store
        self._handlers = Handlers(store, passwords, lockout)
        self._sign_in = SignIn(store, passwords, lockout)
        self.roster = Roster()
        """Whose login is which grant's."""
        pump.apply_with("person.added", self.roster.changed)
        pump.apply_with("person.changed", self.roster.changed)
        pump.apply_with("person.removed", self.roster.removed)

    async def load(self) -> None:
        """Take in who there is. Call once, before anybody is vouched for."""
        self.roster.load(await self._store.read(table.everyone))

    def bindings(self) -> Bindings:
        """Return `people.*` and `auth.password` with their handlers."""
        return (*self._handlers.bindings(), *self._sign_in.bindings())
