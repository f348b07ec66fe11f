"""The package's face: everything that the rest of the hub asks of identity."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from instar.base.clock import MICROS_PER_S, Micros, now
from instar.base.errors import InstarError
from instar.hub.act import Bindings
from instar.store.seam import Store, Transaction
from instar.wire.devices import PairingRequest
from instar.wire.http import Request
from instar.wire.limits import ENDED_KEEP_S
from instar.wire.names import Network

from . import grant_table, local_grant, minting, sign_in
from .appliers import Appliers
from .attenuation import Wanted
from .authentication import Authenticator, Credential
from .authority import Authority
from .devices import request_table
from .devices import table as device_table
from .devices.devices import Devices
from .devices.requests import PairingAsk
from .handlers import Handlers
from .keyring import Keyring
from .loans import Loans
from .lockout import Lockout
from .notices import Notices
from .people.passwords import Passwords
from .people.people import People
from .policy import AuthPolicy, PairingPolicy
from .principals import Caller, Grant
from .roots import LOCAL_GRANT_ID, local_root
from .speakers import Speakers
from .standing import standing
from .tokens import new_token, stored_token
from .vouching import Vouching

NOTHING = Credential()
"""Nothing was presented, and nothing is known of where it came from."""


class Identity:
    """Who callers are, what they may do, and how grants come and go.

    Args:
        store: Where grants are kept.
        pump: What brings committed events to the projection.
        policy: What the operator decided about access.
        network: This network.
        pairing: How devices are let in.
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
        pairing: PairingPolicy = PairingPolicy(),  # noqa: B008 - frozen
        base_url: Callable[[], str] = lambda: "http://127.0.0.1:8787",
        lockout: Lockout | None = None,
        passwords: Passwords | None = None,
        clock: Callable[[], Micros] = now,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keyring = Keyring()
        self.loans = Loans(self._keyring)
        self.policy = policy
        self.speakers = Speakers()
        self.authority = Authority(policy, self.speakers, network)
        lockout = lockout or Lockout()
        self._people = People(store, pump, passwords or Passwords(), lockout)
        self._used: dict[str, Micros] = {}
        self._notices = Notices(store, clock)
        lockout.on_locked = self._notices.locked
        self._handlers = Handlers(store, self.authority, self._keyring, self._used, base_url)
        self.devices = Devices(
            store, pump, self._keyring, policy, pairing, lockout, self._notices, self._handlers.lender, self._used,
            clock,
        )  # fmt: skip
        self._authenticator = Authenticator(
            self._keyring, policy, lockout, self.devices, self._people.roster, self._used, clock
        )
        self._vouching = Vouching(policy)
        pump.apply_with("key.created", self._keyring.created)
        pump.apply_with("key.revoked", self._keyring.revoked)

    async def load(self) -> None:
        """Take in the grants that hold, people and devices. Call once, before the first `authenticate`."""
        at = self._clock()
        self._keyring.load(await self._store.read(lambda reader: grant_table.live(reader, at)))
        await self._people.load()
        await self.devices.load()

    def bindings(self) -> Bindings:
        """Return `keys.*`, `auth.*`, `people.*`, `devices.*` and `pairing.*` with their handlers."""
        return (*self._handlers.bindings(), *self._people.bindings(), *self.devices.bindings())

    def authenticate(self, credential: Credential) -> Caller:
        """Return who presents this credential; see `Authenticator.authenticate`."""
        return self._authenticator.authenticate(credential)

    async def vouched_for(self, request: Request) -> str:
        """Return the login that a trusted proxy or the tailnet vouches for; see `Vouching.vouched_for`."""
        return await self._vouching.vouched_for(request)

    def visitor(self, credential: Credential = NOTHING) -> Caller:
        """Return the caller of an operation that needs no credential; see `Authenticator.visitor`."""
        return self._authenticator.visitor(credential)

    async def request_pairing(self, credential: Credential, ask: PairingAsk) -> PairingRequest:
        """Take the ask of the device that this credential proves; see `Asking.ask`.

        Raises:
            InstarError: As `Authenticator.authenticate` for what is wrong, as `Asking.ask` for what may not be;
                `unprocessable_entity` when nothing is signed.
        """
        asker = self._authenticator.asker(credential)
        if credential.signed is None:
            raise InstarError("unprocessable_entity", "a device that asks to be let in proves its key")
        return await self.devices.asking.ask(credential.signed.public_key, ask, asker, credential.facts)

    def holds(self, grant: Grant) -> bool:
        """Whether a grant holds still: whoever was authenticated may be heard much later."""
        return not grant.parent or self._keyring.get(grant.id) is not None

    def watch(self, grant: Grant, watcher: Callable[[str], None]) -> Callable[[], None]:
        """Call back once on the loop, with the reason, when a grant ends or its token is replaced.

        Return the way to stop it. A grant that ended before, as it may while a handshake waits, ends it at once.
        """
        if not self.holds(grant):
            return asyncio.get_running_loop().call_soon(watcher, "revoked").cancel
        return self._keyring.watch(grant.id, watcher)

    def standing(self, grant_id: str) -> Caller | None:
        """Return the caller that a grant makes while nobody is connected, if the grant still holds."""
        return standing(self._keyring, self.policy, grant_id, self._clock())

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

    async def settle(self) -> None:
        """Settle pairing requests whose time is over, and write down who was locked. To be called each second."""
        await self.devices.expire_due()
        await self._notices.flush()

    async def flush(self) -> None:
        """Write down when grants were last used. To be called every `LAST_USED_FLUSH_S`, and at the end."""
        await self._notices.flush()
        used = dict(self._used)
        if not used:
            return

        async def work(tx: Transaction) -> None:
            for grant_id, at in used.items():
                await grant_table.mark_used(tx, grant_id, at)
                await device_table.mark_seen(tx, grant_id, at)

        await self._store.transact(work)
        for grant_id, at in used.items():
            if self._used.get(grant_id) == at:
                del self._used[grant_id]

    async def forget_past(self) -> None:
        """Forget sessions and pairing requests that ended `ENDED_KEEP_S` ago. To be called now and then."""
        before = Micros(self._clock() - int(ENDED_KEEP_S * MICROS_PER_S))

        async def work(tx: Transaction) -> None:
            await grant_table.forget_sessions(tx, before)
            await request_table.forget_settled(tx, before)

        await self._store.transact(work)

    async def local_grant(self, path: Path) -> str:
        """Return the local operator's token. The first start makes the grant and its file; later ones verify both.

        A lost file is made anew, with another token. What a newer hub lets its operator do is added to an older grant.

        Raises:
            InstarError: `forbidden` when others can read the file, `conflict` when it is another hub's.
        """
        text = local_grant.read(path)
        stored, root = await self._store.read(lambda reader: grant_table.find(reader, LOCAL_GRANT_ID)), local_root()
        if text is not None and stored is not None:
            if stored_token("local", text).hash != stored.token_hash:
                raise InstarError(
                    "conflict", f"{path} is not this hub's local grant", hint=f"Remove {path}, then start again."
                )
            if stored.grant.scopes != root.scopes:
                await self._store.transact(lambda tx: minting.restore_root(tx, LOCAL_GRANT_ID, root))
            return text
        token = new_token("local") if text is None else stored_token("local", text)
        if text is None:
            local_grant.write(path, token.text)

        async def work(tx: Transaction) -> None:
            if stored is None:
                await minting.establish(tx, root, "local", token)
            else:
                await minting.rotate(tx, LOCAL_GRANT_ID, token)
                await minting.restore_root(tx, LOCAL_GRANT_ID, root)

        await self._store.transact(work)
        return token.text

    async def console_code(self, grant: Grant) -> sign_in.Code:
        """Return a single-use code that signs a browser in under `grant`; `handlers.console_url` makes the link."""
        lender = self._handlers.lender(grant)
        return await self._store.transact(lambda tx: sign_in.issue_code(tx, "link", lender))

    async def setup_code(self) -> sign_in.Code:
        """Return a code that a person types to sign in as the local operator; older ones end."""
        return await self._store.transact(lambda tx: sign_in.issue_code(tx, "setup", local_root()))


__all__ = ["NOTHING", "Credential", "Identity"]
