"""HTTP, server-sent events and WebSockets over TLS, on real sockets, with both event loops and both parsers."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from instar.hub.settings.tree import Settings
from instar.server import tls, tls_accept
from instar.server.guard import Guard
from instar.server.http import Carrier
from instar.wire.http import Request, Response, StreamResponse
from instar.wire.limits import SEND_HIGH_BYTES

from .conftest import Raw, Running, Socket, StubDoor, running, until

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def certificate(tmp_path: Path) -> tls.Certificate:
    return tls.prepare(Settings(), tmp_path)


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest, certificate: tls.Certificate, prefer_fast: bool):
    """Run a test against a TLS server, on the loop that the hub runs on and on the other."""

    def run(test: Callable[[Running], Awaitable[None]], door: StubDoor | None = None, **options: bool) -> None:
        async def main() -> None:
            trusting = ssl.create_default_context(cafile=str(certificate.certificate))
            async with running(
                door or StubDoor(answer), encrypted=tls.context_of(certificate), trusting=trusting,
                prefer_fast=prefer_fast, **options,
            ) as hub:  # fmt: skip
                await asyncio.wait_for(test(hub), 20)

        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(main())

    return run


async def answer(request: Request) -> Response | StreamResponse:
    if request.path == "/sse":
        return StreamResponse(200, ticks(), "text/event-stream")
    body = await request.read_body(1 << 24)
    return Response(200, b"%s %d" % (request.scheme.encode(), len(body)), "text/plain")


async def ticks() -> AsyncIterator[bytes]:
    for n in range(3):
        yield b"data: %d\n\n" % n
        await asyncio.sleep(0)


def test_requests_and_large_bodies(run) -> None:
    async def test(hub: Running) -> None:
        assert (await hub.get("/")).body == b"https 0"
        assert (await hub.post("/", b"x" * 3_000_000)).body == b"https 3000000"

    run(test)


def test_server_sent_events(run) -> None:
    async def test(hub: Running) -> None:
        assert (await hub.get("/sse")).body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"

    run(test)


def test_a_websocket_takes_the_transport_over(run) -> None:
    door = StubDoor()

    async def test(hub: Running) -> None:
        async with await hub.socket() as link:
            for payload in (b"hello", b"x" * 70_000, b"y" * 1_000_000):
                link.send(1, payload)
                assert await link.receive() == (1, payload)
            link.send(8, (1000).to_bytes(2, "big"))
            assert await link.until_end() == [(8, (1000).to_bytes(2, "big"))]
        (session,) = door.sessions
        await asyncio.wait_for(session.has_closed.wait(), 5)
        assert session.closed_with == [1000]

    run(test, door)


def test_a_socket_that_lags_hears_when_it_may_go_on(run) -> None:
    door = StubDoor()

    async def test(hub: Running) -> None:
        async with await hub.socket() as link:
            (session,) = door.sessions
            assert session.connection is not None
            frame = Socket.frame(1, b"z" * 60_000, mask=False)
            sent = 0
            while session.connection.buffered_bytes() < 2 * SEND_HIGH_BYTES:
                session.connection.send_frames(frame)
                sent += 1
                await asyncio.sleep(0)
            for _ in range(sent):
                assert await link.receive() == (1, b"z" * 60_000)
            await until(lambda: session.writable_calls > 0)

    run(test, door)


def test_the_hub_closes_its_sockets_when_it_stops(run) -> None:
    async def test(hub: Running) -> None:
        async with await hub.socket() as link:
            hub.server.stop_accepting()
            farewell = await link.receive()
            assert farewell is not None
            assert farewell[1][:2] == (1012).to_bytes(2, "big")
            link.send(8, farewell[1])
            assert await link.until_end() == []
        with pytest.raises(OSError):  # noqa: PT011 - refused or reset, as the system likes
            await (await hub.connect()).answer()

    run(test)


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"hello\r\n", b"POST / HTTP/1.1\r\n"])
def test_who_speaks_plain_text_is_told(run, sent: bytes) -> None:
    async def test(hub: Running) -> None:
        async with await hub.connect_plain() as raw:
            raw.send(sent)
            refusal = await raw.answer()
            assert refusal.status == 400
            assert b"speaks TLS" in refusal.body
            assert b"https://" in refusal.body
            assert await raw.reader.read() == b""
        assert (await hub.get("/")).status == 200

    run(test)


def test_a_handshake_that_fails_harms_nobody(run) -> None:
    async def test(hub: Running) -> None:
        for hello in (b"\x16\x03\x01\x00\x05nope!", b"\x16"):
            async with await hub.connect_plain() as raw:
                raw.send(hello)
                raw.writer.write_eof()
                await raw.reader.read()
        async with await hub.connect_plain():
            pass
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", hub.port, ssl=ssl.create_default_context())
        assert (await hub.get("/")).status == 200

    run(test)


def test_a_silent_connection_is_dropped(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_accept, "TLS_HANDSHAKE_S", 0.05)

    async def test(hub: Running) -> None:
        async with await hub.connect_plain() as raw:
            assert await raw.reader.read() == b""
        async with await hub.connect_plain() as raw:
            raw.send(b"\x16\x03")
            assert await raw.reader.read() == b""

    run(test)


def test_handshakes_under_way_are_bounded(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_accept, "TLS_HANDSHAKES_MAX", 2)

    async def test(hub: Running) -> None:
        waiting: list[Raw] = [await hub.connect_plain() for _ in range(2)]
        async with await hub.connect_plain() as third:
            assert await third.reader.read() == b""
        for raw in waiting:
            await raw.close()
        async with await _patiently(hub) as raw:
            raw.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await raw.answer()).status == 200

    run(test)


async def _patiently(hub: Running) -> Raw:
    """Connect as soon as there is a place again."""
    while True:
        try:
            return await hub.connect()
        except OSError:
            await asyncio.sleep(0.005)


def test_strict_transport_only_where_it_is_asked_for(run) -> None:
    async def test(hub: Running) -> None:
        assert (await hub.get("/")).headers["strict-transport-security"].startswith("max-age=")
        assert "strict-transport-security" in (await hub.get("/sse")).headers

    async def no_test(hub: Running) -> None:
        assert "strict-transport-security" not in (await hub.get("/")).headers

    run(test, is_strict=True)
    run(no_test)


@pytest.mark.parametrize(
    ("arguments", "is_taken"),
    [
        (["-tls1_3"], True),
        (["-tls1_2"], True),
        (["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"], False),
        (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"], False),
        (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], False),
    ],
)
async def test_versions_and_ciphers(certificate: tls.Certificate, arguments: list[str], is_taken: bool) -> None:
    async with running(encrypted=tls.context_of(certificate)) as hub:
        done = await asyncio.to_thread(
            subprocess.run,
            ["openssl", "s_client", "-brief", "-connect", f"127.0.0.1:{hub.port}", *arguments],
            input=b"", capture_output=True, check=False,
        )  # fmt: skip
    assert (b"CONNECTION ESTABLISHED" in done.stderr) is is_taken, done.stderr


async def test_an_address_without_descriptors_tries_again(
    certificate: tls.Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_accept, "_RESUME_S", 0.05)
    left, right = socket.socketpair()

    class OutOfFiles:
        tries = 0

        def fileno(self) -> int:
            return right.fileno()

        def close(self) -> None:
            pass

        def accept(self) -> tuple[socket.socket, object]:
            self.tries += 1
            raise OSError(24, "Too many open files")

    bound = OutOfFiles()
    server = tls_accept.TlsServer(bound, asyncio.Protocol, tls.context_of(certificate), Carrier([], Guard([])))  # type: ignore[arg-type]
    left.send(b"x")
    await until(lambda: bound.tries == 2)
    server.close()
    left.close()
    right.close()


def test_a_handshake_that_ends_after_the_hub_began_to_stop_is_closed(run) -> None:
    async def test(hub: Running) -> None:
        client = ssl.MemoryBIO(), ssl.MemoryBIO()
        assert hub.trusting is not None
        encryption = hub.trusting.wrap_bio(*client, server_hostname="127.0.0.1")
        raw = await hub.connect_plain()
        with pytest.raises(ssl.SSLWantReadError):
            encryption.do_handshake()
        raw.send(client[1].read())
        client[0].write(await raw.reader.read(65_536))
        hub.server.stop_accepting()
        encryption.do_handshake()
        with pytest.raises(ssl.SSLWantReadError):
            encryption.unwrap()
        raw.send(client[1].read())
        while chunk := await raw.reader.read(65_536):
            client[0].write(chunk)
        assert await hub.server.drain(5)
        await raw.close()

    run(test)
