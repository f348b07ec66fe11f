"""What ends with a grant: every socket and every slow request, whether it hears events or not."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from instar.wire.native.frames import SUBPROTOCOL
from tests.doors.gateway.serving import Serving

SOON_S = 5.0
"""A second is what is promised; the rest is for a busy machine."""


@asynccontextmanager
async def attached(hub: Serving, token: str, *subprotocols: Any) -> AsyncGenerator[ClientConnection]:
    async with connect(
        f"ws://127.0.0.1:{hub.port}/v1/attach", additional_headers={"Authorization": f"Bearer {token}"},
        subprotocols=subprotocols or None, proxy=None,
    ) as socket:  # fmt: skip
        yield socket


async def until_closed(socket: ClientConnection) -> None:
    """Wait until the hub closes the socket."""
    async with asyncio.timeout(SOON_S):
        await socket.wait_closed()


async def made(hub: Serving, *scopes: str) -> tuple[str, str]:
    """Return the id and the token of a new key."""
    answer = await hub.ask("POST", "/v1/keys", {"name": "k", "scopes": scopes})
    return answer["key"]["id"], answer["token"]


async def revoke(hub: Serving, key_id: str) -> None:
    await hub.ask("DELETE", f"/v1/keys/{key_id}")


async def status(hub: Serving, token: str) -> int:
    return (await hub.http(f"GET /v1/me HTTP/1.1\nAuthorization: Bearer {token}"))[0]


async def code(hub: Serving, token: str) -> str:
    """Return a sign-in code that stands for this token's grant."""
    return (await hub.ask("POST", "/v1/auth/console-link", token=token))["url"].partition("#code=")[2]


async def exchanged(hub: Serving, text: str) -> tuple[int, str]:
    """Sign in with a code as a browser does; return the status and the session's token."""
    body = json.dumps({"code": text}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    head = f"POST /v1/auth/exchange HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = (await reader.read()).decode()
    writer.close()
    return int(answer.split()[1]), answer.partition("instar_session=")[2].partition(";")[0]


class TestSockets:
    async def test_a_link_that_hears_no_events_ends(self, hub: Serving) -> None:
        key_id, token = await made(hub, "observe")
        async with attached(hub, token, SUBPROTOCOL) as link:
            await link.send(json.dumps({"t": "hello", "feed": False}))
            assert json.loads(await link.recv())["t"] == "welcome"
            await revoke(hub, key_id)
            await until_closed(link)

    @pytest.mark.parametrize("subprotocols", [(SUBPROTOCOL,), ()])
    async def test_a_socket_that_has_said_nothing_ends(self, hub: Serving, subprotocols: tuple[Any, ...]) -> None:
        key_id, token = await made(hub, "observe", "attach", "write")
        async with attached(hub, token, *subprotocols) as socket:
            await revoke(hub, key_id)
            await until_closed(socket)

    async def test_replacing_the_token_ends_them_too(self, hub: Serving) -> None:
        key_id, token = await made(hub, "observe")
        async with attached(hub, token, SUBPROTOCOL) as link:
            await link.send(json.dumps({"t": "hello", "feed": False}))
            await hub.ask("POST", f"/v1/keys/{key_id}/rotate")
            await until_closed(link)


class TestRequests:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/v1/rooms", {"id": "late", "name": "late"}),
            ("/api/rpc", {"method": "instar.rooms.create", "params": {"id": "late", "name": "late"}}),
        ],
    )
    async def test_a_body_that_comes_late_is_nobodys(self, hub: Serving, path: str, body: Any) -> None:
        """The head is let in; the grant ends; then the body comes."""
        key_id, token = await made(hub, "observe", "admin", "write")
        content = json.dumps(body).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\nAuthorization: Bearer {token}\r\n"
        writer.write(f"{head}Connection: close\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content[:5])
        await writer.drain()
        await hub.ask("GET", "/v1/me", token=token)  # the hub has read the head by now
        await revoke(hub, key_id)
        writer.write(content[5:])
        answer = await reader.read()
        writer.close()
        assert b"revoked" in answer
        assert "late" not in [room["id"] for room in (await hub.ask("GET", "/v1/rooms"))["rooms"]]


class TestReplacedTokens:
    async def test_sign_ins_end_with_the_token_that_they_came_of(self, hub: Serving) -> None:
        key_id, token = await made(hub, "observe", "keys")
        (_, session), unused = await exchanged(hub, await code(hub, token)), await code(hub, token)
        assert await status(hub, session) == 200
        await hub.ask("POST", f"/v1/keys/{key_id}/rotate")
        assert await status(hub, session) == 401
        assert (await exchanged(hub, unused))[0] == 401

    async def test_of_a_device_without_a_key_as_well(self, hub: Serving) -> None:
        asked = await hub.ask("POST", "/v1/pairing/codes", {"scopes": ["observe", "keys"]})
        device = await hub.ask("POST", "/v1/devices/use-code", {"code": asked["code"]})
        _, session = await exchanged(hub, await code(hub, device["token"]))
        await hub.ask("POST", f"/v1/devices/{device['device_id']}/rotate", {})
        assert await status(hub, session) == 401

    async def test_keys_that_were_made_by_it_stay(self, hub: Serving) -> None:
        key_id, token = await made(hub, "observe", "keys")
        child = (await hub.ask("POST", "/v1/keys", {"name": "c", "scopes": ["observe"]}, token))["token"]
        await hub.ask("POST", f"/v1/keys/{key_id}/rotate")
        assert await status(hub, child) == 200
