"""The handshake over real sockets: each row of the dialect's order, with its exact answer and close."""

import asyncio
import base64
import hashlib
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import websockets

from .serving import SECRET, Key, Peer, Serving, base64url, hello, serving

BOTH = pytest.mark.parametrize("generation", ["v3", "v4"])
TOKEN = {"token": SECRET}


async def refused(peer: Peer, answer: Any) -> tuple[dict[str, Any], int, str]:
    assert answer["ok"] is False, answer
    return answer["error"], *await peer.closed()


@pytest.mark.parametrize("payload", ["no json", b"\x00"])
async def test_row_1_no_json(hub: Serving, payload: str | bytes) -> None:
    async with hub.socket() as peer:
        await peer.challenge()
        await peer.socket.send(payload)
        assert await peer.closed() == (1000, "")
        assert peer.events == []


async def test_row_2_no_request(hub: Serving) -> None:
    async with hub.socket() as peer:
        await peer.say(type="event", event="x")
        assert await peer.closed() == (1008, "invalid request frame")


async def test_row_3_another_method_first(hub: Serving) -> None:
    async with hub.socket() as peer:
        await peer.challenge()
        error, code, reason = await refused(peer, await peer.call("health"))
        message = "invalid handshake: first request must be connect"
        assert (error, code, reason) == ({"code": "INVALID_REQUEST", "message": message}, 1008, message)


@BOTH
async def test_row_4_parameters(hub: Serving, generation: str) -> None:
    async with hub.socket() as peer:
        error, code, _ = await refused(peer, await peer.connect(hello(generation, client={"id": "ios-node"})))
        assert error["message"].startswith("invalid connect params: ")
        assert "client.id" in error["message"]
        assert code == 1008


async def test_row_5_protocol(hub: Serving) -> None:
    async with hub.socket() as peer:
        error, code, reason = await refused(peer, await peer.connect(hello(minProtocol=7, maxProtocol=9)))
        assert error["details"]["expectedProtocol"] == 4
        assert (error["message"], code, reason) == ("protocol mismatch", 1002, "protocol mismatch")


@BOTH
async def test_row_6_role(hub: Serving, generation: str) -> None:
    async with hub.socket() as peer:
        error, code, reason = await refused(peer, await peer.connect(hello(generation, role="worker")))
        assert (error, code, reason) == ({"code": "INVALID_REQUEST", "message": "invalid role"}, 1008, "invalid role")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "file://"])
async def test_row_7_a_foreign_origin_is_refused_before_the_upgrade(hub: Serving, origin: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refusal:
        async with hub.socket(Origin=origin):
            pass
    assert refusal.value.response.status_code == 403
    assert json.loads(refusal.value.response.body)["code"] == "origin_refused"


async def test_row_7_a_page_without_an_origin(hub: Serving) -> None:
    page = hello(client={"id": "openclaw-control-ui", "mode": "ui"}, auth=TOKEN)
    async with hub.socket() as peer:
        error, code, _ = await refused(peer, await peer.connect(page))
        assert error["details"] == {"code": "CONTROL_UI_ORIGIN_NOT_ALLOWED", "reason": "origin missing or invalid"}
        assert code == 1008


@BOTH
async def test_row_8_a_page_needs_a_device(hub: Serving, generation: str) -> None:
    page = hello(generation, client={"id": "openclaw-control-ui", "mode": "ui"}, auth=TOKEN)
    async with hub.socket(Origin=f"http://127.0.0.1:{hub.port}") as peer:
        error, code, _ = await refused(peer, await peer.connect(page))
        assert error["code"] == "INVALID_REQUEST"
        assert error["message"].startswith("control ui requires ")
        if generation == "v4":
            assert error["details"] == {"code": "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"}
        assert code == 1008


@BOTH
async def test_row_8_a_browser_needs_a_device(hub: Serving, generation: str) -> None:
    async with hub.socket(Origin=f"http://127.0.0.1:{hub.port}") as peer:
        error, code, reason = await refused(peer, await peer.connect(hello(generation, auth=TOKEN)))
        assert (error["code"], error["message"]) == ("NOT_PAIRED", "device identity required")
        if generation == "v4":
            assert error["details"] == {"code": "DEVICE_IDENTITY_REQUIRED"}
        assert (code, reason) == (1008, "device identity required")


DEVICE_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "DEVICE_AUTH_DEVICE_ID_MISMATCH": ({"id": "0" * 64}, "device identity mismatch"),
    "DEVICE_AUTH_SIGNATURE_EXPIRED": ({"signed_at": 1}, "device signature expired"),
    "DEVICE_AUTH_NONCE_MISMATCH": ({"nonce": "other"}, "device nonce mismatch"),
    "DEVICE_AUTH_SIGNATURE_INVALID": ({"signature": base64url(bytes(64))}, "device signature invalid"),
}


@pytest.mark.parametrize("detail", DEVICE_ROWS)
@BOTH
async def test_rows_9_to_12_a_device(hub: Serving, generation: str, detail: str) -> None:
    changes, message = DEVICE_ROWS[detail]
    async with hub.socket() as peer:
        answer = await peer.connect(hello(generation, auth=TOKEN), Key(), "v2", **changes)
        error, code, reason = await refused(peer, answer)
        assert (error["code"], error["message"]) == ("INVALID_REQUEST", message)
        if generation == "v4":
            assert error["details"]["code"] == detail
        assert (code, reason) == (1008, message)


async def test_row_13_a_key_that_is_none(hub: Serving) -> None:
    """A point of small order has signatures for everything: the key itself is refused."""
    weak = bytes(31) + b"\x80"

    async with hub.socket() as peer:
        changes = {"id": hashlib.sha256(weak).hexdigest(), "publicKey": base64url(weak)}
        error, code, reason = await refused(peer, await peer.connect(hello(auth=TOKEN), Key(), "v2", **changes))
        assert error["details"] == {"code": "DEVICE_AUTH_PUBLIC_KEY_INVALID", "reason": "device-public-key"}
        assert (code, reason) == (1008, "device public key invalid")


AUTH_ROWS: dict[str, tuple[dict[str, str], str, str]] = {
    "AUTH_TOKEN_MISSING": ({}, "token_missing", "update_auth_configuration"),
    "AUTH_TOKEN_MISMATCH": ({"token": "wrong"}, "token_mismatch", "update_auth_credentials"),
    "AUTH_PASSWORD_MISMATCH": ({"password": "wrong"}, "password_mismatch", "update_auth_credentials"),
}


@pytest.mark.parametrize("detail", AUTH_ROWS)
@BOTH
async def test_row_14_the_shared_secret(hub: Serving, generation: str, detail: str) -> None:
    auth, reason, step = AUTH_ROWS[detail]
    async with hub.socket() as peer:
        error, code, closing = await refused(peer, await peer.connect(hello(generation, auth=auth)))
        assert error["code"] == "INVALID_REQUEST"
        assert error["message"].startswith(f"unauthorized: gateway {reason.replace('_', ' ')} (")
        if generation == "v4":
            assert error["details"] == {
                "code": detail, "authReason": reason, "canRetryWithDeviceToken": False, "recommendedNextStep": step,
            }  # fmt: skip
        assert (code, closing) == (1008, error["message"][:120])


@pytest.mark.parametrize("auth", [{"token": SECRET}, {"password": SECRET}])
@BOTH
async def test_row_14_the_secret_in_either_field(hub: Serving, generation: str, auth: dict[str, str]) -> None:
    async with hub.socket() as peer:
        ok = await peer.hello(hello(generation, auth=auth))
        assert ok["protocol"] == int(generation[1])


@BOTH
async def test_row_15_pairing(hub: Serving, generation: str) -> None:
    key = Key()
    async with hub.socket() as peer:
        answer = await peer.connect(hello(generation, auth=TOKEN), key, "v2")
        error, code, reason = await refused(peer, answer)
        [request] = await hub.requests()
        assert request["device_id"] == key.id
        assert error["code"] == "NOT_PAIRED"
        if generation == "v3":
            assert (error["message"], error["details"]) == ("pairing required", {"requestId": request["id"]})
        else:
            assert error["message"] == "pairing required: device is not approved yet"
            assert error["details"] == {
                "code": "PAIRING_REQUIRED", "reason": "not-paired", "requestId": request["id"], "deviceId": key.id,
                "remediationHint": f"Approve it with `instar devices approve {request['id']}`.",
                "requestedRole": "operator", "requestedScopes": ["operator.read"],
            }  # fmt: skip
            assert reason == f"pairing required: device is not approved yet (requestId: {request['id']})"[:120]
        assert code == 1008
    async with hub.socket() as peer:
        again = await peer.connect(hello(generation, auth=TOKEN), key, "v2")
        assert again["error"]["details"]["requestId"] == request["id"]
    await hub.approve(request["id"])
    async with hub.socket() as peer:
        ok = await peer.hello(hello(generation, auth=TOKEN), key, "v2")
        token = ok["auth"]["deviceToken"]
        assert ok["auth"]["scopes"] == ["operator.read"]
    async with hub.socket() as peer:
        ok = await peer.hello(hello(generation, auth={"token": token}), key, "v2")
        assert "deviceToken" not in ok.get("auth", {})


async def test_row_15_while_pairing_is_closed(tmp_path: Path) -> None:
    async with serving(tmp_path, pairing__auto_approve="off") as hub, hub.socket() as peer:
        error, code, _ = await refused(peer, await peer.connect(hello(), Key(), "v3"))
        assert error["code"] == "NOT_PAIRED"
        assert error["details"]["code"] == "PAIRING_REQUIRED"
        assert "instar pairing enable" in error["details"]["remediationHint"]
        assert "requestId" not in error["details"]
        assert code == 1008
        assert await hub.requests() == []


async def test_upgrades_need_an_approval_of_their_own(hub: Serving) -> None:
    key = Key()
    first = hello(auth=TOKEN)
    async with hub.socket() as peer:
        asked = await peer.connect(first, key)
        await hub.approve(asked["error"]["details"]["requestId"])
    wider = hello(auth=TOKEN, scopes=["operator.read", "operator.admin"])
    other = hello(auth=TOKEN, client={"platform": "darwin"})
    node = hello(auth=TOKEN, role="node", scopes=[], client={"id": "node-host", "mode": "node"})
    for params, reason in ((wider, "scope-upgrade"), (node, "role-upgrade"), (other, "metadata-upgrade")):
        async with hub.socket() as peer:
            error, _, _ = await refused(peer, await peer.connect(params, key))
            assert error["details"]["reason"] == reason
    async with hub.socket() as peer:
        await peer.hello(first, key)


async def test_a_silently_approved_device_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path, auth__token=SECRET, pairing__auto_approve="loopback") as hub, hub.socket() as peer:
        ok = await peer.hello(hello(auth=TOKEN), Key())
        assert ok["auth"]["deviceToken"]


async def test_a_signature_is_good_once_and_here(hub: Serving) -> None:
    """Replay on another socket, relay of another's nonce, forgery with another key, downgrade to v1."""
    key = Key()
    async with hub.socket() as one, hub.socket() as other:
        params = hello("v3", auth=TOKEN)
        nonce = await one.challenge()
        await other.challenge()
        relayed = params | {"device": key.device("v2", params, nonce)}
        assert (await other.call("connect", relayed))["error"]["message"] == "device nonce mismatch"
    async with hub.socket() as peer:
        nonce = await peer.challenge()
        forged = key.device("v2", params, nonce) | {"signature": Key().device("v2", params, nonce)["signature"]}
        assert (await peer.call("connect", params | {"device": forged}))["error"][
            "message"
        ] == "device signature invalid"
    old = params | {"device": key.device("v1", params, "")}
    async with hub.socket() as peer:
        await peer.challenge()
        asked = await peer.call("connect", old)
        assert asked["error"]["message"] == "pairing required"
    async with hub.socket() as peer:
        await peer.challenge()
        replayed = await peer.call("connect", old)
        assert replayed["error"]["message"] == "device signature invalid"
    for version in ("v1", "v2", "v3"):
        async with hub.socket() as peer:
            fourth = hello(auth=TOKEN)
            nonce = await peer.challenge()
            device = key.device(version, fourth, nonce) | {"nonce": nonce}
            answer = await peer.call("connect", fourth | {"device": device})
            expected = "DEVICE_AUTH_SIGNATURE_INVALID" if version == "v1" else "PAIRING_REQUIRED"
            assert answer["error"]["details"]["code"] == expected


async def test_a_copied_device_token_is_worthless(hub: Serving) -> None:
    key = Key()
    params = hello(auth=TOKEN)
    async with hub.socket() as peer:
        await hub.approve((await peer.connect(params, key))["error"]["details"]["requestId"])
    async with hub.socket() as peer:
        token = (await peer.hello(params, key))["auth"]["deviceToken"]
    for thief in (None, Key()):
        async with hub.socket() as peer:
            error, _, _ = await refused(peer, await peer.connect(hello(auth={"token": token}), thief))
            assert error["details"]["code"] == "AUTH_DEVICE_TOKEN_MISMATCH"


async def test_guessing_with_a_bogus_device_token_is_locked_out(tmp_path: Path) -> None:
    """The lock counts whatever else is sent; a browser on this machine is not exempt from it."""
    async with serving(tmp_path, auth__token=SECRET) as hub:
        origin = f"http://127.0.0.1:{hub.port}"
        codes: list[str] = []
        for number in range(11):
            async with hub.socket(Origin=origin) as peer:
                auth = {"password": f"guess-{number}", "deviceToken": "bogus"}
                answer = await peer.connect(hello(auth=auth))
                codes.append(answer["error"]["details"]["code"])
        assert codes[-1] == "AUTH_RATE_LIMITED"
        assert "AUTH_RATE_LIMITED" not in codes[:10]
        assert answer["error"]["retryable"] is True
        assert answer["error"]["retryAfterMs"] > 0
        assert answer["error"]["details"]["recommendedNextStep"] == "wait_then_retry"
        async with hub.socket(Origin=origin) as peer:
            answer = await peer.connect(hello(auth=TOKEN))
            assert answer["error"]["details"]["code"] == "AUTH_RATE_LIMITED"


async def test_scopes_can_only_narrow(hub: Serving) -> None:
    reader = await hub.key("observe")
    async with hub.socket() as peer:
        ok = await peer.hello(hello(auth={"token": reader}, scopes=["operator.admin", "operator.read"]))
        assert ok["auth"]["scopes"] == ["operator.read"]
        error = (await peer.call("config.set", {"raw": "{}", "baseHash": "x"}))["error"]
        assert error["code"] == "FORBIDDEN"
        assert error["details"]["missingScope"] == "operator.admin"
        assert "configPath" not in ok["snapshot"]
    async with hub.socket() as peer:
        ok = await peer.hello(hello(auth={"token": hub.operator}, scopes=["operator.read"]))
        assert ok["auth"]["scopes"] == ["operator.read"]
        error = (await peer.call("device.pair.list"))["error"]
        assert error["details"] == {
            "code": "MISSING_SCOPE", "missingScope": "operator.pairing", "requiredScopes": ["operator.pairing"],
        }  # fmt: skip
    async with hub.socket() as peer:
        ok = await peer.hello(hello(auth={"token": hub.operator}, scopes=["operator.admin"]))
        assert ok["snapshot"]["stateDir"]
        assert (await peer.call("device.pair.list"))["ok"]


async def test_hello_of_each_generation(hub: Serving) -> None:
    async with hub.socket() as peer:
        third = await peer.hello(hello("v3", auth=TOKEN, scopes=[]))
    assert set(third) == {"type", "protocol", "server", "features", "snapshot", "policy"}
    assert set(third["server"]) == {"version", "host", "connId"}
    assert third["policy"] == {"maxPayload": 524_288, "maxBufferedBytes": 1_572_864, "tickIntervalMs": 30_000}
    assert set(third["features"]) == {"methods", "events"}
    async with hub.socket("/ws") as peer:
        fourth = await peer.hello(hello(auth=TOKEN))
    assert set(fourth["server"]) == {"version", "bootId", "connId"}
    assert fourth["policy"]["maxPayload"] == 26_214_400
    assert fourth["auth"] == {"method": "token", "role": "operator", "scopes": ["operator.read"]}
    assert set(fourth["snapshot"]) == {"presence", "health", "stateVersion", "uptimeMs", "sessionDefaults"}
    assert fourth["snapshot"]["sessionDefaults"]["mainSessionKey"] == "agent:guide:main"
    assert fourth["snapshot"]["health"]["ok"] is True
    assert fourth["snapshot"]["presence"][0]["reason"] == "self"
    assert "session.message" in fourth["features"]["events"]
    assert "session.message" not in third["features"]["events"]
    assert "instar.resume" in fourth["features"]["capabilities"]


async def test_too_many_unauthenticated_sockets(hub: Serving) -> None:
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(hub.socket())
        await peer.hello(hello(auth=TOKEN))
        waiting = [await stack.enter_async_context(hub.socket()) for _ in range(32)]
        with pytest.raises(websockets.InvalidStatus) as refusal:
            async with hub.socket():
                pass
        assert refusal.value.response.status_code == 503
        assert refusal.value.response.body == b"Too many unauthenticated sockets"
        await waiting[0].socket.close()
        async with hub.socket() as late:
            await late.hello(hello(auth=TOKEN))


async def test_connections_of_one_credential_are_counted_as_the_operator_says(tmp_path: Path) -> None:
    flags = {"auth__token": SECRET, "limits__streams_per_principal": 1}
    async with serving(tmp_path / "data", **flags) as hub, hub.socket() as one, hub.socket() as two:
        # Both knock before either was admitted: they are counted nevertheless.
        await one.challenge()
        await two.challenge()
        answers = await asyncio.gather(*(peer.connect(hello(auth=TOKEN)) for peer in (one, two)))
        assert sorted(answer["ok"] for answer in answers) == [False, True]
        [refused] = [answer["error"] for answer in answers if not answer["ok"]]
        assert refused["code"] == "UNAVAILABLE"
        assert refused["message"] == "this credential has its 1 live streams"


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_forwarding_headers_of_nobody_in_particular(hub: Serving, header: str) -> None:
    with pytest.raises(websockets.InvalidStatus) as refusal:
        async with hub.socket(**{header: "127.0.0.1"}):
            pass
    assert refusal.value.response.status_code == 403
    assert json.loads(refusal.value.response.body)["error"]["type"] == "proxy_attribution_required"
    status, _, body = await hub.http(f"POST /api/rpc HTTP/1.1\n{header}: 127.0.0.1", b"{}")
    assert (status, json.loads(body)["error"]["type"]) == (403, "proxy_attribution_required")


async def test_frames_too_large(hub: Serving) -> None:
    async with hub.socket() as peer:
        await peer.socket.send("x" * 65_537)
        code, _ = await peer.closed()
        assert code == 1009
    for generation, limit in (("v3", 524_288), ("v4", 26_214_400)):
        async with hub.socket() as peer:
            await peer.hello(hello(generation, auth=TOKEN))
            answer = await peer.call("nope", {"pad": "x" * (limit - 200)})
            assert answer["ok"] is False
            # The head of a frame is enough: nobody waits for the rest of one that is too large.
            peer.socket.transport.write(b"\x81\xff" + (limit + 1).to_bytes(8, "big") + bytes(4))
            assert (await peer.closed())[0] == 1009


async def test_a_token_in_the_url_is_refused(hub: Serving) -> None:
    with pytest.raises(websockets.InvalidStatus) as refusal:
        async with hub.socket(f"/?access_token={SECRET}"):
            pass
    assert refusal.value.response.status_code == 400


async def test_a_handshake_that_takes_too_long(hub: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.wire.gateway.machine.GATEWAY_HANDSHAKE_S", 0.2)
    async with hub.socket() as peer:
        began = time.monotonic()
        assert await peer.closed() == (1000, "")
        assert time.monotonic() - began > 0.1


async def test_a_frame_split_per_byte(hub: Serving) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    key = base64.b64encode(bytes(16)).decode()
    head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")

    async def receive() -> Any:
        size = (await reader.readexactly(2))[1]
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await reader.readexactly(8), "big")
        return json.loads(await reader.readexactly(size))

    assert (await receive())["event"] == "connect.challenge"
    payload = json.dumps({"type": "req", "id": "1", "method": "connect", "params": hello(auth=TOKEN)}).encode()
    for byte in b"\x81\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload:
        writer.write(bytes([byte]))
        await writer.drain()
    assert (await receive())["ok"] is True
    # Each byte of a message as a fragment of its own, a ping between each two.
    payload = b'{"type":"req","id":"2","method":"health"}'
    for index, byte in enumerate(payload):
        first = 0x80 * (index == len(payload) - 1) | (1 if index == 0 else 0)
        writer.write(bytes([first, 0x81]) + bytes(4) + bytes([byte]) + (b"\x89\x80" + bytes(4) if index < 3 else b""))
    while True:
        opcode, size = await reader.readexactly(2)
        if opcode == 0x8A:
            assert size == 0
            continue
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        frame = json.loads(await reader.readexactly(size))
        if frame["type"] == "res":
            assert frame["ok"] is True
            break
    writer.close()
