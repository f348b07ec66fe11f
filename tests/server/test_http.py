"""The HTTP carrier against stub doors, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import structlog.testing

from instar.base.errors import InstarError
from instar.server.streams import Streams
from instar.wire.http import Request, Response, StreamResponse

from .conftest import StubDoor, running, until


class Chunks:
    """A streamed body that the test feeds."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self.closed = asyncio.Event()

    def __aiter__(self) -> "Chunks":
        return self

    async def __anext__(self) -> bytes:
        return await self.waiting.get()

    async def aclose(self) -> None:
        self.closed.set()


async def echo(request: Request) -> Response | StreamResponse | None:
    match request.path:
        case "/echo":
            return Response(200, await request.read_body(1_000), "text/plain; charset=utf-8", route="/echo")
        case "/seen":
            seen = [request.method, request.path, dict(request.query), request.peer, request.is_local, request.host]
            return Response(200, json.dumps(seen).encode(), headers=(("X-Extra", "1"),))
        case "/upload":
            sizes = [len(chunk) async for chunk in request.stream_body()]
            return Response(200, str(sum(sizes)).encode())
        case "/fault":
            raise RuntimeError("secret /path/in/text")
        case "/refuse":
            raise InstarError("rate_limited", "slowly", retry_after_s=1.2, detail={"a": 1})
        case "/nothing":
            return Response(204, b"")
        case _:
            return None


async def test_a_request_reaches_the_door_and_its_answer_the_client(prefer_fast: bool) -> None:
    async with running(StubDoor(echo), prefer_fast=prefer_fast) as hub:
        answer = await hub.post("/echo", b"hello")
        assert (answer.status, answer.body) == (200, b"hello")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
        seen = await hub.get("/seen%20?a=1&a=2&b=%C3%A4&c=")
        assert seen.status == 404
        seen = await hub.get("/%73een?a=1&a=2&b=%C3%A4&c=")
        assert json.loads(seen.body) == [
            "GET", "/seen", {"a": "2", "b": "ä", "c": ""}, "127.0.0.1", True, f"127.0.0.1:{hub.port}",
        ]  # fmt: skip
        assert seen.headers["x-extra"] == "1"


@pytest.mark.parametrize("given", ["abc", "A.b_c:9-", "x" * 128])
async def test_a_well_formed_request_id_is_kept(given: str) -> None:
    async with running(StubDoor(echo)) as hub:
        assert (await hub.get("/seen", X_Request_Id=given)).headers["x-request-id"] == given.lower()


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "ä", "a/b", None])
async def test_any_other_request_id_is_replaced(given: str | None) -> None:
    async with running(StubDoor(echo)) as hub:
        answer = await (hub.get("/missing") if given is None else hub.get("/missing", X_Request_Id=given))
        made = answer.headers["x-request-id"]
        assert made.startswith("req_")
        assert len(made) == 20
        assert json.loads(answer.body)["request_id"] == made


async def test_nobody_at_home_is_a_problem_body() -> None:
    async with running(StubDoor(echo)) as hub:
        answer = await hub.get("/missing")
        assert answer.status == 404
        assert json.loads(answer.body)["code"] == "not_found"


async def test_an_error_is_told_as_data() -> None:
    async with running(StubDoor(echo)) as hub:
        answer = await hub.get("/refuse")
        problem = json.loads(answer.body)
        assert answer.status == 429
        assert answer.headers["retry-after"] == "2"
        assert problem["error"] == "slowly"
        assert problem["retryable"] is True
        assert problem["retry_after_s"] == 1.2
        assert problem["detail"] == {"a": 1}
        assert problem["hint"]


async def test_a_fault_is_logged_and_not_leaked() -> None:
    async with running(StubDoor(echo)) as hub:
        answer = await hub.get("/fault")
        assert answer.status == 500
        assert b"secret" not in answer.body
        assert b"Traceback" not in answer.body
        assert json.loads(answer.body)["code"] == "internal_error"
        assert b'instar_faults_total{part="http"} 1.0' in hub.carrier.metrics.render()
        assert (await hub.get("/seen")).status == 200


async def test_the_body_limit_is_exact(prefer_fast: bool) -> None:
    async with running(StubDoor(echo), prefer_fast=prefer_fast) as hub:
        assert (await hub.post("/echo", b"x" * 1_000)).status == 200
        answer = await hub.post("/echo", b"x" * 1_001)
        assert answer.status == 413
        assert json.loads(answer.body)["detail"] == {"max_bytes": 1_000}
        head = "POST /echo HTTP/1.1\nHost: {host}\nTransfer-Encoding: chunked\n"
        for size, status in ((1_000, 200), (1_001, 413)):
            chunks = b"1\r\nx\r\n" + b"%x\r\n" % (size - 1) + b"x" * (size - 1) + b"\r\n0\r\n\r\n"
            assert (await hub.request(head, chunks)).status == status


async def test_an_upload_comes_in_chunks() -> None:
    async with running(StubDoor(echo)) as hub:
        assert (await hub.post("/upload", b"x" * 3_000_000)).body == b"3000000"


async def test_a_connection_is_kept_and_pipelined(prefer_fast: bool) -> None:
    async with running(StubDoor(echo), prefer_fast=prefer_fast) as hub, await hub.connect() as raw:
        one = b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\n"
        raw.send(one + b"a" + one + b"b")
        assert [(await raw.answer()).body for _ in range(2)] == [b"a", b"b"]
        raw.send(b"HEAD /echo HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await raw.answer(is_head=True)).status == 200
        raw.send(b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        empty = await raw.answer()
        assert empty.status == 204
        assert "content-length" not in empty.headers


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nBad\x00: 1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /seen HTTP/1.1\r\n\r\n",
        b"GET /seen HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /seen HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\nOrigin: null\r\n\r\n",
        b"GET /seen?a=%ff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /seen?" + b"&".join(b"a=1" for _ in range(65)) + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_a_bad_request_is_answered_400(sent: bytes, prefer_fast: bool) -> None:
    async with running(StubDoor(echo), prefer_fast=prefer_fast) as hub, await hub.connect() as raw:
        raw.send(sent)
        answer = await raw.answer()
        assert answer.status == 400
        assert json.loads(answer.body)["code"] == "bad_request"


async def test_a_stream_is_sent_as_it_comes_and_closed_when_the_client_goes() -> None:
    stream = Chunks()

    async def door(request: Request) -> StreamResponse:
        return StreamResponse(200, stream, "text/event-stream", headers=(("cache-control", "no-cache"),), route="/s")

    async with running(StubDoor(door)) as hub:
        raw = await hub.connect()
        raw.send(b"GET /s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert (await raw.head()).headers["cache-control"] == "no-cache"
        for chunk in (b": stream-open\n\n", b"id: e1\nevent: message.created\ndata: {}\n\n"):
            stream.waiting.put_nowait(chunk)
            sent = b"%x\r\n%b\r\n" % (len(chunk), chunk)
            assert await raw.reader.readexactly(len(sent)) == sent
        assert len(hub.carrier.streams) == 1
        assert not stream.closed.is_set()
        await raw.close()
        await stream.closed.wait()


async def test_a_stream_that_fails_ends_without_a_terminator() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        raise RuntimeError("no more")

    async def door(request: Request) -> StreamResponse:
        return StreamResponse(200, chunks(), "text/plain")

    async with running(StubDoor(door)) as hub, await hub.connect() as raw:
        raw.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await raw.head()
        assert await raw.reader.read() == b"3\r\none\r\n"
        assert len(hub.carrier.streams) == 0


async def test_a_slow_reader_slows_the_stream_down() -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(4_000):
            sent += 1
            yield b"x" * 65_536

    async def door(request: Request) -> StreamResponse:
        return StreamResponse(200, chunks(), "text/plain")

    async with running(StubDoor(door)) as hub:
        raw = await hub.connect()
        raw.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await until(
            lambda: hub.server._state.tasks != set() and any(c.flow.write_paused for c in hub.server._state.connections)
        )
        assert sent < 4_000
        await raw.close()
        await until(lambda: not len(hub.carrier.streams))


async def test_a_client_that_leaves_mid_body_is_counted() -> None:
    async with running(StubDoor(echo)) as hub:
        raw = await hub.connect()
        raw.send(b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nabc")
        await until(lambda: bool(hub.server._state.tasks))
        await raw.close()
        await until(lambda: not hub.server._state.tasks)
        assert hub.carrier.peer_losses.value == 1


async def test_the_body_limit_holds_while_it_streams(prefer_fast: bool) -> None:
    async with running(StubDoor(echo), prefer_fast=prefer_fast) as hub:
        for size, status in ((999, 200), (1_000, 413)):
            async with await hub.connect() as raw:
                raw.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
                await until(lambda: bool(hub.server._state.tasks))
                raw.send(b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n")
                assert (await raw.answer()).status == status


async def test_a_refused_body_is_thrown_away_up_to_a_limit(prefer_fast: bool) -> None:
    async with running(StubDoor(echo), prefer_fast=prefer_fast) as hub, await hub.connect() as raw:
        raw.send(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n")
        assert (await raw.answer()).status == 413
        try:
            for _ in range(100):
                raw.send(b"x" * 1_000_000)
                await raw.writer.drain()
            pytest.fail("the hub took everything")
        except ConnectionError:
            pass
        await until(lambda: not hub.server._state.connections)


async def test_an_access_log_is_asked_for() -> None:
    with structlog.testing.capture_logs() as lines:
        async with running(StubDoor(echo)) as hub:
            await hub.get("/seen")
            await hub.get("/fault")
        async with running(StubDoor(echo), access_log=True) as hub:
            await hub.get("/seen")
    requests = [(line["path"], line["status"]) for line in lines if line["event"] == "request"]
    assert requests == [("/fault", 500), ("/seen", 200)]


async def test_streams_beyond_the_limit_are_refused_and_their_chunks_closed() -> None:
    stream = Chunks()

    async def door(request: Request) -> StreamResponse:
        return StreamResponse(200, stream, "text/event-stream")

    async with running(StubDoor(door), streams=Streams(limit=0)) as hub:
        answer = await hub.get("/")
        assert answer.status == 503
        assert json.loads(answer.body)["code"] == "too_many_streams"
        assert stream.closed.is_set()


async def test_nonsense_after_the_last_byte_of_a_stream_is_answered() -> None:
    """A response of known length is over for its client before the stream says so."""
    done = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"whole"
        await done.wait()

    async def door(request: Request) -> StreamResponse:
        return StreamResponse(200, chunks(), "text/plain", headers=(("content-length", "5"),))

    async with running(StubDoor(door)) as hub, await hub.connect() as raw:
        raw.send(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{hub.port}\r\n\r\n".encode())
        assert (await raw.answer()).body == b"whole"
        raw.send(b"BREW / HTTP/1.1\r\n\r\n")
        answer = await raw.answer()
        assert (answer.status, json.loads(answer.body)["code"]) == (400, "bad_request")
        done.set()
