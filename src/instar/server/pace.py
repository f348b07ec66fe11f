"""How slow an HTTP client may be: an IO-free machine per connection that a shared timer asks."""

from enum import IntEnum

from instar.wire.limits import (
    BODY_RATE_MIN_BYTES_PER_S,
    BODY_TIMEOUT_S,
    HEADER_TIMEOUT_S,
    LINK_CLOSE_S,
    WRITE_STALL_S,
)

from .heartbeat import TICK_S


class Phase(IntEnum):
    """What the client is sending."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    REFUSED = 3
    """It was told that the connection ends; what still comes is thrown away."""


class Slow(IntEnum):
    """What is to be done about a slow client."""

    NO = 0
    ANSWER = 1
    """Answer 408, then close."""
    CUT = 2
    """Drop the connection: it takes nothing."""


class Pace:
    """The clock of one connection. Deadlines are met at the tick before they pass, never after.

    Args:
        at: Now.
    """

    __slots__ = ("_buffered", "_stalled_since", "phase", "received", "since")

    def __init__(self, at: float) -> None:
        self.phase = Phase.HEAD
        self.since = at
        self.received = 0
        self._buffered = 0
        self._stalled_since = at

    def enter(self, phase: Phase, at: float) -> None:
        """Begin a phase."""
        self.phase = phase
        self.since = at
        self.received = 0

    def judge(self, at: float, buffered: int, is_read_paused: bool) -> Slow:
        """Say what to do now.

        Args:
            at: Now.
            buffered: Bytes of the response that the client has not taken.
            is_read_paused: Whether the hub itself asked the client to wait; that time does not count.
        """
        if not buffered or buffered < self._buffered:
            self._stalled_since = at
        self._buffered = buffered
        if at - self._stalled_since >= WRITE_STALL_S - TICK_S:
            return Slow.CUT
        if is_read_paused:
            self.since += TICK_S
            return Slow.NO
        return self._judge_reading(at - self.since + TICK_S)

    def _judge_reading(self, spent: float) -> Slow:
        if self.phase is Phase.HEAD and spent >= HEADER_TIMEOUT_S:
            return Slow.ANSWER
        if self.phase is Phase.BODY and spent >= BODY_TIMEOUT_S + self.received / BODY_RATE_MIN_BYTES_PER_S:
            return Slow.ANSWER
        if self.phase is Phase.REFUSED and spent >= LINK_CLOSE_S:
            return Slow.CUT
        return Slow.NO
