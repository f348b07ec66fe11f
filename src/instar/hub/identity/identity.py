"""The package's face: everything that the rest of the hub asks of identity."""

from collections.abc import Callable
from pathlib import Path

from instar.base.clock import Micros, now
from instar.base.errors import InstarError
from instar.hub.act import Bindings
from instar.store.seam import Store, Transaction
from instar.wire.names import Network

from . import grant_table, local_grant, minting, sign_in
from .appliers import Appliers
from .attenuation import Wanted
from .authentication import Authenticator, Credential
from .authority import Authority
from .handlers import Handlers
from .keyring import Keyring
from .lockout import Lockout
from .people.passwords import Passwords
from .people.people import People
from .policy import AuthPolicy
from .principals import Caller, Grant
from .roots import LOCAL_GRANT_ID, local_root
from .speakers import Speakers
from .tokens import new_token, stored_token

WITHOUT_CREDENTIAL = frozenset({"hub.health", "hub.ready", "auth.exchange", "auth.password"})
"""Operations that a request without (to sign in: with whatever) credential may do, as `visitor`."""


class Identity:
    """Who callers are, what they may do, and how grants come and go.

    Args:
        store: Where grants are kept.
        pump: What brings committed events to the projection.
        policy: What the operator decided about access.
        network: This network.
        base_url: Where a browser reaches this hub, without a trailing slash.
        lockout: Who guessed too often; another one in tests.
        passwords: What hashes the passwords of people; of another cost in tests.
        clock: Wall-clock time, for tests.
    """

    def __init__(
        self,
        store: Store,
        pump: Appliers,
        policy: AuthPolicy,
        network: Network,
        *,
        base_url: Callable[[], str] = lambda: "http://127.0.0.1:8787",
        lockout: Lockout | None = None,
        passwords: Passwords | None = None,
        clock: Callable[[], Micros] = now,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keyring = Keyring()
        self.policy = policy
        self.speakers = Speakers()
        self.authority = Authority(policy, self.speakers, network)
        lockout = lockout or Lockout()
        self._people = People(store, pump, passwords or Passwords(), lockout)
        self._authenticator = Authenticator(self._keyring, policy, lockout, clock)
        self._handlers = Handlers(store, self.authority, self._keyring, self._authenticator.used, base_url)
        pump.apply_with("key.created", self._keyring.created)
        pump.apply_with("key.revoked", self._keyring.revoked)

    async def load(self) -> None:
        """Take in the grants that hold, and people. Call once, before the first `authenticate`."""
        at = self._clock()
        self._keyring.load(await self._store.read(lambda reader: grant_table.live(reader, at)))
        await self._people.load()

    def bindings(self) -> Bindings:
        """Return `keys.*`, `auth.*` and `people.*` with their handlers."""
        return (*self._handlers.bindings(), *self._people.bindings())

    def authenticate(self, credential: Credential) -> Caller:
        """Return who presents this credential; see `Authenticator.authenticate`."""
        return self._authenticator.authenticate(credential)

    def visitor(self) -> Caller:
        """Return the caller without any right, for `WITHOUT_CREDENTIAL`."""
        return self._authenticator.visitor()

    def grant(self, grant_id: str) -> Grant | None:
        """Return a grant that holds."""
        return self._keyring.get(grant_id)

    async def mint(self, tx: Transaction, holder: Grant, wanted: Wanted) -> tuple[Grant, str]:
        """Narrow `holder` to what is wanted; return the grant and its token. It holds once the pump has seen it.

        Raises:
            InstarError: `forbidden` when more is wanted than the holder has; `unauthorized` when it was revoked.
        """
        stored, token = await minting.mint(tx, holder, wanted)
        return stored.grant, token

    async def revoke(self, tx: Transaction, grant_id: str, *, actor: str = "", reason: str = "revoked") -> None:
        """Revoke a grant and all that were narrowed from it; their live sockets end with the commit.

        Raises:
            InstarError: `not_found` when there is no such grant.
        """
        await minting.revoke(tx, grant_id, actor=actor, reason=reason)

    async def revoke_agent_tokens(self, tx: Transaction, agent_id: str, *, actor: str = "", reason: str = "") -> None:
        """Revoke every token of an agent; keys that name it among others stay."""
        await minting.revoke_agent_tokens(tx, agent_id, actor=actor, reason=reason or "revoked")

    def on_ended(self, callback: Callable[[str], None]) -> None:
        """Call back on the loop with the id of each grant that ends, or whose token does."""
        self._keyring.on_ended(callback)

    def expire_due(self, at: Micros | None = None) -> None:
        """End the grants whose time has come. To be called each second."""
        self._keyring.expire_due(self._clock() if at is None else at)

    async def flush(self) -> None:
        """Write down when grants were last used. To be called every `LAST_USED_FLUSH_S`, and at the end."""
        used = dict(self._authenticator.used)
        if not used:
            return

        async def work(tx: Transaction) -> None:
            for grant_id, at in used.items():
                await grant_table.mark_used(tx, grant_id, at)

        await self._store.transact(work)
        for grant_id, at in used.items():
            if self._authenticator.used.get(grant_id) == at:
                del self._authenticator.used[grant_id]

    async def local_grant(self, path: Path) -> str:
        """Return the local operator's token. The first start makes the grant and its file; later ones verify both.

        A lost file is made anew, with another token.

        Raises:
            InstarError: `forbidden` when others can read the file, `conflict` when it is another hub's.
        """
        text = local_grant.read(path)
        stored = await self._store.read(lambda reader: grant_table.find(reader, LOCAL_GRANT_ID))
        if text is not None and stored is not None:
            if stored_token("local", text).hash != stored.token_hash:
                raise InstarError(
                    "conflict", f"{path} is not this hub's local grant", hint=f"Remove {path}, then start again."
                )
            return text
        token = new_token("local") if text is None else stored_token("local", text)
        if text is None:
            local_grant.write(path, token.text)

        async def work(tx: Transaction) -> None:
            if stored is None:
                await minting.establish(tx, local_root(), "local", token)
            else:
                await minting.rotate(tx, LOCAL_GRANT_ID, token)

        await self._store.transact(work)
        return token.text

    async def console_code(self, grant: Grant) -> sign_in.Code:
        """Return a single-use code that signs a browser in under `grant`; `handlers.console_url` makes the link."""
        lender = self._handlers.lender(grant)
        return await self._store.transact(lambda tx: sign_in.issue_code(tx, "link", lender))

    async def setup_code(self) -> sign_in.Code:
        """Return a code that a person types to sign in as the local operator; older ones end."""
        return await self._store.transact(lambda tx: sign_in.issue_code(tx, "setup", local_root()))


__all__ = ["WITHOUT_CREDENTIAL", "Credential", "Identity"]
