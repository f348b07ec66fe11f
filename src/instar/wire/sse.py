"""Server-sent events: the text of one, and a stream of them that a feed writes and a carrier reads."""

import asyncio
from collections.abc import AsyncIterator, Callable

from .limits import SSE_KEEPALIVE_S

CONTENT_TYPE = "text/event-stream"
HEADERS = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))
"""`x-accel-buffering` tells a proxy in front not to hold the stream back."""
OPEN = b": stream-open\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


def sse_event(event_id: str, kind: str, payload: bytes) -> bytes:
    """Return one event. `payload` is a single line (JSON without line breaks); an empty id is left out."""
    head = f"id: {event_id}\nevent: {kind}\n" if event_id else f"event: {kind}\n"
    return head.encode() + b"data: " + payload + b"\n\n"


class EventStream:
    """The chunks of a `StreamResponse`: what was written comes out joined, with a comment when nothing happens.

    The writer never waits; what the client has not taken counts in `buffered_bytes`. `on_drained` is called when the
    client has taken everything that waited, so that a lagging feed can go on; `on_closed` once, when the stream ends.
    """

    def __init__(
        self,
        *,
        keep_alive_s: float = SSE_KEEPALIVE_S,
        on_drained: Callable[[], None] | None = None,
        on_closed: Callable[[], None] | None = None,
    ) -> None:
        self._keep_alive_s = keep_alive_s
        self.on_drained = on_drained
        self.on_closed = on_closed
        self._waiting: list[bytes] = [OPEN]
        self._size = len(OPEN)
        self._wake = asyncio.Event()
        self._wake.set()
        self._is_finished = False

    def write(self, frames: bytes) -> None:
        """Append ready-made events. Written after `finish`, they are dropped."""
        if not self._is_finished:
            self._waiting.append(frames)
            self._size += len(frames)
            self._wake.set()

    def buffered_bytes(self) -> int:
        """Return how many bytes the client has not taken."""
        return self._size

    def finish(self) -> None:
        """End the stream after what waits."""
        self._is_finished = True
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._waiting and self.on_drained is not None:
            self.on_drained()
        if not self._waiting:
            if self._is_finished:
                await self.aclose()
                raise StopAsyncIteration
            self._wake.clear()
            try:
                async with asyncio.timeout(self._keep_alive_s):
                    await self._wake.wait()
            except TimeoutError:
                return KEEP_ALIVE
            if not self._waiting:
                return await self.__anext__()
        chunk = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        return chunk

    async def aclose(self) -> None:
        """End the stream now: the client has gone, or the hub stops."""
        self._is_finished = True
        self._waiting.clear()
        self._size = 0
        if (closed := self.on_closed) is not None:
            self.on_closed = None
            closed()
