"""Hostile connections: no HTTP at all, requests framed twice, requests cut at every byte, clients that never end."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from faults.hostile import Wire, check_health
from faults.hub import Hub
from faults.mutations import Damage
from faults.test_malformed import IS_LONG, WORKERS
from faults.valid import prepare
from instar.wire.limits import HEADER_TIMEOUT_S

GARBAGE = 10_000 if IS_LONG else 400
HALF_OPEN = 100
BODY = b'{"target":{"kind":"room","room_id":"plaza"},"parts":[{"kind":"text","text":"half"}]}'
INNER = b"GET /v1/keys HTTP/1.1\r\nHost: HOST\r\nX-Smuggled: yes\r\n\r\n"
"""A request that hides in a body; without a credential it would be answered 401."""

HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\n"
SIZE = b"Content-Length: %d\r\n" % len(BODY)
AMBIGUOUS = {
    "CL and TE": HEAD + SIZE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + INNER,
    "TE and CL": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n" + INNER + b"\r\n0\r\n\r\n",
    "two lengths": HEAD + SIZE + b"Content-Length: 0\r\n\r\n" + BODY + INNER,
    "two equal lengths": HEAD + SIZE + SIZE + b"\r\n" + BODY + INNER,
    "a list of lengths": HEAD + b"Content-Length: 4, 4\r\n\r\n" + BODY,
    "a length with a sign": HEAD + b"Content-Length: +4\r\n\r\n" + BODY,
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n" + BODY,
    "a hexadecimal length": HEAD + b"Content-Length: 0x4\r\n\r\n" + BODY,
    "a length with a space": HEAD + b"Content-Length: 4 4\r\n\r\n" + BODY,
    "an empty length": HEAD + b"Content-Length:\r\n\r\n" + BODY,
    "a length of 2**64": HEAD + b"Content-Length: 18446744073709551616\r\n\r\n" + BODY,
    "a space before the colon": HEAD + b"Content-Length : 4\r\n\r\n" + BODY,
    "TE with a space before the colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + INNER,
    "an unknown TE": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + INNER,
    "TE twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + INNER,
    "TE not last": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + INNER,
    "TE by vertical tab": HEAD + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + INNER,
    "bare LF in the head": HEAD.replace(b"\r\n", b"\n") + SIZE.replace(b"\r\n", b"\n") + b"\n" + BODY,
    "bare CR in a header": HEAD + b"X: a\rContent-Length: 0\r\n\r\n" + INNER,
    "LF LF as the end": HEAD + b"Content-Length: 0\n\n" + INNER,
    "a folded header": HEAD + b"X: a\r\n Content-Length: 5\r\n\r\n" + INNER,
    "a space before the first header": b"GET /healthz HTTP/1.1\r\n Host: HOST\r\n\r\n" + INNER,
    "NUL in a header": HEAD + b"X: a\0b\r\nContent-Length: 0\r\n\r\n" + INNER,
    "a header without a colon": HEAD + b"Nonsense\r\n\r\n" + INNER,
    "an empty header name": HEAD + b": x\r\n\r\n" + INNER,
    "a header name with a space": HEAD + b"a b: x\r\n\r\n" + INNER,
    "a broken chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY,
    "a negative chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + BODY,
    "a chunk size of 2**64": HEAD + b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n" + BODY,
    "a chunk longer than it says": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "a chunk extension with LF": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;a\nx\r\n{\r\n0\r\n\r\n" + INNER,
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "a foreign host": b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"GET /healthz HTTP/9.9\r\nHost: HOST\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "a space in the target": b"GET /health z HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "NUL in the target": b"GET /health\0z HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "bytes above 127 in the target": b"GET /\xff\xfe HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "TRACE": b"TRACE /healthz HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "a method in lower case": b"get /healthz HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "an unknown method": b"FETCH /healthz HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "an absolute target of another host": b"GET http://evil.example/v1/keys HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "a body on a refused head": b"POST /v1/messages HTTP/1.1\r\nHost: HOST\r\nContent-Length: 9000000\r\n\r\nxx",
}  # fmt: skip
"""Requests that two parsers could take for different ones, and requests that are none."""


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    running = Hub(tmp_path / "hub")
    await running.start()
    await prepare(running)
    yield running
    await check_health(running)
    await running.stop()


def filled(raw: bytes, hub: Hub) -> bytes:
    return raw.replace(b"HOST", b"127.0.0.1:%d" % hub.port).replace(b"TOKEN", hub.token.encode())


async def test_ambiguous_requests_are_refused_and_hide_nothing(hub: Hub) -> None:
    for label, raw in AMBIGUOUS.items():
        wire = await Wire.open(hub)
        answer = await wire.ask(filled(raw, hub))
        assert answer is not None, label
        assert 400 <= answer.status < 500, (label, answer)
        answer.check()
        wire.writer.write_eof()
        rest = await wire.rest()
        await wire.close()
        assert b"HTTP/1.1" not in rest, (label, rest[:300])


async def garbage(hub: Hub, seed: int) -> None:
    """Send bytes that are nearly or not at all a request, and hang up; what comes back is typed."""
    damage = Damage(seed, f"127.0.0.1:{hub.port}", hub.token)
    for number in range(GARBAGE // WORKERS):
        pick = damage.random
        raw = pick.randbytes(pick.randrange(1, 400))
        if pick.random() < 0.7:
            raw = damage.flipped(damage.request().raw[:4_000])
        wire = await Wire.open(hub)
        wire.writer.write(raw)
        try:
            wire.writer.write_eof()
            while (answer := await wire.answer()) is not None:
                answer.check(201)
        except (AssertionError, TimeoutError, ValueError) as error:
            pytest.fail(f"seed {seed}, garbage {number}: {error!r:.600}\n{raw[:600]!r}")
        await wire.close()


async def test_garbage(hub: Hub, seed: int) -> None:
    await asyncio.gather(*(garbage(hub, seed + worker) for worker in range(WORKERS)))


@pytest.mark.parametrize("polite", [True, False], ids=["half-closed", "reset"])
async def test_a_request_cut_at_every_byte(hub: Hub, polite: bool) -> None:
    whole = filled(HEAD, hub) + SIZE + b"\r\n" + BODY
    for size in range(len(whole)):
        wire = await Wire.open(hub)
        wire.writer.write(whole[:size])
        if polite:
            wire.writer.write_eof()
            assert b"HTTP/1.1 2" not in await wire.rest(), f"{size} bytes were taken for a request"
            await wire.close()
        else:
            wire.writer.transport.abort()
    assert b'"half"' not in await messages(hub)
    wire = await Wire.open(hub)
    accepted = await wire.ask(whole)
    await wire.close()
    assert accepted is not None
    assert accepted.status == 202, "the whole request is a good one"


async def messages(hub: Hub) -> bytes:
    """Return what stands in the room that the cut requests were for."""
    wire = await Wire.open(hub)
    head = f"GET /v1/rooms/plaza/messages HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer {hub.token}\r\n\r\n"
    answer = await wire.ask(filled(head.encode(), hub))
    await wire.close()
    assert answer is not None
    assert answer.status == 200, answer
    return answer.body


async def trickle(wire: Wire, head: bytes) -> None:
    """Send a head whose last header never ends, a byte at a time."""
    wire.writer.write(head)
    while not wire.writer.is_closing():
        wire.writer.write(b"x")
        await asyncio.sleep(0.25)


async def test_clients_that_never_end_are_cut_and_keep_nobody_waiting(hub: Hub) -> None:
    whole = filled(HEAD, hub) + b"X-Slow: "
    slow = [await Wire.open(hub) for _ in range(HALF_OPEN)]
    trickling = [asyncio.create_task(trickle(wire, whole[: n % len(whole)])) for n, wire in enumerate(slow)]
    began = time.monotonic()
    waiting = asyncio.ensure_future(asyncio.gather(*(wire.answer() for wire in slow)))
    while not waiting.done():
        assert await messages(hub)
        await asyncio.wait((waiting,), timeout=0.1)
    for answer in await waiting:
        assert answer is not None
        assert answer.status in {400, 408}, answer
        answer.check()
    assert time.monotonic() - began < 2 * HEADER_TIMEOUT_S
    for task in trickling:
        task.cancel()
    for wire in slow:
        await wire.close()
