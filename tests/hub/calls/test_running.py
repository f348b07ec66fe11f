"""Calls that run real processes: output, status, signals, input, deadlines, cancelling."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from instar.base.errors import InstarError
from instar.server.measuring import count_calls
from instar.server.metrics import Metrics
from instar.wire.calls import CallState
from tests.hub.calls.conftest import Bench
from tests.hub.calls.executors import ProcessExecutor


@pytest.fixture
async def bench(make_bench: Callable[..., Any]) -> AsyncIterator[Bench]:
    return await make_bench(ProcessExecutor())


async def test_a_command_runs_and_says_how_it_ended(bench: Bench) -> None:
    call = await bench.ask("exec", argv=["sh", "-c", "echo out; echo err >&2; exit 3"], wait=10)
    assert (call.state, call.exit_status, call.stdout, call.stderr) == (CallState.DONE, 3, "out\n", "err\n")
    assert call.has_run
    assert call.routed_by == "local"
    assert call.target_id == "local"
    out, err = call.streams
    assert (out.size_bytes, out.sha256) == (4, hashlib.sha256(b"out\n").hexdigest())
    assert err.channel == 2
    again = await bench.get(call.id)
    assert again == call
    assert [event.type for event in bench.engine.events[-3:]] == ["call.admitted", "call.dispatched", "call.ended"]


async def test_binary_output_of_five_megabytes_is_stored_whole(bench: Bench) -> None:
    line = "head -c 5242880 /dev/zero | tr '\\0' '\\377'"
    call = await bench.ask("shell", args={"command": line}, wait=20)
    assert call.state is CallState.DONE
    assert call.is_truncated
    assert call.streams[0].size_bytes == 5_242_880
    assert call.streams[0].sha256 == hashlib.sha256(b"\xff" * 5_242_880).hexdigest()
    end = await bench.do(bench.engine.admin, "calls.output", call_id=call.id, offset=-3)
    assert (end.content, end.offset, end.total_bytes, end.ended) == (b"\xff" * 3, 5_242_877, 5_242_880, True)


async def test_output_beyond_the_cap_is_counted(make_bench: Callable[..., Any]) -> None:
    bench = await make_bench(ProcessExecutor(), output_max_bytes=1000)
    call = await bench.ask("shell", args={"command": "head -c 9000000 /dev/zero"}, wait=20)
    assert (call.streams[0].size_bytes, call.streams[0].dropped_bytes) == (9_000_000, 8_999_000)
    assert call.streams[0].sha256 == hashlib.sha256(bytes(9_000_000)).hexdigest()
    whole = await bench.do(bench.engine.admin, "calls.output", call_id=call.id)
    assert len(whole.content) == 1000
    assert whole.dropped_bytes == 8_999_000


async def test_input_is_written_once_whatever_is_repeated(bench: Bench) -> None:
    call = await bench.ask("exec", argv=["cat"], has_input=True)
    admin = bench.engine.admin

    def body(*chunks: bytes) -> Callable[[], AsyncIterator[bytes]]:
        async def stream() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        return stream

    taken = await bench.do(admin, "calls.input", body=body(b"hel", b"lo"), call_id=call.id)
    assert taken.offset == 5
    await bench.do(admin, "calls.input", body=body(b"llo world"), call_id=call.id, offset=2, eof=True)
    ended = await bench.get(call.id, wait=10)
    assert (ended.state, ended.stdout) == (CallState.DONE, "hello world")


async def test_output_is_read_as_it_comes(bench: Bench) -> None:
    call = await bench.ask("exec", argv=["sh", "-c", "echo one; read x; echo two"], has_input=True)
    admin = bench.engine.admin
    first = await bench.do(admin, "calls.output", call_id=call.id, wait=10)
    assert first.content == b"one\n"
    assert not first.ended
    await bench.do(admin, "calls.input", call_id=call.id, eof=True)
    second = await bench.do(admin, "calls.output", call_id=call.id, offset=4, wait=10)
    assert second.content == b"two\n"
    last = await bench.do(admin, "calls.output", call_id=call.id, offset=8, wait=10)
    assert last.content == b""
    assert last.ended


async def test_a_call_that_runs_too_long_expires(bench: Bench) -> None:
    call = await bench.ask("exec", argv=["sleep", "60"], timeout_s=0.05, wait=10)
    assert call.state is CallState.EXPIRED
    assert call.has_run
    assert call.error is not None
    assert call.error.code == "timeout"
    assert "timeout_s" in call.error.hint


async def test_cancelling_kills_what_runs(bench: Bench) -> None:
    call = await bench.ask("exec", argv=["sleep", "60"])
    await bench.until(lambda: bench.state(call.id) == "streaming")
    ended = await bench.do(bench.engine.admin, "calls.cancel", call_id=call.id, reason="enough")
    assert ended.state is CallState.CANCELLED
    assert ended.signal == "KILL"
    assert ended.error is not None
    assert ended.error.message == "enough"
    with pytest.raises(InstarError, match="ended before"):
        await bench.do(bench.engine.admin, "calls.cancel", call_id=call.id)


async def test_a_signal_reaches_the_process_group(bench: Bench) -> None:
    call = await bench.ask("exec", argv=["sleep", "60"])
    await bench.until(lambda: bench.state(call.id) == "streaming")
    await bench.do(bench.engine.admin, "calls.signal", call_id=call.id, signal="TERM")
    ended = await bench.get(call.id, wait=10)
    assert (ended.state, ended.signal, ended.exit_status) == (CallState.DONE, "TERM", None)


async def test_no_more_run_at_once_than_the_machine_takes(make_bench: Callable[..., Any]) -> None:
    bench = await make_bench(ProcessExecutor(calls_max=2))
    calls = [await bench.ask("exec", argv=["cat"], has_input=True) for _ in range(4)]
    await bench.until(lambda: sum(bench.state(call.id) == "streaming" for call in calls) == 2)
    waiting = await bench.get(calls[3].id)
    assert waiting.state is CallState.ADMITTED
    assert "turn" in waiting.waits_for
    for call in calls:
        await bench.until(lambda call=call: bench.state(call.id) == "streaming")
        await bench.do(bench.engine.admin, "calls.input", call_id=call.id, eof=True)
    ended = await asyncio.gather(*(bench.get(call.id, wait=10) for call in calls))
    assert {call.state for call in ended} == {CallState.DONE}


async def test_a_watcher_gets_everything_in_order_then_the_end(bench: Bench) -> None:
    heard: list[Any] = []
    sizes: list[int] = []

    def size() -> int:
        return sum(sizes)

    class Watcher:
        def output(self, channel: int, offset: int, content: bytes) -> None:
            heard.append((channel, offset, content))
            sizes.append(len(content))

        def allowed(self, upto: int) -> None:
            pass

        def ended(self, call: Any) -> None:
            heard.append(call)

        def failed(self, error: InstarError) -> None:
            heard.append(error)

    call = await bench.ask("exec", argv=["sh", "-c", "read x; head -c 9000000 /dev/zero"], has_input=True)
    watch = await bench.calls.watch(bench.engine.admin, call.id, Watcher(), {})
    watch.write(0, b"go\n")
    watch.close_input(3)
    await bench.until(lambda: size() == 4_194_304)
    watch.allow(1, 20_000_000)
    await bench.until(lambda: heard and not isinstance(heard[-1], tuple))
    at = 0
    for _, offset, content in heard[:-1]:
        assert offset == at
        at += len(content)
    assert at == 9_000_000
    assert heard[-1].state is CallState.DONE
    heard.clear()
    watch.write(3, b"too late: the end was said")
    watch = await bench.calls.watch(bench.engine.admin, call.id, Watcher(), {1: 8_999_990})
    watch.write(0, b"too late as well")
    watch.close_input(16)
    await bench.until(lambda: len(heard) == 2)
    assert heard[0] == (1, 8_999_990, bytes(10))


async def test_ends_are_counted(bench: Bench) -> None:
    metrics = Metrics()
    count_calls(metrics, bench.calls)
    await bench.ask("exec", argv=["true"], wait=10)
    await bench.until(lambda: metrics.counter("instar_calls_total", "done").value == 1)
    text = metrics.render().decode()
    assert "instar_call_seconds_count 1.0" in text
    assert "instar_calls_live 0.0" in text
