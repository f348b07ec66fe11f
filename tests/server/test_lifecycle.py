"""Start, ready, drain, end: in this process with signals sent by hand, and once as a real process."""

import asyncio
import gc
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence

import pytest

from instar.base.errors import InstarError
from instar.hub.settings.binding import Address
from instar.server.guard import Guard
from instar.server.http import Carrier
from instar.server.lifecycle import Signals, run, serve
from instar.server.sockets import bind
from instar.wire.http import Request, Response, StreamResponse

from .conftest import Raw, Socket, StubDoor, until


@pytest.fixture(autouse=True)
def _collector():
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Hub:
    """`serve` as a task."""

    def __init__(self, door: StubDoor, *, grace_s: float = 10.0) -> None:
        self.bound = bind(["127.0.0.1:0", "localhost:0"])
        self.carrier = Carrier([door], Guard(self.bound.listening))
        self.exits: list[int] = []
        self.signals = Signals(self.exits.append)
        self.ready: list[Address] = []
        self.told = 0
        self.task = asyncio.ensure_future(
            serve(
                self.carrier,
                self.bound,
                on_ready=self._on_ready,
                on_stopping=self._on_stopping,
                signals=self.signals,
                grace_s=grace_s,
            )
        )

    def _on_ready(self, listening: Sequence[Address]) -> None:
        self.ready += listening

    async def _on_stopping(self) -> None:
        self.told += 1

    async def connect(self, which: int = 0) -> Raw:
        await until(lambda: bool(self.ready))
        return Raw(*await asyncio.open_connection(*self.ready[which]))


async def test_every_address_serves_and_names_its_real_port() -> None:
    hub = Hub(StubDoor())
    for which in (0, 1):
        async with await hub.connect(which) as raw:
            raw.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await raw.answer()).status == 404
    assert 0 not in {address.port for address in hub.ready}
    os.kill(os.getpid(), signal.SIGTERM)
    assert await hub.task is True
    assert hub.told == 1


async def test_what_is_under_way_is_finished() -> None:
    going_on = asyncio.Event()
    started = asyncio.Event()
    stream_closed = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            stream_closed.set()

    async def door(request: Request) -> Response | StreamResponse:
        if request.path == "/stream":
            return StreamResponse(200, chunks(), "text/plain")
        started.set()
        await going_on.wait()
        return Response(200, b"done")

    stub = StubDoor(door)
    hub = Hub(stub)
    slow, streaming, idle, live = [await hub.connect() for _ in range(4)]
    slow.send(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
    streaming.send(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await streaming.head()
    answer = await live.shake_hands("/echo", "localhost")
    link = Socket(live, answer)
    await started.wait()
    hub.signals.received(signal.SIGTERM)
    assert (await link.receive() or (0, b""))[1][:2] == struct.pack("!H", 1012)
    link.send(8, struct.pack("!H", 1012))
    assert await streaming.reader.read() == b"5\r\nfirst\r\n0\r\n\r\n"
    assert stream_closed.is_set()
    assert await idle.reader.read() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", hub.ready[0].port)
    assert not hub.task.done()
    going_on.set()
    finished = await slow.answer()
    assert finished.body == b"done"
    assert finished.headers["connection"] == "close"
    assert await hub.task is True
    assert stub.sessions[0].closed_with == [1012]
    for raw in (slow, streaming, idle, live):
        await raw.close()


async def test_what_does_not_end_in_time_is_dropped() -> None:
    async def door(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    hub = Hub(StubDoor(door), grace_s=0.05)
    async with await hub.connect() as raw:
        raw.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: len(hub.carrier.heartbeat.connections) == 1)
        await asyncio.sleep(0.02)
        hub.signals.received(signal.SIGTERM)
        assert await hub.task is False


async def test_the_second_signal_ends_the_wait_at_once() -> None:
    hub = Hub(StubDoor(), grace_s=3_600)
    raw = await hub.connect()
    assert (await raw.shake_hands("/echo", "localhost")).status == 101
    hub.signals.received(signal.SIGTERM)
    hub.signals.received(signal.SIGINT)
    hub.signals.received(signal.SIGINT)
    assert await hub.task is False
    assert hub.exits == []
    await raw.close()


async def test_a_process_that_hangs_after_the_second_signal_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.server.lifecycle.FORCED_EXIT_S", 0.0)
    exits: list[int] = []
    signals = Signals(exits.append)
    signals.received(signal.SIGTERM)
    signals.received(signal.SIGINT)
    await until(lambda: bool(exits))
    assert exits == [130]


async def test_a_port_that_is_taken_between_bind_and_start_is_named() -> None:
    first = bind(["127.0.0.1:0"])
    port = first.listening[0].port
    second = bind([f"127.0.0.1:{port}"])
    first.sockets[0].listen()
    with pytest.raises(InstarError, match=str(port)):
        await serve(Carrier([], Guard([])), second, on_ready=print, on_stopping=asyncio.Event().wait)  # type: ignore[arg-type]
    first.close()
    second.close()


def test_run_uses_a_fresh_loop() -> None:
    async def name() -> str:
        return type(asyncio.get_running_loop()).__module__

    assert run(name()) in {"uvloop", "asyncio.unix_events"}


PROGRAM = """
import asyncio, sys
from instar.server.guard import Guard
from instar.server.http import Carrier
from instar.server.lifecycle import run, serve
from instar.server.sockets import bind

async def main():
    bound = bind(["127.0.0.1:0"])
    async def stopping(): print("stopping", flush=True)
    done = await serve(Carrier([], Guard(bound.listening)), bound,
                       on_ready=lambda at: print(at[0].port, flush=True), on_stopping=stopping)
    print("drained", done, flush=True)

run(main())
"""


def test_as_a_process() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 404"
            process.send_signal(signal.SIGTERM)
            assert process.stdout.read().splitlines()[-2:] == ["stopping", "drained True"]
        assert process.wait() == 0
