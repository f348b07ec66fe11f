"""The client's end of `instar.v1` without IO: it matches answers, keeps the cursor and sees what it missed."""

import enum
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, ClassVar

import msgspec
from msgspec import Raw, Struct

from instar.base.errors import InstarError
from instar.wire import machine
from instar.wire.execution import CallOrder
from instar.wire.limits import (
    LINK_ASKS_MAX,
    LINK_HELLO_S,
    LINK_OPS_MAX,
    LINK_PING_S,
    LINK_PONG_S,
    LINK_STREAMS_MAX,
)

from . import flow, frames
from .actions import (
    Answered,
    Arrived,
    Asked,
    ClientAction,
    End,
    Granted,
    Lost,
    Missed,
    Over,
    Refused,
    Send,
    SendBytes,
    Signalled,
    Told,
    Took,
    Welcomed,
)
from .frames import (
    Ask,
    Bye,
    Chunk,
    CloseInput,
    Credit,
    Error,
    Events,
    Gap,
    Hello,
    HubFrame,
    Op,
    Ping,
    Pong,
    Refusal,
    Reply,
    Result,
    SignalFrame,
    Tell,
    Unwatch,
    Watch,
    Watched,
    Welcome,
)


class State(enum.Enum):
    """Where the client's end stands."""

    AWAITING_WELCOME = enum.auto()
    OPEN = enum.auto()
    SERVING = enum.auto()
    """This end is a node."""
    CLOSED = enum.auto()


TAKEN_IN = "taken in"
"""A `welcome` to a node."""

MOVES: Mapping[tuple[State, type | str], State] = {
    (State.AWAITING_WELCOME, Welcome): State.OPEN,
    (State.AWAITING_WELCOME, TAKEN_IN): State.SERVING,
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
    (State.OPEN, Watched): State.OPEN,
    (State.OPEN, Credit): State.OPEN,
    (State.OPEN, Chunk): State.OPEN,
    (State.OPEN, Bye): State.CLOSED,
    (State.SERVING, Result): State.SERVING,
    (State.SERVING, Error): State.SERVING,
    (State.SERVING, Pong): State.SERVING,
    (State.SERVING, Ask): State.SERVING,
    (State.SERVING, Tell): State.SERVING,
    (State.SERVING, Credit): State.SERVING,
    (State.SERVING, Chunk): State.SERVING,
    (State.SERVING, Bye): State.CLOSED,
}
"""(state, kind of frame) → state. What is not here ends the link; an `error` with id 0 ends it in every state."""


class _Head(Struct, frozen=True, gc=False):
    """What the client must know of an event."""

    seq: int
    prev: int
    room_key: str


_head = msgspec.json.Decoder(_Head).decode
_order = msgspec.json.Decoder(CallOrder).decode


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
        self._streams: dict[int, flow.Stream] = {}
        self._last_stream = 0
        self._asked: set[int] = set()
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
        try:
            frame: HubFrame | Chunk = frames.decode_hub_frame(payload) if is_text else frames.decode_chunk(payload)
            is_taken_in = self._hello.node is not None and isinstance(frame, Welcome)
            moved = MOVES.get((self.state, TAKEN_IN if is_taken_in else type(frame)))
            actions = None if moved is None else self._reactions[type(frame)](self, frame)
        except (*machine.UNREADABLE, ValueError) as error:
            return self._end("bad_gateway", f"the hub's frame cannot be taken: {str(error)[:200]}")
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
        if self.state in (State.OPEN, State.SERVING):
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
        self._streams.clear()
        self._asked.clear()
        self._ping_at = self._cut_at = inf

    # Streams, of watched calls and of a node's

    def watch(self, call_id: str, offsets: Mapping[int, int], credit_bytes: int = 0) -> tuple[int, list[ClientAction]]:
        """Watch a call from these offsets; return the stream, by which `Took`, `Granted` and `Over` will name it.

        Raises:
            InstarError: `overloaded` when `LINK_STREAMS_MAX` are watched, `unreachable` when the link is not open.
        """
        if self.state is not State.OPEN:
            raise InstarError("unreachable", "the link to the hub is not open")
        if len(self._streams) >= LINK_STREAMS_MAX:
            raise InstarError("overloaded", f"{LINK_STREAMS_MAX} calls are watched on this link")
        self._last_stream += 1
        self._streams[self._last_stream] = flow.watched(offsets, credit_bytes)
        told = {str(int(channel)): offset for channel, offset in offsets.items()}
        frame = Watch(self._last_stream, call_id, told, credit_bytes)
        return self._last_stream, [Send(msgspec.json.encode(frame))]

    def unwatch(self, stream: int) -> list[ClientAction]:
        """Watch no more; a stream that is over changes nothing."""
        is_known = self._streams.pop(stream, None) is not None
        return [Send(msgspec.json.encode(Unwatch(stream)))] if is_known else []

    def close_input(self, stream: int, size_bytes: int) -> list[ClientAction]:
        """End the input of a watched call; that of a stream which is over changes nothing."""
        if stream not in self._streams:
            return []
        return [Send(msgspec.json.encode(CloseInput(stream, size_bytes)))]

    def upto(self, stream: int, channel: int) -> int | None:
        """Return how far a channel may be sent; None when the stream is over."""
        outflow = known.outflows.get(channel) if (known := self._streams.get(stream)) is not None else None
        return outflow.upto if outflow is not None else None

    def chunk(self, stream: int, channel: int, offset: int, content: bytes | memoryview) -> list[ClientAction]:
        """Send bytes of a stream; those of one that is over go nowhere.

        Raises:
            MisuseError: Beyond the credit (`upto`), or more than `LINK_CHUNK_MAX_BYTES`.
        """
        known = self._streams.get(stream)
        if known is None:
            return []
        known.outflows[channel].send(offset, len(content))
        return [SendBytes(frames.chunk_frame(stream, channel, offset, content))]

    def credit(self, stream: int, channel: int, upto: int) -> list[ClientAction]:
        """Take bytes of a channel up to this offset."""
        known = self._streams.get(stream)
        is_more = known is not None and known.inflows[channel].allow(upto)
        return [Send(msgspec.json.encode(Credit(stream, channel, upto)))] if is_more else []

    def drop(self, stream: int) -> None:
        """A node's call has ended: its stream is over. An unknown one is no error."""
        self._streams.pop(stream, None)

    # What a node says

    def reply(self, ask_id: int, result: bytes) -> list[ClientAction]:
        """Answer what the hub asked with a result as JSON. Once the link has ended, nothing is sent.

        Raises:
            MisuseError: It was not asked, or is answered.
        """
        return [Send(msgspec.json.encode(Reply(ask_id, Raw(result))))] if self._replied(ask_id) else []

    def refuse(self, ask_id: int, error: InstarError) -> list[ClientAction]:
        """Answer what the hub asked with a failure; as `reply`."""
        return [Send(msgspec.json.encode(Refusal(ask_id, frames.body_of(error))))] if self._replied(ask_id) else []

    def tell(self, method: str, params: bytes) -> list[ClientAction]:
        """Tell the hub something; outside of a node's open link it goes nowhere."""
        return [Send(msgspec.json.encode(Tell(method, Raw(params))))] if self.state is State.SERVING else []

    def _replied(self, ask_id: int) -> bool:
        if self.state is State.CLOSED:
            return False
        if ask_id not in self._asked:
            raise machine.MisuseError(f"nothing that was asked with the id {ask_id} waits for its answer")
        self._asked.discard(ask_id)
        return True

    # What the hub sends

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

    def _watched(self, frame: Watched) -> list[ClientAction]:
        is_known = self._streams.pop(frame.stream, None) is not None
        return [Over(frame.stream, frame.call, frame.error)] if is_known else []

    def _credit(self, frame: Credit) -> list[ClientAction]:
        known = self._streams.get(frame.stream)
        outflow = known.outflows.get(frame.channel) if known is not None else None
        if outflow is None:
            return []
        outflow.granted(frame.upto)
        return [Granted(frame.stream, frame.channel, outflow.upto)]

    def _chunk(self, frame: Chunk) -> list[ClientAction]:
        known = self._streams.get(frame.stream)
        if known is None:
            return []
        offset, fresh = known.take(frame.channel, frame.offset, frame.content)
        return [Took(frame.stream, frame.channel, offset, fresh)] if fresh else []

    def _ask(self, frame: Ask) -> list[ClientAction]:
        if frame.id in self._asked:
            raise ValueError(f"it asked twice with the id {frame.id}")
        if len(self._asked) >= LINK_ASKS_MAX:
            full = InstarError("overloaded", f"{LINK_ASKS_MAX} requests are under way on this node")
            return [Send(msgspec.json.encode(Refusal(frame.id, frames.body_of(full))))]
        if frame.stream:
            offsets = _order(frame.params).offsets if frame.method == "resume" else {}
            self._streams[frame.stream] = flow.serving({int(key): offset for key, offset in offsets.items()})
        self._asked.add(frame.id)
        return [Asked(frame.id, frame.method, frame.params, frame.stream)]

    def _tell(self, frame: Tell) -> list[ClientAction]:
        return [Told(frame.method, frame.params)]

    def _bye(self, frame: Bye) -> list[ClientAction]:
        self.cursor = frame.cursor or self.cursor
        return [End(frame.code, frame.message, self.cursor)]

    _reactions: ClassVar[Mapping[type, Callable[[Any, Any], list[ClientAction]]]] = {
        Welcome: _welcome,
        Result: _result,
        Error: _error,
        Events: _events,
        Gap: _gap,
        SignalFrame: _signal,
        Pong: _pong,
        Watched: _watched,
        Credit: _credit,
        Chunk: _chunk,
        Ask: _ask,
        Tell: _tell,
        Bye: _bye,
    }
