"""Watched calls of one native link, driven by hand."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from instar.base.errors import InstarError
from instar.base.tasks import TaskScope
from instar.doors.network.call_streams import CallStreams
from instar.wire.calls import Call, CallState
from instar.wire.limits import LINK_CREDIT_BYTES, WATCH_BUFFER_MAX_BYTES
from instar.wire.native.actions import SendBytes
from instar.wire.native.frames import CloseInput, Credit, Hello, Unwatch, Watch, Welcome, chunk_frame
from instar.wire.native.machine import ServerMachine

from .stand_in import MADE, settle

CALL = Call("call_1", "exec", CallState.DONE, MADE, "operator")


class Watched:
    """Stands for `hub.operations.CallWatch`."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def allow(self, channel: int, upto: int) -> None:
        self.heard.append((channel, upto))

    def write(self, offset: int, content: bytes) -> None:
        if content == b"forbidden":
            raise InstarError("forbidden", "needs scope execute")
        self.heard.append((offset, content))

    def close_input(self, size_bytes: int) -> None:
        self.heard.append(size_bytes)

    def close(self) -> None:
        self.heard.append("closed")


class Bench:
    """A hub with one call, and a client that watches."""

    def __init__(self) -> None:
        self.crashes: list[BaseException] = []
        self.tasks = TaskScope(lambda name, error: self.crashes.append(error))
        self.machine = ServerMachine()
        self.machine.start(0.0)
        self.machine.receive(msgspec.json.encode(Hello()), True, 0.0)
        self.machine.welcome(Welcome("0", "local", "operator", ""))
        self.streams = CallStreams(self, "caller", self.machine, self, self.tasks)  # type: ignore[arg-type]
        self.watch = Watched()
        self.watchers: list[Any] = []
        self.offsets: Mapping[int, int] = {}
        self.sent: list[Any] = []
        self.buffered = 0
        self.lagged = 0
        self.hold: asyncio.Event | None = None

    async def watch_call(self, caller: Any, call_id: str, watcher: Any, offsets: Mapping[int, int]) -> Watched:
        assert caller == "caller"
        if self.hold is not None:
            await self.hold.wait()
        if call_id != "call_1":
            raise InstarError("not_found", "there is no such call")
        self.offsets = offsets
        self.watchers.append(watcher)
        return self.watch

    def do(self, actions: Any) -> None:
        for action in actions:
            is_bytes = isinstance(action, SendBytes)
            self.sent.append(action.payload if is_bytes else msgspec.json.decode(action.payload))

    def buffered_bytes(self) -> int:
        return self.buffered

    def lag(self) -> None:
        self.lagged += 1

    async def say(self, frame: Any) -> None:
        payload = frame if isinstance(frame, bytes) else msgspec.json.encode(frame)
        for action in self.machine.receive(payload, not isinstance(frame, bytes), 0.0):
            self.streams.heard(action)  # type: ignore[arg-type]
        await settle()


@pytest.fixture
async def bench() -> Any:
    bench = Bench()
    yield bench
    await bench.tasks.close()
    assert bench.crashes == []


async def test_output_goes_out_and_credit_in(bench: Bench) -> None:
    await bench.say(Watch(3, "call_1", {"1": 7, "9": 1, "x": 2}, 2 * LINK_CREDIT_BYTES))
    [watcher] = bench.watchers
    assert bench.offsets == {1: 7}
    assert bench.watch.heard == [(1, 7 + 2 * LINK_CREDIT_BYTES), (2, 2 * LINK_CREDIT_BYTES)]
    watcher.output(1, 7, b"out")
    assert bench.sent == [chunk_frame(3, 1, 7, b"out")]
    await bench.say(Credit(3, 1, 5))
    await bench.say(Credit(3, 1, 3 * LINK_CREDIT_BYTES))
    assert bench.watch.heard[2:] == [(1, 3 * LINK_CREDIT_BYTES)]
    watcher.ended(CALL)
    assert bench.sent[-1]["call"]["id"] == "call_1"
    assert bench.watch.heard[-1] == "closed"
    await bench.say(Credit(3, 1, 4 * LINK_CREDIT_BYTES))


async def test_output_that_cannot_be_read_ends_its_stream_alone(bench: Bench) -> None:
    await bench.say(Watch(3, "call_1"))
    await bench.say(Watch(4, "call_1"))
    bench.watchers[0].failed(InstarError("output_gone", "its file was removed"))
    assert (bench.sent[-1]["t"], bench.sent[-1]["stream"]) == ("watched", 3)
    assert bench.sent[-1]["error"]["code"] == "output_gone"
    assert list(bench.streams._streams) == [4]
    bench.watchers[1].output(1, 0, b"out")
    assert bench.sent[-1] == chunk_frame(4, 1, 0, b"out")


async def test_a_client_that_does_not_read_what_it_grants(bench: Bench) -> None:
    await bench.say(Watch(3, "call_1"))
    bench.buffered = LINK_CREDIT_BYTES + 1
    await bench.say(Credit(3, 1, 2**40))
    assert bench.watch.heard == []
    bench.buffered = 0
    bench.streams.writable()
    assert bench.watch.heard == [(1, 2**40)]
    bench.buffered = WATCH_BUFFER_MAX_BYTES + 1
    bench.watchers[0].output(1, 0, b"out")
    assert bench.lagged == 1


async def test_input_goes_to_the_call_as_it_takes_it(bench: Bench) -> None:
    await bench.say(Watch(3, "call_1"))
    bench.watchers[0].allowed(20)
    assert bench.sent[-1] == {"t": "credit", "stream": 3, "channel": 0, "upto": 20}
    await bench.say(chunk_frame(3, 0, 0, b"in"))
    await bench.say(CloseInput(3, 2))
    assert bench.watch.heard == [(0, b"in"), 2]
    await bench.say(chunk_frame(3, 0, 2, b"forbidden"))
    assert bench.sent[-1]["error"]["code"] == "forbidden"
    assert bench.watch.heard[-1] == "closed"


async def test_what_cannot_be_watched(bench: Bench) -> None:
    await bench.say(Watch(3, "call_2"))
    assert bench.sent[-1]["error"]["code"] == "not_found"
    await bench.say(Watch(3, "call_1"))
    assert len(bench.watchers) == 1


async def test_nobody_watches_any_more_by_the_time_the_hub_answers(bench: Bench) -> None:
    bench.hold = asyncio.Event()
    await bench.say(Watch(3, "call_1"))
    await bench.say(CloseInput(3, 0))
    assert bench.sent[-1]["error"]["code"] == "bad_request"
    await bench.say(Watch(4, "call_1"))
    await bench.say(Unwatch(4))
    bench.hold.set()
    await settle()
    assert bench.watch.heard == ["closed", "closed"]


async def test_a_call_that_ends_before_the_watch_is_open(bench: Bench) -> None:
    bench.hold = asyncio.Event()
    await bench.say(Watch(3, "call_1"))
    stream = bench.streams._streams[3]
    stream.ended(CALL)
    bench.hold.set()
    await settle()
    assert bench.watch.heard == ["closed"]
    assert bench.streams._streams == {}
    await bench.say(Watch(5, "call_1"))
    bench.streams.close()
    assert bench.watch.heard == ["closed", "closed"]
