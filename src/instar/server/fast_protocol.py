"""HTTP/1.1 by httptools; imported only where httptools is installed."""

import asyncio
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from instar.base.errors import InstarError
from instar.wire.limits import HEADER_MAX_BYTES, HEADERS_MAX

from .pace import Phase
from .protocol import NOT_HTTP, Paced


class FastProtocol(Paced, HttpToolsProtocol):
    """HTTP/1.1 by httptools."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        HttpToolsProtocol.__init__(self, config, server_state, app_state, _loop)
        self.enter(config)
        self._head_bytes = 0
        self._chunk_bytes = 0
        self._refusal: InstarError | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start."""
        HttpToolsProtocol.connection_made(self, transport)
        self.greet()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.leave()
        HttpToolsProtocol.connection_lost(self, exc)

    def data_received(self, data: bytes) -> None:
        """Parse; then see whether the head is within its limit."""
        pace, parser = self.pace, self.parser
        assert parser is not None  # uvicorn clears it only once the connection is lost
        before = pace.phase
        if before is Phase.REFUSED:
            return
        self._unset_keepalive_if_required()
        self._chunk_bytes = len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._hand_over(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self.carrier.bad_requests.inc()
            self.refuse(self._refusal or NOT_HTTP)
            return
        if pace.phase is Phase.IDLE and before is Phase.IDLE and not self.pipeline and self._is_answered():
            pace.enter(Phase.HEAD, self.loop.time())
        if pace.phase is Phase.HEAD:
            self._head_bytes += 0 if before is Phase.BODY else len(data)
            if self._head_bytes > HEADER_MAX_BYTES:
                self.carrier.bad_requests.inc()
                self.refuse(_head_too_large())

    def is_sent(self, cycle: Any) -> bool:  # noqa: ANN401 - uvicorn's own
        """A response of known length is over with its last byte: what comes then is the next request."""
        return cycle.response_started and cycle.chunked_encoding is False and cycle.expected_content_length == 0

    def _is_answered(self) -> bool:
        """Whether bytes that began no message are noise between requests, to be timed like a head."""
        return self.cycle is None or (self.cycle.response_complete and self.timeout_keep_alive_task is None)

    def _hand_over(self, leftover: bytes) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.refuse(NOT_HTTP)
            return
        self.connections.discard(self)
        target, _, query = self.url.partition(b"?")
        self.scope["path"] = unquote(target.decode("latin-1"))
        self.scope["query_string"] = query
        self.upgrade(leftover)
        self.parser = None  # it holds this by its callbacks: both would wait for the collector

    def on_message_begin(self) -> None:
        """A head begins."""
        HttpToolsProtocol.on_message_begin(self)
        self._head_bytes = 0
        self.pace.enter(Phase.HEAD, self.loop.time())

    def on_headers_complete(self) -> None:
        """The head is complete: check its size, then let uvicorn start the request."""
        size = self._head_bytes + self._chunk_bytes
        if (size > HEADER_MAX_BYTES and self._head_size() > HEADER_MAX_BYTES) or len(self.headers) > HEADERS_MAX:
            self._refusal = _head_too_large()
            raise self._refusal
        HttpToolsProtocol.on_headers_complete(self)
        self.pace.enter(Phase.BODY, self.pace.since)

    def _head_size(self) -> int:
        """Return the size of the head as sent with single spaces: request line, headers, empty line."""
        assert self.parser is not None
        line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        return line + sum(len(name) + len(value) + 4 for name, value in self.headers) + 2

    def on_body(self, body: bytes) -> None:
        """Count what came."""
        self.pace.received += len(body)
        HttpToolsProtocol.on_body(self, body)
        self.bound_discard()

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.pace.phase = Phase.IDLE
        HttpToolsProtocol.on_message_complete(self)

    def _unsupported_upgrade_warning(self) -> None:
        """Other upgrades are ignored, as RFC 9110 §7.8 allows; nothing to warn about."""


def _head_too_large() -> InstarError:
    return InstarError(
        "head_too_large",
        f"the request head is larger than {HEADER_MAX_BYTES} bytes or has more than {HEADERS_MAX} headers",
    )
