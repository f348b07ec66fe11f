"""The hub's end of `instar.v1` without IO. Event batches and signals go out beside it, spliced once for all links."""

import enum
from collections.abc import Mapping
from math import inf

import msgspec

from instar.base.errors import InstarError
from instar.wire import machine
from instar.wire.limits import LINK_HELLO_S, LINK_OPS_MAX, LINK_PING_S, LINK_PONG_S

from . import frames
from .actions import End, Invoke, Open, Probe, Send, ServerAction
from .frames import Bye, ClientFrame, Hello, Op, Ping, Pong, Welcome


class State(enum.Enum):
    """Where the hub's end stands."""

    AWAITING_HELLO = enum.auto()
    OPENING = enum.auto()
    """The hub opens the client's feed."""
    OPEN = enum.auto()
    CLOSED = enum.auto()


WELCOMED = "welcomed"
"""The one event of the table that the hub causes; the others are kinds of client frames."""

MOVES: Mapping[tuple[State, type | str], State] = {
    (State.AWAITING_HELLO, Hello): State.OPENING,
    (State.OPENING, Op): State.OPENING,
    (State.OPENING, Ping): State.OPENING,
    (State.OPENING, WELCOMED): State.OPEN,
    (State.OPEN, Op): State.OPEN,
    (State.OPEN, Ping): State.OPEN,
}
"""(state, kind of frame) → state. What is not here ends the link."""


class ServerMachine:
    """One native link as the hub sees it.

    Nothing that a client sends raises: a fault of the link is answered by an `error` with id 0 and an `End`; an
    operation too many by an `overloaded` error of its own. After an `End` every input is answered with no action.
    Times are monotonic seconds of the driver's one clock.
    """

    __slots__ = ("_cut_at", "_in_flight", "_probe_at", "state")

    def __init__(self) -> None:
        self.state = State.AWAITING_HELLO
        self._in_flight: set[int] = set()
        self._cut_at = inf
        self._probe_at = inf

    @property
    def is_open(self) -> bool:
        """Whether events and signals may be sent."""
        return self.state is State.OPEN

    @property
    def wake_at(self) -> float:
        """When `tick` must be called next, at the latest; infinity once closed."""
        return min(self._cut_at, self._probe_at)

    @property
    def ops_in_flight(self) -> int:
        """How many operations wait for their answer."""
        return len(self._in_flight)

    def start(self, now: float) -> list[ServerAction]:
        """Begin to wait for `hello`; the hub speaks second."""
        self._cut_at = now + LINK_HELLO_S
        return []

    def receive(self, payload: bytes, is_text: bool, now: float) -> list[ServerAction]:
        """Take one message of the client."""
        if self.state is State.CLOSED:
            return []
        if not is_text:
            return self.end("bad_request", "the link takes only text frames")
        try:
            frame: ClientFrame = frames.decode_client_frame(payload)
        except machine.UNREADABLE as error:
            return self.end("bad_request", f"the frame cannot be read: {str(error)[:200]}")
        moved = MOVES.get((self.state, type(frame)))
        if moved is None:
            expected = "`hello` must be the first frame" if self.state is State.AWAITING_HELLO else "`hello` came twice"
            return self.end("bad_request", expected)
        self.state = moved
        self.heard(now)
        if isinstance(frame, Op):
            return self._invoke(frame)
        return [Send(msgspec.json.encode(Pong(frame.n)))] if isinstance(frame, Ping) else [Open(frame)]

    def heard(self, now: float) -> None:
        """Note that the client lives, though it sent no frame: a WebSocket pong."""
        if self.state is not State.CLOSED:
            self._probe_at = now + LINK_PING_S
            self._cut_at = now + LINK_PING_S + LINK_PONG_S

    def tick(self, now: float) -> list[ServerAction]:
        """Do what is due: cut a silent client, or ask whether it lives."""
        if now >= self._cut_at:
            return self.end("timeout", "nothing came from the client for too long")
        if now >= self._probe_at:
            self._probe_at = inf
            return [Probe()]
        return []

    def welcome(self, welcome: Welcome) -> list[ServerAction]:
        """Admit the client. From here on events may be sent. A client that is gone meanwhile gets nothing.

        Raises:
            MisuseError: No `hello` waits for this.
        """
        if self.state is State.CLOSED:
            return []
        if (self.state, WELCOMED) not in MOVES:
            raise machine.MisuseError(f"welcome() in state {self.state.name}")
        self.state = MOVES[self.state, WELCOMED]
        return [Send(msgspec.json.encode(welcome))]

    def answer(self, op_id: int, result: bytes) -> list[ServerAction]:
        """Answer an operation with its result as JSON. On a link that ended, nothing is sent.

        Raises:
            MisuseError: This operation is not under way.
        """
        return [Send(frames.result_frame(op_id, result))] if self._settle(op_id) else []

    def refuse(self, op_id: int, error: InstarError, request_id: str = "") -> list[ServerAction]:
        """Answer an operation with its failure. On a link that ended, nothing is sent.

        Raises:
            MisuseError: This operation is not under way.
        """
        return [Send(frames.error_frame(op_id, error, request_id))] if self._settle(op_id) else []

    def bye(self, code: str, message: str, cursor: str) -> list[ServerAction]:
        """End the link in order: the hub stops, the key was revoked, the link lags too far. It can be resumed."""
        if self.state is State.CLOSED:
            return []
        self.close()
        return [Send(msgspec.json.encode(Bye(code, message, cursor))), End(code, message, cursor)]

    def end(self, code: str, message: str) -> list[ServerAction]:
        """End the link for a fault of the client's, with an `error` of id 0."""
        if self.state is State.CLOSED:
            return []
        self.close()
        return [Send(frames.error_frame(0, InstarError(code, message))), End(code, message)]

    def close(self) -> None:
        """Note that the connection is gone; nothing is due any more, and late answers are dropped."""
        self.state = State.CLOSED
        self._in_flight.clear()
        self._cut_at = self._probe_at = inf

    def _invoke(self, op: Op) -> list[ServerAction]:
        if op.id <= 0:
            return self.end("bad_request", f"operation ids are greater than 0, not {op.id}")
        if op.id in self._in_flight:
            return self.end("bad_request", f"operation {op.id} is still under way; use another id")
        if len(self._in_flight) >= LINK_OPS_MAX:
            error = InstarError(
                "overloaded",
                f"{LINK_OPS_MAX} operations are under way on this link",
                hint="Wait for an answer before you ask for more.",
            )
            return [Send(frames.error_frame(op.id, error))]
        self._in_flight.add(op.id)
        return [Invoke(op)]

    def _settle(self, op_id: int) -> bool:
        if self.state is State.CLOSED:
            return False
        if op_id not in self._in_flight:
            raise machine.MisuseError(f"operation {op_id} is not under way")
        self._in_flight.discard(op_id)
        return True
