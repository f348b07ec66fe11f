"""A real server on a free port of this process, around stub doors; other suites reuse `running`."""

import asyncio
import base64
import os
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from instar.server.guard import Guard
from instar.server.heartbeat import Heartbeat
from instar.server.http import Carrier
from instar.server.lifecycle import Server
from instar.server.sockets import bind
from instar.server.streams import Streams
from instar.wire.http import Connection, Door, Request, Response, StreamResponse, Upgrade


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until `condition` holds; the test's own time limit is the deadline."""
    while not condition():  # noqa: ASYNC110 - what is waited for belongs to the code under test
        await asyncio.sleep(0.001)


class Running:
    """A server that runs: `base_url`, `port`, and what it is made of."""

    def __init__(self, carrier: Carrier, server: Server, port: int, trusting: ssl.SSLContext | None = None) -> None:
        self.carrier = carrier
        self.server = server
        self.port = port
        self.trusting = trusting
        """How clients encrypt; None: they do not."""
        self.base_url = f"http{'s' if trusting else ''}://127.0.0.1:{port}"

    async def connect(self) -> "Raw":
        """Open a connection, encrypted where the server is."""
        return Raw(*await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 26, ssl=self.trusting))

    async def connect_plain(self) -> "Raw":
        """Open a connection that is not encrypted."""
        return Raw(*await asyncio.open_connection("127.0.0.1", self.port))

    async def request(self, head: str, body: bytes = b"") -> "Answer":
        """Send one request on its own connection; `{host}` in the head is this server's."""
        async with await self.connect() as raw:
            raw.send(
                head.format(host=f"127.0.0.1:{self.port}").replace("\n", "\r\n").encode("latin-1") + b"\r\n" + body
            )
            return await raw.answer()

    async def get(self, path: str, **headers: str) -> "Answer":
        return await self.request(f"GET {path} HTTP/1.1\nHost: {{host}}\n{_lines(headers)}")

    async def post(self, path: str, body: bytes, **headers: str) -> "Answer":
        size = f"Content-Length: {len(body)}\n"
        return await self.request(f"POST {path} HTTP/1.1\nHost: {{host}}\n{size}{_lines(headers)}", body)

    async def socket(self, path: str = "/echo", **headers: str) -> "Socket":
        """Open a WebSocket; fails unless it is accepted."""
        raw = await self.connect()
        answer = await raw.shake_hands(path, f"127.0.0.1:{self.port}", **headers)
        assert answer.status == 101, answer
        return Socket(raw, answer)


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())


class Answer:
    """A response as it came."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self) -> str:
        return f"{self.status} {self.headers} {self.body[:200]!r}"


class Raw:
    """A TCP connection that speaks as much HTTP as the tests need."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def __aenter__(self) -> "Raw":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    def send(self, raw: bytes) -> None:
        self.writer.write(raw)

    async def head(self) -> Answer:
        """Read a response head."""
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = text.rstrip("\r\n").split("\r\n")
        headers = dict(line.lower().split(": ", 1) if ": " in line else (line, "") for line in lines)
        return Answer(int(first.split()[1]), headers, b"")

    async def answer(self, *, is_head: bool = False) -> Answer:
        """Read a whole response."""
        answer = await self.head()
        if is_head or answer.status in {101, 204, 304}:
            return answer
        if answer.headers.get("transfer-encoding") == "chunked":
            while size := int(await self.reader.readline(), 16):
                answer.body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
        else:
            answer.body = await self.reader.readexactly(int(answer.headers["content-length"]))
        return answer

    async def shake_hands(self, path: str, host: str, **headers: str) -> Answer:
        head = {
            "Host": host,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if value)
        self.send(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))
        return await self.answer()


class Socket:
    """The client half of RFC 6455, written from the RFC: it can also send what the RFC forbids."""

    def __init__(self, raw: Raw, handshake: Answer) -> None:
        self.raw = raw
        self.handshake = handshake

    async def __aenter__(self) -> "Socket":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.raw.close()

    @staticmethod
    def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True) -> bytes:
        head = bytes([(fin << 7) | (rsv << 4) | opcode])
        size = len(payload)
        bit = mask << 7
        if size < 126:
            head += bytes([bit | size])
        elif size < 65_536:
            head += bytes([bit | 126]) + struct.pack("!H", size)
        else:
            head += bytes([bit | 127]) + struct.pack("!Q", size)
        if not mask:
            return head + payload
        key = os.urandom(4)
        repeated = (key * (size // 4 + 1))[:size]
        masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
        return head + key + masked.to_bytes(size, "big")

    def send(self, opcode: int, payload: bytes = b"", **how: bool | int) -> None:
        self.raw.send(self.frame(opcode, payload, **how))  # type: ignore[arg-type]

    async def receive(self) -> tuple[int, bytes] | None:
        """Return the next frame as (opcode, payload); None when the server has ended the stream."""
        reader = self.raw.reader
        try:
            first, second = await reader.readexactly(2)
            assert first & 0xF0 == 0x80, "the hub sends final frames without extension bits"
            assert not second & 0x80, "a server does not mask"
            size = second
            if second == 126:
                (size,) = struct.unpack("!H", await reader.readexactly(2))
            elif second == 127:
                (size,) = struct.unpack("!Q", await reader.readexactly(8))
            return first & 0x0F, await reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def until_end(self) -> list[tuple[int, bytes]]:
        """Return every frame up to the end of the stream."""
        frames: list[tuple[int, bytes]] = []
        while (frame := await self.receive()) is not None:
            frames.append(frame)
        return frames


class EchoSession:
    """Sends back what it gets; remembers what happened to it."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.received_messages: list[tuple[bytes, bool]] = []
        self.writable_calls = 0
        self.farewell = b""
        self.closed_with: list[int] = []
        self.has_closed = asyncio.Event()

    def opened(self, connection: Connection) -> None:
        self.connection = connection

    def received(self, payload: bytes, is_text: bool) -> None:
        self.received_messages.append((payload, is_text))
        assert self.connection is not None
        if payload == b"raise":
            raise RuntimeError("as asked")
        if is_text:
            self.connection.send_text(payload)
        else:
            self.connection.send_frames(b"\x82" + _text_head(payload) + payload)

    def writable(self) -> None:
        self.writable_calls += 1

    def stopping(self) -> None:
        if self.farewell and self.connection is not None:
            self.connection.send_text(self.farewell)

    def closed(self, code: int) -> None:
        self.closed_with.append(code)
        self.has_closed.set()


def _text_head(payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([size])
    return b"\x7e" + struct.pack("!H", size) if size < 65_536 else b"\x7f" + struct.pack("!Q", size)


class StubDoor:
    """A door made of one function; sockets at `/echo` echo."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response | StreamResponse | None]] | None = None) -> None:
        self._answer = answer
        self.sessions: list[EchoSession] = []

    async def handle(self, request: Request) -> Response | StreamResponse | None:
        return await self._answer(request) if self._answer is not None else None

    async def upgrade(self, request: Request) -> Upgrade | None:
        if request.path != "/echo":
            return None
        self.sessions.append(session := EchoSession())
        offered = request.headers.get("sec-websocket-protocol", "")
        return Upgrade(session, "echo.v1" if "echo.v1" in offered else None, principal="p")


@asynccontextmanager
async def running(
    *doors: Door,
    heartbeat: Heartbeat | None = None,
    streams: Streams | None = None,
    access_log: bool = False,
    prefer_fast: bool = True,
    encrypted: ssl.SSLContext | None = None,
    trusting: ssl.SSLContext | None = None,
    is_strict: bool = False,
    **guard: list[str],
) -> AsyncIterator[Running]:
    """Run a server with these doors on a free loopback port."""
    bound = bind(["127.0.0.1:0"])
    carrier = Carrier(
        doors,
        Guard(bound.listening, **guard),
        heartbeat=heartbeat,
        streams=streams,
        access_log=access_log,
        is_strict=is_strict,
    )
    contexts = {bound.listening[0]: encrypted} if encrypted else {}
    server = Server(carrier, bound, prefer_fast=prefer_fast, encrypted=contexts)
    await server.start()
    try:
        yield Running(carrier, server, bound.listening[0].port, trusting)
    finally:
        server.stop_accepting()
        await server.close()
        for _ in range(5):
            await asyncio.sleep(0)
        bound.close()


@pytest.fixture(params=[True, False], ids=["httptools", "h11"])
def prefer_fast(request: pytest.FixtureRequest) -> bool:
    """Both HTTP parsers."""
    return bool(request.param)
