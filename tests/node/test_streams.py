"""What a call writes is kept, sent within credit, and sent again from wherever the hub stands."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instar.base.errors import InstarError
from instar.node import spool as spooling
from instar.node.spool import Spool, reopened
from instar.node.streams import Input, Streams
from instar.wire.execution import Channel, Ended, Outcome
from instar.wire.limits import LINK_CREDIT_BYTES

OUTCOME = Outcome("call_1", Ended.DONE, 0)


class Sink:
    """Takes what is sent, in order."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.content = bytearray()
        self.ends: list[Outcome] = []
        self.credits: list[int] = []

    def chunk(self, channel: int, offset: int, content: bytes | memoryview) -> None:
        assert (channel, offset) == (1, self.at + len(self.content))
        self.content += content

    def credit(self, upto: int) -> None:
        self.credits.append(upto)

    def ended(self, outcome: Outcome) -> None:
        self.ends.append(outcome)


@pytest.mark.parametrize("drops", [True, False])
def test_a_spool_beyond_its_cap(tmp_path: Path, drops: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "_WINDOW_BYTES", 9)
    spool = Spool(tmp_path / "calls" / "stdout", 10, drops=drops)
    for piece in (b"01234", b"567", b"89abc", b"def", b"ghi"):
        spool.append(piece)
    whole = b"0123456789abcdefghi"
    kept = whole[:10] if drops else whole
    assert (spool.size_bytes, spool.kept_bytes, spool.is_full) == (19, len(kept), True)
    assert spool.read(7, 100) == b"789"
    assert spool.read(14, 100) == (b"" if drops else b"ef")
    assert spool.read(10, 100) == (b"" if drops else b"abc")
    end = spool.end(1)
    assert (end.size_bytes, end.dropped_bytes) == (19, 19 - len(kept))
    assert end.sha256 == hashlib.sha256(kept).hexdigest()
    spool.close()
    assert spool.read(0, 3) == b"012"
    spool.close()


def test_what_is_far_behind_leaves_the_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "_WINDOW_BYTES", 4)
    spool = Spool(tmp_path / "stdout", 0, drops=False)
    for piece in (b"ab", b"cd", b"ef", b"gh"):
        spool.append(piece)
    assert (spool.read(0, 9), spool.read(4, 9), spool.read(7, 9)) == (b"", b"ef", b"h")


def test_a_spool_of_before_can_be_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "stdout", 4, drops=True)
    spool.append(b"012345")
    spool.close()
    again = reopened(tmp_path / "stdout", spool.end(1))
    assert (again.read(1, 100), again.kept_bytes, again.size_bytes) == (b"123", 4, 6)
    again.close()


def test_nothing_is_sent_beyond_credit_and_the_end_comes_last(tmp_path: Path) -> None:
    streams, sink = Streams(tmp_path, drops=True), Sink()
    streams.attach(sink, {})
    content = bytes(range(256)) * 20_000
    for start in range(0, len(content), 100_000):
        streams.wrote(Channel.STDOUT, content[start : start + 100_000])
    streams.finish(OUTCOME)
    assert len(sink.content) == LINK_CREDIT_BYTES
    assert sink.ends == []
    streams.allow(1, LINK_CREDIT_BYTES - 5)
    streams.allow(9, 1 << 40)
    assert len(sink.content) == LINK_CREDIT_BYTES
    streams.allow(1, len(content) + 1)
    assert sink.content == content
    assert sink.ends == [OUTCOME]
    streams.close()


@settings(deadline=None, max_examples=60)
@given(
    pieces=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=30),
    breaks=st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), max_size=5),
)
def test_any_break_anywhere_loses_and_doubles_nothing(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], breaks: list[tuple[int, float]]
) -> None:
    streams = Streams(tmp_path_factory.mktemp("calls"), drops=True)
    sink: Sink | None = Sink()
    streams.attach(sink, {})
    taken = b""
    for number, piece in enumerate(pieces):
        for _, share in (each for each in breaks if each[0] == number):
            taken = (taken[: sink.at] + bytes(sink.content))[: int(share * 10_000)]
            streams.detach(sink)
            sink = Sink(len(taken))
            streams.attach(sink, {1: len(taken)})
        streams.wrote(Channel.STDOUT, piece)
    streams.finish(OUTCOME)
    assert taken[: sink.at] + bytes(sink.content) == b"".join(pieces)
    assert sink.ends == [OUTCOME]
    streams.close()


def test_another_output_is_not_detached(tmp_path: Path) -> None:
    streams, sink = Streams(tmp_path, drops=True), Sink()
    streams.attach(sink, {})
    streams.detach(Sink())
    assert streams.is_attached
    streams.detach()
    streams.again()
    streams.credit(5)
    assert not streams.is_attached
    assert sink.credits == []


def test_output_that_is_no_longer_there_does_not_hold_up_the_end(tmp_path: Path) -> None:
    streams, sink = Streams(tmp_path, drops=True), Sink()
    streams.wrote(Channel.STDOUT, b"gone")
    streams.finish(OUTCOME)
    streams.close()
    (tmp_path / "stdout").unlink()
    streams.attach(sink, {})
    assert (sink.content, sink.ends) == (b"", [OUTCOME])


async def test_a_writer_waits_for_room(tmp_path: Path) -> None:
    streams, sink = Streams(tmp_path, drops=False), Sink()
    streams.attach(sink, {})
    streams.wrote(Channel.STDOUT, b"x" * LINK_CREDIT_BYTES)
    waiting = asyncio.ensure_future(streams.room(Channel.STDOUT))
    await asyncio.sleep(0)
    assert not waiting.done()
    streams.allow(1, LINK_CREDIT_BYTES + 1)
    await waiting
    streams.close()


async def test_input_is_granted_as_it_is_read() -> None:
    granted: list[int] = []
    source = Input(granted.append)
    source.write(0, b"abc")
    source.write(1, b"bcde")
    assert await source.read() == b"abc"
    assert await source.read() == b"de"
    source.close(6)
    reading = asyncio.ensure_future(source.read())
    await asyncio.sleep(0)
    assert not reading.done()
    source.write(5, b"f")
    assert (await reading, await source.read(), source.received) == (b"f", b"", 6)
    assert granted == []


async def test_input_beyond_what_was_let_come_is_refused() -> None:
    source = Input(lambda _upto: None)
    source.write(0, b"x" * (2 * LINK_CREDIT_BYTES))
    with pytest.raises(InstarError) as refused:
        source.write(2 * LINK_CREDIT_BYTES, b"y")
    assert refused.value.code == "bad_request"
    source.reattached()
