"""uvicorn's HTTP protocols with what they lack: limits of the head, slow clients cut, refusals as problem bodies, and
WebSocket upgrades that hand the connection to a `Link` without parsing the head twice.
"""

import asyncio
from importlib.util import find_spec
from typing import Any, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from instar.base.errors import InstarError
from instar.wire.limits import DISCARD_MAX_BYTES
from instar.wire.problem import error_response

from .guard import request_id
from .http import Carrier, raw_response
from .pace import Pace, Phase, Slow
from .websocket import Link

NOT_HTTP = InstarError("bad_request", "the bytes received are no HTTP/1.1 request")
"""What bytes that cannot be parsed are answered with."""
_TOO_SLOW = InstarError("request_timeout", "the request did not arrive in its time")
_NO_FILES = InstarError("overloaded", "the hub is at its limit of open connections", retry_after_s=2.0)


class Paced:
    """The part that both protocols share; it knows the connection only through these attributes."""

    carrier: Carrier
    transport: asyncio.Transport
    flow: FlowControl
    loop: asyncio.AbstractEventLoop
    cycle: Any
    scope: Any
    pace: Pace
    unwelcome: InstarError | None = None
    """Why the connection is not served at all, if so."""

    def enter(self, config: Config) -> None:
        """Take the carrier from uvicorn's configuration."""
        self.carrier = cast("Carrier", config.app)

    def greet(self) -> None:
        """Start the clock of a new connection, or refuse it when file descriptors run out."""
        self.pace = Pace(self.loop.time())
        carrier = self.carrier
        carrier.heartbeat.connections.add(self)
        open_now = len(carrier.heartbeat.connections) + len(carrier.streams)
        if carrier.max_connections and open_now > carrier.max_connections:
            carrier.refused_connections.inc()
            self.refuse(_NO_FILES)
        elif self.unwelcome is not None:
            carrier.bad_requests.inc()
            self.refuse(self.unwelcome)

    def leave(self) -> None:
        """Forget the connection."""
        self.carrier.heartbeat.connections.discard(self)

    def check_pace(self, at: float) -> None:
        """Cut a client that is too slow."""
        transport = self.transport
        verdict = self.pace.judge(at, transport.get_write_buffer_size(), self.flow.read_paused)
        if verdict is Slow.CUT:
            self.carrier.peer_losses.inc()
            transport.abort()
        elif verdict is Slow.ANSWER:
            self.carrier.bad_requests.inc()
            self.refuse(_TOO_SLOW)

    def is_refused(self) -> bool:
        """Whether what still comes is thrown away."""
        return self.pace.phase is Phase.REFUSED

    def refuse(self, error: InstarError) -> None:
        """Answer with `error` in place of any request under way, and end the connection politely.

        The stream is half-closed and what still comes is thrown away, so that the answer is not lost to a reset.
        """
        cycle: Any = self.cycle
        has_begun = False
        if cycle is not None and not cycle.response_complete:
            has_begun = cycle.response_started and not self.is_sent(cycle)
            cycle.disconnected = True
            cycle.message_event.set()
        self.pace.enter(Phase.REFUSED, self.loop.time())
        transport = self.transport
        if transport.is_closing():
            return
        if not has_begun:
            transport.write(raw_response(error_response(error, rid := request_id({})), rid))
        self.flow.resume_reading()
        if transport.can_write_eof():
            transport.write_eof()
        else:
            transport.close()

    def is_sent(self, cycle: Any) -> bool:  # noqa: ANN401, ARG002 - uvicorn's own, one per parser
        """Whether the client has the whole response, though the application has yet to say so."""
        return False

    def bound_discard(self) -> None:
        """Cut a client that goes on sending a body which was answered without being read."""
        cycle: Any = self.cycle
        if self.pace.received > DISCARD_MAX_BYTES and cycle is not None and cycle.response_complete:
            self.transport.abort()

    def upgrade(self, leftover: bytes) -> None:
        """Hand the connection to a `Link`."""
        self.leave()
        link = Link(self.carrier, self.transport, self.scope, leftover)
        self.transport.set_protocol(link)
        link.start()


class PlainProtocol(Paced, H11Protocol):
    """HTTP/1.1 by h11, where httptools is missing."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        H11Protocol.__init__(self, config, server_state, app_state, _loop)
        self.enter(config)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start."""
        H11Protocol.connection_made(self, transport)
        self.greet()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.leave()
        H11Protocol.connection_lost(self, exc)

    def data_received(self, data: bytes) -> None:
        """Parse; then see how far the request is."""
        if self.is_refused():
            return
        H11Protocol.data_received(self, data)
        if self.is_refused() or self.transport.get_protocol() is not self:
            return
        phase = Phase.IDLE
        if self.conn.their_state is h11.SEND_BODY:
            phase = Phase.BODY
        elif self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            phase = Phase.HEAD
        if phase is not self.pace.phase:
            self.pace.enter(phase, self.loop.time())
        self.pace.received += len(data)
        self.bound_discard()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's own text is not ours
        """Answer bytes that are no request."""
        self.carrier.bad_requests.inc()
        self.refuse(NOT_HTTP)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:  # noqa: ARG002 - the scope has it all
        """Hand over to a `Link`."""
        self.connections.discard(self)
        self.upgrade(self.conn.trailing_data[0])

    def _unsupported_upgrade_warning(self) -> None:
        """Other upgrades are ignored, as RFC 9110 §7.8 allows; nothing to warn about."""


def http_protocol(prefer_fast: bool = True) -> type[asyncio.Protocol]:
    """Return the HTTP protocol to use: httptools where it can be imported, else h11."""
    if prefer_fast and find_spec("httptools") is not None:
        from .fast_protocol import FastProtocol  # noqa: PLC0415 - httptools is optional

        return FastProtocol
    return PlainProtocol
