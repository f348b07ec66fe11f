"""The client's end of `moltnet.attach.v1` without IO, as strict as the original: what it does not know, it leaves."""

import enum
from collections.abc import Mapping
from math import inf

from instar.wire import machine
from instar.wire.limits import ATTACH_SILENCE_S
from instar.wire.messages import Actor

from . import frames, rules
from .actions import Attached, ClientAction, End, EndKind, Received, Send
from .frames import VERSION, Capabilities, Frame


class State(enum.Enum):
    """Where the client's end stands."""

    AWAITING_HELLO = enum.auto()
    AWAITING_READY = enum.auto()
    READY = enum.auto()
    CLOSED = enum.auto()


MOVES: Mapping[tuple[State, str], State] = {
    (State.AWAITING_HELLO, frames.HELLO): State.AWAITING_READY,
    (State.AWAITING_HELLO, frames.ERROR): State.CLOSED,
    (State.AWAITING_READY, frames.READY): State.READY,
    (State.AWAITING_READY, frames.ERROR): State.CLOSED,
    (State.READY, frames.EVENT): State.READY,
    (State.READY, frames.PING): State.READY,
    (State.READY, frames.ERROR): State.CLOSED,
}
"""(state, op) → state. What is not here ends the socket."""

_ALL = Capabilities(rooms=True, threads=True, dms=True, artifacts=True)
_PONG = Send(frames.encode(Frame(op=frames.PONG, version=VERSION)))


class ClientMachine:
    """One attachment as an agent sees it. Nothing that the server sends raises; its faults become an `End`.

    Args:
        network_id: The network that READY must name.
        agent: Who attaches: `id`, and a `name` if it has one.
        cursor: The last event that was processed; empty: from now on (or from where the hub knows it stood).
    """

    def __init__(self, network_id: str, agent: Actor, cursor: str = "", capabilities: Capabilities = _ALL) -> None:
        self._network_id = network_id
        self._agent = agent
        self._capabilities = capabilities
        self.cursor = cursor
        """The last acknowledged event: with what to attach again."""
        self.state = State.AWAITING_HELLO
        self._silence_s = ATTACH_SILENCE_S
        self._cut_at = inf

    @property
    def wake_at(self) -> float:
        """When `tick` must be called next, at the latest; infinity once closed."""
        return self._cut_at

    def start(self, now: float) -> list[ClientAction]:
        """Begin to wait for HELLO."""
        self._cut_at = now + self._silence_s
        return []

    def receive(self, payload: bytes, is_text: bool, now: float) -> list[ClientAction]:
        """Take one message of the server."""
        if self.state is State.CLOSED:
            return []
        try:
            frame = rules.parse(payload, is_text)
            rules.check_version(frame)
            moved = MOVES.get((self.state, frame.op))
            if moved is None:
                raise rules.unexpected(frame)
            actions = self._react(frame)
        except rules.Violation as violation:
            return self._end(EndKind.ERROR, str(violation))
        self.state = moved
        self._cut_at = inf if moved is State.CLOSED else now + self._silence_s
        return actions

    def tick(self, now: float) -> list[ClientAction]:
        """End the attachment when the server has said nothing for twice its heartbeat, at least ten seconds."""
        if now < self._cut_at:
            return []
        return self._end(EndKind.SILENT, "the server said nothing for too long")

    def acknowledge(self, cursor: str) -> list[ClientAction]:
        """Say that the event with this id is processed. On a connection that ended, nothing is sent.

        Raises:
            MisuseError: The attachment is not ready yet.
        """
        if self.state is State.CLOSED:
            return []
        self._require_ready("acknowledge")
        self.cursor = cursor
        return [Send(frames.encode(Frame(op=frames.ACK, version=VERSION, cursor=cursor)))]

    def fail(self, error: str) -> list[ClientAction]:
        """Say that the agent could not handle what woke it; this ends the attachment.

        Raises:
            MisuseError: The attachment is not ready yet.
        """
        if self.state is State.CLOSED:
            return []
        self._require_ready("fail")
        said = Send(frames.encode(Frame(op=frames.ERROR, version=VERSION, error=error)))
        return [said, *self._end(EndKind.ERROR, error)]

    def close(self) -> None:
        """Note that the connection is gone; nothing is due any more."""
        self.state = State.CLOSED
        self._cut_at = inf

    def _end(self, kind: EndKind, text: str) -> list[ClientAction]:
        self.close()
        return [End(kind, text)]

    def _require_ready(self, verb: str) -> None:
        if self.state is not State.READY:
            raise machine.MisuseError(f"{verb}() in state {self.state.name}")

    def _react(self, frame: Frame) -> list[ClientAction]:
        if frame.op == frames.EVENT:
            return self._event(frame)
        if frame.op == frames.PING:
            return [_PONG]
        if frame.op == frames.HELLO:
            return self._identify(frame)
        if frame.op == frames.READY:
            return self._ready(frame)
        return [End(EndKind.PEER_ERROR, frame.error.strip() or "attachment server error")]

    def _identify(self, hello: Frame) -> list[ClientAction]:
        self._silence_s = max(ATTACH_SILENCE_S, 2 * hello.heartbeat_interval_ms / 1_000)
        agent = Actor(type="agent", id=self._agent.id, name=self._agent.name)
        frame = Frame(
            op=frames.IDENTIFY,
            version=VERSION,
            network_id=self._network_id,
            agent=agent,
            capabilities=self._capabilities,
            cursor=self.cursor,
        )
        return [Send(frames.encode(frame))]

    def _ready(self, frame: Frame) -> list[ClientAction]:
        if frame.network_id.strip() != self._network_id:
            told, own = rules.quoted(frame.network_id), rules.quoted(self._network_id)
            raise rules.Violation(f"attachment READY network_id {told} does not match {own}")
        return [Attached(frame.agent_id, frame.actor_uid, frame.actor_uri, frame.agent_token)]

    def _event(self, frame: Frame) -> list[ClientAction]:
        if not bytes(frame.event) or not frame.cursor:
            raise rules.Violation("attachment EVENT without event or cursor")
        return [Received(frame.cursor, frame.event)]
