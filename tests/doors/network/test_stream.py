"""Server-sent events: cursor, chunks, gap, end."""

from typing import Any

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.doors.network import stream as stream_module
from instar.doors.network.renderers import StreamRenderer
from instar.doors.network.stream import EventStream, open_stream, requested_cursor
from instar.wire.events import ReplayGap

from .requests import request
from .stand_in import Hub


@pytest.mark.parametrize(
    ("header", "query", "cursor"),
    [
        ("", "", ""),
        ("evt_1", "", "evt_1"),
        ("", "12", "12"),
        ("evt_1", "12", "evt_1"),
        ("not valid!", "", ""),
        ("not valid!", "12", "12"),
        ("evt_gap_" + "0" * 64, "12", ""),
    ],
)
def test_requested_cursor(header: str, query: str, cursor: str) -> None:
    asked = request("GET", "/v1/events/stream", query={"last_event_id": query}, headers={"last-event-id": header})
    assert requested_cursor(asked) == cursor


async def opened(hub: Hub, **headers: str) -> tuple[Any, EventStream]:
    asked = request("GET", "/v1/events/stream", headers=headers)
    answer = await open_stream(hub, hub.caller, asked, StreamRenderer("local"), "key_1")  # type: ignore[arg-type]
    stream = answer.chunks
    assert isinstance(stream, EventStream)
    return answer, stream


async def test_a_stream_opens_with_a_comment_and_goes_on_with_the_feed() -> None:
    hub = Hub()
    answer, stream = await opened(hub, **{"last-event-id": "evt_1"})
    assert answer.content_type == "text/event-stream"
    assert ("cache-control", "no-cache") in answer.headers
    assert answer.principal == "key_1"
    [feed] = hub.feeds
    assert feed.options["cursor"] == "evt_1"
    assert await anext(stream) == b": stream-open\n\n"
    stream.write(b"a")
    stream.write(b"b")
    assert stream.buffered_bytes() == 2
    assert await anext(stream) == b"ab"
    assert stream.buffered_bytes() == 0
    assert feed.drained == 2
    await stream.aclose()
    assert feed.is_closed
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_silence_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "SSE_KEEPALIVE_S", 0.001)
    _, stream = await opened(Hub())
    await anext(stream)
    assert await anext(stream) == b": keep-alive\n\n"


async def test_a_gap_can_be_resumed_behind() -> None:
    _, stream = await opened(Hub())
    await anext(stream)
    stream.gap(ReplayGap("evt_old", "evt_1", "evt_5", 1, 5))
    lines = (await anext(stream)).decode().split("\n")
    assert lines[:2] == ["id: evt_5", "event: stream.replay_gap"]
    event = msgspec.json.decode(lines[2].removeprefix("data: "))
    assert event["replay_gap"]["requested_event_id"] == "evt_old"
    assert event["id"].startswith("evt_gap_")


async def test_the_end_is_told_with_the_cursor() -> None:
    hub = Hub()
    _, stream = await opened(hub)
    await anext(stream)
    stream.ended("lagging", "the reader took nothing", "41")
    lines = (await anext(stream)).decode().split("\n")
    assert lines[0] == "event: error"
    assert msgspec.json.decode(lines[1].removeprefix("data: "))["detail"] == {"cursor": "41"}
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert hub.feeds[0].is_closed


async def test_a_refused_feed_is_an_error() -> None:
    hub = Hub()
    hub.refusal = InstarError("unknown_cursor", "no")
    with pytest.raises(InstarError):
        await opened(hub)
