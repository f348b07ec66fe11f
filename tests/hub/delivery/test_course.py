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


class Play:
    """A feed on a log that the test commits to, publishes and reads step by step."""

    def __init__(self, page_size, backlog):
        self.page_size = page_size
        self.log = [event(seq, ROOMS[seq % 2]) for seq in range(1, backlog + 1)]
        self.unpublished = []
        self.pipe = Pipe()
        self.pump = Pump(fanout := Fanout())
        self.pump.last_seq = backlog
        self.gate = asyncio.Event()
        self.tasks = []
        self.feed = Feed(
            None, self.pipe, Numbers(), agent_id="", start_seq=0, start_reader=self.start, on_sent=lambda *_: None
        )
        fanout.subscribe(self.feed, ROOMS)
        if backlog:
            self.feed.catch_up()

    async def read_page(self, feed):
        after, end = feed.sent_seq, self.pump.last_seq
        await self.gate.wait()
        self.gate.clear()
        rows = [each for each in self.log if each.seq > after][: self.page_size]
        reached = len(rows) < self.page_size or rows[-1].seq >= end
        return LogPage([each for each in rows if each.seq <= end], end if reached else rows[-1].seq, reached)

    def start(self, feed):
        self.tasks.append(asyncio.ensure_future(feed.read_until_live(self.read_page)))

    def store(self, count=1):
        made = [event(len(self.log) + at + 1, ROOMS[at % 2]) for at in range(count)]
        self.log.extend(made)
        self.unpublished.append(made)

    def commit(self, count=1):
        self.store(count)
        self.publish()

    def publish(self):
        for made in self.unpublished:
            self.pump(made)
        self.unpublished.clear()

    def fill(self, is_full):
        self.pipe.full = is_full
        self.feed.writable()

    async def do(self, step):
        actions = {
            "commit": self.commit,
            "commit both": lambda: self.commit(2),
            "store": self.store,
            "read": self.gate.set,
            "fill": lambda: self.fill(True),
            "drain": lambda: self.fill(False),
        }
        actions[step]()
        await self.settle()

    async def settle(self):
        for _ in range(5):
            await asyncio.sleep(0)

    async def finish(self):
        self.publish()
        for _ in range(len(self.log) * 2 + 10):
            self.fill(False)
            self.gate.set()
            await self.settle()
        assert self.pipe.seqs == [each.seq for each in self.log]
        assert self.feed.phase is course.Phase.LIVE
        assert all(task.done() for task in self.tasks)


STEPS = st.lists(st.sampled_from(["commit", "commit both", "store", "read", "fill", "drain"]), min_size=1, max_size=60)


@given(steps=STEPS, page_size=st.integers(1, 4), backlog=st.integers(0, 6), held_max=st.integers(1, 3))
def test_a_feed_loses_and_doubles_nothing(steps, page_size, backlog, held_max):
    """The log may be ahead of the pump (`store`), pages end anywhere, and the buffer fills at any time."""

    async def play():
        game = Play(page_size, backlog)
        for step in steps:
            await game.do(step)
        await game.finish()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course, "HELD_MAX", held_max)
        asyncio.run(play())


def test_pace_waits_while_there_is_progress_and_gives_up_without():
    pace = Pace()
    pace.fell_behind(4 * SEND_BUFFER_MAX_BYTES, 0.0)
    assert pace.step(4 * SEND_BUFFER_MAX_BYTES, LAG_MAX_S - 1) is Step.WAIT
    assert pace.step(3 * SEND_BUFFER_MAX_BYTES, LAG_MAX_S - 1) is Step.WAIT
    assert pace.step(3 * SEND_BUFFER_MAX_BYTES, LAG_MAX_S + 1) is Step.WAIT
    assert pace.step(3 * SEND_BUFFER_MAX_BYTES, 2 * LAG_MAX_S) is Step.GIVE_UP
    assert pace.step(0, 2 * LAG_MAX_S) is Step.READ


@pytest.mark.parametrize(
    ("reached_end", "overflowed", "goes_live"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_join_goes_live_only_at_the_end_of_the_log_with_everything_held(reached_end, overflowed, goes_live):
    joined = join(3, LogPage([event(5)], 7, reached_end), Held([], overflowed))
    assert (joined.goes_live, joined.sent_seq) == (goes_live, 7)
