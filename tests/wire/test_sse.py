"""Server-sent events: their text, and the stream that a feed writes and a carrier reads."""

import asyncio

from instar.wire.sse import KEEP_ALIVE, OPEN, EventStream, sse_event


def test_an_event_is_three_lines() -> None:
    assert sse_event("e1", "message.created", b'{"a":1}') == b'id: e1\nevent: message.created\ndata: {"a":1}\n\n'
    assert sse_event("", "stream.replay_gap", b"{}") == b"event: stream.replay_gap\ndata: {}\n\n"


async def test_what_was_written_comes_out_joined() -> None:
    stream = EventStream()
    assert await anext(stream) == OPEN
    stream.write(b"a")
    stream.write(b"bc")
    assert stream.buffered_bytes() == 3
    assert await anext(stream) == b"abc"
    assert stream.buffered_bytes() == 0
    reading = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    stream.write(b"d")
    assert await reading == b"d"


async def test_silence_is_kept_alive() -> None:
    stream = EventStream(keep_alive_s=0.001)
    await anext(stream)
    assert await anext(stream) == KEEP_ALIVE
    stream.write(b"a")
    assert await anext(stream) == b"a"


async def test_a_drained_stream_asks_for_more() -> None:
    stream = EventStream()
    more = [b"2", b"1"]
    stream.on_drained = lambda: stream.write(more.pop()) if more else None
    assert [await anext(stream) for _ in range(3)] == [OPEN, b"1", b"2"]


async def test_the_end() -> None:
    ends: list[int] = []
    stream = EventStream(on_closed=lambda: ends.append(1))
    stream.write(b"last")
    stream.finish()
    stream.write(b"late")
    assert [chunk async for chunk in stream] == [OPEN + b"last"]
    await stream.aclose()
    assert ends == [1]
    waiting = EventStream()
    await anext(waiting)
    reading = asyncio.ensure_future(anext(waiting, b"over"))
    await asyncio.sleep(0)
    waiting.finish()
    assert await reading == b"over"
