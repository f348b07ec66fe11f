"""Accepting connections on an encrypted address: who speaks plain HTTP there is told so, instead of cut off."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.wire.limits import LINK_CLOSE_S, TLS_HANDSHAKE_S, TLS_HANDSHAKES_MAX

from .http import Carrier
from .protocol import Paced

_HANDSHAKE = b"\x16"
"""First byte of every TLS connection: a record of type handshake."""
_ACCEPT_MAX = 256
"""Connections that are accepted in one turn of the loop."""
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_RESUME_S = 1.0
_NOT_TLS = InstarError(
    "bad_request", "this address speaks TLS, and the request came unencrypted", hint="Use https:// (or wss://) instead."
)


class TlsServer:
    """Accepts on one listening socket; a connection that begins with a TLS handshake becomes `make_protocol()`.

    asyncio's own server would close every other connection without a word. A connection has `TLS_HANDSHAKE_S` to
    be encrypted; `TLS_HANDSHAKES_MAX` may be on their way.

    Args:
        bound: Listening and non-blocking; closed with this.
        make_protocol: Makes the HTTP protocol of a connection.
        context: How it is encrypted.
        carrier: Where failed handshakes are counted and faults are told.
    """

    def __init__(
        self,
        bound: socket.socket,
        make_protocol: Callable[[], asyncio.BaseProtocol],
        context: ssl.SSLContext,
        carrier: Carrier,
    ) -> None:
        self._bound = bound
        self._make_protocol = make_protocol
        self._context = context
        self._carrier = carrier
        self._on_failure = carrier.bad_requests.inc
        self._loop = asyncio.get_running_loop()
        self._silent: dict[socket.socket, asyncio.TimerHandle] = {}
        """Connections that have yet to send their first byte."""
        self._handshakes = TaskScope(self._crashed)
        self._under_way = 0
        self._resume: asyncio.TimerHandle | None = None
        self._loop.add_reader(bound, self._accept)

    def close(self) -> None:
        """Accept no more; drop who has said nothing yet; handshakes under way go on until `abort`. Idempotent."""
        if self._bound.fileno() < 0:
            return
        self._loop.remove_reader(self._bound)
        self._bound.close()
        if self._resume is not None:
            self._resume.cancel()
        for connection in tuple(self._silent):
            self._drop(connection)

    async def abort(self) -> None:
        """Drop every handshake under way."""
        await self._handshakes.close()

    def _accept(self) -> None:
        for _ in range(_ACCEPT_MAX):
            try:
                connection, _peer = self._bound.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in _OUT_OF_FILES:
                    self._pause()
                return
            connection.setblocking(False)
            if self._under_way + len(self._silent) >= TLS_HANDSHAKES_MAX:
                self._on_failure()
                connection.close()
                continue
            self._silent[connection] = self._loop.call_later(TLS_HANDSHAKE_S, self._too_late, connection)
            self._loop.add_reader(connection, self._look, connection)

    def _pause(self) -> None:
        """Accept nothing until files may be free again; a loop that spins helps nobody."""
        self._loop.remove_reader(self._bound)
        self._resume = self._loop.call_later(_RESUME_S, self._loop.add_reader, self._bound, self._accept)

    def _look(self, connection: socket.socket) -> None:
        """See with what the connection begins, and leave it there for who reads it."""
        try:
            first = connection.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        if not first:
            self._drop(connection)
            return
        self._forget(connection)
        self._under_way += 1
        self._handshakes.start("tls handshake", self._hand_over(connection, is_tls=first == _HANDSHAKE))

    async def _hand_over(self, connection: socket.socket, *, is_tls: bool) -> None:
        try:
            if is_tls:
                transport, _ = await self._loop.connect_accepted_socket(
                    self._make_protocol, connection, ssl=self._context,
                    ssl_handshake_timeout=TLS_HANDSHAKE_S, ssl_shutdown_timeout=LINK_CLOSE_S,
                )  # fmt: skip
            else:
                transport, _ = await self._loop.connect_accepted_socket(self._unwelcome, connection)
            if self._bound.fileno() < 0:
                # The hub began to stop meanwhile, and does not know this connection.
                transport.close()
        except OSError:
            # No agreement, a peer that went away, or one that took too long: its loss, and no fault of the hub.
            self._on_failure()
            connection.close()
        finally:
            self._under_way -= 1

    def _unwelcome(self) -> asyncio.BaseProtocol:
        """Make a protocol that answers with the reason and ends."""
        protocol = self._make_protocol()
        assert isinstance(protocol, Paced)
        protocol.unwelcome = _NOT_TLS
        return protocol

    def _too_late(self, connection: socket.socket) -> None:
        self._on_failure()
        self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        self._forget(connection)
        connection.close()

    def _forget(self, connection: socket.socket) -> None:
        self._silent.pop(connection).cancel()
        self._loop.remove_reader(connection)

    def _crashed(self, name: str, error: BaseException) -> None:
        self._carrier.fault(name, error=error)
