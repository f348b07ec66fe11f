"""Pairing codes: short, single use, few tries, expiring; they let in a client without a key."""

import asyncio
from collections.abc import Callable
from typing import Any

from instar.hub.identity.credentials import Credential
from instar.hub.identity.principals import Caller
from instar.hub.identity.roots import shared_root
from instar.wire import devices as wire
from instar.wire import identity as keys
from instar.wire.identity import Scope
from instar.wire.limits import AUTH_FAILURES_MAX, PAIRING_CODE_TRIES

from .conftest import FAR, NODE, Desk, fails


async def make(desk: Desk, *scopes: str, caller: Any = None, **more: Any) -> str:
    wanted = wire.MakeCode([Scope(scope) for scope in scopes or ("write",)], **more)
    return (await desk.do(wire.MAKE_CODE, wanted, caller)).code


async def use(desk: Desk, code: str, peer: str = "198.51.100.7", **facts: str) -> wire.DeviceToken:
    visitor = desk.identity.visitor(Credential(peer=peer))
    return await desk.do(wire.USE_CODE, wire.UseCode(code, wire.Facts(**facts)), visitor, peer)


async def test_a_code_lets_one_client_in(desk: Desk) -> None:
    code = await make(desk, "write", "observe", name="Kitchen")
    assert len(code) == 9
    assert set(code) <= set("ABCDEFGHJKMNPQRSTVWXYZ23456789-")
    made = await use(desk, code.lower().replace("-", " "), name="Phone\u202e", platform="ios")
    assert made.scopes == ["observe", "write"]
    device = await desk.do(wire.GET, wire.DeviceRef(made.device_id))
    assert (device.public_key, device.fingerprint, device.facts.name, device.facts.platform) == (
        "",
        "",
        "Kitchen",
        "ios",
    )
    assert device.grants[0].rotated_at
    caller = desk.identity.authenticate(Credential(made.token))
    assert caller.principal.id == "dev_" + made.device_id
    assert desk.identity.devices.of(caller.grant) is not None
    assert (await fails(use(desk, code))).code == "unauthorized"
    assert await desk.identity.devices.first_token(caller.grant) is None
    [noted] = [each for each in await desk.events("audit.recorded") if each["operation"] == "devices.use_code"]
    assert (noted["subject"], noted["principal"], noted["grant"]) == (made.device_id, "operator", "local")


async def test_of_many_uses_one_counts(desk: Desk) -> None:
    code = await make(desk)
    outcomes = await asyncio.gather(*(use(desk, code) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(outcome, wire.DeviceToken) for outcome in outcomes) == 1


async def test_a_code_ends_with_its_time(desk: Desk) -> None:
    code = await make(desk, expires_in_s=60.0)
    desk.clock.pass_s(60)
    assert (await fails(use(desk, code))).code == "unauthorized"


async def test_wrong_tries_end_every_code(desk: Desk) -> None:
    first, second = await make(desk), await make(desk)
    for number in range(PAIRING_CODE_TRIES - 1):
        await fails(use(desk, "AAAA-AAAA", peer=f"198.51.100.{number}"))
    assert await use(desk, first)
    await fails(use(desk, "AAAA-AAAA"))
    assert (await fails(use(desk, second))).code == "unauthorized"
    assert await use(desk, await make(desk))


async def test_wrong_codes_count_toward_the_lock(desk: Desk) -> None:
    for _ in range(AUTH_FAILURES_MAX):
        assert (await fails(use(desk, "AAAA-AAAA"))).code == "unauthorized"
    code = await make(desk)
    assert (await fails(use(desk, code))).code == "rate_limited"
    assert (await fails(lambda: desk.identity.authenticate(Credential("x", **FAR)))).code == "rate_limited"
    here = desk.identity.visitor(Credential(is_local=True, peer="127.0.0.1"))
    for _ in range(PAIRING_CODE_TRIES - 1):
        await fails(desk.do(wire.USE_CODE, wire.UseCode("AAAA-AAAA"), here, "127.0.0.1"))
    assert await desk.do(wire.USE_CODE, wire.UseCode(code), here, "127.0.0.1")


async def test_a_code_is_no_wider_than_who_makes_it(desk: Desk) -> None:
    caller, _ = await desk.key("devices", "write", rooms=["plaza"])
    assert (await fails(make(desk, "admin", caller=caller))).code == "forbidden"
    made = await use(desk, await make(desk, "write", caller=caller))
    assert desk.identity.authenticate(Credential(made.token)).grant.rooms == {"plaza"}
    assert (await fails(make(desk, "write", role=NODE))).code == "unprocessable_entity"
    assert (await fails(make(desk, "node"))).code == "unprocessable_entity"
    shared = Caller(shared_root(), is_local=True, is_direct=True)
    assert (await fails(make(desk, caller=shared))).code == "forbidden"


async def test_a_code_dies_with_its_maker(desk: Desk) -> None:
    caller, _ = await desk.key("devices", "write")
    code = await make(desk, "write", caller=caller)
    await desk.do(keys.KEYS_REVOKE, keys.KeyRef(caller.grant.id))
    assert (await fails(use(desk, code))).code == "unauthorized"
    brief, _ = await desk.key("devices", "write", expires_in_s=30)
    code = await make(desk, "write", caller=brief)
    desk.clock.pass_s(31)
    assert (await fails(use(desk, code))).code == "unauthorized"


async def test_a_code_outlives_a_restart_and_is_not_stored(desk: Desk, make_desk: Callable[..., Any]) -> None:
    code = await make(desk, "node", role=NODE)
    again = await make_desk()
    rows = await again.store.read(lambda reader: reader.rows("SELECT * FROM pairing_codes"))
    assert code not in str(rows)
    assert code.replace("-", "") not in str(rows)
    made = await use(again, code)
    assert again.identity.authenticate(Credential(made.token, role="node")).grant.scopes == {Scope.NODE}
