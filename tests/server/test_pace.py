"""Slow clients: the machine by itself, and over sockets with time turned by hand."""

import asyncio
import json

import pytest

from instar.server.pace import Pace, Phase, Slow
from instar.wire.http import Request, Response
from instar.wire.limits import HEADER_MAX_BYTES, HEADERS_MAX

from .conftest import StubDoor, running, until


def test_a_head_has_five_seconds() -> None:
    pace = Pace(100.0)
    assert pace.judge(104.4, 0, False) is Slow.NO
    assert pace.judge(104.5, 0, False) is Slow.ANSWER


def test_a_body_has_fifteen_seconds_and_more_while_it_flows() -> None:
    pace = Pace(0.0)
    pace.enter(Phase.BODY, 0.0)
    assert pace.judge(14.4, 0, False) is Slow.NO
    assert pace.judge(14.5, 0, False) is Slow.ANSWER
    pace.received = 16_384 * 10
    assert pace.judge(24.4, 0, False) is Slow.NO
    assert pace.judge(24.5, 0, False) is Slow.ANSWER


def test_time_that_the_hub_asked_for_does_not_count() -> None:
    pace = Pace(0.0)
    pace.enter(Phase.BODY, 0.0)
    for tick in range(100):
        assert pace.judge(tick * 0.5, 0, True) is Slow.NO


def test_an_idle_connection_is_not_judged_here() -> None:
    pace = Pace(0.0)
    pace.enter(Phase.IDLE, 0.0)
    assert pace.judge(1_000.0, 0, False) is Slow.NO


def test_a_client_that_takes_nothing_is_cut() -> None:
    pace = Pace(0.0)
    pace.enter(Phase.IDLE, 0.0)
    assert pace.judge(0.0, 100, False) is Slow.NO
    assert pace.judge(10.0, 99, False) is Slow.NO
    assert pace.judge(24.4, 99, False) is Slow.NO
    assert pace.judge(24.5, 99, False) is Slow.CUT


def test_a_refused_client_has_five_seconds_to_go() -> None:
    pace = Pace(0.0)
    pace.enter(Phase.REFUSED, 0.0)
    assert pace.judge(4.0, 0, False) is Slow.NO
    assert pace.judge(4.5, 0, False) is Slow.CUT


async def echo(request: Request) -> Response:
    return Response(200, await request.read_body(1_000))


SLOW = [
    b"",
    b"\r\n",
    b"GET / HT",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nabc",
]


@pytest.mark.parametrize("sent", SLOW)
async def test_a_slow_client_is_answered_408_and_closed(sent: bytes, prefer_fast: bool) -> None:
    async with running(StubDoor(echo), prefer_fast=prefer_fast) as hub:
        async with await hub.connect() as raw:
            raw.send(sent)
            await until(lambda: len(hub.carrier.heartbeat.connections) == 1)
            if b"\r\n\r\n" in sent:
                await until(lambda: bool(hub.server._state.tasks))
            at = asyncio.get_running_loop().time()
            hub.carrier.heartbeat.beat(at + 15)
            answer = await raw.answer()
            assert answer.status == 408
            assert json.loads(answer.body)["code"] == "request_timeout"
            assert await raw.reader.read() == b""
        await until(lambda: not hub.server._state.tasks)
        assert (await hub.post("/", b"x")).status == 200


async def test_a_kept_connection_that_starts_to_dribble_is_cut(prefer_fast: bool) -> None:
    async with running(StubDoor(echo), prefer_fast=prefer_fast) as hub, await hub.connect() as raw:
        for _ in range(2):
            raw.send(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\na")
            assert (await raw.answer()).body == b"a"
            hub.carrier.heartbeat.beat(asyncio.get_running_loop().time() + 60)
        raw.send(b"PO")
        (connection,) = hub.carrier.heartbeat.connections
        await until(lambda: connection.pace.phase is Phase.HEAD)  # type: ignore[attr-defined]
        hub.carrier.heartbeat.beat(asyncio.get_running_loop().time() + 5)
        assert (await raw.answer()).status == 408


async def test_a_client_that_reads_nothing_is_cut() -> None:
    async def large(request: Request) -> Response:
        return Response(200, b"x" * 50_000_000)

    async with running(StubDoor(large)) as hub, await hub.connect() as raw:
        raw.writer.transport.pause_reading()
        raw.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await until(lambda: any(c.transport.get_write_buffer_size() for c in hub.server._state.connections))
        at = asyncio.get_running_loop().time()
        # Two beats: what the kernel still takes between them counts as taken.
        while hub.server._state.connections and at < 1e9:
            at += 15
            hub.carrier.heartbeat.beat(at)
            await asyncio.sleep(0)
        hub.carrier.heartbeat.beat(at + 15)
        await until(lambda: not hub.server._state.connections)
        assert hub.carrier.peer_losses.value == 1


def head_of(size: int) -> bytes:
    start = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    rest = size - len(start) - 2
    filler = b""
    while rest > 8_000:
        filler += b"A: " + b"x" * (8_000 - 5) + b"\r\n"
        rest -= 8_000
    return start + filler + b"B: " + b"x" * (rest - 5) + b"\r\n\r\n"


@pytest.mark.parametrize("chunk", [1 << 20, 1_000])
@pytest.mark.parametrize(("size", "status"), [(HEADER_MAX_BYTES, 200), (HEADER_MAX_BYTES + 1, 431)])
async def test_the_limit_of_the_head_is_exact(size: int, status: int, chunk: int) -> None:
    raw_head = head_of(size)
    assert len(raw_head) == size
    async with running(StubDoor(echo)) as hub, await hub.connect() as raw:
        for at in range(0, size, chunk):
            raw.send(raw_head[at : at + chunk])
            await asyncio.sleep(0)
        answer = await raw.answer()
        assert answer.status == status
        if status == 431:
            assert json.loads(answer.body)["code"] == "head_too_large"


async def test_a_head_without_an_end_is_refused() -> None:
    async with running(StubDoor(echo)) as hub, await hub.connect() as raw:
        raw.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: " + b"x" * (HEADER_MAX_BYTES + 1))
        assert (await raw.answer()).status == 431


@pytest.mark.parametrize(("count", "status"), [(HEADERS_MAX, 200), (HEADERS_MAX + 1, 431)])
async def test_the_number_of_headers_is_limited(count: int, status: int) -> None:
    async with running(StubDoor(echo)) as hub:
        lines = "".join(f"X-{number}: 1\n" for number in range(count - 1))
        assert (await hub.request(f"GET / HTTP/1.1\nHost: 127.0.0.1\n{lines}")).status == status


async def test_beyond_the_limit_of_connections_the_answer_is_503() -> None:
    async with running(StubDoor(echo)) as hub, await hub.connect():
        await until(lambda: len(hub.carrier.heartbeat.connections) == 1)
        hub.carrier.max_connections = 1
        async with await hub.connect() as refused:
            answer = await refused.answer()
            assert answer.status == 503
            assert answer.headers["retry-after"] == "2"
        await until(lambda: len(hub.carrier.heartbeat.connections) == 1)
        hub.carrier.max_connections = 2
        assert (await hub.post("/", b"x")).status == 200
