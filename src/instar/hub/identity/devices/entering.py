"""Handlers of what a device does before anybody knows it: it asks, proves its key, waits, or types a code."""

import secrets
from collections.abc import Callable

from msgspec.structs import replace

from instar.base.clock import MICROS_PER_S, Micros, to_rfc3339
from instar.base.errors import InstarError
from instar.hub.act import Act, Bindings, bind
from instar.hub.identity import minting
from instar.hub.identity.attenuation import Wanted
from instar.hub.identity.credentials import Signed
from instar.hub.identity.lockout import Lockout
from instar.hub.identity.notices import Notice, record
from instar.hub.identity.principals import DEVICE_ID_PREFIX, Grant
from instar.store.seam import Store, Transaction
from instar.wire import devices as wire
from instar.wire import signatures
from instar.wire.identity import Scope
from instar.wire.limits import DEVICE_SESSION_S

from . import codes, refusals, request_table
from .admission import Given, admit
from .asking import Asker, Asking, lack
from .challenges import Challenges
from .hub_key import HubKey
from .proofs import check
from .registry import Registry
from .requests import PairingAsk, PendingRequests, shown_facts

DIALECT = "instar"
"""What our own clients speak."""


class Entering:
    """What callers without a credential may do; each act is bound to a challenge, a request id or a code.

    Args:
        used: When each grant was last presented, as far as the table has not seen it.
    """

    def __init__(
        self,
        store: Store,
        hub_key: HubKey,
        registry: Registry,
        pending: PendingRequests,
        asking: Asking,
        challenges: Challenges,
        lockout: Lockout,
        used: dict[str, Micros],
        clock: Callable[[], Micros],
    ) -> None:
        self._store = store
        self._hub_key = hub_key
        self._registry = registry
        self._pending = pending
        self._asking = asking
        self._challenges = challenges
        self._lockout = lockout
        self._used = used
        self._clock = clock

    def bindings(self) -> Bindings:
        """Return the operations with their handlers."""
        return (
            bind(wire.CHALLENGE, self.challenge),
            bind(wire.ASK, self.ask),
            bind(wire.OUTCOME, self.outcome),
            bind(wire.SIGN_IN, self.sign_in),
            bind(wire.USE_CODE, self.use_code),
        )

    async def challenge(self, act: Act[wire.AskChallenge, None]) -> wire.Challenge:
        """Give a nonce to sign, and prove that this is the hub which the device knows."""
        key = _bytes(act.params.public_key, "public_key")
        if not signatures.is_public_key(key):
            raise InstarError("unprocessable_entity", "`public_key` is no Ed25519 key")
        client_nonce = _bytes(act.params.client_nonce, "client_nonce")
        if len(client_nonce) != signatures.NONCE_BYTES:
            raise InstarError("unprocessable_entity", f"`client_nonce` is not {signatures.NONCE_BYTES} bytes")
        nonce, hub = self._challenges.issue(key), self._hub_key
        proof = hub.sign(signatures.hub_message(hub.id, client_nonce, nonce, key))
        return wire.Challenge(
            hub_id=hub.id,
            hub_public_key=signatures.to_base64url(hub.public_key),
            hub_fingerprint=hub.fingerprint,
            nonce=signatures.to_base64url(nonce),
            signature=signatures.to_base64url(proof),
        )

    async def ask(self, act: Act[wire.AskPairing, None]) -> wire.PairingRequest:
        """Take a device's ask."""
        params = act.params
        key = self._prove("pair", params.public_key, params.nonce, params.signature, params.role, params.scopes)
        asked = tuple(scope.value for scope in params.scopes)
        ask = PairingAsk(
            params.role, frozenset(params.scopes), params.facts, asked, dialect=DIALECT, address=act.peer
        )  # fmt: skip
        caller = act.caller
        grant = None if caller.is_anonymous else caller.grant
        return await self._asking.ask(key, ask, Asker(grant, is_direct=caller.is_direct))

    async def outcome(self, act: Act[wire.AwaitPairing, None]) -> wire.PairingOutcome:
        """Say what became of a request to whoever knows its id, which nobody can guess."""
        request = await self.decided(act.params.request_id, act.params.wait)
        return wire.PairingOutcome(request.id, request.state, request.expires_at)

    async def decided(self, request_id: str, timeout_s: float) -> wire.PairingRequest:
        """Wait for the decision on a request, at most so long, and return the request as it is then.

        Raises:
            InstarError: `not_found` when there is none.
        """
        await self._pending.decided(request_id, timeout_s)
        request = await self._store.read(lambda reader: request_table.find(reader, request_id))
        if request is None:
            raise InstarError("not_found", "there is no such pairing request", hint="Ask again.")
        return request

    async def sign_in(self, act: Act[wire.SignIn, None]) -> wire.SignedIn:
        """Give a device that proves its key a short session within its grant."""
        params, at = act.params, self._clock()
        key = self._prove("sign-in", params.public_key, params.nonce, params.signature, params.role, params.scopes)
        grant = self._grant_of(key, params.role, frozenset(params.scopes))
        self._used[grant.id] = at
        scopes = frozenset(params.scopes) or grant.scopes
        ends = Micros(at + int(DEVICE_SESSION_S * MICROS_PER_S))
        wanted = Wanted("session", grant.principal.name, scopes, grant.agents, grant.rooms, ends)
        stored, token = await self._store.transact(lambda tx: minting.mint(tx, grant, wanted))
        expires_at = to_rfc3339(stored.grant.expires_at or ends)
        return wire.SignedIn(token, expires_at, stored.grant.principal, sorted(stored.grant.scopes))

    async def use_code(self, act: Act[wire.UseCode, None]) -> wire.DeviceToken:
        """Let a client without a key in, once, for a code. A wrong one counts toward the lock of the address."""
        at, facts = self._clock(), shown_facts(act.params.facts)
        if not act.caller.is_direct:
            self._lockout.refuse(act.peer)

        async def work(tx: Transaction) -> wire.DeviceToken | None:
            used = await codes.use(tx, act.params.code, at)
            return await _let_in(tx, used, facts, at) if used is not None else None

        answer = await self._store.transact(work)
        if answer is not None:
            return answer
        if not act.caller.is_direct:
            self._lockout.failed(act.peer)
        raise InstarError(
            "unauthorized",
            "the code is wrong, was used or has expired",
            hint="Make a new one with `instar pairing code` on the hub's machine.",
        )

    def _prove(
        self, purpose: str, public_key: str, nonce: str, signature: str, role: wire.Role, scopes: list[Scope]
    ) -> bytes:
        """Return the key that signed exactly this, for this purpose, hub and challenge."""
        key, challenge = _bytes(public_key, "public_key"), _bytes(nonce, "nonce")
        self._challenges.take(challenge, key)
        words = [scope.value for scope in scopes]
        message = signatures.device_message(purpose, self._hub_key.id, challenge, role.value, words)
        check(Signed(key, _bytes(signature, "signature"), (message,)))
        return key

    def _grant_of(self, key: bytes, role: wire.Role, scopes: frozenset[Scope]) -> Grant:
        device = self._registry.get(signatures.device_id(key))
        if device is not None and device.revoked_at:
            raise refusals.revoked(device)
        reason = lack(self._registry, device, role, scopes, None)
        grant = self._registry.grant(device, role) if device is not None else None
        if reason is not None or grant is None:
            raise refusals.not_paired(reason or wire.PairingReason.ROLE, key, device)
        return grant


async def _let_in(tx: Transaction, used: codes.UsedCode, facts: wire.Facts, at: Micros) -> wire.DeviceToken:
    """Let in a device without a key, whose id is random, with the token that is all it will ever present."""
    device_id = secrets.token_hex(32)
    device = wire.Device(
        id=device_id,
        principal=DEVICE_ID_PREFIX + device_id,
        facts=replace(facts, name=used.name or facts.name),
        created_at=to_rfc3339(at),
        approved_by=used.holder.principal.id,
    )
    given = Given(used.role, used.scopes)
    _, token = await admit(tx, used.holder, device, b"", given, at, hands_out=True)
    holder = used.holder
    await record(tx, Notice(device_id, "by a pairing code", wire.USE_CODE.name, holder.principal.id, holder.id), at)
    return wire.DeviceToken(device_id, used.role, token, sorted(used.scopes), to_rfc3339(at))


def _bytes(text: str, field: str) -> bytes:
    content = signatures.from_base64(text)
    if content is None:
        raise InstarError("unprocessable_entity", f"`{field}` is no base64url")
    return content
