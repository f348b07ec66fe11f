"""A WebSocket over asyncio streams: the sockets around websockets' protocol core."""

import asyncio
import ssl
from collections import deque
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from .connections import base_path, check_host
from .errors import HubError, TimedOutError, UnreachableError, error_of
from .trust import AUTHORITIES, Trust, check_certificate, context_of, fingerprint_at, untrusted

CONNECT_S = 10.0
"""How long a connection and its handshake may take."""
CLOSE_S = 2.0
"""How long a closing connection may take to get rid of what waits; one that is dead never would."""
MESSAGE_MAX_BYTES = 67_108_864
"""Largest message that is taken from a hub."""
_READ_BYTES = 262_144


class WebSocket:
    """One open WebSocket; `open_websocket` makes it."""

    def __init__(
        self, protocol: ClientProtocol, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, url: str
    ) -> None:
        self._protocol = protocol
        self._reader = reader
        self._writer = writer
        self._url = url
        self._parts: list[bytes] = []
        self._whole: deque[tuple[bytes, bool]] = deque()
        self._is_text = True

    def send(self, payload: bytes) -> None:
        """Send one text message; on a closed socket it goes nowhere."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(payload)
            self._flush()

    def send_bytes(self, payload: bytes) -> None:
        """Send one binary message; on a closed socket it goes nowhere."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_binary(payload)
            self._flush()

    async def drain(self) -> None:
        """Wait while the hub takes less than is sent; a connection that broke is no error here."""
        try:
            await self._writer.drain()
        except OSError:
            return

    async def receive(self) -> tuple[bytes, bool] | None:
        """Return the next whole message and whether it is text, or None once the socket is closed.

        It may be cancelled without loss.

        Raises:
            UnreachableError: The connection broke.
        """
        try:
            while not self._whole:
                if self._protocol.state is State.CLOSED or self._reader.at_eof():
                    return None
                await self._read()
                for event in self._protocol.events_received():
                    if isinstance(event, Frame):
                        self._assemble(event)
                self._flush()
        except OSError as error:
            raise UnreachableError(f"the link to {self._url} broke ({error.strerror or error})") from error
        return self._whole.popleft()

    async def close(self) -> None:
        """Say good-bye and let go of the socket."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)
            self._flush()
        self._writer.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()
        except TimeoutError:
            self._writer.transport.abort()
        except OSError:
            return

    async def handshake(self, token: str) -> None:
        """Ask for the upgrade.

        Raises:
            HubError: The hub refused it, or what answered is no hub.
        """
        request = self._protocol.connect()
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        self._protocol.send_request(request)
        self._flush()
        while self._protocol.state is State.CONNECTING and self._protocol.handshake_exc is None:
            if self._reader.at_eof():
                raise UnreachableError(f"{self._url} hung up during the handshake")
            await self._read()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._assemble(event)
        refusal = self._protocol.handshake_exc
        if isinstance(refusal, InvalidStatus) and refusal.response.status_code >= HTTPStatus.BAD_REQUEST:
            answer = refusal.response
            raise error_of(answer.status_code, bytes(answer.body or b""), answer.headers.get("Retry-After", ""))
        if refusal is not None:
            raise HubError("bad_gateway", f"{self._url} is no hub: {refusal}")

    async def _read(self) -> None:
        chunk = await self._reader.read(_READ_BYTES)
        if chunk:
            self._protocol.receive_data(chunk)
        else:
            self._protocol.receive_eof()

    def _flush(self) -> None:
        for chunk in self._protocol.data_to_send():
            if chunk and not self._writer.is_closing():
                self._writer.write(chunk)

    def _assemble(self, frame: Frame) -> None:
        """Take a frame; a message that it completes is whole."""
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._is_text = frame.opcode is Opcode.TEXT
            self._parts = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
        else:
            return
        if frame.fin:
            self._whole.append((b"".join(self._parts), self._is_text))


async def open_websocket(
    url: str, path: str, *, token: str = "", subprotocol: str = "", trust: Trust = AUTHORITIES
) -> WebSocket:
    """Connect to a hub at `http(s)://…` or `unix:/PATH` and upgrade at `path`.

    Raises:
        HubError: The hub's refusal, `UnreachableError` or `TimedOutError`; `hub_changed` or `hub_untrusted` before
            anything is sent.
    """
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    check_host(parts.hostname or "")
    place = "localhost" if parts.scheme == "unix" else parts.netloc
    uri = parse_uri(f"{'wss' if is_tls else 'ws'}://{place}{base_path(url)}{path}")
    offered = [Subprotocol(subprotocol)] if subprotocol else None
    protocol = ClientProtocol(uri, subprotocols=offered, max_size=MESSAGE_MAX_BYTES)
    try:
        async with asyncio.timeout(CONNECT_S):
            if parts.scheme == "unix":
                reader, writer = await asyncio.open_unix_connection(unquote(parts.path))
            else:
                context = context_of(trust) if is_tls else None
                reader, writer = await asyncio.open_connection(uri.host, uri.port, ssl=context)
            if is_tls:
                await _check(writer, trust, url)
            socket = WebSocket(protocol, reader, writer, url)
            try:
                await socket.handshake(token)
            except BaseException:
                await socket.close()
                raise
    except ssl.SSLCertVerificationError as error:
        raise untrusted(url, await asyncio.to_thread(fingerprint_at, url, CONNECT_S)) from error
    except TimeoutError as error:
        raise TimedOutError(f"the hub at {url} did not answer in time") from error
    except OSError as error:
        raise UnreachableError(f"no hub answers at {url} ({error.strerror or error})") from error
    return socket


async def _check(writer: asyncio.StreamWriter, trust: Trust, url: str) -> None:
    """Let go of a hub whose certificate is not the pinned one."""
    encryption = writer.get_extra_info("ssl_object")
    try:
        check_certificate(encryption.getpeercert(binary_form=True), trust, url)
    except HubError:
        writer.transport.abort()
        raise
