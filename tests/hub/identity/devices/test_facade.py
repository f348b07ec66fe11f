"""The facade's part: what a gateway's door asks of the hub, from the first connect to the end of its socket."""

from typing import Any, cast

from instar.bus.fanout import Fanout
from instar.hub.identity.credentials import Credential
from instar.hub.operations.hub import Hub
from instar.hub.presence.presences import Presences, own_entry
from instar.wire import devices as wire
from instar.wire.identity import Scope
from instar.wire.names import Network
from instar.wire.presence import PresenceEntry

from .conftest import HERE, LAPTOP, Desk, Device, fails


class NoTasks:
    def start(self, name: str, work: Any) -> None:
        raise AssertionError


async def test_a_door_lets_a_device_in(desk: Desk, device: Device) -> None:
    nothing = cast("Any", None)
    presences = Presences(Fanout(), own_entry(Network("local", "Local")))
    hub = Hub(nothing, desk.identity, nothing, nothing, nothing, presences, nothing, cast("Any", NoTasks()))
    assert hub.hub_id == desk.identity.devices.hub_key.id
    assert len(hub.hub_public_key) == 32
    credential = device.credential("write", **HERE)
    assert (await fails(lambda: hub.authenticate(credential))).detail["cause"] == "not-paired"
    await desk.open()
    request = await hub.request_pairing(credential, device.ask("write"))
    await desk.approve(request)
    assert (await hub.pairing_decided(request.id, 60)).state == "approved"
    caller = hub.authenticate(credential)
    here = hub.present(caller, PresenceEntry("", "", door="instar.v1"))
    row = presences.here().entries[1]
    assert (row.device_id, row.platform, row.host) == (device.id, LAPTOP.platform, LAPTOP.name)
    here.close()
    presences.close()
    ended: list[str] = []
    hub.on_ended(caller, ended.append)
    token = await hub.device_token(caller)
    assert token is not None
    assert ended == []
    await desk.do(wire.REVOKE, wire.RevokeDevice(device.id))
    assert ended == ["revoked"]
    assert hub.visitor(Credential(**HERE)).is_direct
    assert not hub.visitor().has(*Scope)
