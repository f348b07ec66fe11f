"""A device of our own: challenge, ask, sign-in, and every way to forge, replay, relay or downgrade them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from instar.hub.identity.credentials import Credential
from instar.wire import devices as wire
from instar.wire import signatures
from instar.wire.identity import Scope
from instar.wire.limits import DEVICE_SESSION_S, ENDED_KEEP_S

from .conftest import HERE, LAPTOP, NODE, OPERATOR, Desk, Device, fails

b64 = signatures.to_base64url


class Native:
    """What our own client does."""

    def __init__(self, desk: Desk, device: Device) -> None:
        self.desk = desk
        self.device = device

    async def challenge(self) -> wire.Challenge:
        return await self.desk.do(
            wire.CHALLENGE, wire.AskChallenge(b64(self.device.key), b64(b"c" * 32)), self.desk.identity.visitor()
        )

    def sign(
        self, purpose: str, challenge: wire.Challenge, scopes: list[str], role: str = "operator", hub_id: str = ""
    ) -> str:
        nonce = signatures.from_base64(challenge.nonce)
        assert nonce is not None
        message = signatures.device_message(purpose, hub_id or challenge.hub_id, nonce, role, scopes)
        return b64(signatures.sign(self.device.seed, message))

    async def ask(self, *scopes: str, caller: Any = None, **changed: Any) -> wire.PairingRequest:
        challenge = changed.pop("challenge", None) or await self.challenge()
        signature = changed.pop("signature", None) or self.sign("pair", challenge, list(scopes))
        params: dict[str, Any] = {
            "public_key": b64(self.device.key), "nonce": challenge.nonce, "signature": signature,
            "scopes": [Scope(scope) for scope in scopes], "facts": LAPTOP, **changed,
        }  # fmt: skip
        caller = caller or self.desk.identity.visitor()
        return await self.desk.do(wire.ASK, wire.AskPairing(**params), caller, "198.51.100.7")

    async def sign_in(self, *scopes: str, **changed: Any) -> wire.SignedIn:
        challenge = changed.pop("challenge", None) or await self.challenge()
        signature = changed.pop("signature", None) or self.sign("sign-in", challenge, list(scopes))
        params: dict[str, Any] = {
            "public_key": b64(self.device.key), "nonce": challenge.nonce, "signature": signature,
            "scopes": [Scope(scope) for scope in scopes], **changed,
        }  # fmt: skip
        return await self.desk.do(wire.SIGN_IN, wire.SignIn(**params), self.desk.identity.visitor())


@pytest.fixture
def native(desk: Desk, device: Device) -> Native:
    return Native(desk, device)


async def test_from_the_first_ask_to_a_session(desk: Desk, native: Native, device: Device) -> None:
    await desk.open()
    request = await native.ask("write", "observe")
    assert (request.dialect, request.asked, request.address) == ("instar", ["write", "observe"], "198.51.100.7")
    visitor = desk.identity.visitor()
    outcome = await desk.do(wire.OUTCOME, wire.AwaitPairing(request.id, 0.0), visitor)
    assert outcome == wire.PairingOutcome(request.id, wire.PairingState.PENDING, request.expires_at)
    assert (await fails(native.sign_in())).detail["cause"] == "not-paired"
    await desk.approve(request)
    assert (await desk.do(wire.OUTCOME, wire.AwaitPairing(request.id, 60.0), visitor)).state == "approved"
    assert (await fails(native.ask("write"))).code == "conflict"
    session = await native.sign_in()
    caller = desk.identity.authenticate(Credential(session.token))
    assert session.scopes == ["observe", "write"]
    assert (caller.principal.id, caller.grant.kind) == ("dev_" + device.id, "session")
    assert desk.identity.devices.of(caller.grant) is not None
    narrow = desk.identity.authenticate(Credential((await native.sign_in("write")).token))
    assert narrow.grant.scopes == {Scope.WRITE}
    assert (await fails(native.sign_in("admin"))).detail["cause"] == "scope-upgrade"
    assert (await desk.do(wire.GET, wire.DeviceRef(device.id))).last_seen_at


async def test_a_session_ends_with_its_device_and_its_time(desk: Desk, native: Native, device: Device) -> None:
    await desk.open()
    await desk.approve(await native.ask("write"))
    first = Credential((await native.sign_in()).token)
    ended: list[str] = []
    desk.identity.watch(desk.identity.authenticate(first).grant, ended.append)
    await desk.do(wire.REVOKE, wire.RevokeDevice(device.id, OPERATOR))
    assert ended == ["parent revoked"]
    assert (await fails(lambda: desk.identity.authenticate(first))).code == "unauthorized"
    await desk.approve(await native.ask("write"))
    second = Credential((await native.sign_in()).token)
    desk.clock.pass_s(DEVICE_SESSION_S)
    assert (await fails(lambda: desk.identity.authenticate(second))).code == "unauthorized"
    await desk.do(wire.REVOKE, wire.RevokeDevice(device.id))
    assert (await fails(native.sign_in())).code == "device_revoked"
    assert (await fails(native.ask("write"))).code == "device_revoked"


async def test_rotating_a_device_ends_its_sessions(desk: Desk, native: Native, device: Device) -> None:
    await desk.open()
    await desk.approve(await native.ask("write", "observe"))
    for scopes in (None, [Scope.WRITE]):
        session = Credential((await native.sign_in()).token)
        await desk.do(wire.ROTATE, wire.RotateToken(device.id, scopes=scopes))
        assert (await fails(partial(desk.identity.authenticate, session))).code == "unauthorized"
    assert (await native.sign_in()).scopes == ["write"]


async def test_the_hub_proves_itself(desk: Desk, native: Native, make_desk: Callable[..., Any]) -> None:
    challenge = await native.challenge()
    key, nonce = signatures.from_base64(challenge.hub_public_key), signatures.from_base64(challenge.nonce)
    proof = signatures.from_base64(challenge.signature)
    assert key is not None
    assert nonce is not None
    assert proof is not None
    assert (signatures.device_id(key), signatures.fingerprint(key)) == (challenge.hub_id, challenge.hub_fingerprint)
    message = signatures.hub_message(challenge.hub_id, b"c" * 32, nonce, native.device.key)
    assert signatures.verify(key, proof, message)
    stale = signatures.hub_message(challenge.hub_id, b"d" * 32, nonce, native.device.key)
    assert not signatures.verify(key, proof, stale)
    again = Native(await make_desk(), native.device)
    assert (await again.challenge()).hub_id == challenge.hub_id


# Forgery, replay, relay, downgrade


async def test_a_challenge_is_good_once(desk: Desk, native: Native) -> None:
    await desk.open()
    challenge = await native.challenge()
    signature = native.sign("pair", challenge, ["write"])
    await native.ask("write", challenge=challenge, signature=signature)
    assert (await fails(native.ask("write", challenge=challenge, signature=signature))).code == "unauthorized"


async def test_a_challenge_is_bound_to_the_key_that_asked(desk: Desk, native: Native, other: Device) -> None:
    await desk.open()
    relayed = await Native(desk, other).challenge()
    assert (await fails(native.ask("write", challenge=relayed))).code == "unauthorized"


@pytest.mark.parametrize(
    "signed",
    [
        {"purpose": "sign-in"},
        {"purpose": "code"},
        {"hub_id": "0" * 64},
        {"role": "node"},
        {"scopes": ["write", "observe"]},
        {"scopes": ["observe"]},
        {"scopes": []},
    ],
)
async def test_what_was_signed_for_something_else(desk: Desk, native: Native, signed: dict[str, Any]) -> None:
    await desk.open()
    challenge = await native.challenge()
    signature = native.sign(**{"purpose": "pair", "challenge": challenge, "scopes": ["write"], **signed})
    error = await fails(native.ask("write", challenge=challenge, signature=signature))
    assert (error.code, error.detail["cause"]) == ("unauthorized", "signature_invalid")


async def test_scopes_are_bound_in_their_order(desk: Desk, native: Native) -> None:
    await desk.open()
    challenge = await native.challenge()
    signature = native.sign("pair", challenge, ["observe", "write"])
    assert (
        await fails(native.ask("write", "observe", challenge=challenge, signature=signature))
    ).code == "unauthorized"


async def test_a_sign_in_is_bound_as_well(desk: Desk, native: Native, other: Device) -> None:
    await desk.open()
    await desk.approve(await native.ask("write", "observe"))
    for signed in (
        {"purpose": "pair"},
        {"hub_id": "0" * 64},
        {"role": "node"},
        {"scopes": ["write"]},
    ):
        challenge = await native.challenge()
        signature = native.sign(**{"purpose": "sign-in", "challenge": challenge, "scopes": [], **signed})
        error = await fails(native.sign_in(challenge=challenge, signature=signature))
        assert error.detail["cause"] == "signature_invalid"
    assert (await fails(native.sign_in(role=NODE))).detail["cause"] == "signature_invalid"
    assert (await fails(native.sign_in(public_key=b64(other.key)))).detail["cause"] == "signature_invalid"
    raw = await native.challenge()
    nonce = signatures.from_base64(raw.nonce)
    assert nonce is not None
    bare = b64(signatures.sign(native.device.seed, nonce))
    assert (await fails(native.sign_in(challenge=raw, signature=bare))).detail["cause"] == "signature_invalid"


@pytest.mark.parametrize(
    ("public_key", "client_nonce"),
    [("AAAA", b64(b"c" * 32)), (b64(bytes(32)), b64(b"c" * 32)), ("?", "AAAA"), (b64(b"k" * 32), "AAAA")],
)
async def test_what_is_no_challenge(desk: Desk, public_key: str, client_nonce: str) -> None:
    params = wire.AskChallenge(public_key, client_nonce)
    assert (await fails(desk.do(wire.CHALLENGE, params, desk.identity.visitor()))).code == "unprocessable_entity"


# With a credential beside it


async def test_the_operators_own_device_is_let_in_at_once(desk: Desk, native: Native) -> None:
    here = desk.identity.visitor(Credential(desk.token, **HERE))
    request = await native.ask("write", caller=here)
    assert (request.state, request.is_silent) == ("approved", True)


async def test_a_key_may_bring_a_device_while_pairing_is_closed(desk: Desk, native: Native) -> None:
    assert (await fails(native.ask("write"))).detail["cause"] == "pairing_closed"
    _, token = await desk.key("observe")
    caller = desk.identity.visitor(Credential(token))
    assert (await native.ask("write", caller=caller)).state == "pending"
    assert (await fails(lambda: desk.identity.visitor(Credential("wrong")))).code == "unauthorized"


async def test_sessions_and_requests_that_ended_long_ago_are_forgotten(desk: Desk, native: Native) -> None:
    async def sessions() -> int:
        rows = await desk.store.read(lambda reader: reader.rows("SELECT id FROM grants WHERE kind = 'session'"))
        return len(rows)

    async def requests() -> int:
        rows = await desk.store.read(lambda reader: reader.rows("SELECT id FROM pairing_requests"))
        return len(rows)

    await desk.approve(await native.ask("write", caller=(await desk.key("write"))[0]))
    await native.sign_in()
    await desk.identity.forget_past()
    assert (await sessions(), await requests()) == (1, 1)
    desk.clock.pass_s(DEVICE_SESSION_S + ENDED_KEEP_S - 1)
    await native.sign_in()
    await desk.identity.forget_past()
    assert (await sessions(), await requests()) == (2, 0)
    desk.clock.pass_s(1)
    await desk.identity.forget_past()
    assert await sessions() == 1
