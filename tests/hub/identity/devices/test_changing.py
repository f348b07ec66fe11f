"""Rotation, revocation and removal: what ends, what stays, and how soon sockets hear of it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from instar.hub.identity.credentials import Credential
from instar.wire import devices as wire
from instar.wire import identity as keys
from instar.wire.identity import Scope
from instar.wire.operation import ObjectKind, Verb

from .conftest import FAR, NODE, Desk, Device, fails


async def test_the_first_token_is_given_once_and_ends_nothing(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write", "observe")
    caller = desk.identity.authenticate(device.credential("write"))
    ended: list[str] = []
    desk.identity.watch(caller.grant, ended.append)
    first = await desk.identity.devices.first_token(caller.grant)
    assert first is not None
    assert (first.device_id, first.role, first.scopes) == (device.id, "operator", ["observe", "write"])
    assert first.rotated_at
    assert await desk.identity.devices.first_token(caller.grant) is None
    assert ended == []
    assert desk.identity.authenticate(replace(device.credential("write"), token=first.token)).has(Scope.WRITE)
    assert await desk.identity.devices.first_token(desk.operator.grant) is None


async def test_of_many_first_tokens_one_is_given(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write")
    grant = desk.identity.authenticate(device.credential("write")).grant
    given = await asyncio.gather(*(desk.identity.devices.first_token(grant) for _ in range(5)))
    assert sum(token is not None for token in given) == 1


async def test_rotation_ends_the_old_token_and_its_sockets_at_once(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write")
    first = await desk.do(wire.ROTATE, wire.RotateToken(device.id))
    assert first.token.startswith("idt_")
    socket = desk.identity.authenticate(replace(device.credential("write"), token=first.token))
    ended: list[str] = []
    stop = desk.identity.watch(socket.grant, ended.append)
    desk.identity.watch(socket.grant, lambda reason: ended.append(f"also {reason}"))
    stop()
    second = await desk.do(wire.ROTATE, wire.RotateToken(device.id))
    assert ended == ["also rotated"]
    old = replace(device.credential("write"), token=first.token)
    assert (await fails(lambda: desk.identity.authenticate(old))).detail["cause"] == "device_token_mismatch"
    assert desk.identity.authenticate(replace(device.credential("write"), token=second.token)).has(Scope.WRITE)


async def test_a_devices_grant_is_rotated_as_a_device(desk: Desk, device: Device) -> None:
    made = await desk.pair(device, "write")
    error = await fails(desk.do(keys.KEYS_ROTATE, keys.KeyRef(made.grants[0].key_id)))
    assert (error.code, "devices rotate" in error.hint) == ("conflict", True)
    await desk.do(keys.KEYS_REVOKE, keys.KeyRef(made.grants[0].key_id))
    assert (await desk.do(wire.GET, wire.DeviceRef(device.id))).grants == []


async def test_rotation_narrows_and_never_widens(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write", "observe")
    rotate = wire.RotateToken(device.id, scopes=[Scope.WRITE, Scope.ADMIN])
    assert (await fails(desk.do(wire.ROTATE, rotate))).code == "forbidden"
    made = await desk.do(wire.ROTATE, wire.RotateToken(device.id, scopes=[Scope.WRITE]))
    assert made.scopes == ["write"]
    caller = desk.identity.authenticate(replace(device.credential("write", "observe"), token=made.token))
    assert caller.grant.scopes == {Scope.WRITE}
    again = wire.RotateToken(device.id, scopes=[Scope.WRITE, Scope.OBSERVE])
    assert (await fails(desk.do(wire.ROTATE, again))).code == "forbidden"
    assert (await fails(desk.do(wire.ROTATE, wire.RotateToken(device.id, NODE)))).code == "conflict"


async def test_nobody_takes_over_a_device_that_is_wider_or_lasts_longer(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write")
    narrow, _ = await desk.key("devices", "observe")
    for operation, params in (
        (wire.ROTATE, wire.RotateToken(device.id)),
        (wire.RENAME, wire.RenameDevice(device.id, "x")),
        (wire.REVOKE, wire.RevokeDevice(device.id)),
        (wire.REMOVE, wire.DeviceRef(device.id)),
    ):
        assert (await fails(desk.do(operation, params, narrow))).code == "forbidden"
    brief, _ = await desk.key("devices", "write", expires_in_s=60)
    assert (await fails(desk.do(wire.ROTATE, wire.RotateToken(device.id), brief))).code == "forbidden"


async def test_revocation_ends_grant_sessions_and_sockets(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write")
    await desk.pair(device, "node", role=NODE)
    socket = desk.identity.authenticate(device.credential("write")).grant
    node = desk.identity.authenticate(device.credential("node", role="node")).grant
    ended: list[str] = []
    for grant in (socket, node):
        desk.identity.watch(grant, ended.append)
    await desk.do(wire.REVOKE, wire.RevokeDevice(device.id, NODE))
    assert ended == ["revoked"]
    again = device.credential("node", role="node")
    assert (await fails(lambda: desk.identity.authenticate(again))).detail["cause"] == "role-upgrade"
    await desk.open()
    waiting = await desk.request(device, "node", role=NODE)
    revoked = await desk.do(wire.REVOKE, wire.RevokeDevice(device.id))
    assert ended == ["revoked", "revoked"]
    assert (revoked.grants, bool(revoked.revoked_at)) == ([], True)
    assert (await desk.identity.devices.decided(waiting.id, 0)).state == "rejected"
    assert (await fails(desk.request(device, "write"))).code == "device_revoked"
    same = await desk.do(wire.REVOKE, wire.RevokeDevice(device.id))
    assert same.revoked_at == revoked.revoked_at


async def test_a_socket_that_opens_while_its_grant_ends_hears_of_it(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write")
    grant = desk.identity.authenticate(device.credential("write")).grant
    await desk.do(wire.REVOKE, wire.RevokeDevice(device.id))
    ended: list[str] = []
    desk.identity.watch(grant, ended.append)
    cancelled: list[str] = []
    desk.identity.watch(grant, cancelled.append)()
    assert ended == []
    await asyncio.sleep(0)
    assert (ended, cancelled) == (["revoked"], [])


async def test_a_removed_device_may_ask_again(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write")
    grant = desk.identity.authenticate(device.credential("write")).grant
    await desk.do(wire.REVOKE, wire.RevokeDevice(device.id))
    removed = await desk.do(wire.REMOVE, wire.DeviceRef(device.id))
    assert removed.id == device.id
    assert desk.identity.standing(grant.id) is None
    for operation in (wire.GET, wire.REMOVE):
        assert (await fails(desk.do(operation, wire.DeviceRef(device.id)))).code == "not_found"
    again = await desk.pair(device, "write")
    assert again.revoked_at == ""


async def test_a_device_that_asks_while_it_is_revoked_is_not_let_in(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write")
    revoking = desk.do(wire.REVOKE, wire.RevokeDevice(device.id))
    _, request = await asyncio.gather(revoking, desk.request(device, "admin"))
    assert request.state == "pending"
    assert (await fails(desk.approve(request))).code == "device_revoked"


async def test_of_many_removals_one_counts(desk: Desk, device: Device, other: Device) -> None:
    await desk.pair(device, "write")
    await desk.request(other, "write")
    removals = [desk.do(wire.REMOVE, wire.DeviceRef(device.id)) for _ in range(3)]
    outcomes = await asyncio.gather(*removals, return_exceptions=True)
    assert sum(isinstance(outcome, wire.Device) for outcome in outcomes) == 1
    assert len(await desk.events("device.removed")) == 1
    assert (await desk.do(wire.WINDOW)).pending == 1


async def test_a_device_sees_itself_and_no_other(desk: Desk, device: Device, other: Device) -> None:
    await desk.pair(device, "write")
    await desk.pair(other, "write")
    caller = desk.identity.authenticate(device.credential("write"))
    assert (await desk.do(wire.GET, wire.DeviceRef(device.id), caller)).id == device.id
    hidden = await fails(desk.do(wire.GET, wire.DeviceRef(other.id), caller))
    missing = await fails(desk.do(wire.GET, wire.DeviceRef("0" * 64), caller))
    assert (hidden.code, missing.code) == ("not_found", "not_found")
    assert (await fails(desk.do(wire.LIST, None, caller))).code == "forbidden"
    authority = desk.identity.authority
    assert not authority.may(caller, Verb.MANAGE, ObjectKind.DEVICE).allowed


async def test_when_a_device_was_last_here(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write")
    before = await desk.do(wire.GET, wire.DeviceRef(device.id))
    assert (before.last_seen_at, before.grants[0].last_used_at) == ("", "")
    desk.clock.pass_s(5)
    desk.identity.authenticate(device.credential("write"))
    unwritten = await desk.do(wire.GET, wire.DeviceRef(device.id))
    assert unwritten.last_seen_at == unwritten.grants[0].last_used_at > before.created_at
    await desk.identity.flush()
    await desk.identity.flush()
    assert await desk.do(wire.GET, wire.DeviceRef(device.id)) == unwritten
    assert (await desk.do(wire.LIST)).devices == [unwritten]


# Restart


async def test_what_is_loaded_is_what_events_made(
    desk: Desk, device: Device, other: Device, make_desk: Callable[..., Any]
) -> None:
    third, fourth = Device(b"3" * 32), Device(b"4" * 32)
    await desk.pair(device, "write", "observe", given={"scopes": [Scope.WRITE]})
    await desk.pair(device, "node", role=NODE, alias="node-a", dialect="moltis")
    await desk.pair(other, "node", role=NODE, alias="node-b", dialect="moltis")
    await desk.do(wire.REVOKE, wire.RevokeDevice(other.id))
    await desk.pair(third, "write")
    await desk.do(wire.REMOVE, wire.DeviceRef(third.id))
    await desk.request(fourth, "observe")
    await desk.do(wire.ROTATE, wire.RotateToken(device.id, scopes=[]))
    await desk.do(wire.RENAME, wire.RenameDevice(device.id, "Desk"))
    code = await desk.do(wire.MAKE_CODE, wire.MakeCode([Scope.WRITE]))
    await desk.do(wire.USE_CODE, wire.UseCode(code.code), desk.identity.visitor(), **FAR)
    again = await make_desk()
    before, after = desk.identity.devices, again.identity.devices
    ids = [each.id for each in (await desk.do(wire.LIST)).devices]
    assert len(ids) == 3
    for each in ids:
        mine, loaded = before.registry.find(each), after.registry.find(each)
        assert mine == loaded is not None
    for alias in ("node-a", "node-b"):
        assert before.registry.named(alias) == after.registry.named(alias)
    assert before._pending.all() == after._pending.all() != []
    assert (await desk.do(wire.LIST)) == (await again.do(wire.LIST))


async def test_revocation_outlives_a_restart(desk: Desk, device: Device, make_desk: Callable[..., Any]) -> None:
    await desk.pair(device, "write")
    token = (await desk.do(wire.ROTATE, wire.RotateToken(device.id))).token
    await desk.do(wire.REVOKE, wire.RevokeDevice(device.id))
    again = await make_desk()
    revoked = await fails(lambda: again.identity.authenticate(device.credential("write")))
    assert revoked.code == "device_revoked"
    presented = replace(device.credential("write"), token=token)
    assert (await fails(lambda: again.identity.authenticate(presented))).code == "unauthorized"
    assert (await fails(lambda: again.identity.authenticate(Credential(token)))).code == "unauthorized"


@pytest.mark.parametrize("operation", [wire.RENAME, wire.ROTATE, wire.REVOKE, wire.REMOVE, wire.APPROVE, wire.REJECT])
def test_every_change_is_audited(operation: Any) -> None:
    assert operation.audited
