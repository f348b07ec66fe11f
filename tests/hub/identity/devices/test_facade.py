"""The facade's part: what a gateway's door asks of the hub, from the first connect to the end of its socket."""

from typing import Any, cast

from instar.hub.identity.credentials import Credential
from instar.hub.operations.hub import Hub
from instar.wire import devices as wire
from instar.wire.identity import Scope

from .conftest import HERE, Desk, Device, fails


class NoTasks:
    def start(self, name: str, work: Any) -> None:
        raise AssertionError


async def test_a_door_lets_a_device_in(desk: Desk, device: Device) -> None:
    nothing = cast("Any", None)
    hub = Hub(nothing, desk.identity, nothing, nothing, nothing, nothing, cast("Any", NoTasks()))
    assert hub.hub_id == desk.identity.devices.hub_key.id
    assert len(hub.hub_public_key) == 32
    credential = device.credential("write", **HERE)
    assert (await fails(lambda: hub.authenticate(credential))).detail["cause"] == "not-paired"
    await desk.open()
    request = await hub.request_pairing(credential, device.ask("write"))
    await desk.approve(request)
    assert (await hub.pairing_decided(request.id, 60)).state == "approved"
    caller = hub.authenticate(credential)
    known = hub.device_of(caller)
    assert known is not None
    assert known.id == device.id
    ended: list[str] = []
    hub.on_ended(caller, ended.append)
    token = await hub.device_token(caller)
    assert token is not None
    assert ended == []
    await desk.do(wire.REVOKE, wire.RevokeDevice(device.id))
    assert ended == ["revoked"]
    assert hub.device_of(desk.operator) is None
    assert hub.visitor(Credential(**HERE)).is_direct
    assert not hub.visitor().has(*Scope)
