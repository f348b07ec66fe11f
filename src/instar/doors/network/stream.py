"""Server-sent events on `/v1/events/stream`: a feed from the durable log, resumed by `Last-Event-ID`."""

import asyncio

from instar.base.errors import InstarError
from instar.hub.operations.hub import Caller, Feed, Hub
from instar.wire.events import ReplayGap
from instar.wire.http import Request, StreamResponse
from instar.wire.limits import SSE_KEEPALIVE_S
from instar.wire.names import is_id
from instar.wire.problem import error_body

from .gaps import GAP_PREFIX, gap_event, resume_cursor
from .renderers import StreamRenderer, sse_event

HEADERS = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))
_OPEN = b": stream-open\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"


def requested_cursor(request: Request) -> str:
    """Return where a client wants to go on: the `Last-Event-ID` header, else the query parameter; unfit ones are none.

    The cursor of a gap event is none either: what followed the gap has other ids.
    """
    for wanted in (request.headers.get("last-event-id", ""), request.query.get("last_event_id", "")):
        if (cursor := wanted.strip()) and is_id(cursor):
            return "" if cursor.startswith(GAP_PREFIX) else cursor
    return ""


class EventStream:
    """One stream: the sink of its feed, and the chunks of its response."""

    __slots__ = ("_chunks", "_ended", "_feed", "_hub", "_size", "_waiting")

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._feed: Feed | None = None
        self._chunks: list[bytes] = [_OPEN]
        self._size = 0
        self._ended = False
        self._waiting = asyncio.Event()

    def write(self, frames: bytes) -> None:
        """Take events of the feed."""
        self._chunks.append(frames)
        self._size += len(frames)
        self._waiting.set()

    def buffered_bytes(self) -> int:
        """Return how many bytes the carrier has not fetched."""
        return self._size

    def gap(self, gap: ReplayGap) -> None:
        """Say that the stream cannot resume; its `id` is where it can go on from."""
        _, json = gap_event(self._hub.network.id, gap)
        self.write(sse_event(resume_cursor(gap), "stream.replay_gap", json))

    def ended(self, code: str, message: str, cursor: str) -> None:
        """Say why the stream ends, as an event of type `error`, and end it."""
        reply = error_body(InstarError(code, message, detail={"cursor": cursor}), "")
        self._ended = True
        self.write(b"event: error\ndata: %b\n\n" % reply)

    async def open(self, caller: Caller, renderer: StreamRenderer, cursor: str) -> None:
        """Open the feed, before the first byte is written.

        Raises:
            InstarError: What the hub says to it.
        """
        self._feed = await self._hub.open_feed(caller, self, renderer, cursor=cursor)

    def __aiter__(self) -> "EventStream":
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self._ended or self._feed is None:
                await self.aclose()
                raise StopAsyncIteration
            await self._wait()
        taken, self._chunks, self._size = b"".join(self._chunks), [], 0
        if self._feed is not None and not self._ended:
            self._feed.writable()
        return taken

    async def _wait(self) -> None:
        self._waiting.clear()
        try:
            await asyncio.wait_for(self._waiting.wait(), SSE_KEEPALIVE_S)
        except TimeoutError:
            self._chunks.append(_KEEP_ALIVE)

    async def aclose(self) -> None:
        """Close the feed; the carrier calls it when the client goes, also before the first chunk."""
        if self._feed is not None:
            self._hub.close_feed(self._feed)
            self._feed = None


async def open_stream(
    hub: Hub, caller: Caller, request: Request, renderer: StreamRenderer, holder: str
) -> StreamResponse:
    """Answer a request for the stream.

    Raises:
        InstarError: What the hub says to opening the feed.
    """
    stream = EventStream(hub)
    await stream.open(caller, renderer, requested_cursor(request))
    return StreamResponse(200, stream, "text/event-stream", HEADERS, request.path, holder)
