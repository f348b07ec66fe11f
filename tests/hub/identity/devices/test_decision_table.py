"""Every row of the table of who is let in: what was presented, what was signed, and from where."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.hub.identity.credentials import Credential
from instar.hub.identity.policy import AuthPolicy
from instar.wire import devices as wire
from instar.wire.identity import Scope
from instar.wire.limits import AUTH_FAILURES_MAX

from .conftest import BROWSER, FAR, HERE, LAPTOP, NODE, Desk, Device

SECRET = "s3cret-" * 6
WITH_TOKEN, WITH_PASSWORD = AuthPolicy(token=SECRET), AuthPolicy(password=SECRET)
EVERYTHING = frozenset(Scope)
PLACES = (FAR, HERE, BROWSER)


def outcome(desk: Desk, credential: Credential) -> tuple[str, Any]:
    """Return the kind of the grant with its scopes, or the code of the refusal with its cause."""
    try:
        caller = desk.identity.authenticate(credential)
    except InstarError as error:
        return error.code, error.detail.get("cause")
    return caller.grant.kind, caller.grant.scopes


def scopes(*names: str) -> frozenset[Scope]:
    return frozenset(map(Scope, names))


def forged(credential: Credential) -> Credential:
    assert credential.signed is not None
    signature = bytes([credential.signed.signature[0] ^ 1]) + credential.signed.signature[1:]
    return replace(credential, signed=replace(credential.signed, signature=signature))


# A credential that the hub gave out


@pytest.mark.parametrize("policy", [AuthPolicy(), WITH_TOKEN])
async def test_a_key_is_confined_to_what_is_asked(
    make_desk: Callable[..., Any], device: Device, policy: AuthPolicy
) -> None:
    desk = await make_desk(policy=policy)
    _, token = await desk.key("write", "observe")
    for place in PLACES:
        plain = Credential(token, role="operator", scopes=scopes("write", "admin"), **place)
        assert outcome(desk, plain) == ("key", scopes("write"))
        assert outcome(desk, replace(plain, signed=device.signed())) == ("key", scopes("write"))
        assert outcome(desk, forged(replace(plain, signed=device.signed()))) == ("unauthorized", "signature_invalid")
        assert outcome(desk, replace(plain, scopes=frozenset())) == ("key", frozenset())
        assert outcome(desk, replace(plain, role="node", scopes=None)) == ("forbidden", None)
        assert outcome(desk, Credential(token, **place)) == ("key", scopes("write", "observe"))


async def test_the_local_grant_is_a_node_only_when_it_says_so(desk: Desk) -> None:
    asked = Credential(desk.token, role="operator", scopes=EVERYTHING, **HERE)
    assert outcome(desk, asked) == ("local", EVERYTHING)  # an operator passes that scope on, to who is a node
    assert outcome(desk, replace(asked, role="node")) == ("local", scopes("node"))


# A device's token


async def device_token(desk: Desk, device: Device, *wanted: str, **more: Any) -> str:
    """Pair a device and rotate its token: the way in which a token is shown."""
    await desk.pair(device, *wanted, **more)
    role = more.get("role", wire.Role.OPERATOR)
    return (await desk.do(wire.ROTATE, wire.RotateToken(device.id, role))).token


@pytest.mark.parametrize("policy", [AuthPolicy(), WITH_TOKEN])
async def test_a_devices_token_needs_its_key(
    make_desk: Callable[..., Any], device: Device, other: Device, policy: AuthPolicy
) -> None:
    desk = await make_desk(policy=policy)
    token = await device_token(desk, device, "write", "observe", token=policy.token)
    for place in PLACES:
        right = replace(device.credential("write", **place), token=token)
        assert outcome(desk, right) == ("device", scopes("write"))
        assert outcome(desk, replace(device.credential("write", "admin", **place), token=token)) == (
            "not_paired",
            "scope-upgrade",
        )
        mismatch = ("unauthorized", "device_token_mismatch")
        assert outcome(desk, replace(right, signed=None)) == mismatch
        assert outcome(desk, replace(other.credential("write", **place), token=token)) == mismatch
        assert outcome(desk, replace(device.credential("node", role="node", **place), token=token)) == mismatch
        assert outcome(desk, Credential(token, **place)) == mismatch
        assert outcome(desk, Credential(token, signed=device.signed(), **place)) == mismatch
        assert outcome(desk, forged(right)) == ("unauthorized", "signature_invalid")


async def test_a_keyless_devices_token_is_enough(desk: Desk, other: Device) -> None:
    code = await desk.do(wire.MAKE_CODE, wire.MakeCode([Scope.WRITE, Scope.OBSERVE]))
    made = await desk.do(wire.USE_CODE, wire.UseCode(code.code), desk.identity.visitor())
    for place in PLACES:
        assert outcome(desk, Credential(made.token, **place)) == ("device", scopes("write", "observe"))
        asked = Credential(made.token, role="operator", scopes=scopes("write", "admin"), **place)
        assert outcome(desk, asked) == ("device", scopes("write"))
        assert outcome(desk, replace(asked, signed=other.signed())) == ("device", scopes("write"))
        assert outcome(desk, replace(asked, role="node")) == ("unauthorized", "device_token_mismatch")


# The shared secret


@pytest.mark.parametrize("field", ["token", "password"])
@pytest.mark.parametrize("policy", [WITH_TOKEN, WITH_PASSWORD])
async def test_the_secret_without_a_device_is_good_on_this_machine_alone(
    make_desk: Callable[..., Any], policy: AuthPolicy, field: str
) -> None:
    desk = await make_desk(policy=policy)
    asked: dict[str, Any] = {field: SECRET, "role": "operator", "scopes": EVERYTHING}
    assert outcome(desk, Credential(**asked, **HERE)) == ("shared", EVERYTHING - {Scope.KEYS})
    assert outcome(desk, Credential(**{**asked, "scopes": scopes("observe")}, **HERE)) == ("shared", scopes("observe"))
    assert outcome(desk, Credential(**{**asked, "scopes": scopes("keys")}, **HERE)) == ("shared", frozenset())
    assert outcome(desk, Credential(**{**asked, "role": "node"}, **HERE)) == ("not_paired", "device_required")
    assert outcome(desk, Credential(**asked, **FAR)) == ("not_paired", "device_required")
    assert outcome(desk, Credential(**asked, **BROWSER)) == ("not_paired", "device_required")


async def test_the_secret_is_no_credential_of_other_doors(make_desk: Callable[..., Any]) -> None:
    desk = await make_desk(policy=WITH_TOKEN)
    assert outcome(desk, Credential(SECRET, **HERE)) == ("unauthorized", "token_mismatch")


@pytest.mark.parametrize(("policy", "presented"), [(AuthPolicy(), {}), (WITH_TOKEN, {"token": SECRET})])
async def test_a_paired_device(
    make_desk: Callable[..., Any], device: Device, other: Device, policy: AuthPolicy, presented: dict[str, str]
) -> None:
    desk = await make_desk(policy=policy)
    await desk.pair(device, "write", "observe", **presented)
    for place in PLACES:
        presenting = {**place, **presented}
        assert outcome(desk, device.credential("write", **presenting)) == ("device", scopes("write"))
        assert outcome(desk, device.credential("admin", **presenting)) == ("not_paired", "scope-upgrade")
        assert outcome(desk, device.credential("node", role="node", **presenting)) == ("not_paired", "role-upgrade")
        assert outcome(desk, other.credential("write", **presenting)) == ("not_paired", "not-paired")
        moved = device.credential("write", facts=wire.Facts(platform="windows", family="pc"), **presenting)
        assert outcome(desk, moved) == ("not_paired", "metadata-upgrade")
        same = device.credential("write", facts=wire.Facts(platform=" Linux ", family="PC"), **presenting)
        assert outcome(desk, same) == ("device", scopes("write"))
        assert outcome(desk, forged(device.credential("write", **presenting)))[1] == "signature_invalid"


@pytest.mark.parametrize(("policy", "kind"), [(WITH_TOKEN, "token"), (WITH_PASSWORD, "password")])
async def test_nothing_where_the_secret_is_asked_for(
    make_desk: Callable[..., Any], device: Device, policy: AuthPolicy, kind: str
) -> None:
    desk = await make_desk(policy=policy)
    await desk.pair(device, "write", **{kind: SECRET})
    for place in PLACES:
        assert outcome(desk, device.credential("write", **place)) == ("unauthorized", f"{kind}_missing")
        assert outcome(desk, Credential(role="operator", **place)) == ("unauthorized", f"{kind}_missing")
        moltis = device.credential("write", dialect="moltis", **place)
        assert outcome(desk, moltis) == ("unauthorized", f"{kind}_missing")
        assert outcome(desk, replace(moltis, role="node")) == ("unauthorized", f"{kind}_missing")
        assert outcome(desk, Credential(role="node", dialect="moltis", **place)) == ("unauthorized", f"{kind}_missing")


async def test_a_moltis_node_presents_its_key_alone(
    make_desk: Callable[..., Any], device: Device, other: Device
) -> None:
    desk = await make_desk(policy=WITH_TOKEN)
    connecting: dict[str, Any] = {"role": "node", "dialect": "moltis", **FAR}
    assert outcome(desk, device.credential("node", **connecting)) == ("not_paired", "not-paired")
    await desk.pair(device, "node", role=NODE, dialect="moltis", alias="node-a")
    assert outcome(desk, device.credential("node", **connecting)) == ("device", scopes("node"))
    assert outcome(desk, device.credential("node", alias="node-a", **connecting)) == ("device", scopes("node"))
    assert outcome(desk, device.credential("node", **{**connecting, "dialect": "openclaw"})) == (
        "unauthorized",
        "token_missing",
    )
    assert outcome(desk, other.credential("node", alias="node-a", **connecting)) == ("key_mismatch", "key_mismatch")


async def test_no_device_and_no_secret(make_desk: Callable[..., Any]) -> None:
    desk = await make_desk()
    for place in PLACES:
        assert outcome(desk, Credential(role="operator", **place)) == ("not_paired", "device_required")
    desk = await make_desk(policy=AuthPolicy(mode="none"))
    here = Credential(role="operator", scopes=scopes("observe", "keys"), **HERE)
    assert outcome(desk, here) == ("anonymous", scopes("observe"))
    assert outcome(desk, replace(here, is_local=False)) == ("not_paired", "device_required")


# What is wrong


@pytest.mark.parametrize(
    ("presented", "cause"),
    [
        ({"token": "guess"}, "token_mismatch"),
        ({"token": "idt_guess"}, "device_token_mismatch"),
        ({"password": "guess"}, "password_mismatch"),
        ({"token": SECRET, "password": "guess"}, "password_mismatch"),
        ({"token": "guess", "password": SECRET}, "token_mismatch"),
    ],
)
async def test_what_is_wrong_is_refused_and_counted_whatever_else_is_sent(
    make_desk: Callable[..., Any], device: Device, presented: dict[str, str], cause: str
) -> None:
    desk = await make_desk(policy=WITH_TOKEN)
    await desk.pair(device, "write", token=SECRET)
    for place in (FAR, BROWSER):
        for attempt in range(AUTH_FAILURES_MAX):
            credential = device.credential("write", **place, **presented)
            credential = credential if attempt % 2 else replace(credential, signed=None)
            assert outcome(desk, credential) == ("unauthorized", cause)
        assert outcome(desk, device.credential("write", token=SECRET, **place)) == ("rate_limited", "rate_limited")
    assert outcome(desk, device.credential("write", **HERE, **presented)) == ("unauthorized", cause)
    assert outcome(desk, device.credential("write", token=SECRET, **HERE)) == ("device", scopes("write"))


async def test_a_bad_signature_tells_nothing_about_the_secret(make_desk: Callable[..., Any], device: Device) -> None:
    desk = await make_desk(policy=WITH_TOKEN)
    for token in (SECRET, "guess"):
        assert outcome(desk, forged(device.credential("write", token=token))) == ("unauthorized", "signature_invalid")
    small = replace(device.credential("write", token=SECRET), signed=replace(device.signed(), public_key=b"\x00" * 32))
    assert outcome(desk, small) == ("unauthorized", "public_key_invalid")


async def test_a_secret_is_never_shown() -> None:
    credential = Credential("token-secret", "password-secret")
    assert "secret" not in repr(credential)


async def test_a_revoked_device(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write")
    await desk.do(wire.REVOKE, wire.RevokeDevice(device.id))
    assert outcome(desk, device.credential("write")) == ("device_revoked", "revoked")
    assert outcome(desk, device.credential("write", facts=LAPTOP)) == ("device_revoked", "revoked")


async def test_a_refusal_says_what_the_device_has(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write", "observe")
    with pytest.raises(InstarError) as caught:
        desk.identity.authenticate(device.credential("admin"))
    assert caught.value.detail == {
        "cause": "scope-upgrade",
        "device_id": device.id,
        "fingerprint": caught.value.detail["fingerprint"],
        "approved_roles": ["operator"],
        "approved_scopes": ["observe", "write"],
    }
