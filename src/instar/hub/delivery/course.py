"""The course of a feed, without IO: when it is live, when it falls behind, how it catches up and comes back.

    CATCHING_UP --joined--> LIVE --buffer full--> LAGGING --drained--> CATCHING_UP
    any --ended--> ENDED

Only LIVE writes what the pump delivers. While a page is read from the log, live deliveries are held; when the page
reaches the log's end, page and held deliveries are joined in one step: nothing is lost, nothing comes twice.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from instar.bus.fanout import Delivery
from instar.wire.events import Event
from instar.wire.limits import LAG_MAX_S, SEND_BUFFER_MAX_BYTES

HELD_MAX = 1_024
"""Deliveries that may be held while one page is read; beyond it the log is read again."""


class Phase(enum.Enum):
    """Where a feed stands."""

    LIVE = enum.auto()
    LAGGING = enum.auto()
    CATCHING_UP = enum.auto()
    ENDED = enum.auto()


class Step(enum.Enum):
    """What a feed that is not live does next."""

    READ = enum.auto()
    """Read a page of the log."""
    WAIT = enum.auto()
    """Wait until the carrier has drained."""
    GIVE_UP = enum.auto()
    """The reader took nothing for `LAG_MAX_S`."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """What a feed may read of the log after its `sent_seq`.

    The log is read up to where the pump had come when the reading began, no further: the feed's rooms are known up to
    there, and what comes later is held.
    """

    events: Sequence[Event]
    through_seq: int
    """Up to here the log was looked at."""
    reached_end: bool
    """Whether `through_seq` is where the pump had come."""


@dataclass(frozen=True, slots=True)
class Join:
    """What to send after a page, and where that leads."""

    events: Sequence[Event]
    deliveries: Sequence[Delivery]
    sent_seq: int
    goes_live: bool


@dataclass(slots=True)
class Pace:
    """Watches how a slow reader takes what was written to it."""

    progress_at: float = 0.0
    least_bytes: int = 0

    def fell_behind(self, buffered_bytes: int, at: float) -> None:
        """Start watching: the reader is this many bytes behind."""
        self.progress_at, self.least_bytes = at, buffered_bytes

    def step(self, buffered_bytes: int, at: float) -> Step:
        """Decide what comes next from the bytes that still wait in the carrier."""
        if buffered_bytes <= SEND_BUFFER_MAX_BYTES // 2:
            self.fell_behind(buffered_bytes, at)
            return Step.READ
        if buffered_bytes < self.least_bytes:
            self.fell_behind(buffered_bytes, at)
        return Step.GIVE_UP if at - self.progress_at >= LAG_MAX_S else Step.WAIT


@dataclass(slots=True)
class Held:
    """Live deliveries that came while a page was read."""

    deliveries: list[Delivery] = field(default_factory=list[Delivery])
    overflowed: bool = False

    def add(self, delivery: Delivery) -> None:
        """Hold one more; beyond `HELD_MAX` all are dropped, and the log is read again."""
        if len(self.deliveries) < HELD_MAX:
            self.deliveries.append(delivery)
        else:
            self.overflowed = True


def join(sent_seq: int, page: LogPage, held: Held) -> Join:
    """Decide what to send after a page was read.

    `held` must hold every delivery since the reading began. A publication ends where a commit ends, so no delivery
    lies on both sides of the page's end.
    """
    sent_seq = max(sent_seq, page.through_seq)
    if not page.reached_end or held.overflowed:
        return Join(page.events, (), sent_seq, goes_live=False)
    if held.deliveries:
        sent_seq = held.deliveries[-1].last_seq
    return Join(page.events, held.deliveries, sent_seq, goes_live=True)
