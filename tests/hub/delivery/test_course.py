"""Every interleaving of commits, reads and a full buffer: nothing lost, nothing twice, nothing out of order."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instar.base.clock import Micros
from instar.bus.fanout import Fanout, Pump
from instar.hub.delivery import course
from instar.hub.delivery.course import Held, LogPage, Pace, Step, join
from instar.hub.delivery.feed import Feed
from instar.wire.events import Event, RoomKey
from instar.wire.limits import LAG_MAX_S, SEND_BUFFER_MAX_BYTES

ROOMS = (RoomKey("room:a"), RoomKey("room:b"))


def event(seq, room=ROOMS[0]):
    return Event(seq, 0, "home", room, f"evt_{seq}", "run.started", "", Micros(0), b"{}", b"", b"")


class Numbers:
    def render(self, event):
        return b"%d," % event.seq

    def join(self, rendered):
        return b"".join(rendered)

    def signal(self, signal):
        return b""


class Pipe:
    def __init__(self):
        self.seqs = []
        self.full = False

    def write(self, frames):
        self.seqs += [int(each) for each in frames.split(b",") if each]

    def buffered_bytes(self):
        return SEND_BUFFER_MAX_BYTES + 1 if self.full else 0

    def gap(self, gap):
        raise AssertionError

    def ended(self, code, message, cursor):
        raise AssertionError


STEPS = st.lists(
    st.sampled_from(["commit", "commit both", "store", "read", "begin", "fill", "drain"]), min_size=1, max_size=60
)


@given(steps=STEPS, page_size=st.integers(1, 4), backlog=st.integers(0, 6), held_max=st.integers(1, 3))
def test_a_feed_loses_and_doubles_nothing(steps, page_size, backlog, held_max):
    """The log may be ahead of the pump (`store`), pages end anywhere, and the buffer fills at any time."""

    async def play():
        log = [event(seq, ROOMS[seq % 2]) for seq in range(1, backlog + 1)]
        fanout = Fanout()
        pump = Pump(fanout)
        pump.last_seq = backlog
        unpublished = []
        pipe = Pipe()
        gate, reading = asyncio.Event(), asyncio.Event()
        tasks = []

        async def read_page(feed):
            after, end = feed.sent_seq, pump.last_seq
            reading.set()
            await gate.wait()
            gate.clear()
            rows = [each for each in log if each.seq > after][:page_size]
            reached = len(rows) < page_size or rows[-1].seq >= end
            return LogPage([each for each in rows if each.seq <= end], end if reached else rows[-1].seq, reached)

        def start(feed):
            tasks.append(asyncio.ensure_future(feed.read_until_live(read_page)))

        feed = Feed(None, pipe, Numbers(), agent_id="", start_seq=0, start_reader=start, on_sent=lambda *_: None)
        fanout.subscribe(feed, ROOMS)
        if backlog:
            feed.catch_up()

        def store(count):
            made = [event(len(log) + at + 1, ROOMS[at % 2]) for at in range(count)]
            log.extend(made)
            unpublished.append(made)

        def publish():
            for made in unpublished:
                pump(made)
            unpublished.clear()

        async def settle():
            for _ in range(5):
                await asyncio.sleep(0)

        for step in steps:
            if step.startswith("commit"):
                store(2 if "both" in step else 1)
                publish()
            elif step == "store":
                store(1)
            elif step == "read":
                gate.set()
            elif step in {"fill", "drain"}:
                pipe.full = step == "fill"
                feed.writable()
            await settle()
        publish()
        pipe.full = False
        for _ in range(len(log) * 2 + 10):
            feed.writable()
            gate.set()
            await settle()
        assert pipe.seqs == [each.seq for each in log]
        assert feed.phase is course.Phase.LIVE
        assert all(task.done() for task in tasks)

    original = course.HELD_MAX
    course.HELD_MAX = held_max
    try:
        asyncio.run(play())
    finally:
        course.HELD_MAX = original


def test_pace_waits_while_there_is_progress_and_gives_up_without():
    pace = Pace()
    pace.fell_behind(4 * SEND_BUFFER_MAX_BYTES, 0.0)
    assert pace.step(4 * SEND_BUFFER_MAX_BYTES, LAG_MAX_S - 1) is Step.WAIT
    assert pace.step(3 * SEND_BUFFER_MAX_BYTES, LAG_MAX_S - 1) is Step.WAIT
    assert pace.step(3 * SEND_BUFFER_MAX_BYTES, LAG_MAX_S + 1) is Step.WAIT
    assert pace.step(3 * SEND_BUFFER_MAX_BYTES, 2 * LAG_MAX_S) is Step.GIVE_UP
    assert pace.step(0, 2 * LAG_MAX_S) is Step.READ


@pytest.mark.parametrize(("reached_end", "overflowed", "goes_live"), [(True, False, True), (True, True, False), (False, False, False)])
def test_a_join_goes_live_only_at_the_end_of_the_log_with_everything_held(reached_end, overflowed, goes_live):
    joined = join(3, LogPage([event(5)], 7, reached_end), Held([], overflowed))
    assert (joined.goes_live, joined.sent_seq) == (goes_live, 7)
