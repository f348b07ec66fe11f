"""Handlers of `keys.*` and `auth.*`."""

from collections.abc import Callable

from instar.base.clock import MICROS_PER_S, Micros, now, to_rfc3339
from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.store.seam import Store, Transaction
from instar.wire import identity as wire
from instar.wire.operation import Nothing

from . import grant_table, minting, sign_in
from .attenuation import Wanted, is_within, outlives
from .authority import Authority
from .keyring import Keyring
from .missing import missing
from .principals import Caller, Grant
from .tokens import new_token


class Handlers:
    """What callers may do to keys and to their own sign-in.

    Args:
        store: Where grants are.
        authority: Who speaks for whom.
        keyring: The grants that hold.
        used: When each grant was last presented, as far as the table has not seen it.
        base_url: Where a browser reaches this hub, without a trailing slash.
    """

    def __init__(
        self,
        store: Store,
        authority: Authority,
        keyring: Keyring,
        used: dict[str, Micros],
        base_url: Callable[[], str],
    ) -> None:
        self._store = store
        self._authority = authority
        self._keyring = keyring
        self._used = used
        self._base_url = base_url

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (
            bind(wire.KEYS_CREATE, self.create),
            bind(wire.KEYS_LIST, self.list),
            bind(wire.KEYS_REVOKE, self.revoke, self._locate),
            bind(wire.KEYS_ROTATE, self.rotate, self._locate),
            bind(wire.WHOAMI, self.whoami),
            bind(wire.EXCHANGE, self.exchange),
            bind(wire.LOGOUT, self.logout),
            bind(wire.CONSOLE_LINK, self.console_link),
        )

    def lender(self, grant: Grant) -> Grant:
        """Return the grant that a grant came of if it is a session's, else itself.

        A session is its lender in every right; only its time is shorter.
        """
        return self._keyring.get(grant.parent) or grant if grant.kind == "session" else grant

    async def create(self, act: Act[wire.CreateKey, None]) -> wire.CreatedKey:
        """Make a key within the caller's own grant."""
        params, holder = act.params, act.caller.grant
        end = None if params.expires_in_s is None else Micros(now() + int(params.expires_in_s * MICROS_PER_S))
        wanted = Wanted("key", params.name, frozenset(params.scopes), _set(params.agents), _set(params.rooms), end)
        act.audit_subject = wanted.id
        shown: list[str] = []

        async def work(tx: Transaction) -> wire.Key:
            stored, token = await minting.mint(tx, holder, wanted)
            shown.append(token)
            return grant_table.key_of(stored)

        key = await act.transact(work, wire.Key)
        return wire.CreatedKey(key, shown[0])

    async def list(self, act: Act[Nothing, None]) -> wire.KeyList:
        """List the keys that are no wider than the caller's own grant."""
        found = await self._store.read(grant_table.everyone)
        within = [stored for stored in found if is_within(stored.grant, act.caller.grant)]
        return wire.KeyList([grant_table.key_of(stored, self._used.get(stored.grant.id)) for stored in within])

    async def revoke(self, act: Act[wire.KeyRef, Grant]) -> wire.Key:
        """Revoke a key and what was narrowed from it."""
        _refuse_root(act.object)
        grant_id, actor = act.object.id, act.caller.principal.id
        act.audit_subject = grant_id

        async def work(tx: Transaction) -> wire.Key:
            await minting.revoke(tx, grant_id, actor=actor)
            stored = await grant_table.find(tx, grant_id)
            if stored is None:
                raise InstarError("not_found", f"there is no key {grant_id}")
            return grant_table.key_of(stored)

        return await act.transact(work, wire.Key)

    async def rotate(self, act: Act[wire.KeyRef, Grant]) -> wire.CreatedKey:
        """Replace a key's token. Who is somebody else by a device, a password or a browser is nobody's to become."""
        _refuse_root(act.object)
        if hint := _ROTATED_ELSEWHERE.get(act.object.kind):
            raise InstarError("conflict", f"{act.object.id} is a {act.object.kind}'s", hint=hint)
        if outlives(act.object, self.lender(act.caller.grant)):
            raise InstarError("forbidden", f"needs a grant that lasts as long as {act.object.id}")
        grant_id, actor, token = act.object.id, act.caller.principal.id, new_token(act.object.kind)
        act.audit_subject = grant_id

        async def work(tx: Transaction) -> wire.Key:
            return grant_table.key_of(await minting.rotate(tx, grant_id, token, actor=actor))

        return wire.CreatedKey(await act.transact(work, wire.Key), token.text)

    async def whoami(self, act: Act[Nothing, None]) -> wire.Whoami:
        """Say who the caller is."""
        grant = act.caller.grant
        agents = self._authority.identities(act.caller) - {grant.principal.id} | (grant.agents or frozenset())
        return wire.Whoami(
            principal=grant.principal,
            scopes=sorted(grant.scopes),
            mode=self._authority.policy.mode,
            agents=sorted(agents) if agents or grant.agents is not None else None,
            expires_at="" if grant.expires_at is None else to_rfc3339(grant.expires_at),
        )

    async def exchange(self, act: Act[wire.ExchangeCode, None]) -> sign_in.IssuedSession:
        """Exchange a code for a session; the door sets the cookie from the answer's `token`."""
        code = act.params.code

        async def work(tx: Transaction) -> tuple[grant_table.StoredGrant, str] | None:
            return await sign_in.exchange(tx, code)

        outcome = await self._store.transact(work)
        if outcome is None:
            raise sign_in.wrong_code()
        session, token = outcome
        return sign_in.issued(session, grant_table.key_of(session).expires_at, token)

    async def logout(self, act: Act[Nothing, None]) -> Nothing:
        """End the caller's session."""
        grant = act.caller.grant
        if grant.kind != "session":
            raise InstarError(
                "conflict", "the credential is no session", hint="End a key with `instar keys revoke ID`."
            )

        async def work(tx: Transaction) -> Nothing:
            await minting.revoke(tx, grant.id, actor=grant.principal.id, reason="signed out")
            return Nothing()

        return await act.transact(work, Nothing)

    async def console_link(self, act: Act[Nothing, None]) -> wire.ConsoleLink:
        """Make a link that signs a browser in as the caller, once."""
        holder, base = self.lender(act.caller.grant), self._base_url()

        async def work(tx: Transaction) -> wire.ConsoleLink:
            code = await sign_in.issue_code(tx, "link", holder)
            return wire.ConsoleLink(console_url(base, code.text), to_rfc3339(code.expires_at))

        return await act.transact(work, wire.ConsoleLink)

    async def _locate(self, caller: Caller, params: wire.KeyRef) -> Grant:  # noqa: ARG002 - the shape of Locate
        stored = await self._store.read(lambda reader: grant_table.find(reader, params.key_id))
        if stored is None:
            raise missing("key", params.key_id)
        return stored.grant


_ROTATED_ELSEWHERE = {
    "device": "Replace its token with `instar devices rotate ID`.",
    "person": "Set another password with `instar users passwd LOGIN`.",
    "session": "End it with `instar keys revoke ID`, then sign in again.",
}


def console_url(base: str, code: str) -> str:
    """Return the sign-in link: the code is in the fragment, which no browser sends and no server logs."""
    return f"{base}/console/#code={code}"


def _refuse_root(grant: Grant) -> None:
    if grant.kind == "local":
        raise InstarError(
            "conflict", "the local grant is the hub's root", hint="Stop the hub, remove its file, then start again."
        )


def _set(members: list[str] | None) -> frozenset[str] | None:
    return None if members is None else frozenset(members)
