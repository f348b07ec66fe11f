"""The pairing window, the cap, de-duplication, supersession, expiry, and devices that are let in silently."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from instar.hub.identity.credentials import Credential
from instar.hub.identity.policy import AuthPolicy, PairingPolicy
from instar.wire import devices as wire
from instar.wire.identity import Scope
from instar.wire.limits import PAIRING_PENDING_MAX, PAIRING_REQUEST_S

from .conftest import BROWSER, FAR, HERE, LAPTOP, NODE, Desk, Device, fails

SECRET = "s3cret-" * 6
PENDING = wire.PairingState.PENDING


async def states(desk: Desk) -> list[tuple[str, str]]:
    return [(each["id"], each["state"]) for each in await desk.events("device.resolved")]


# The window


async def test_an_unknown_device_cannot_even_ask(desk: Desk, device: Device) -> None:
    error = await fails(desk.request(device, "write"))
    assert (error.code, error.detail["cause"]) == ("not_paired", "pairing_closed")
    assert (await desk.do(wire.REQUESTS)).requests == []
    assert await desk.events("device.requested") == []
    window = await desk.do(wire.OPEN, wire.OpenPairing(60.0))
    assert (window.is_open, window.pending, window.pending_max) == (True, 0, PAIRING_PENDING_MAX)
    assert window.closes_at
    request = await desk.request(device, "write")
    assert (request.state, request.reason) == (PENDING, "not-paired")
    window = await desk.do(wire.CLOSE)
    assert (window.is_open, window.closes_at, window.pending) == (False, "", 1)
    assert await desk.do(wire.WINDOW) == window


async def test_a_restart_closes_the_window_and_keeps_who_waits(
    desk: Desk, device: Device, other: Device, make_desk: Callable[..., Any]
) -> None:
    await desk.open()
    request = await desk.request(device, "write")
    again = await make_desk()
    assert not (await again.do(wire.WINDOW)).is_open
    assert (await again.do(wire.REQUESTS)).requests == [request]
    assert (await fails(again.request(other, "write"))).detail["cause"] == "pairing_closed"
    assert (await again.request(device, "write")).id == request.id
    await again.approve(request)
    assert again.identity.authenticate(device.credential("write")).has(Scope.WRITE)


async def test_who_may_ask_while_it_is_closed(make_desk: Callable[..., Any], device: Device, other: Device) -> None:
    desk = await make_desk(policy=AuthPolicy(token=SECRET), pairing=PairingPolicy(auto_approve="off"))
    _, key = await desk.key("write")
    assert (await desk.request(device, "write", token=SECRET)).state == PENDING
    assert (await desk.request(other, "write", token=key)).state == PENDING
    third = Device(b"3" * 32)
    assert (await fails(desk.request(third, "write"))).detail["cause"] == "token_missing"
    assert (await fails(desk.request(third, "write", token="guess"))).detail["cause"] == "token_mismatch"
    moltis: dict[str, Any] = {"role": NODE, "dialect": "moltis", "alias": "node-a"}
    assert (await fails(desk.request(third, "node", **moltis))).detail["cause"] == "pairing_closed"
    await desk.open()
    assert (await desk.request(third, "node", **moltis)).state == PENDING


async def test_a_known_device_may_ask_for_more_at_any_time(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write")
    await desk.do(wire.CLOSE)
    for more, reason in (
        ({"scopes": frozenset({Scope.ADMIN})}, "scope-upgrade"),
        ({"role": NODE, "scopes": frozenset({Scope.NODE})}, "role-upgrade"),
    ):
        request = await desk.request(device, **more)
        assert (request.reason, request.is_repair) == (reason, True)
    moved = wire.Facts(name="Laptop", platform="windows")
    assert (await desk.request(device, "write", facts=moved)).reason == "metadata-upgrade"
    error = await fails(desk.request(device, "write"))
    assert error.code == "conflict"


# What is asked


async def test_a_request_shows_what_is_asked_and_by_whom(desk: Desk, device: Device) -> None:
    await desk.open()
    facts = wire.Facts(name="Lap\u202etop\n\x1b[31m evil\u200b ", platform="linux", version="x" * 500)
    request = await desk.request(device, "write", "observe", facts=facts, asked=("operator.write", "operator.read"))
    assert request.device_id == device.id
    assert request.fingerprint.startswith("SHA256:")
    assert request.facts.name == "Lap top [31m evil"
    assert len(request.facts.version) == 128
    assert (request.scopes, request.asked) == ([Scope.OBSERVE, Scope.WRITE], ["operator.write", "operator.read"])
    assert (request.address, request.dialect) == ("198.51.100.7", "openclaw")
    assert await desk.events("device.requested") == [msgspec.to_builtins(request)]


@pytest.mark.parametrize(
    ("asked", "more"),
    [
        (["node"], {}),
        (["write"], {"role": NODE}),
        (["write"], {"alias": "a b"}),
        (["write"], {"alias": "0" * 64}),
    ],
)
async def test_an_ask_that_makes_no_sense(desk: Desk, device: Device, asked: list[str], more: dict[str, Any]) -> None:
    await desk.open()
    assert (await fails(desk.request(device, *asked, **more))).code == "unprocessable_entity"


async def test_an_ask_proves_its_key(desk: Desk, device: Device, other: Device) -> None:
    await desk.open()
    credential = replace(device.credential("write"), signed=None)
    assert (await fails(desk.identity.request_pairing(credential, device.ask("write")))).code == "unprocessable_entity"
    stolen = replace(device.signed(), public_key=other.key)
    credential = replace(credential, signed=stolen)
    error = await fails(desk.identity.request_pairing(credential, device.ask("write")))
    assert error.detail["cause"] == "signature_invalid"


# One request for each device


async def test_the_same_ask_is_the_same_request(desk: Desk, device: Device) -> None:
    await desk.open()
    first = await desk.request(device, "write", "observe")
    repeats = await asyncio.gather(*(desk.request(device, "write", "observe") for _ in range(5)))
    assert {repeat.id for repeat in repeats} == {first.id}
    assert len(await desk.events("device.requested")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"role": NODE, "scopes": frozenset({Scope.NODE})},
        {"scopes": frozenset({Scope.OBSERVE})},
        {"facts": wire.Facts(name="Laptop", platform="darwin")},
        {"alias": "desk"},
        {"asked": ("operator.admin",)},
    ],
)
async def test_another_ask_supersedes_it(desk: Desk, device: Device, change: dict[str, Any]) -> None:
    await desk.open()
    first = await desk.request(device, "write")
    second = await desk.request(device, *(() if "scopes" in change else ("write",)), **change)
    assert second.id != first.id
    assert second.digest != first.digest
    assert await states(desk) == [(first.id, "superseded")]
    assert [each.id for each in (await desk.do(wire.REQUESTS)).requests] == [second.id]
    assert (await fails(desk.approve(first))).code == "conflict"


async def test_so_many_may_wait(desk: Desk) -> None:
    await desk.open()
    devices = [Device(bytes([number]) * 32) for number in range(1, PAIRING_PENDING_MAX + 2)]
    for each in devices[:-1]:
        await desk.request(each, "write")
    assert (await fails(desk.request(devices[-1], "write"))).code == "overloaded"
    again = await desk.request(devices[0], "observe")
    assert (await desk.do(wire.WINDOW)).pending == PAIRING_PENDING_MAX
    await desk.do(wire.REJECT, wire.RequestRef(again.id))
    assert (await desk.request(devices[-1], "write")).state == PENDING


async def test_many_at_once_stay_within_the_cap(desk: Desk) -> None:
    await desk.open()
    devices = [Device(bytes([number]) * 32) for number in range(1, PAIRING_PENDING_MAX + 11)]
    outcomes = await asyncio.gather(*(desk.request(each, "write") for each in devices), return_exceptions=True)
    assert sum(isinstance(outcome, wire.PairingRequest) for outcome in outcomes) == PAIRING_PENDING_MAX
    assert (await desk.do(wire.WINDOW)).pending == PAIRING_PENDING_MAX


# Expiry


async def test_a_request_that_nobody_decides_expires(desk: Desk, device: Device) -> None:
    await desk.open()
    request = await desk.request(device, "write")
    waiting = asyncio.create_task(desk.identity.devices.decided(request.id, 60))
    await asyncio.sleep(0)
    desk.clock.pass_s(PAIRING_REQUEST_S - 1)
    await desk.identity.settle()
    assert not waiting.done()
    desk.clock.pass_s(1)
    assert (await desk.do(wire.REQUESTS)).requests == []
    assert (await fails(desk.approve(request))).detail == {"state": "expired"}
    fresh = await desk.request(device, "write")
    assert fresh.id != request.id
    await desk.identity.settle()
    await desk.identity.settle()
    assert (await waiting).state == "superseded"
    desk.clock.pass_s(PAIRING_REQUEST_S)
    await asyncio.gather(desk.identity.settle(), desk.identity.settle())
    await desk.identity.settle()
    assert await states(desk) == [(request.id, "superseded"), (fresh.id, "expired")]
    assert (await desk.do(wire.WINDOW)).pending == 0


async def test_waiting_for_a_decision(desk: Desk, device: Device) -> None:
    await desk.open()
    request = await desk.request(device, "write")
    assert (await desk.identity.devices.decided(request.id, 0)).state == PENDING
    assert (await desk.identity.devices.decided(request.id, 0.01)).state == PENDING
    waiting = [asyncio.create_task(desk.identity.devices.decided(request.id, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    await desk.approve(request)
    assert [each.state for each in await asyncio.gather(*waiting[1:])] == ["approved", "approved"]
    assert (await desk.identity.devices.decided(request.id, 60)).state == "approved"
    assert (await fails(desk.identity.devices.decided("pair_0", 0))).code == "not_found"
    assert desk.identity.devices._pending._waiters == {}


# Silent approval


@pytest.mark.parametrize(
    ("auto_approve", "presents", "place", "is_let_in"),
    [
        ("off", "local", HERE, False),
        ("operator", "local", HERE, True),
        ("operator", "local", BROWSER, False),
        ("operator", "local", FAR, False),
        ("operator", "key", HERE, False),
        ("operator", "secret", HERE, False),
        ("loopback", "local", HERE, True),
        ("loopback", "secret", HERE, True),
        ("loopback", "secret", BROWSER, False),
        ("loopback", "secret", FAR, False),
        ("loopback", "key", HERE, False),
    ],
)
async def test_who_is_let_in_silently(
    make_desk: Callable[..., Any], device: Device, auto_approve: Any, presents: str, place: Any, is_let_in: bool
) -> None:
    desk = await make_desk(policy=AuthPolicy(token=SECRET), pairing=PairingPolicy(auto_approve=auto_approve))
    token = {"local": desk.token, "secret": SECRET, "key": (await desk.key("write"))[1]}[presents]
    where = {"is_local": place.get("is_local", False), "has_origin": place.get("has_origin", False)}
    request = await desk.request(device, "write", "keys", token=token, **where)
    assert (request.state == "approved", request.is_silent) == (is_let_in, is_let_in)
    audits = [each for each in await desk.events("audit.recorded") if each["operation"] == "devices.approve"]
    if not is_let_in:
        assert audits == []
        return
    assert [(each["subject"], each["grant"]) for each in audits] == [(request.id, "local")]
    caller = desk.identity.authenticate(device.credential("write", "keys", token=SECRET))
    assert caller.grant.scopes == {Scope.WRITE}


async def test_without_a_secret_loopback_needs_none(make_desk: Callable[..., Any], device: Device) -> None:
    desk = await make_desk(pairing=PairingPolicy(auto_approve="loopback"))
    credential = device.credential("write", "observe", **HERE)
    assert (await fails(lambda: desk.identity.authenticate(credential))).code == "not_paired"
    request = await desk.identity.request_pairing(credential, device.ask("write", "observe"))
    assert request.is_silent
    assert desk.identity.authenticate(credential).grant.scopes == {Scope.WRITE, Scope.OBSERVE}
    assert (await fails(desk.request(Device(b"9" * 32), "write", is_local=True, has_origin=True))).code == "not_paired"


async def test_one_that_waits_is_let_in_silently_when_the_operator_asks_for_it(desk: Desk, device: Device) -> None:
    await desk.open()
    request = await desk.request(device, "write")
    again = await desk.request(device, "write", token=desk.token, is_local=True)
    assert (again.id, again.state, again.is_silent) == (request.id, "approved", True)


# Pins


async def test_a_name_is_pinned_to_its_first_key(desk: Desk, device: Device, other: Device) -> None:
    node: dict[str, Any] = {"role": NODE, "dialect": "moltis", "alias": "node-a"}
    first = await desk.pair(device, "node", **node)
    for _ in range(20):
        error = await fails(desk.request(other, "node", **node))
        assert error.code == "key_mismatch"
    assert error.message == f"key mismatch: expected {first.fingerprint}, got {error.detail['presented_fingerprint']}"
    connecting = other.credential("node", role="node", dialect="moltis", alias="node-a")
    assert (await fails(lambda: desk.identity.authenticate(connecting))).code == "key_mismatch"
    await desk.identity.settle()
    seen = await desk.events("device.key_mismatch")
    assert 1 <= len(seen) <= 11
    assert (seen[0]["device_id"], seen[0]["alias"], seen[0]["expected_fingerprint"]) == (
        device.id, "node-a", first.fingerprint,
    )  # fmt: skip


async def test_of_two_that_ask_under_one_name_one_gets_it(desk: Desk, device: Device, other: Device) -> None:
    await desk.open()
    node: dict[str, Any] = {"role": NODE, "dialect": "moltis", "alias": "node-a"}
    first, second = await desk.request(device, "node", **node), await desk.request(other, "node", **node)
    await desk.approve(second)
    assert (await fails(desk.approve(first))).code == "key_mismatch"


async def test_rekeying(desk: Desk, device: Device, other: Device) -> None:
    node: dict[str, Any] = {"role": NODE, "dialect": "moltis", "alias": "node-a"}
    await desk.pair(device, "node", **node)
    await desk.do(wire.REVOKE, wire.RevokeDevice("node-a"))
    await desk.pair(other, "node", **node)
    caller = desk.identity.authenticate(other.credential("node", role="node", alias="node-a"))
    assert caller.grant.scopes == {Scope.NODE}
    known = desk.identity.devices.of(caller.grant)
    assert known is not None
    assert (known.id, known.alias) == (other.id, "node-a")
    refused = device.credential("node", role="node", alias="node-a")
    assert (await fails(lambda: desk.identity.authenticate(refused))).code == "device_revoked"
    assert (await fails(desk.request(device, "node", **node))).code == "device_revoked"
    await desk.do(wire.REMOVE, wire.DeviceRef(device.id))
    assert (await desk.request(device, "node", role=NODE, dialect="moltis")).is_repair is False


async def test_the_operator_asks_for_a_device_of_its_own(desk: Desk, device: Device) -> None:
    credential = Credential(desk.token, signed=device.signed(), role="operator", scopes=frozenset(), **HERE)
    request = await desk.identity.request_pairing(credential, device.ask("write", facts=LAPTOP))
    assert request.is_silent
