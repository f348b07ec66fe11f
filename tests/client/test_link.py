import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from instar.client import link as link_module
from instar.client.errors import HubError, UnreachableError
from instar.client.link import Arrived, Link, Missed

Script = Callable[[ServerConnection], Awaitable[None]]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(link_module, "RECONNECT_BASE_S", 0.001)


async def welcome(socket: ServerConnection, cursor: str = "0") -> dict[str, Any]:
    hello = json.loads(await socket.recv())
    await send(socket, t="welcome", version="0", network_id="local", principal="operator", cursor=cursor)
    return hello


async def send(socket: ServerConnection, **frame: Any) -> None:
    await socket.send(json.dumps(frame))


def event(seq: int, prev: int, room: str = "room:general") -> dict[str, Any]:
    return {
        "id": f"evt_{seq}",
        "type": "message.created",
        "network_id": "local",
        "created_at": "2026-01-01T00:00:00Z",
        "seq": seq,
        "prev": prev,
        "room_key": room,
    }


@asynccontextmanager
async def hub(*scripts: Script) -> AsyncIterator[str]:
    """A real WebSocket server that plays one script per connection."""
    left = list(scripts)

    def check(socket: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Authorization") != "Bearer secret":
            body = {"code": "unauthorized", "error": "no such token", "hint": "Make one."}
            return socket.respond(401, json.dumps(body))
        return None

    async def play(socket: ServerConnection) -> None:
        await left.pop(0)(socket)

    async with serve(play, "127.0.0.1", 0, subprotocols=["instar.v1"], process_request=check) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_calls_are_answered_in_any_order():
    async def script(socket: ServerConnection) -> None:
        hello = await welcome(socket)
        assert hello == {"t": "hello", "client": "instar-python", "feed": False}
        first, second = json.loads(await socket.recv()), json.loads(await socket.recv())
        assert (first["op"], first["params"], first["key"]) == ("rooms.get", {"room_id": "a"}, "k")
        await send(socket, t="result", id=second["id"], result={"n": 2})
        error = {"code": "not_found", "message": "no room", "hint": "Look."}
        await send(socket, t="error", id=first["id"], error=error)
        await socket.wait_closed()

    async with hub(script) as url, Link(url, "secret", feed=False) as link:
        assert link.welcome.principal == "operator"
        failed = asyncio.create_task(link.call("rooms.get", {"room_id": "a"}, key="k"))
        await asyncio.sleep(0)
        assert await link.call("hub.network") == {"n": 2}
        with pytest.raises(HubError, match="no room") as caught:
            await failed
        assert (caught.value.code, caught.value.hint) == ("not_found", "Look.")


async def test_the_feed_goes_on_where_it_was():
    cursors: list[str] = []

    async def first(socket: ServerConnection) -> None:
        cursors.append((await welcome(socket)).get("cursor", ""))
        await send(socket, t="events", events=[event(1, 0), event(2, 1)], cursor="2")
        await socket.close(1012)

    async def second(socket: ServerConnection) -> None:
        cursors.append((await welcome(socket)).get("cursor", ""))
        await send(socket, t="bye", code="service_unavailable", message="restart", cursor="2")
        await socket.wait_closed()

    async def third(socket: ServerConnection) -> None:
        cursors.append((await welcome(socket)).get("cursor", ""))
        await send(socket, t="events", events=[event(3, 2)], cursor="3")
        await socket.wait_closed()

    async with hub(first, second, third) as url, Link(url, "secret", cursor="0") as link:
        events = link.events()
        assert [(await anext(events))["seq"] for _ in range(3)] == [1, 2, 3]
        assert link.cursor == "3"
    assert cursors == ["0", "2", "2"]


async def test_a_call_under_way_when_the_link_breaks():
    async def breaks(socket: ServerConnection) -> None:
        await welcome(socket)
        await socket.recv()
        socket.transport.abort()

    async def mended(socket: ServerConnection) -> None:
        await welcome(socket)
        while True:
            op = json.loads(await socket.recv())
            await send(socket, t="result", id=op["id"], result={"ok": True})

    async with hub(breaks, mended) as url, Link(url, "secret") as link:
        with pytest.raises(UnreachableError):
            await link.call("messages.send", {"id": "m"})
        while True:
            try:
                assert await link.call("messages.send", {"id": "m"}) == {"ok": True}
                break
            except UnreachableError:
                await asyncio.sleep(0)


async def test_a_hole_is_filled_from_the_log():
    async def script(socket: ServerConnection) -> None:
        await welcome(socket)
        await send(socket, t="events", events=[event(1, 0), event(4, 3)], cursor="4")
        op = json.loads(await socket.recv())
        assert op["op"] == "events.read"
        assert op["params"]["after"] == "1"
        assert op["params"]["room_id"] == "general"
        page = {"events": [event(2, 1), event(3, 2), event(4, 3)], "cursor": "4", "has_more": False}
        await send(socket, t="result", id=op["id"], result=page)
        await socket.wait_closed()

    async with hub(script) as url, Link(url, "secret") as link:
        events = link.events()
        assert [(await anext(events))["seq"] for _ in range(4)] == [1, 2, 3, 4]


async def test_a_lost_place_and_signals():
    async def script(socket: ServerConnection) -> None:
        await welcome(socket)
        await send(socket, t="signal", signal={"signal": "agent.presence"})
        await send(socket, t="gap", replay_gap={"newest_seq": 9})
        await socket.wait_closed()

    async with hub(script) as url, Link(url, "secret", signals=True) as link:
        events = link.events()
        assert await anext(events) == {"type": "stream.replay_gap", "replay_gap": {"newest_seq": 9}}


async def test_a_slow_reader_slows_the_hub_but_gets_its_answers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(link_module, "NEWS_MAX", 2)

    async def script(socket: ServerConnection) -> None:
        await welcome(socket)
        for seq in range(1, 9):
            await send(socket, t="events", events=[event(seq, seq - 1)], cursor=str(seq))
        op = json.loads(await socket.recv())
        await send(socket, t="result", id=op["id"], result={})
        await socket.wait_closed()

    async with hub(script) as url, Link(url, "secret") as link:
        assert await link.call("hub.network") == {}
        seen: list[int] = []
        async for item in link.news():
            assert isinstance(item, Arrived | Missed)
            if isinstance(item, Arrived):
                seen += [json.loads(bytes(raw))["seq"] for raw in item.events]
            if len(seen) == 8:
                break
        assert seen == list(range(1, 9))


async def test_a_refused_credential_ends_it_at_once():
    async with hub() as url:
        with pytest.raises(HubError, match="no such token") as caught:
            async with Link(url, "wrong"):
                pytest.fail("no link expected")
    assert (caught.value.code, caught.value.hint) == ("unauthorized", "Make one.")


async def test_a_revoked_credential_ends_the_readers():
    async def script(socket: ServerConnection) -> None:
        await welcome(socket)
        await send(socket, t="bye", code="unauthorized", message="the key was revoked", cursor="0")
        await socket.wait_closed()

    async with hub(script) as url, Link(url, "secret") as link:
        with pytest.raises(HubError, match="revoked"):
            await anext(link.events())
        with pytest.raises(HubError, match="revoked"):
            await link.call("hub.network")


async def test_no_hub():
    with pytest.raises(UnreachableError):
        async with Link("http://127.0.0.1:1"):
            pytest.fail("no link expected")


async def test_no_websocket_there(tmp_path: Any):
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    path = str(tmp_path / "s")
    async with await asyncio.start_unix_server(answer, path):
        with pytest.raises(HubError) as caught:
            async with Link(f"unix:{path}"):
                pytest.fail("no link expected")
    assert caught.value.code == "bad_gateway"
