import json

import pytest

from tests.doors.gateway.serving import SECRET, Key, Serving, hello

from .talking import ALL, READ, client, rpc

PAIRING = ("operator.pairing",)
NODE = {"role": "node", "scopes": [], "client": {"id": "node-host", "mode": "node", "displayName": "mill"}}


async def asks(hub: Serving, key: Key, generation: str = "v4", **changes: object) -> str:
    """Let a device ask to be let in, and return the id of its request."""
    await hub.ask("POST", "/v1/pairing/open", {})
    async with hub.socket() as peer:
        answer = await peer.connect(hello(generation, auth={"token": SECRET}, **changes), key)  # type: ignore[arg-type]
    assert answer["error"]["code"] == "NOT_PAIRED", answer
    return answer["error"]["details"]["requestId"]


@pytest.mark.parametrize("generation", ["v3", "v4"])
async def test_a_device_is_listed_and_let_in(hub: Serving, generation: str) -> None:
    key = Key()
    request_id = await asks(hub, key, scopes=["operator.read"], client={"displayName": "phone"})
    operator = await hub.key("devices", "observe", "write")
    async with client(hub, *PAIRING, "operator.read", "operator.write", generation=generation, token=operator) as one:
        listed = await one.ok("device.pair.list")
        [row] = listed["pending"]
        assert (row["requestId"], row["deviceId"], row["displayName"]) == (request_id, key.id, "phone")
        assert (row["role"], row["scopes"], row["isRepair"]) == ("operator", ["operator.read"], False)
        assert row["fingerprint"].startswith("SHA256:")
        approved = await one.ok("device.pair.approve", requestId=request_id)
        assert approved["requestId"] == request_id
        assert approved["device"]["fingerprint"] == row["fingerprint"]
        assert "unknown requestId" in (await one.fails("device.pair.approve", requestId="nothing"))["message"]
        paired = (await one.ok("device.pair.list"))["paired"]
        assert [(one["deviceId"], one["roles"]) for one in paired] == [(key.id, ["operator"])]
        assert paired[0]["tokens"][0]["scopes"] == ["operator.read"]
        assert "idt_" not in json.dumps(listed) + json.dumps(paired) + json.dumps(approved)
    async with hub.socket() as peer:
        greeted = await peer.hello(hello("v4", auth={"token": SECRET}), key)
        assert greeted["auth"]["deviceToken"]


async def test_a_device_is_turned_away_renamed_and_forgotten(hub: Serving) -> None:
    first = await asks(hub, one_key := Key(), scopes=["operator.read"])
    async with client(hub, *PAIRING) as one:
        assert await one.ok("device.pair.reject", requestId=first) == {"requestId": first, "deviceId": one_key.id}
    second = await asks(hub, key := Key(), scopes=["operator.read"])
    async with client(hub, *ALL) as one:
        await one.ok("device.pair.approve", requestId=second)
        renamed = await one.ok("device.pair.rename", deviceId=key.id, label="kitchen")
        assert renamed["device"]["displayName"] == "kitchen"
        assert await one.ok("device.pair.remove", deviceId=key.id) == {"deviceId": key.id}
        assert "unknown deviceId" in (await one.fails("device.pair.remove", deviceId=key.id))["message"]


async def test_nobody_gives_more_than_they_hold(hub: Serving) -> None:
    request_id = await asks(hub, Key(), scopes=["operator.admin"])
    async with client(hub, *PAIRING) as one:
        error = await one.fails("device.pair.approve", requestId=request_id)
        assert error["message"].startswith("device pairing approval denied")
        assert len((await one.ok("device.pair.list"))["pending"]) == 1
    async with client(hub, *READ) as reader:
        error = await reader.fails("device.pair.list")
        assert error["details"]["missingScope"] == "operator.pairing"


async def test_tokens_are_shown_to_their_device_alone(hub: Serving) -> None:
    request_id = await asks(hub, key := Key(), scopes=["operator.read"])
    async with client(hub, *ALL) as one:
        await one.ok("device.pair.approve", requestId=request_id)
        rotated = await one.ok("device.token.rotate", deviceId=key.id, role="operator")
        assert rotated["tokenDelivery"] == "withheld-cross-device"
        assert "token" not in rotated
        assert "unknown role" in (await one.fails("device.token.rotate", deviceId=key.id, role="worker"))["message"]
        revoked = await one.ok("device.token.revoke", deviceId=key.id, role="operator")
        assert (revoked["deviceId"], revoked["role"]) == (key.id, "operator")
        assert revoked["revokedAtMs"] > 0
    async with client(hub, *ALL, generation="v3") as one:
        again = await asks(hub, key, scopes=["operator.read"])
        await one.ok("device.pair.approve", requestId=again)
        assert (await one.ok("device.token.rotate", deviceId=key.id, role="operator"))["token"]


async def test_nodes(hub: Serving) -> None:
    request_id = await asks(hub, key := Key(), **NODE)
    lets_in = await hub.key("devices", "node", "admin", "observe")
    async with client(hub, *ALL, token=lets_in) as one:
        [pending] = (await one.ok("node.pair.list"))["pending"]
        assert (pending["nodeId"], pending["displayName"]) == (key.id, "mill")
        assert pending["requiredApproveScopes"] == ["operator.pairing"]
        assert pending["fingerprint"].startswith("SHA256:")
        approved = await one.ok("node.pair.approve", requestId=request_id)
        assert approved["node"]["nodeId"] == key.id
        [known] = (await one.ok("node.list"))["nodes"]
        assert (known["paired"], known["connected"], known["commands"]) == (True, False, [])
        async with hub.socket() as node:
            await node.hello(hello("v4", auth={"token": SECRET}, **NODE), key)
            [there] = (await one.ok("node.list"))["nodes"]
            assert there["connected"] is True
            async with client(hub, *READ) as reader:
                assert [row["nodeId"] for row in (await reader.ok("node.list"))["nodes"]] == [key.id]
            told = (await node.call("node.event", {"event": "x"}))["payload"]
            assert told == {"ok": True, "event": "x", "handled": False, "reason": "unsupported_event"}
        assert (await one.ok("node.describe", nodeId=key.id))["displayName"] == "mill"
        assert await one.ok("node.rename", nodeId=key.id, displayName="m2") == {"nodeId": key.id, "displayName": "m2"}
        assert "unknown nodeId" in (await one.fails("node.describe", nodeId="nothing"))["message"]
        assert (await one.ok("node.pair.list"))["paired"][0]["nodeId"] == key.id
        assert await one.ok("node.pair.remove", nodeId=key.id) == {"nodeId": key.id}
    async with client(hub, *READ) as reader:
        assert (await reader.ok("node.list"))["nodes"] == []


async def test_the_shared_secret_lets_nodes_in(hub: Serving) -> None:
    request_id = await asks(hub, key := Key(), **NODE)
    async with client(hub, *ALL) as one:
        await one.ok("device.pair.approve", requestId=request_id)
        assert [row["nodeId"] for row in (await one.ok("node.list"))["nodes"]] == [key.id]


async def test_moltis_lists_arrays_and_opens_the_window(hub: Serving) -> None:
    assert (await rpc(hub, "node.pairing.status"))["payload"] == {"enabled": False}
    opened = (await rpc(hub, "node.pairing.enable"))["payload"]
    assert opened["enabled"] is True
    request_id = await asks(hub, key := Key(), **NODE)
    [row] = (await rpc(hub, "node.pair.list"))["payload"]
    assert row.keys() == {"id", "deviceId", "displayName", "platform", "fingerprint"}
    assert (row["id"], row["deviceId"]) == (request_id, key.id)
    assert (await rpc(hub, "node.pair.approve", {"id": request_id}))["payload"]["deviceId"] == key.id
    [device] = (await rpc(hub, "device.pair.list"))["payload"]
    assert device.keys() == {"deviceId", "displayName", "platform", "publicKey", "fingerprint", "createdAt"}
    [node] = (await rpc(hub, "node.list"))["payload"]
    assert (node["nodeId"], node["telemetry"], node["providers"]) == (key.id, None, [])
    assert (await rpc(hub, "node.describe", {"nodeId": "nothing"}))["error"]["message"] == "node not found"
    assert (await rpc(hub, "node.rename", {"nodeId": key.id, "displayName": "m"}))["payload"] == {}
    made = (await rpc(hub, "device.token.create", {"displayName": "cli"}))["payload"]
    assert made["scopes"] == ["operator.read", "operator.write", "operator.approvals"]
    assert (await rpc(hub, "agents.list", token=made["deviceToken"]))["ok"]
    assert (await rpc(hub, "device.token.revoke", {"deviceId": made["deviceId"]}))["payload"] == {}
    assert (await rpc(hub, "node.pairing.disable"))["payload"] == {"enabled": False}
    again = await asks(hub, other := Key(), **NODE)
    assert (await rpc(hub, "node.pair.reject", {"id": again}))["payload"] == {}
    assert other.id not in json.dumps((await rpc(hub, "node.list"))["payload"])
