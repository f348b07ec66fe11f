"""The WebSocket carrier's own duties: handshake, guard, sessions, backpressure, heartbeat, end."""

import asyncio
import json
import struct

import pytest

from instar.base.errors import InstarError
from instar.server.heartbeat import Heartbeat
from instar.server.streams import Streams
from instar.wire.frames import text_frame
from instar.wire.http import Request, Response, Upgrade

from .conftest import Running, Socket, StubDoor, running, until

CLOSE, PING = 8, 9


async def refused(hub: Running, path: str = "/echo", **headers: str) -> tuple[int, str]:
    async with await hub.connect() as raw:
        answer = await raw.shake_hands(path, headers.pop("Host", f"127.0.0.1:{hub.port}"), **headers)
        assert answer.headers["connection"] == "close"
        return answer.status, json.loads(answer.body)["code"] if answer.body.startswith(b"{") else ""


async def test_a_subprotocol_is_chosen_and_the_request_id_echoed(prefer_fast: bool) -> None:
    async with running(StubDoor(), prefer_fast=prefer_fast) as hub:
        async with await hub.socket(Sec_WebSocket_Protocol="x, echo.v1", X_Request_Id="r1") as socket:
            assert socket.handshake.headers["sec-websocket-protocol"] == "echo.v1"
            assert socket.handshake.headers["x-request-id"] == "r1"
        async with await hub.socket() as socket:
            assert "sec-websocket-protocol" not in socket.handshake.headers
            assert "sec-websocket-extensions" not in socket.handshake.headers


async def test_what_is_refused(prefer_fast: bool) -> None:
    async with running(StubDoor(), prefer_fast=prefer_fast) as hub:
        assert await refused(hub, "/elsewhere") == (404, "not_found")
        assert await refused(hub, Origin="http://evil.example") == (403, "origin_refused")
        assert await refused(hub, Host="evil.example") == (403, "origin_refused")
        assert await refused(hub, Sec_WebSocket_Version="8") == (400, "bad_request")
        assert await refused(hub, Sec_WebSocket_Key="short") == (400, "bad_request")
        async with await hub.socket(Origin=hub.base_url):
            pass


class Moody(StubDoor):
    """A door that answers as it was told."""

    def __init__(self, answer: Upgrade | Exception) -> None:
        super().__init__()
        self._mood = answer

    async def upgrade(self, request: Request) -> Upgrade | None:
        if isinstance(self._mood, Exception):
            raise self._mood
        return self._mood


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Upgrade(refusal=Response(401, b'{"code":"unauthorized"}')), (401, "unauthorized")),
        (Upgrade(), (404, "not_found")),
        (InstarError("forbidden", "no"), (403, "forbidden")),
        (RuntimeError("secret"), (500, "internal_error")),
    ],
)
async def test_a_door_refuses(answer: Upgrade | Exception, expected: tuple[int, str]) -> None:
    async with running(Moody(answer)) as hub:
        assert await refused(hub) == expected


async def test_streams_of_one_credential_and_of_the_hub_are_limited() -> None:
    async with running(StubDoor(), streams=Streams(limit=3, per_principal=2)) as hub:
        sockets = [await hub.socket() for _ in range(2)]
        assert await refused(hub) == (503, "too_many_streams")
        await sockets.pop().raw.close()
        await until(lambda: len(hub.carrier.streams) == 1)
        sockets.append(await hub.socket())
        for socket in sockets:
            await socket.raw.close()


async def test_bytes_behind_the_handshake_are_not_lost() -> None:
    async with running(StubDoor()) as hub:
        raw = await hub.connect()
        raw.send(
            b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            + Socket.frame(1, b"early")
        )
        answer = await raw.answer()
        assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".lower()
        assert await Socket(raw, answer).receive() == (1, b"early")
        await raw.close()


async def test_the_session_is_told_once_how_it_ended() -> None:
    door = StubDoor()
    async with running(door) as hub:
        async with await hub.socket() as socket:
            socket.send(CLOSE, struct.pack("!H", 4_000))
            await socket.until_end()
        async with await hub.socket():
            pass
        async with await hub.socket() as socket:
            socket.send(1, b"\xff")
            await socket.until_end()
        async with await hub.socket() as socket:
            connection = door.sessions[-1].connection
            assert connection is not None
            connection.abort()
            assert await socket.receive() is None
        for session in door.sessions:
            await session.has_closed.wait()
        assert [session.closed_with for session in door.sessions] == [[4_000], [1_006], [1_007], [1_006]]
        assert hub.carrier.peer_losses.value == 1


async def test_the_session_closes_and_then_sends_nothing() -> None:
    door = StubDoor()
    async with running(door) as hub, await hub.socket() as socket:
        connection = door.sessions[0].connection
        assert connection is not None
        connection.send_text(b"last")
        connection.close(4_001, "ö" * 100)
        connection.send_text(b"late")
        connection.close(4_002)
        assert await socket.receive() == (1, b"last")
        frame = await socket.receive()
        assert frame is not None
        assert frame[1].startswith(struct.pack("!H", 4_001) + "ö".encode() * 61)
        socket.send(CLOSE, frame[1][:2])
        assert await socket.receive() is None
        assert door.sessions[0].closed_with == [4_001]
        connection.send_text(b"very late")
        connection.abort()


async def test_a_session_that_raises_is_closed_1011() -> None:
    async with running(StubDoor()) as hub, await hub.socket() as socket:
        socket.send(1, b"raise")
        frame = await socket.receive()
        assert frame is not None
        assert frame[1][:2] == struct.pack("!H", 1_011)
        assert b'instar_faults_total{part="session"} 1.0' in hub.carrier.metrics.render()


async def test_a_client_that_does_not_read_is_seen_and_heard_again() -> None:
    door = StubDoor()
    async with running(door) as hub, await hub.socket() as socket:
        session = door.sessions[0]
        connection = session.connection
        assert connection is not None
        frame = text_frame(b"x" * 65_000)
        sent = 0
        socket.raw.writer.transport.pause_reading()
        while connection.buffered_bytes() < 1_000_000:
            connection.send_frames(frame)
            sent += 1
            await asyncio.sleep(0)
        assert session.writable_calls == 0
        socket.raw.writer.transport.resume_reading()
        for _ in range(sent):
            assert await socket.receive() == (1, b"x" * 65_000)
        assert session.writable_calls >= 1
        assert connection.buffered_bytes() == 0


async def test_one_shared_heartbeat_pings_and_cuts() -> None:
    heart = Heartbeat(tick_s=60, ping_s=240, pong_s=120, close_s=100)
    door = StubDoor()
    async with running(door, heartbeat=heart) as hub, await hub.socket() as alive, await hub.socket() as dead:
        at = asyncio.get_running_loop().time()
        for _ in range(4):
            heart.beat(at)
        assert await alive.receive() == (PING, b"")
        assert await dead.receive() == (PING, b"")
        alive.send(10)
        alive.send(1, b"still here")
        await alive.receive()
        heart.beat(at)
        heart.beat(at)
        assert await dead.until_end() == []
        await door.sessions[1].has_closed.wait()
        assert door.sessions[1].closed_with == [1_006]
        assert not door.sessions[0].closed_with
        connection = door.sessions[0].connection
        assert connection is not None
        connection.close(1_000)
        heart.beat(at + 99)
        assert not door.sessions[0].closed_with
        heart.beat(at + 101)
        await door.sessions[0].has_closed.wait()


async def test_a_stopping_hub_closes_sockets_with_1012() -> None:
    async with running(StubDoor()) as hub, await hub.socket() as socket:
        hub.server.stop_accepting()
        frame = await socket.receive()
        assert frame is not None
        assert frame[1][:2] == struct.pack("!H", 1_012)
        socket.send(CLOSE, frame[1][:2])
        assert await hub.server.drain(1.0)


async def test_a_session_says_goodbye_before_the_close() -> None:
    door = StubDoor()
    async with running(door) as hub, await hub.socket() as socket:
        door.sessions[0].farewell = b"bye"
        hub.server.stop_accepting()
        assert await socket.receive() == (1, b"bye")
        frame = await socket.receive()
        assert frame is not None
        assert frame[1][:2] == struct.pack("!H", 1_012)
        socket.send(8, frame[1][:2])
        assert await hub.server.drain(1.0)


async def test_a_session_limits_the_size_of_messages() -> None:
    door = StubDoor()
    async with running(door) as hub, await hub.socket() as socket:
        connection = door.sessions[0].connection
        assert connection is not None
        connection.limit_messages(4)
        socket.send(1, b"four")
        assert await socket.receive() == (1, b"four")
        socket.send(1, b"five!")
        frame = await socket.receive()
        assert frame is not None
        assert (frame[0], frame[1][:2]) == (8, struct.pack("!H", 1_009))


async def test_what_came_in_one_read_is_answered_in_one_write() -> None:
    async with running(StubDoor()) as hub, await hub.socket() as socket:
        sent = [socket.frame(1, str(number).encode()) for number in range(50)]
        socket.raw.send(b"".join(sent[:25]) + socket.frame(9, b"in between") + b"".join(sent[25:]))
        answers = [await socket.receive() for _ in range(51)]
        assert answers[25] == (10, b"in between")
        assert [answer for answer in answers if answer != answers[25]] == [(1, b"%d" % n) for n in range(50)]


async def test_a_door_that_answers_nonsense_is_a_logged_fault() -> None:
    async with running(Moody(Upgrade(refusal=Response(1, b"")))) as hub, await hub.connect() as raw:
        with pytest.raises(asyncio.IncompleteReadError):
            await raw.shake_hands("/echo", "localhost")
        assert b'instar_faults_total{part="websocket"} 1.0' in hub.carrier.metrics.render()


async def test_a_client_that_leaves_during_the_handshake_stops_it() -> None:
    asked, cancelled = asyncio.Event(), asyncio.Event()

    class Slow(StubDoor):
        async def upgrade(self, request: Request) -> Upgrade | None:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    async with running(Slow()) as hub:
        raw = await hub.connect()
        waiting = asyncio.ensure_future(raw.shake_hands("/echo", "localhost"))
        await asked.wait()
        raw.writer.transport.abort()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await waiting
        await cancelled.wait()
        await raw.close()


async def test_the_heartbeat_starts_and_stops() -> None:
    heart = Heartbeat(tick_s=0.001)
    heart.start()
    await until(lambda: heart._tick > 2)
    heart.stop()
    heart.stop()
