"""Approving binds what was shown, is made once, and gives nothing that the approver has not."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from instar.base.clock import MICROS_PER_S, from_rfc3339
from instar.hub.identity.credentials import Credential
from instar.wire import devices as wire
from instar.wire import identity as keys
from instar.wire.identity import Scope
from instar.wire.limits import DEVICES_MAX, KEY_EXPIRES_MAX_S

from .conftest import HERE, LAPTOP, NODE, Desk, Device, fails


async def test_what_was_shown_is_what_is_approved(desk: Desk, device: Device) -> None:
    await desk.open()
    request = await desk.request(device, "write", "observe")
    assert (await fails(desk.approve(request, digest="0" * 64))).code == "conflict"
    other = await desk.request(device, "write", "admin")
    assert (await fails(desk.approve(other, digest=request.digest))).code == "conflict"
    approved = await desk.approve(other, digest=other.digest)
    assert approved.id == device.id
    assert approved.fingerprint == other.fingerprint
    assert approved.facts == LAPTOP
    assert approved.approved_by == "operator"
    assert [(grant.role, grant.scopes) for grant in approved.grants] == [("operator", ["admin", "write"])]


async def test_a_request_row_never_changes_while_it_waits(desk: Desk, device: Device) -> None:
    async def stored() -> list[Any]:
        return await desk.store.read(lambda reader: reader.rows("SELECT id, body FROM pairing_requests ORDER BY id"))

    await desk.open()
    request = await desk.request(device, "write")
    before = await stored()
    await desk.request(device, "write")
    desk.clock.pass_s(10)
    await desk.identity.settle()
    await fails(desk.approve(request, scopes=[Scope.ADMIN]))
    assert await stored() == before


async def test_a_race_of_approval_and_another_ask(desk: Desk, device: Device) -> None:
    """Whoever comes first: what is approved is what its id and digest stand for, never the other."""
    await desk.open()
    for wider in range(10):
        shown = await desk.request(device, "write", asked=(f"round {wider}",))
        approval, asked = await asyncio.gather(
            desk.approve(shown, digest=shown.digest), desk.request(device, "write", "keys"), return_exceptions=True
        )
        if isinstance(approval, wire.Device):
            assert [grant.scopes for grant in approval.grants] == [["write"]]
        else:
            assert isinstance(asked, wire.PairingRequest)
            assert approval.code == "conflict"
        if isinstance(approval, wire.Device):
            await desk.do(wire.REMOVE, wire.DeviceRef(device.id))


async def test_of_many_decisions_one_holds(desk: Desk, device: Device) -> None:
    await desk.open()
    request = await desk.request(device, "write")
    tries: list[Any] = [desk.approve(request) for _ in range(5)]
    tries += [desk.do(wire.REJECT, wire.RequestRef(request.id)) for _ in range(5)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert len(await desk.events("device.resolved")) == 1


async def test_rejecting(desk: Desk, device: Device) -> None:
    await desk.open()
    request = await desk.request(device, "write")
    rejected = await desk.do(wire.REJECT, wire.RequestRef(request.id))
    assert (rejected.state, rejected.decided_by) == ("rejected", "operator")
    assert (await fails(desk.approve(request))).detail == {"state": "rejected"}
    assert (await fails(desk.do(wire.REJECT, wire.RequestRef("pair_0")))).code == "not_found"
    assert (await desk.request(device, "write")).id != request.id


# Less than was asked for


async def test_a_narrower_approval_decides_on_all_that_was_asked(desk: Desk, device: Device) -> None:
    approved = await desk.pair(
        device, "write", "observe", "admin",
        given={"scopes": [Scope.WRITE], "rooms": ["plaza"], "agents": ["beta"], "expires_in_s": 60.0},
    )  # fmt: skip
    grant = approved.grants[0]
    assert (grant.scopes, grant.withheld) == (["write"], ["admin", "observe"])
    assert (grant.rooms, grant.agents) == (["plaza"], ["beta"])
    assert from_rfc3339(grant.expires_at) == desk.clock() + 60 * MICROS_PER_S
    caller = desk.identity.authenticate(device.credential("write", "observe", "admin"))
    assert caller.grant.scopes == {Scope.WRITE}
    assert (caller.grant.rooms, caller.grant.agents) == ({"plaza"}, {"beta"})
    error = await fails(lambda: desk.identity.authenticate(device.credential("write", "keys")))
    assert error.detail["cause"] == "scope-upgrade"
    assert (await desk.request(device, "admin")).reason == "scope-upgrade"


async def test_more_than_was_asked_for_is_never_given(desk: Desk, device: Device) -> None:
    await desk.open()
    request = await desk.request(device, "write")
    error = await fails(desk.approve(request, scopes=[Scope.WRITE, Scope.OBSERVE]))
    assert error.code == "forbidden"
    assert (await desk.do(wire.LIST)).devices == []


@pytest.mark.parametrize("missing", ["admin", "keys", "operate", "node"])
async def test_nobody_gives_what_they_lack(desk: Desk, device: Device, missing: str) -> None:
    held = {"devices", "admin", "keys", "operate", "node", "write"} - {missing}
    approver, _ = await desk.key(*held)
    await desk.open()
    role = NODE if missing == "node" else wire.Role.OPERATOR
    request = await desk.request(device, missing, role=role)
    assert (await fails(desk.approve(request, caller=approver))).code == "forbidden"
    if missing != "node":
        assert (await desk.approve(request, caller=approver, scopes=[])).grants[0].scopes == []


async def test_an_approver_confined_to_rooms(desk: Desk, device: Device) -> None:
    approver, _ = await desk.key("devices", "write", rooms=["plaza"], expires_in_s=60)
    await desk.open()
    request = await desk.request(device, "write")
    assert (await fails(desk.approve(request, caller=approver, rooms=["attic"]))).code == "forbidden"
    grant = (await desk.approve(request, caller=approver)).grants[0]
    assert grant.rooms == ["plaza"]
    assert from_rfc3339(grant.expires_at) == approver.grant.expires_at


@pytest.mark.parametrize("seconds", [0, -1, 1e308, KEY_EXPIRES_MAX_S + 1])
def test_no_grant_ends_beyond_what_time_can_say(seconds: float) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"request_id": "pair_1", "expires_in_s": seconds}, wire.ApprovePairing)


async def test_only_who_may_approve(desk: Desk, device: Device) -> None:
    caller, _ = await desk.key("admin", "keys", "operate", "approve", "write")
    await desk.open()
    request = await desk.request(device, "write")
    error = await fails(desk.approve(request, caller=caller))
    assert (error.code, error.detail) == ("forbidden", {"missing": "scope devices"})


async def test_what_a_revoked_approver_gave_ends_with_it(desk: Desk, device: Device) -> None:
    approver, _ = await desk.key("devices", "write")
    await desk.open()
    await desk.approve(await desk.request(device, "write"), caller=approver)
    assert desk.identity.authenticate(device.credential("write")).has(Scope.WRITE)
    await desk.do(keys.KEYS_REVOKE, keys.KeyRef(approver.grant.id))
    error = await fails(lambda: desk.identity.authenticate(device.credential("write")))
    assert error.detail["cause"] == "role-upgrade"
    assert (await fails(desk.approve(await desk.request(device, "write"), caller=approver))).code == "unauthorized"


async def test_a_session_that_approves_and_ends_leaves_the_device(desk: Desk, device: Device) -> None:
    code = await desk.identity.console_code(desk.operator.grant)
    session = await desk.do(keys.EXCHANGE, keys.ExchangeCode(code.text), desk.identity.visitor())
    caller = desk.identity.authenticate(Credential(session.token))
    await desk.open()
    await desk.approve(await desk.request(device, "write"), caller=caller)
    await desk.do(keys.LOGOUT, None, caller)
    assert desk.identity.authenticate(device.credential("write")).has(Scope.WRITE)


# Again


async def test_approving_a_role_again_replaces_its_grant(desk: Desk, device: Device) -> None:
    first = await desk.pair(device, "write")
    ended: list[str] = []
    desk.identity.on_ended(ended.append)
    second = await desk.pair(device, "write", "observe")
    assert ended == [first.grants[0].key_id]
    assert len(second.grants) == 1
    assert second.created_at == first.created_at
    both = await desk.pair(device, "node", role=NODE)
    assert [(grant.role, grant.scopes) for grant in both.grants] == [
        ("node", ["node"]),
        ("operator", ["observe", "write"]),
    ]
    assert ended == [first.grants[0].key_id]


async def test_a_name_that_an_operator_gave_stays(desk: Desk, device: Device) -> None:
    await desk.pair(device, "write")
    renamed = await desk.do(wire.RENAME, wire.RenameDevice(device.id, "Kitchen\u202e"))
    assert renamed.facts.name == "Kitchen"
    again = await desk.pair(device, "write", facts=wire.Facts(name="Laptop", platform="darwin"))
    assert (again.facts.name, again.facts.platform) == ("Kitchen", "darwin")


async def test_the_number_of_devices_is_bounded(
    desk: Desk, device: Device, other: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DEVICES_MAX == 10_000
    monkeypatch.setattr("instar.hub.identity.devices.admission.DEVICES_MAX", 1)
    await desk.pair(device, "write")
    await desk.pair(device, "observe")
    assert (await fails(desk.pair(other, "write"))).code == "conflict"


async def test_an_approval_may_be_repeated(make_desk: Callable[..., Any], device: Device) -> None:
    assert wire.APPROVE.idempotent
    assert wire.APPROVE.audited
    desk = await make_desk()
    await desk.open()
    request = await desk.request(device, "write", is_local=HERE["is_local"])
    await desk.approve(request)
    assert (await fails(desk.approve(request))).detail == {"state": "approved"}
