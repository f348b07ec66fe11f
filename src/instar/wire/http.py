"""What a carrier hands to a door and takes back: requests, responses and socket sessions, without any IO type.

`server/` drives these; `doors/` implement them; neither knows the other.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

import msgspec


class Request(msgspec.Struct):
    """An HTTP request whose head has passed the guard."""

    method: str
    path: str
    """Percent-decoded path."""
    query: Mapping[str, str]
    """Last value of each query parameter."""
    headers: Mapping[str, str]
    """Lower-case names; the last value of each."""
    read_body: Callable[[int], Awaitable[bytes]]
    """Read the whole body, at most so many bytes; more raises `too_large`."""
    stream_body: Callable[[], AsyncIterator[bytes]]
    """Read the body in chunks, for uploads."""
    request_id: str
    peer: str
    """Address of the client, without port; empty on a Unix socket."""
    is_local: bool
    """Loopback, with no forwarding header and no browser Origin."""
    scheme: str
    host: str
    """The Host that the guard accepted."""
    connected_from: str = ""
    """Address at the other end of the connection: a proxy's, or the client's own."""
    is_forwarded: bool = False
    """Its headers name a client, and who sent them is no trusted proxy: nobody knows who it is from."""
    is_proxied: bool = False
    """A trusted proxy sent it; `peer`, `scheme` and `host` are what that says."""


class Response(msgspec.Struct):
    """A whole response."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    route: str = ""
    """The path template, as metrics name the request; empty: `other`."""


class StreamResponse(msgspec.Struct):
    """A response whose body comes in chunks; the carrier closes `chunks` when the client goes."""

    status: int
    chunks: AsyncIterator[bytes]
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()
    route: str = ""
    """The path template, as metrics name the request; empty: `other`."""
    principal: str = ""
    """Whose stream it is, for the limit of streams of one credential; empty: not counted against anyone."""


class Connection(Protocol):
    """What a socket session may do to its carrier. No method blocks, and none but `claim` raises."""

    def claim(self, principal: str) -> None:
        """Count a socket that opened without a credential against the one that it has named since.

        Raises:
            InstarError: `too_many_streams` when the credential has as many as it may.
        """
        ...

    def send_text(self, payload: bytes) -> None:
        """Frame and write one text message."""
        ...

    def send_binary(self, payload: bytes) -> None:
        """Frame and write one binary message."""
        ...

    def send_frames(self, frames: bytes) -> None:
        """Write ready-made WebSocket frames (`wire.frames.text_frame`), in one write."""
        ...

    def limit_messages(self, max_bytes: int) -> None:
        """Refuse larger messages from now on: the socket is closed with 1009. At first it is `FRAME_MAX_BYTES`."""
        ...

    def buffered_bytes(self) -> int:
        """Return how many bytes wait to be taken by the client."""
        ...

    def close(self, code: int, reason: str = "") -> None:
        """Send what waits, then a close frame."""
        ...

    def abort(self) -> None:
        """Drop the connection without a close frame (attach.v1 ends so after an ERROR)."""
        ...


class SocketSession(Protocol):
    """One WebSocket as its door sees it; every method is called on the event loop.

    A session whose handshake fails after all is never `opened` and never called: claim nothing before `opened`.
    """

    def opened(self, connection: Connection) -> None:
        """The handshake is done."""
        ...

    def received(self, payload: bytes, is_text: bool) -> None:
        """A whole message came."""
        ...

    def writable(self) -> None:
        """The client has taken what waited; a lagging session may go on."""
        ...

    def stopping(self) -> None:
        """The hub stops: the last moment to say so in the dialect's words. The carrier closes the socket next."""
        ...

    def closed(self, code: int) -> None:
        """The socket has ended; the last call."""
        ...


class Upgrade(msgspec.Struct):
    """A door's answer to a WebSocket handshake: a session, or a refusal."""

    session: SocketSession | None = None
    subprotocol: str | None = None
    refusal: Response | None = None
    principal: str = ""
    """Whose socket it is, for the limit of streams of one credential; empty: not counted against anyone."""


class Door(Protocol):
    """A dialect's entrance. Doors are asked in order; the first that does not answer None has the request."""

    async def handle(self, request: Request) -> Response | StreamResponse | None:
        """Answer an HTTP request, or return None when the path is not this door's.

        Raises:
            InstarError: Answered by the carrier as a problem body.
        """
        ...

    async def upgrade(self, request: Request) -> Upgrade | None:
        """Answer a WebSocket handshake, or return None when the path is not this door's.

        Raises:
            InstarError: Answered by the carrier as a problem body instead of 101.
        """
        ...
