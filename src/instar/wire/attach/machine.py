"""The server's end of `moltnet.attach.v1` without IO.

HELLO goes out at once, IDENTIFY must come back, READY answers it; then EVENT frames go out beside the machine (they
are spliced once for all sockets, `frames.event_frame`), and ACK, PING, PONG and ERROR come in.
"""

import enum
from collections.abc import Callable, Mapping
from math import inf

from instar.wire import machine
from instar.wire.agents import AgentRegistration
from instar.wire.limits import ATTACH_HEARTBEAT_MS, ATTACH_IDENTIFY_S, ATTACH_SILENCE_S
from instar.wire.messages import Actor

from . import frames, rules
from .actions import Acknowledge, End, EndKind, Identify, Send, ServerAction, WakeFailed
from .frames import VERSION, Frame

PING_S = ATTACH_HEARTBEAT_MS / 2_000


class State(enum.Enum):
    """Where the server's end stands."""

    AWAITING_IDENTIFY = enum.auto()
    REGISTERING = enum.auto()
    """The hub decides on the IDENTIFY."""
    READY = enum.auto()
    CLOSED = enum.auto()


REGISTERED = "registered"
"""The one event of the table that the hub causes; the others are ops of the client."""

MOVES: Mapping[tuple[State, str], State] = {
    (State.AWAITING_IDENTIFY, frames.IDENTIFY): State.REGISTERING,
    (State.REGISTERING, frames.PING): State.REGISTERING,
    (State.REGISTERING, frames.PONG): State.REGISTERING,
    (State.REGISTERING, frames.ERROR): State.CLOSED,
    (State.REGISTERING, REGISTERED): State.READY,
    (State.READY, frames.ACK): State.READY,
    (State.READY, frames.PING): State.READY,
    (State.READY, frames.PONG): State.READY,
    (State.READY, frames.ERROR): State.CLOSED,
}
"""(state, op) → state. What is not here ends the socket."""

_HELLO = frames.encode(Frame(op=frames.HELLO, version=VERSION, heartbeat_interval_ms=ATTACH_HEARTBEAT_MS))
_PING = Send(frames.encode(Frame(op=frames.PING, version=VERSION)))
_PONG = Send(frames.encode(Frame(op=frames.PONG, version=VERSION)))


class ServerMachine:
    """One attachment as the hub sees it.

    Nothing that a client sends raises: its faults become an ERROR frame and an `End`. After an `End` every input is
    answered with no action. Times are monotonic seconds of the driver's one clock.

    Args:
        network_id: The network that the client must name.
    """

    __slots__ = ("_cut_at", "_network_id", "_ping_at", "state")

    def __init__(self, network_id: str) -> None:
        self._network_id = network_id
        self.state = State.AWAITING_IDENTIFY
        self._cut_at = inf
        self._ping_at = inf

    @property
    def is_ready(self) -> bool:
        """Whether EVENT frames may be sent."""
        return self.state is State.READY

    @property
    def wake_at(self) -> float:
        """When `tick` must be called next, at the latest; infinity once closed."""
        return min(self._cut_at, self._ping_at)

    def start(self, now: float) -> list[ServerAction]:
        """Greet the client; it has `ATTACH_IDENTIFY_S` to identify itself."""
        self._cut_at = now + ATTACH_IDENTIFY_S
        return [Send(_HELLO)]

    def receive(self, payload: bytes, is_text: bool, now: float) -> list[ServerAction]:
        """Take one message of the client."""
        if self.state is State.CLOSED:
            return []
        try:
            return self._take(rules.parse(payload, is_text), now)
        except rules.Violation as violation:
            return self.refuse(str(violation))

    def tick(self, now: float) -> list[ServerAction]:
        """Do what is due: cut a silent client, without a word as the original does, or ping a ready one."""
        if now >= self._cut_at:
            self._close()
            return [End(EndKind.SILENT, "the client said nothing for too long")]
        if now >= self._ping_at:
            self._ping_at = now + PING_S
            return [_PING]
        return []

    def ready(self, registration: AgentRegistration, now: float) -> list[ServerAction]:
        """Admit the client. From here on EVENT frames may be sent. A client that is gone meanwhile gets nothing.

        Raises:
            MisuseError: No IDENTIFY waits for this.
        """
        if self.state is State.CLOSED:
            return []
        if (self.state, REGISTERED) not in MOVES:
            raise machine.MisuseError(f"ready() in state {self.state.name}")
        self.state = MOVES[self.state, REGISTERED]
        self._cut_at = now + ATTACH_SILENCE_S
        self._ping_at = now + PING_S
        frame = Frame(
            op=frames.READY,
            version=VERSION,
            network_id=registration.network_id,
            agent_id=registration.agent_id,
            actor_uid=registration.actor_uid,
            actor_uri=registration.actor_uri,
            agent_token=registration.agent_token,
        )
        return [Send(frames.encode(frame))]

    def refuse(self, text: str) -> list[ServerAction]:
        """End the attachment with an ERROR frame: a refused IDENTIFY, a wrong ACK, a removed agent."""
        if self.state is State.CLOSED:
            return []
        self._close()
        return [Send(frames.encode(Frame(op=frames.ERROR, version=VERSION, error=text))), End(EndKind.ERROR, text)]

    def close(self) -> None:
        """Note that the connection is gone; nothing is due any more."""
        self._close()

    def _close(self) -> None:
        self.state = State.CLOSED
        self._cut_at = self._ping_at = inf

    def _take(self, frame: Frame, now: float) -> list[ServerAction]:
        if self.state is State.AWAITING_IDENTIFY:
            rules.check_identify(frame, self._network_id)
        else:
            rules.check_version(frame)
        moved = MOVES.get((self.state, frame.op))
        if moved is None:
            raise rules.unexpected(frame)
        actions = _REACTIONS[frame.op](frame)
        self.state = moved
        if moved is State.READY:
            self._cut_at = now + ATTACH_SILENCE_S
        elif moved is State.REGISTERING:
            self._cut_at = inf
        else:
            self._close()
        return actions


def _identified(frame: Frame) -> list[ServerAction]:
    agent = frame.agent or Actor()
    agent = Actor(type=agent.type.strip() or "agent", id=agent.id.strip(), name=agent.name.strip())
    return [Identify(agent, frame.cursor.strip())]


def _acknowledged(frame: Frame) -> list[ServerAction]:
    if not (cursor := frame.cursor.strip()):
        raise rules.Violation("unexpected ACK cursor")
    return [Acknowledge(cursor)]


def _failed(frame: Frame) -> list[ServerAction]:
    text = frame.error.strip() or "attachment client error"
    return [WakeFailed(text), End(EndKind.PEER_ERROR, text)]


def _pinged(_: Frame) -> list[ServerAction]:
    return [_PONG]


def _ponged(_: Frame) -> list[ServerAction]:
    return []


_REACTIONS: Mapping[str, Callable[[Frame], list[ServerAction]]] = {
    frames.IDENTIFY: _identified,
    frames.ACK: _acknowledged,
    frames.PING: _pinged,
    frames.PONG: _ponged,
    frames.ERROR: _failed,
}
