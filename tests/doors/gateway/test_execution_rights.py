"""Who may ask for calls over the gateway: `operator.write` carries it, where the device has it."""

import pytest

from .methods.talking import client
from .serving import SECRET, Key, Serving, hello

WRITER = {"scopes": ["operator.read", "operator.write"], "auth": {"token": SECRET}}


async def let_in(hub: Serving, key: Key) -> None:
    async with hub.socket() as peer:
        refused = await peer.connect(hello(**WRITER), key)
        assert refused["error"]["code"] == "NOT_PAIRED"
    [request] = await hub.requests()
    await hub.approve(request["id"])


async def scopes(hub: Serving, key: Key) -> list[str]:
    [device] = [one for one in (await hub.ask("GET", "/v1/devices"))["devices"] if one["id"] == key.id]
    return sorted(device["grants"][0]["scopes"])


async def test_a_writer_may_ask_for_calls(hub: Serving) -> None:
    key = Key()
    await let_in(hub, key)
    assert await scopes(hub, key) == ["execute", "observe", "write"]


async def test_a_device_of_before_stays_a_writer(hub: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not asked to be let in anew, and is told what it lacks when it asks for a call."""
    key = Key()
    with monkeypatch.context() as before:
        before.setattr("instar.wire.gateway.scopes.CALLING", frozenset())
        await let_in(hub, key)
    assert await scopes(hub, key) == ["observe", "write"]
    async with hub.socket() as peer:
        hello_ok = await peer.hello(hello(**WRITER), key)
        assert hello_ok["auth"]["scopes"] == ["operator.read", "operator.write"]
    assert await hub.requests() == []


async def test_who_may_not_ask_for_calls_lets_writers_in_without(hub: Serving) -> None:
    operator = await hub.key("devices", "observe", "write")
    key = Key()
    async with hub.socket() as peer:
        await peer.connect(hello(**WRITER), key)
    async with client(hub, "operator.pairing", "operator.read", "operator.write", token=operator) as one:
        [request] = (await one.ok("device.pair.list"))["pending"]
        assert request["scopes"] == ["operator.read", "operator.write"]
        await one.ok("device.pair.approve", requestId=request["requestId"])
    assert await scopes(hub, key) == ["observe", "write"]
    async with hub.socket() as peer:
        await peer.hello(hello(**WRITER), key)
