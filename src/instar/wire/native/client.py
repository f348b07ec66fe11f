"""The client's end of `instar.v1` without IO: it matches answers, keeps the cursor and sees what it missed."""

import enum
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, ClassVar

import msgspec
from msgspec import Raw, Struct

from instar.base.errors import InstarError
from instar.wire import machine
from instar.wire.limits import LINK_HELLO_S, LINK_OPS_MAX, LINK_PING_S, LINK_PONG_S

from . import frames
from .actions import Answered, Arrived, ClientAction, End, Lost, Missed, Refused, Send, Signalled, Welcomed
from .frames import Bye, Error, Events, Gap, Hello, HubFrame, Op, Ping, Pong, Result, SignalFrame, Welcome


class State(enum.Enum):
    """Where the client's end stands."""

    AWAITING_WELCOME = enum.auto()
    OPEN = enum.auto()
    CLOSED = enum.auto()


MOVES: Mapping[tuple[State, type], State] = {
    (State.AWAITING_WELCOME, Welcome): State.OPEN,
    (State.AWAITING_WELCOME, Result): State.AWAITING_WELCOME,
    (State.AWAITING_WELCOME, Error): State.AWAITING_WELCOME,
    (State.AWAITING_WELCOME, Pong): State.AWAITING_WELCOME,
    (State.AWAITING_WELCOME, Bye): State.CLOSED,
    (State.OPEN, Result): State.OPEN,
    (State.OPEN, Error): State.OPEN,
    (State.OPEN, Events): State.OPEN,
    (State.OPEN, SignalFrame): State.OPEN,
    (State.OPEN, Gap): State.OPEN,
    (State.OPEN, Pong): State.OPEN,
    (State.OPEN, Bye): State.CLOSED,
}
"""(state, kind of frame) → state. What is not here ends the link; an `error` with id 0 ends it in every state."""


class _Head(Struct, frozen=True, gc=False):
    """What the client must know of an event."""

    seq: int
    prev: int
    room_key: str


_head = msgspec.json.Decoder(_Head).decode


class ClientMachine:
    """One native link as a client sees it. Nothing that the hub sends raises; its faults become an `End`.

    Args:
        hello: How to introduce oneself; its cursor is where the feed goes on.
    """

    def __init__(self, hello: Hello) -> None:
        self._hello = hello
        self.cursor = hello.cursor
        """Where the feed stands: with what to link again."""
        self.state = State.AWAITING_WELCOME
        self._in_flight: set[int] = set()
        self._last_id = 0
        self._known: dict[str, int] = {}
        self._ping_at = inf
        self._cut_at = inf

    @property
    def wake_at(self) -> float:
        """When `tick` must be called next, at the latest; infinity once closed."""
        return min(self._ping_at, self._cut_at)

    def start(self, now: float) -> list[ClientAction]:
        """Introduce oneself."""
        self._cut_at = now + LINK_HELLO_S
        return [Send(msgspec.json.encode(self._hello))]

    def invoke(self, op: str, params: bytes = b"{}", key: str = "") -> tuple[int, list[ClientAction]]:
        """Ask for an operation; return its id, by which `Answered` or `Refused` will name it.

        Raises:
            InstarError: `overloaded` when `LINK_OPS_MAX` wait for their answers, `unreachable` when the link ended.
        """
        if self.state is State.CLOSED:
            raise InstarError("unreachable", "the link to the hub has ended")
        if len(self._in_flight) >= LINK_OPS_MAX:
            raise InstarError("overloaded", f"{LINK_OPS_MAX} operations are under way on this link")
        self._last_id += 1
        self._in_flight.add(self._last_id)
        return self._last_id, [Send(msgspec.json.encode(Op(self._last_id, op, Raw(params), key)))]

    def receive(self, payload: bytes, is_text: bool, now: float) -> list[ClientAction]:
        """Take one message of the hub."""
        if self.state is State.CLOSED:
            return []
        if not is_text:
            return self._end("bad_gateway", "the hub sent a binary frame")
        try:
            frame: HubFrame = frames.decode_hub_frame(payload)
            moved = MOVES.get((self.state, type(frame)))
            actions = None if moved is None else self._reactions[type(frame)](self, frame)
        except machine.UNREADABLE as error:
            return self._end("bad_gateway", f"the hub's frame cannot be read: {str(error)[:200]}")
        if moved is None or actions is None:
            return self._end("bad_gateway", f"the hub sent a frame out of turn: {type(frame).__name__.lower()}")
        if moved is State.CLOSED or any(isinstance(action, End) for action in actions):
            self.close()
        else:
            self.state = moved
            self.heard(now)
        return actions

    def heard(self, now: float) -> None:
        """Note that the hub lives, though it sent no frame: a WebSocket pong."""
        if self.state is State.OPEN:
            self._ping_at = now + LINK_PING_S
            self._cut_at = now + LINK_PING_S + LINK_PONG_S

    def tick(self, now: float) -> list[ClientAction]:
        """Do what is due: ask a silent hub whether it lives, then give it up."""
        if now >= self._cut_at:
            return self._end("timeout", "nothing came from the hub for too long")
        if now >= self._ping_at:
            self._ping_at = inf
            return [Send(msgspec.json.encode(Ping(int(now))))]
        return []

    def close(self) -> None:
        """Note that the connection is gone; nothing is due any more. Operations under way have no known outcome."""
        self.state = State.CLOSED
        self._ping_at = self._cut_at = inf

    def _end(self, code: str, message: str) -> list[ClientAction]:
        self.close()
        return [End(code, message, self.cursor)]

    def _welcome(self, frame: Welcome) -> list[ClientAction]:
        self.cursor = self.cursor or frame.cursor
        return [Welcomed(frame)]

    def _result(self, frame: Result) -> list[ClientAction]:
        return [Answered(frame.id, frame.result)] if self._settle(frame.id) else []

    def _error(self, frame: Error) -> list[ClientAction]:
        if frame.id == 0:
            return [End(frame.error.code, frame.error.message, self.cursor)]
        return [Refused(frame.id, frame.error)] if self._settle(frame.id) else []

    def _settle(self, op_id: int) -> bool:
        """Whether this answer is awaited; one that is not (a repeat) is dropped."""
        if op_id not in self._in_flight:
            return False
        self._in_flight.discard(op_id)
        return True

    def _events(self, frame: Events) -> list[ClientAction]:
        fresh: list[Raw] = []
        actions: list[ClientAction] = []
        for event in frame.events:
            head = _head(event)
            known = self._known.get(head.room_key)
            if known is not None and head.seq <= known:
                continue
            if known is not None and head.prev > known:
                actions.append(Missed(head.room_key, known, head.prev))
            self._known[head.room_key] = head.seq
            fresh.append(event)
        self.cursor = frame.cursor
        if fresh:
            actions.append(Arrived(fresh, frame.cursor))
        return actions

    def _gap(self, frame: Gap) -> list[ClientAction]:
        self._known.clear()
        return [Lost(frame.replay_gap)]

    def _signal(self, frame: SignalFrame) -> list[ClientAction]:
        return [Signalled(frame.signal)]

    def _pong(self, frame: Pong) -> list[ClientAction]:
        del frame
        return []

    def _bye(self, frame: Bye) -> list[ClientAction]:
        self.cursor = frame.cursor or self.cursor
        return [End(frame.code, frame.message, self.cursor)]

    _reactions: ClassVar[Mapping[type[HubFrame], Callable[[Any, Any], list[ClientAction]]]] = {
        Welcome: _welcome,
        Result: _result,
        Error: _error,
        Events: _events,
        Gap: _gap,
        SignalFrame: _signal,
        Pong: _pong,
        Bye: _bye,
    }
