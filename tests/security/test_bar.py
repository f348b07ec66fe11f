"""The security bar, row by row: the classes of holes that gateways of this kind had (docs/security.md lists them all).

The number of a row stands in the name of its test. Rows that other suites cover are not repeated here.
"""

import asyncio
import json
from typing import Any

import pytest
import websockets

from instar.wire.gateway.methods import METHODS
from instar.wire.limits import GATEWAY_UNAUTHENTICATED_FRAME_MAX_BYTES, GATEWAY_UNAUTHENTICATED_PER_PEER_MAX
from tests.doors.gateway.serving import SECRET, Key, Peer, Serving, hello

ADMIN = ["operator.read", "operator.write", "operator.admin"]
WRONG = "w" * 40
GUESSES = 11
"""One more than locks an address."""
REMOTE = {"X_Forwarded_For": "203.0.113.7"}


def code_of(answer: dict[str, Any]) -> str:
    """Return the finest code of a refused answer."""
    assert not answer["ok"], answer
    return answer["error"].get("details", {}).get("code", answer["error"]["code"])


async def refused_upgrade(hub: Serving, path: str = "/", **headers: str) -> int:
    """Return the HTTP status that a handshake was refused with."""
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with hub.socket(path, **headers):
            pass
    return caught.value.response.status_code


async def is_let_in(hub: Serving, path: str) -> bool:
    """Say whether a client that shows nothing besides the address gets in."""
    try:
        async with hub.socket(path) as peer:
            return (await peer.connect(hello()))["ok"]
    except websockets.InvalidStatus:
        return False


async def guess(hub: Serving, auth: dict[str, str], **headers: str) -> dict[str, Any]:
    """Try one credential and return the answer to `connect`."""
    async with hub.socket(**headers) as peer:
        return await peer.connect(hello(auth=auth))


async def settings_of(hub: Serving) -> Any:
    return await hub.ask("GET", "/v1/settings/file")


class TestWhoComesFromWhere:
    @pytest.mark.parametrize("path", ["/", "/ws", "/ws/chat", "/v1/attach"])
    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "file://"])
    async def test_row_3_a_foreign_page_opens_no_socket(self, hub: Serving, path: str, origin: str) -> None:
        assert await refused_upgrade(hub, path, Origin=origin) == 403

    async def test_row_3_a_page_that_hides_its_origin_is_none(self, hub: Serving) -> None:
        page = {"id": "openclaw-control-ui", "mode": "webchat"}
        async with hub.socket() as peer:
            answer = await peer.connect(hello(client=page, auth={"token": SECRET}))
            assert code_of(answer) == "CONTROL_UI_ORIGIN_NOT_ALLOWED"

    async def test_row_3_a_page_cannot_guess_on_and_on(self, hub: Serving) -> None:
        """Loopback is no excuse for who comes from a browser."""
        own = {"Origin": f"http://127.0.0.1:{hub.port}"}
        codes = [code_of(await guess(hub, {"token": WRONG}, **own)) for _ in range(GUESSES)]
        assert codes[0] == "AUTH_TOKEN_MISMATCH"
        assert codes[-1] == "AUTH_RATE_LIMITED"
        assert code_of(await guess(hub, {"token": SECRET}, **own)) == "AUTH_RATE_LIMITED"

    async def test_row_3_a_browser_is_never_let_in_silently(self, hub: Serving) -> None:
        await hub.ask("POST", "/v1/pairing/open", {})
        page = {"id": "openclaw-control-ui", "mode": "webchat"}
        async with hub.socket(Origin=f"http://127.0.0.1:{hub.port}") as peer:
            answer = await peer.connect(hello(client=page, auth={"token": SECRET}), Key())
            assert code_of(answer) == "PAIRING_REQUIRED"
        (request,) = await hub.requests()
        assert request["state"] == "pending"

    async def test_row_4_a_device_token_beside_it_excuses_no_guess(self, hub: Serving) -> None:
        own = {"Origin": f"http://127.0.0.1:{hub.port}"}
        auth = {"password": WRONG, "deviceToken": "bogus"}
        codes = [code_of(await guess(hub, auth, **own)) for _ in range(GUESSES)]
        assert codes[-1] == "AUTH_RATE_LIMITED"

    async def test_row_9_nobody_names_an_address_but_a_trusted_proxy(self, hub: Serving) -> None:
        for name in ("X-Forwarded-For", "x-forwarded-for", "Forwarded", "X-Real-IP", "X-Forwarded-Proto"):
            value = "for=127.0.0.1" if name == "Forwarded" else "127.0.0.1"
            assert await refused_upgrade(hub, **{name: value}) == 403, name
            status, _, _ = await hub.http(f"POST /api/rpc HTTP/1.1\n{name}: {value}", b"{}")
            assert status == 403, name

    async def test_row_9_a_proxy_makes_nobody_local(self, fronted: Serving) -> None:
        """A client behind it is not this machine, though its connection is, and says what it likes."""
        async with fronted.socket(**REMOTE) as peer:
            answer = await peer.connect(hello(scopes=ADMIN, auth={"token": SECRET}))
            assert code_of(answer) == "DEVICE_IDENTITY_REQUIRED"
        for claimed in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "nobody", "203.0.113.7, nobody"):
            assert await refused_upgrade(fronted, X_Forwarded_For=claimed) in (400, 403), claimed
        async with fronted.socket(X_Forwarded_For="127.0.0.1, 203.0.113.7") as peer:
            answer = await peer.connect(hello(scopes=ADMIN, auth={"token": SECRET}))
            assert code_of(answer) == "DEVICE_IDENTITY_REQUIRED"


class TestWhoIsLetIn:
    async def test_row_5_a_wrong_token_is_refused_though_no_device_is_shown(self, hub: Serving) -> None:
        async with hub.socket() as peer:
            answer = await peer.connect(hello(auth={"token": WRONG}))
            assert code_of(answer) == "AUTH_TOKEN_MISMATCH"
            assert (await peer.closed())[0] == 1008

    async def test_row_5_a_wrong_token_is_refused_though_a_device_is_paired(self, hub: Serving) -> None:
        key, _ = await paired(hub)
        async with hub.socket() as peer:
            assert code_of(await peer.connect(hello(auth={"token": WRONG}), key)) == "AUTH_TOKEN_MISMATCH"

    async def test_row_6_scopes_that_a_client_declares_are_worth_nothing(self, hub: Serving) -> None:
        """The rule: a credential's own scopes, and of these what was asked; the shared secret, all, on this machine."""
        async with hub.socket() as peer:
            answer = await peer.connect(hello(scopes=ADMIN, auth={"token": await hub.key("observe")}))
            assert answer["payload"]["auth"]["scopes"] == ["operator.read"]
            assert code_of(await peer.call("config.apply", {"raw": "{}", "baseHash": "x"})) == "MISSING_SCOPE"

    async def test_row_7_no_way_in_makes_an_admin_of_who_is_none(self, hub: Serving) -> None:
        paired_key, token = await paired(hub)
        ways: dict[str, tuple[dict[str, Any], Key | None]] = {
            "nothing": ({}, None),
            "an unpaired device": ({}, Key()),
            "the secret and an unpaired device": ({"token": SECRET}, Key()),
            "a key that observes": ({"token": await hub.key("observe")}, None),
            "a key that writes, and a device": ({"token": await hub.key("observe", "write")}, Key()),
            "a paired reader that asks for more": ({"deviceToken": token}, paired_key),
            "its token without its key": ({"deviceToken": token}, None),
            "its token with another key": ({"deviceToken": token}, Key()),
            "an unknown device token": ({"deviceToken": WRONG}, paired_key),
        }
        for mode in ("cli", "backend", "probe", "webchat"):
            for way, (auth, key) in ways.items():
                async with hub.socket() as peer:
                    params = hello(scopes=ADMIN, client={"id": "gateway-client", "mode": mode}, auth=auth)
                    answer = await peer.connect(params, key)
                    if answer["ok"]:
                        assert "operator.admin" not in answer["payload"]["auth"]["scopes"], (way, mode)
                        assert code_of(await peer.call("users.list")) == "MISSING_SCOPE", (way, mode)

    async def test_row_8_who_pairs_gives_no_more_than_they_have(self, hub: Serving) -> None:
        await hub.ask("POST", "/v1/pairing/open", {})
        key = Key()
        async with hub.socket() as peer:
            await peer.connect(hello(scopes=ADMIN, auth={"token": SECRET}), key)
        (request,) = await hub.requests()
        async with hub.socket() as peer:
            auth = {"token": await hub.key("devices", "observe")}
            await peer.hello(hello(scopes=["operator.pairing", "operator.read"], auth=auth))
            answer = await peer.call("device.pair.approve", {"requestId": request["id"]})
            assert code_of(answer) in ("MISSING_SCOPE", "FORBIDDEN"), answer
        assert [one["state"] for one in await hub.requests()] == ["pending"]

    async def test_row_8_a_revoked_device_stays_revoked(self, hub: Serving) -> None:
        key, token = await paired(hub)
        async with hub.socket() as peer:
            await peer.hello(hello(auth={"deviceToken": token}), key)
            await hub.ask("POST", f"/v1/devices/{key.id}/revoke", {})
            assert await peer.closed() == (4001, "device removed")
        for auth in ({"deviceToken": token}, {"token": SECRET}):
            async with hub.socket() as peer:
                assert not (await peer.connect(hello(auth=auth), key))["ok"]

    async def test_row_11_nothing_is_done_before_connect(self, hub: Serving) -> None:
        async def call(method: str) -> None:
            async with turns, hub.socket() as peer:
                await peer.challenge()
                assert not (await peer.call(method, {}))["ok"], method
                assert (await peer.closed())[0] in (1000, 1008), method

        turns = asyncio.Semaphore(16)
        await asyncio.gather(*(call(method) for method in METHODS))

    async def test_row_11_and_nothing_over_http_without_a_credential(self, hub: Serving) -> None:
        before = await settings_of(hub)
        for method in METHODS:
            body = json.dumps({"id": "1", "method": method, "params": {}}).encode()
            status, _, _ = await hub.http("POST /api/rpc HTTP/1.1", body)
            assert status == 401, method
        assert await settings_of(hub) == before

    @pytest.mark.parametrize("path", ["/v1/attach", "/v1/events/stream"])
    async def test_row_27_every_other_way_wants_a_credential(self, hub: Serving, path: str) -> None:
        if path == "/v1/attach":
            assert await refused_upgrade(hub, path) == 401
        else:
            assert (await hub.http(f"GET {path} HTTP/1.1"))[0] == 401

    async def test_row_27_a_form_of_a_foreign_page_changes_nothing(self, hub: Serving) -> None:
        """A simple request needs no leave of the browser; the hub asks for its own page's Origin all the same."""
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            head = f"POST /v1/stop HTTP/1.1\nOrigin: http://evil.example\nContent-Type: {kind}"
            assert (await hub.http(f"{head}\nAuthorization: Bearer {hub.operator}", b"{}"))[0] == 403
        assert (await hub.ask("GET", "/v1/status"))["stopped"] is False

    async def test_row_39_no_token_is_taken_from_a_url(self, hub: Serving) -> None:
        for name in ("token", "access_token", "auth", "password"):
            assert not await is_let_in(hub, f"/?{name}={SECRET}"), name
            status, _, _ = await hub.http(f"POST /api/rpc?{name}={hub.operator} HTTP/1.1", b'{"method":"health"}')
            assert status in (400, 401), name

    async def test_row_40_what_was_rotated_is_worth_nothing_at_once(self, hub: Serving) -> None:
        made = await hub.ask("POST", "/v1/keys", {"name": "k", "scopes": ["observe"]})
        async with hub.socket() as peer:
            await peer.hello(hello(auth={"token": made["token"]}))
            fresh = await hub.ask("POST", f"/v1/keys/{made['key']['id']}/rotate", {})
            assert (await peer.closed())[0] == 1008
        assert code_of(await guess(hub, {"token": made["token"]})) == "AUTH_TOKEN_MISMATCH"
        status, _, _ = await hub.http(f"GET /v1/me HTTP/1.1\nAuthorization: Bearer {made['token']}")
        assert status == 401
        assert (await guess(hub, {"token": fresh["token"]}))["ok"]


class TestWhatTheyMayDo:
    async def test_row_12_a_writer_reaches_neither_settings_nor_schedules(self, hub: Serving) -> None:
        before = await settings_of(hub)
        async with hub.socket() as peer:
            auth = {"token": await hub.key("observe", "write")}
            await peer.hello(hello(scopes=["operator.read", "operator.write"], auth=auth))
            job = {
                "name": "n", "schedule": {"kind": "every", "everyMs": 60_000}, "sessionTarget": "main",
                "payload": {"kind": "systemEvent", "text": "t"}, "id": "sch_tidy",
            }  # fmt: skip
            async with hub.socket() as operator:
                await operator.hello(hello(scopes=ADMIN, auth={"token": SECRET}))
                added = await operator.call("cron.add", job)
                assert added["ok"], added
            change = {"raw": '{"auth": {"mode": "none"}}', "baseHash": "0" * 64}
            for method, params in (
                ("config.set", change), ("config.patch", change), ("config.apply", change), ("config.schema", {}),
                ("cron.add", job), ("cron.remove", {"id": "sch_tidy"}), ("cron.run", {"id": "sch_tidy"}),
            ):  # fmt: skip
                assert code_of(await peer.call(method, params)) == "MISSING_SCOPE", method
            reserved = ("config.", "exec.approvals.", "wizard.", "update.", "secrets.")
            for method in METHODS:
                if method.startswith(reserved) and METHODS[method].scope == "operator.admin":
                    assert not (await peer.call(method, {}))["ok"], method
            said = {"sessionKey": "main", "message": "/config set auth.mode none", "idempotencyKey": "k-1"}
            await peer.call("chat.send", said)
        assert await settings_of(hub) == before

    async def test_row_12_an_agent_reaches_neither(self, hub: Serving) -> None:
        wanted = {"requested_agent_id": "worker", "issue_token": True}
        token = (await hub.ask("POST", "/v1/agents/register", wanted))["agent_token"]
        for method, path, body in (
            ("PATCH", "/v1/settings", {"changes": {"auth.mode": "none"}}),
            ("POST", "/v1/schedules", {"name": "n", "text": "t", "agent_id": "worker", "timing": {"every": 60}}),
            ("POST", "/v1/keys", {"name": "k", "scopes": ["admin"]}),
        ):
            head = f"{method} {path} HTTP/1.1\nAuthorization: Bearer {token}"
            assert (await hub.http(head, json.dumps(body).encode()))[0] in (403, 404, 422), path

    async def test_row_23_ids_are_no_paths(self, hub: Serving) -> None:
        async with hub.socket() as peer:
            await peer.hello(hello(scopes=ADMIN, auth={"token": SECRET}))
            for bad in (
                "../../etc/passwd",
                "agent:../../x:main",
                "agent:guide:..\\..\\x",
                "/etc/passwd",
                "a\x00b",
                "~root",
            ):
                for method, params in (
                    ("chat.history", {"sessionKey": bad}),
                    ("chat.send", {"sessionKey": bad, "message": "x", "idempotencyKey": "k"}),
                    ("sessions.reset", {"key": bad}),
                    ("sessions.delete", {"key": bad}),
                    ("agents.delete", {"agentId": bad}),
                ):
                    assert not (await peer.call(method, params))["ok"], (method, bad)
        for path in ("/v1/rooms/..%2f..%2fetc", "/v1/sessions/..%2f..%2fetc", "/v1/blobs/..%2f..%2fetc%2fpasswd"):
            head = f"GET {path} HTTP/1.1\nAuthorization: Bearer {hub.operator}"
            status, headers, told = await hub.http(head)
            assert status in (404, 422) or headers["location"] == "/console/", path
            assert b"root:" not in told

    async def test_row_22_a_message_names_no_file_of_the_machine(self, hub: Serving) -> None:
        for bad in (
            "/etc/passwd",
            "~/.ssh/id_rsa",
            "../../secret",
            "file:///etc/passwd",
            "file://localhost/etc/passwd",
        ):
            for part in (
                {"kind": "image", "url": bad},
                {"kind": "file", "url": bad},
                {"kind": "file", "blob": bad},
                {"kind": "audio", "blob": "sha256-" + "0" * 64, "url": bad},
            ):
                message = {"target": {"kind": "room", "room_id": "general"}, "parts": [part]}
                head = f"POST /v1/messages HTTP/1.1\nAuthorization: Bearer {hub.operator}"
                assert (await hub.http(head, json.dumps(message).encode()))[0] == 422, part

    async def test_row_36_a_name_is_no_right(self, hub: Serving) -> None:
        """Members, mentions and senders go by id; what somebody calls itself moves nothing."""
        await hub.ask("POST", "/v1/rooms", {"id": "board", "members": ["operator"]})
        wanted = {"requested_agent_id": "mallory", "name": "operator", "issue_token": True}
        token = (await hub.ask("POST", "/v1/agents/register", wanted))["agent_token"]
        target = {"kind": "room", "room_id": "board"}
        parts = [{"kind": "text", "text": "hello"}]
        for sender in (
            None,
            {"type": "human", "id": "operator"},
            {"type": "agent", "id": ""},
            {"type": "agent", "id": "guide"},
        ):
            body = {"target": target, "parts": parts} | ({"from": sender} if sender else {})
            head = f"POST /v1/messages HTTP/1.1\nAuthorization: Bearer {token}"
            assert (await hub.http(head, json.dumps(body).encode()))[0] in (403, 404, 409), sender
        assert (await hub.ask("GET", "/v1/rooms/board/messages"))["messages"] == []

    async def test_row_41_http_gives_what_the_socket_gives(self, hub: Serving) -> None:
        """For every method, a reader is refused alike over both, and what runs commands is nowhere."""
        token = await hub.key("observe")
        async with hub.socket() as peer:
            await peer.hello(hello(auth={"token": token}))
            for name, row in METHODS.items():
                if row.scope in ("operator.read", ""):
                    continue
                over_socket = await peer.call(name, {})
                body = json.dumps({"id": "1", "method": name, "params": {}}).encode()
                head = f"POST /api/rpc HTTP/1.1\nAuthorization: Bearer {token}"
                _, _, told = await hub.http(head, body)
                over_http = json.loads(told)
                assert not over_socket["ok"], name
                assert not over_http["ok"], name
        for name in ("exec", "exec.run", "system.run", "tools.invoke", "sessions.spawn", "process.kill"):
            body = json.dumps({"id": "1", "method": name, "params": {}}).encode()
            _, _, told = await hub.http(f"POST /api/rpc HTTP/1.1\nAuthorization: Bearer {hub.operator}", body)
            assert not json.loads(told)["ok"], name

    async def test_row_43_an_agent_that_is_none_runs_nothing(self, hub: Serving) -> None:
        async with hub.socket() as peer:
            await peer.hello(hello(scopes=ADMIN, auth={"token": SECRET}))
            for number, agent in enumerate((" ", "nobody", "guide ", "GUIDE\n", "../guide")):
                params = {"message": "hi", "agentId": agent, "idempotencyKey": f"k-{number}"}
                assert not (await peer.call("agent", params))["ok"], agent


class TestWhatTheyMayCost:
    async def test_row_31_a_body_is_refused_before_it_is_read(self, hub: Serving) -> None:
        for path in ("/v1/messages", "/api/rpc", "/v1/uploads"):
            reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nContent-Length: 104857600\r\n\r\n"
            writer.write(head.encode())
            status = (await reader.readline()).split()[1]
            assert status in (b"401", b"413"), path
            writer.close()
            await writer.wait_closed()

    async def test_row_31_a_frame_before_connect_is_small(self, hub: Serving) -> None:
        async with hub.socket() as peer:
            await peer.challenge()
            await peer.say(
                type="req", id="1", method="connect", params={"x": "y" * GATEWAY_UNAUTHENTICATED_FRAME_MAX_BYTES}
            )
            assert (await peer.closed())[0] == 1009

    async def test_row_49_few_wait_at_once_who_have_not_said_who_they_are(self, hub: Serving) -> None:
        waiting: list[Peer] = []
        opened = [hub.socket() for _ in range(GATEWAY_UNAUTHENTICATED_PER_PEER_MAX)]
        try:
            for each in opened:
                waiting.append(await each.__aenter__())
                await waiting[-1].challenge()
            assert await refused_upgrade(hub) == 503
            await waiting[0].hello(hello(auth={"token": SECRET}))
            async with hub.socket() as late:
                assert await late.challenge()
        finally:
            for each in opened[: len(waiting)]:
                await each.__aexit__(None, None, None)


async def paired(hub: Serving) -> tuple[Key, str]:
    """Let a device in that may read, and return its key and token."""
    await hub.ask("POST", "/v1/pairing/open", {})
    key = Key()
    async with hub.socket() as peer:
        await peer.connect(hello(auth={"token": SECRET}), key)
    (request,) = [one for one in await hub.requests() if one["state"] == "pending"]
    await hub.approve(request["id"])
    async with hub.socket() as peer:
        told = await peer.hello(hello(auth={"token": SECRET}), key)
    await hub.ask("POST", "/v1/pairing/close", {})
    return key, told["auth"]["deviceToken"]
