"""The life of the process: start listening, say ready, wait for a signal, drain, end."""

import asyncio
import gc
import os
import signal
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from email.utils import formatdate
from functools import partial
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, TypeVar

import structlog
from uvicorn.config import Config
from uvicorn.server import ServerState

from instar.hub.settings.binding import Address
from instar.wire.limits import (
    FORCED_EXIT_S,
    HEADER_MAX_BYTES,
    IDLE_TIMEOUT_S,
    LISTEN_BACKLOG,
    SHUTDOWN_GRACE_S,
)

from .http import Carrier
from .protocol import http_protocol
from .sockets import Bound, raise_file_limit, unusable
from .tls_accept import TlsServer
from .websocket import Link

T = TypeVar("T")

_log = structlog.get_logger("instar.server")
_POLL_S = 0.02


class Server:
    """The carrier on its sockets.

    Args:
        carrier: Serves requests and sockets.
        bound: Where.
        prefer_fast: Whether httptools is used where it is installed.
        encrypted: How connections are encrypted at the addresses that are; the others are plain.
        private: Bound Unix sockets besides, plain.
    """

    def __init__(
        self,
        carrier: Carrier,
        bound: Bound,
        *,
        prefer_fast: bool = True,
        encrypted: Mapping[Address, ssl.SSLContext] = MappingProxyType({}),
        private: Sequence[socket.socket] = (),
    ) -> None:
        self._carrier = carrier
        self._bound = bound
        self._private = private
        self._encrypted = encrypted
        self._config = Config(
            carrier,
            http=http_protocol(prefer_fast),
            ws=Link,
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(IDLE_TIMEOUT_S),
            h11_max_incomplete_event_size=HEADER_MAX_BYTES,
        )
        self._state = ServerState()
        self._servers: list[asyncio.Server | TlsServer] = []
        self._clock: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Accept connections from now on.

        Raises:
            InstarError: `address_unusable` when another process was quicker.
        """
        loop = asyncio.get_running_loop()
        self._config.load()
        self._set_date(loop)
        protocol = partial(
            self._config.http_protocol_class, config=self._config, server_state=self._state, app_state={}, _loop=loop
        )
        self._carrier.heartbeat.start()
        for bound, address in zip(*self._bound, strict=True):
            try:
                bound.listen(LISTEN_BACKLOG)
            except OSError as error:
                raise unusable(str(address), address.port, error) from None
            if (context := self._encrypted.get(address)) is not None:
                self._servers.append(TlsServer(bound, protocol, context, self._carrier))
            else:
                self._servers.append(await loop.create_server(protocol, sock=bound, backlog=LISTEN_BACKLOG))
        for bound in self._private:
            self._servers.append(await loop.create_unix_server(protocol, sock=bound))

    def _set_date(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write the Date header once a second, for every response."""
        self._state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
        self._clock = loop.call_later(1.0, self._set_date, loop)

    def stop_accepting(self) -> None:
        """Accept nothing new; end idle connections; tell sockets and streams to end."""
        for server in self._servers:
            server.close()
        for connection in tuple(self._state.connections):
            connection.shutdown()
        self._carrier.streams.stop()

    async def drain(self, grace_s: float) -> bool:
        """Wait until requests, streams and sockets have ended; return whether they did in time."""
        deadline = time.monotonic() + grace_s
        while self._is_busy() and time.monotonic() < deadline:  # noqa: ASYNC110 - uvicorn's sets tell nobody
            await asyncio.sleep(_POLL_S)
        return not self._is_busy()

    def _is_busy(self) -> bool:
        return bool(self._state.tasks or len(self._carrier.streams) or self._state.connections)

    async def close(self) -> None:
        """Drop what is left."""
        for server in self._servers:
            if isinstance(server, TlsServer):
                await server.abort()
        self._carrier.streams.abort()
        for connection in tuple(self._state.connections):
            connection.transport.abort()
        tasks = tuple(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._carrier.heartbeat.stop()
        if self._clock is not None:
            self._clock.cancel()
        await asyncio.sleep(0)


class Signals:
    """SIGTERM and SIGINT: the first asks to stop, the second to stop at once.

    Args:
        exit_process: Ends the process when it is still there `FORCED_EXIT_S` after the second signal.
    """

    def __init__(self, exit_process: Callable[[int], object] = os._exit) -> None:
        self._exit_process = exit_process
        self._forced: asyncio.TimerHandle | None = None
        self.stopping = asyncio.Event()
        self.at_once = asyncio.Event()

    def install(self) -> None:
        """Handle both signals on the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.received, number)

    def received(self, number: int) -> None:
        """Take one signal."""
        if not self.stopping.is_set():
            self.stopping.set()
        elif not self.at_once.is_set():
            self.at_once.set()
            loop = asyncio.get_running_loop()
            self._forced = loop.call_later(FORCED_EXIT_S, self._exit_process, 128 + number)

    def remove(self) -> None:
        """Handle them no more."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        if self._forced is not None:
            self._forced.cancel()


async def serve(
    carrier: Carrier,
    bound: Bound,
    *,
    on_ready: Callable[[Sequence[Address]], None],
    on_stopping: Callable[[], Awaitable[None]],
    signals: Signals | None = None,
    grace_s: float = SHUTDOWN_GRACE_S,
    prefer_fast: bool = True,
    encrypted: Mapping[Address, ssl.SSLContext] = MappingProxyType({}),
    private: Sequence[socket.socket] = (),
) -> bool:
    """Serve until a signal asks to stop; return whether everything drained.

    The order at the end: accept nothing new, tell sockets (1012) and streams, call `on_stopping` (doors and runs),
    wait for what is under way, drop the rest. The caller closes the store after that: what was acknowledged is on disk
    at any time, so the second signal may cut all of this short.
    """
    signals = signals or Signals()
    carrier.max_connections = carrier.max_connections or raise_file_limit()
    server = Server(carrier, bound, prefer_fast=prefer_fast, encrypted=encrypted, private=private)
    await server.start()
    signals.install()
    settle()
    on_ready(bound.listening)
    try:
        await signals.stopping.wait()
        _log.info("stopping", grace_s=grace_s, streams=len(carrier.streams))
        server.stop_accepting()
        drained = await _unless(signals.at_once, _drain(server, on_stopping, grace_s))
        if not drained:
            _log.warning("dropped what was still under way", streams=len(carrier.streams))
        return bool(drained)
    finally:
        await server.close()
        signals.remove()


async def _drain(server: Server, on_stopping: Callable[[], Awaitable[None]], grace_s: float) -> bool:
    try:
        async with asyncio.timeout(grace_s):
            await on_stopping()
    except TimeoutError:
        return False
    return await server.drain(grace_s)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of `work`, or None when `stop` is set first."""
    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        watch.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


def settle() -> None:
    """Leave what the start made out of every later garbage collection, and collect rarely: hub objects live long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on uvloop where it is installed, else on asyncio's own loop."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if find_spec("uvloop") is not None:
        import uvloop  # noqa: PLC0415 - optional

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
