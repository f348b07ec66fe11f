"""The hub's end of `instar.v1` without IO. Event batches and signals go out beside it, spliced once for all links."""

import enum
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, ClassVar

import msgspec
from msgspec import Raw

from instar.base.errors import InstarError
from instar.wire import machine
from instar.wire.execution import Channel
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
    Closed,
    End,
    Granted,
    InputClosed,
    Invoke,
    Open,
    Opened,
    Probe,
    Refused,
    Send,
    SendBytes,
    ServerAction,
    Told,
    Took,
)
from .frames import (
    Ask,
    Bye,
    Chunk,
    ClientFrame,
    CloseInput,
    Credit,
    Hello,
    Op,
    Ping,
    Pong,
    Refusal,
    Reply,
    Tell,
    Unwatch,
    Watch,
    Watched,
    Welcome,
)


class State(enum.Enum):
    """Where the hub's end stands."""

    AWAITING_HELLO = enum.auto()
    OPENING = enum.auto()
    """The hub opens the client's feed, or takes the node in."""
    OPEN = enum.auto()
    SERVING = enum.auto()
    """At the other end is a node: it has no feed and watches nothing, but answers."""
    CLOSED = enum.auto()


WELCOMED = "welcomed"
TAKEN_IN = "taken in"
"""The two events of the table that the hub causes; the others are kinds of client frames."""

MOVES: Mapping[tuple[State, type | str], State] = {
    (State.AWAITING_HELLO, Hello): State.OPENING,
    (State.OPENING, Op): State.OPENING,
    (State.OPENING, Ping): State.OPENING,
    (State.OPENING, WELCOMED): State.OPEN,
    (State.OPENING, TAKEN_IN): State.SERVING,
    (State.OPEN, Op): State.OPEN,
    (State.OPEN, Ping): State.OPEN,
    (State.OPEN, Watch): State.OPEN,
    (State.OPEN, Unwatch): State.OPEN,
    (State.OPEN, Credit): State.OPEN,
    (State.OPEN, CloseInput): State.OPEN,
    (State.OPEN, Chunk): State.OPEN,
    (State.SERVING, Op): State.SERVING,
    (State.SERVING, Ping): State.SERVING,
    (State.SERVING, Reply): State.SERVING,
    (State.SERVING, Refusal): State.SERVING,
    (State.SERVING, Tell): State.SERVING,
    (State.SERVING, Credit): State.SERVING,
    (State.SERVING, Chunk): State.SERVING,
}
"""(state, kind of frame) → state. What is not here ends the link."""


class ServerMachine:
    """One native link as the hub sees it.

    Nothing that a client sends raises: a fault of the link is answered by an `error` with id 0 and an `End`; an
    operation too many by an `overloaded` error of its own. After an `End` every input is answered with no action.
    Times are monotonic seconds of the driver's one clock.
    """

    __slots__ = ("_asked", "_cut_at", "_in_flight", "_is_node", "_last_ask", "_probe_at", "_streams", "state")

    def __init__(self) -> None:
        self.state = State.AWAITING_HELLO
        self._is_node = False
        self._in_flight: set[int] = set()
        self._streams: dict[int, flow.Stream] = {}
        self._asked: set[int] = set()
        self._last_ask = 0
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
        """Take one message of the client. Bytes of a chunk are those of `payload`; they are not copied."""
        if self.state is State.CLOSED:
            return []
        frame: ClientFrame | Chunk
        try:
            frame = frames.decode_client_frame(payload) if is_text else frames.decode_chunk(payload)
        except (*machine.UNREADABLE, ValueError) as error:
            return self.end("bad_request", f"the frame cannot be read: {str(error)[:200]}")
        moved = MOVES.get((self.state, type(frame)))
        if moved is None:
            return self.end("bad_request", self._out_of_turn(frame))
        self.state = moved
        self.heard(now)
        return self._reactions[type(frame)](self, frame)

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
        event = TAKEN_IN if self._is_node else WELCOMED
        if (self.state, event) not in MOVES:
            raise machine.MisuseError(f"welcome() in state {self.state.name}")
        self.state = MOVES[self.state, event]
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
        self._streams.clear()
        self._asked.clear()
        self._cut_at = self._probe_at = inf

    # Streams of watched calls

    def watched(self, stream: int, call: bytes = b"", error: InstarError | None = None) -> list[ServerAction]:
        """End a stream: its call has ended (as JSON), or cannot be watched. One that has ended gets nothing."""
        if self._streams.pop(stream, None) is None:
            return []
        if error is None:
            return [Send(frames.watched_frame(stream, call))]
        return [Send(msgspec.json.encode(Watched(stream, error=frames.body_of(error))))]

    def chunk(self, stream: int, channel: int, offset: int, content: bytes | memoryview) -> list[ServerAction]:
        """Send bytes of a stream: a watched call's output, or a node's input. The driver keeps to the credit.

        On a link that ended, or a watched stream that did, nothing is sent.
        """
        if self.state is State.SERVING or stream in self._streams:
            return [SendBytes(frames.chunk_frame(stream, channel, offset, content))]
        return []

    def credit(self, stream: int, channel: int, upto: int) -> list[ServerAction]:
        """Take more of a stream: a watched call's input, or a node's output."""
        if self.state is State.OPEN:
            known = self._streams.get(stream)
            inflow = known.inflows.get(channel) if known is not None else None
            if inflow is None or not inflow.allow(upto):
                return []
        elif self.state is not State.SERVING:
            return []
        return [Send(msgspec.json.encode(Credit(stream, channel, upto)))]

    # A node at the other end

    def ask(self, method: str, params: bytes, stream: int = 0) -> tuple[int, list[ServerAction]]:
        """Ask the node; return the id by which `Answered` or `Refused` will name it.

        Raises:
            InstarError: `node_away` when the link has ended; `overloaded` when `LINK_ASKS_MAX` wait.
            MisuseError: There is no node at the other end.
        """
        if self.state is State.CLOSED:
            raise InstarError("node_away", "the link to the node has ended")
        if self.state is not State.SERVING:
            raise machine.MisuseError(f"ask() in state {self.state.name}")
        if len(self._asked) >= LINK_ASKS_MAX:
            raise InstarError("overloaded", f"{LINK_ASKS_MAX} requests wait for the node's answer")
        self._last_ask += 1
        self._asked.add(self._last_ask)
        return self._last_ask, [Send(msgspec.json.encode(Ask(self._last_ask, method, Raw(params), stream)))]

    def give_up(self, ask_id: int) -> None:
        """Wait for an answer no more; one that comes later is dropped."""
        self._asked.discard(ask_id)

    def tell(self, method: str, params: bytes) -> list[ServerAction]:
        """Tell the node something; on a link that ended it goes nowhere."""
        return [Send(msgspec.json.encode(Tell(method, Raw(params))))] if self.state is State.SERVING else []

    # Inner parts

    def _out_of_turn(self, frame: ClientFrame | Chunk) -> str:
        if self.state is State.AWAITING_HELLO:
            return "`hello` must be the first frame"
        return (
            "`hello` came twice" if isinstance(frame, Hello) else f"a {type(frame).__name__.lower()} frame out of turn"
        )

    def _hello(self, hello: Hello) -> list[ServerAction]:
        self._is_node = hello.node is not None
        return [Open(hello)]

    def _ping(self, ping: Ping) -> list[ServerAction]:
        return [Send(msgspec.json.encode(Pong(ping.n)))]

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

    def _watch(self, watch: Watch) -> list[ServerAction]:
        if not 0 < watch.stream <= frames.STREAM_MAX or watch.stream in self._streams:
            return self.end("bad_request", f"stream {watch.stream} is in use on this link, or no stream's number")
        if len(self._streams) >= LINK_STREAMS_MAX:
            full = InstarError(
                "overloaded", f"{LINK_STREAMS_MAX} calls are watched on this link", hint="Watch fewer at once."
            )
            return [Send(msgspec.json.encode(Watched(watch.stream, error=frames.body_of(full))))]
        self._streams[watch.stream] = flow.watching()
        return [Opened(watch)]

    def _unwatch(self, unwatch: Unwatch) -> list[ServerAction]:
        return [Closed(unwatch.stream)] if self._streams.pop(unwatch.stream, None) is not None else []

    def _close_input(self, frame: CloseInput) -> list[ServerAction]:
        return [InputClosed(frame.stream, frame.size_bytes)] if frame.stream in self._streams else []

    def _credit(self, frame: Credit) -> list[ServerAction]:
        is_known = self.state is State.SERVING or frame.stream in self._streams
        return [Granted(frame.stream, frame.channel, frame.upto)] if is_known else []

    def _chunk(self, chunk: Chunk) -> list[ServerAction]:
        """A node's chunks are checked by who follows its calls; those of a client here."""
        if self.state is State.SERVING:
            return [Took(*chunk)]
        known = self._streams.get(chunk.stream)
        if known is None:
            return []
        try:
            offset, fresh = known.take(chunk.channel, chunk.offset, chunk.content)
        except flow.FlowFaultError as fault:
            return self.end("bad_request", str(fault))
        return [Took(chunk.stream, Channel.STDIN, offset, fresh)] if fresh else []

    def _reply(self, reply: Reply) -> list[ServerAction]:
        return self._answered(reply.id, Answered(reply.id, reply.result))

    def _refusal(self, refusal: Refusal) -> list[ServerAction]:
        return self._answered(refusal.id, Refused(refusal.id, refusal.error))

    def _answered(self, ask_id: int, action: Answered | Refused) -> list[ServerAction]:
        """An answer counts once, and only to what was asked on this very link."""
        if not 0 < ask_id <= self._last_ask:
            return self.end("bad_request", f"nothing was asked with the id {ask_id}")
        if ask_id not in self._asked:
            return []
        self._asked.discard(ask_id)
        return [action]

    def _tell(self, tell: Tell) -> list[ServerAction]:
        return [Told(tell.method, tell.params)]

    _reactions: ClassVar[Mapping[type, Callable[[Any, Any], list[ServerAction]]]] = {
        Hello: _hello,
        Ping: _ping,
        Op: _invoke,
        Watch: _watch,
        Unwatch: _unwatch,
        CloseInput: _close_input,
        Credit: _credit,
        Chunk: _chunk,
        Reply: _reply,
        Refusal: _refusal,
        Tell: _tell,
    }
