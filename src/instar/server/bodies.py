"""Request bodies: read whole up to a limit, or in chunks as they come."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from instar.base.errors import InstarError

Receive = Callable[[], Awaitable[Any]]


class ClientGone(Exception):  # noqa: N818 - no error of ours: nobody is left to answer
    """The client left before the request was complete."""


class Body:
    """The body of one request; it can be read once.

    Args:
        receive: The carrier's ASGI channel.
        headers: Of the request, for the announced length.
    """

    __slots__ = ("_headers", "_receive")

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        self._receive = receive
        self._headers = headers

    async def read(self, max_bytes: int) -> bytes:
        """Return the whole body.

        Raises:
            InstarError: `too_large` beyond `max_bytes`; an announced length is refused before a byte is read.
            ClientGone: The client left.
        """
        announced = self._headers.get("content-length", "0")
        if len(announced) > 19 or int(announced) > max_bytes:
            raise _too_large(max_bytes)
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientGone
        body: bytes = message["body"]
        if message["more_body"]:
            body = await self._rest(body, max_bytes)
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        return body

    async def _rest(self, first: bytes, max_bytes: int) -> bytes:
        chunks, size = [first], len(first)
        async for chunk in self.stream():
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            chunks.append(chunk)
        return b"".join(chunks)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. The client is slowed down while nobody asks for the next chunk.

        Raises:
            ClientGone: The client left.
        """
        is_complete = False
        while not is_complete:
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientGone
            is_complete = not message["more_body"]
            if chunk := message["body"]:
                yield chunk


def _too_large(max_bytes: int) -> InstarError:
    return InstarError("too_large", f"the body is larger than {max_bytes} bytes", detail={"max_bytes": max_bytes})
