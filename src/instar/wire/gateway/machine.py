"""The hub's end of one gateway connection without IO, from the challenge to the close, for all three generations.

Events go out beside it, rendered once for all clients. What happens before `hello-ok` is `handshake`'s to judge.
"""

import enum
from collections.abc import Mapping
from math import inf
from typing import Any

import msgspec

from instar.wire import machine
from instar.wire.limits import (
    GATEWAY_EARLY_FRAMES_MAX,
    GATEWAY_HANDSHAKE_S,
    GATEWAY_PENDING_MAX,
    GATEWAY_V3_FRAME_MAX_BYTES,
    PAIRING_WAIT_S,
)
from instar.wire.signatures import from_base64

from . import frames, handshake, refusals, signing
from .actions import Admit, Dropped, End, Invoke, Send, ServerAction
from .connect import Introduction
from .errors import INVALID_REQUEST, UNAVAILABLE
from .frames import ErrorShape
from .handshake import Arrival, Greeting
from .method import Generation
from .refusals import Refusal
from .signing import Proof

CHALLENGE = "connect.challenge"
NODE_CHALLENGE = "node.auth.challenge"
NODE_PROOF = "node.auth.challenge-response"
PENDING = "node.pair.pending"


class State(enum.Enum):
    """Where the hub's end stands."""

    AWAITING_CONNECT = enum.auto()
    PROVING = enum.auto()
    """A Moltis node signs the nonce."""
    ADMITTING = enum.auto()
    """The hub decides."""
    HELD = enum.auto()
    """An operator decides on a Moltis node; the socket is read all the while, so that one that goes away is seen."""
    OPEN = enum.auto()
    CLOSED = enum.auto()


class Step(enum.Enum):
    """What moves it on."""

    GREETED = enum.auto()
    CHALLENGED = enum.auto()
    PROVED = enum.auto()
    HELD = enum.auto()
    RESUMED = enum.auto()
    ADMITTED = enum.auto()


MOVES: Mapping[tuple[State, Step], State] = {
    (State.AWAITING_CONNECT, Step.GREETED): State.ADMITTING,
    (State.AWAITING_CONNECT, Step.CHALLENGED): State.PROVING,
    (State.PROVING, Step.PROVED): State.ADMITTING,
    (State.ADMITTING, Step.HELD): State.HELD,
    (State.HELD, Step.RESUMED): State.ADMITTING,
    (State.ADMITTING, Step.ADMITTED): State.OPEN,
}
"""(state, step) → state; every fault and every end leads to CLOSED."""

_encode = msgspec.json.Encoder().encode
_BUSY = ErrorShape(
    UNAVAILABLE,
    f"{GATEWAY_PENDING_MAX} requests are under way on this connection",
    {"code": "OVERLOADED", "hint": "Wait for an answer before you ask for more."},
    retryable=True,
)
_SECOND_CONNECT = ErrorShape(INVALID_REQUEST, "connect is only valid as the first request")


class ServerMachine:
    """One connection as the hub sees it.

    Nothing that a client sends raises: a fault before `hello-ok` is a refusal and an `End`, one after it an error with
    the frame's id. After an `End` every input is answered with no action. Times are monotonic seconds of the driver's
    one clock.

    Args:
        arrival: How the connection came about.
        node_nonce: 32 random bytes that a Moltis node signs.
    """

    __slots__ = (
        "_arrival", "_connect_id", "_cut_at", "_early", "_node_nonce", "_opened_at", "_pending", "_proof",
        "generation", "state", "who",
    )  # fmt: skip

    def __init__(self, arrival: Arrival, node_nonce: bytes) -> None:
        self.state = State.AWAITING_CONNECT
        self.generation: Generation | None = None
        self.who: Introduction | None = None
        """What the client said of itself, until it was admitted."""
        self._arrival = arrival
        self._node_nonce = node_nonce
        self._connect_id = ""
        self._proof: Proof | None = None
        self._early: list[bytes] = []
        self._pending = 0
        self._opened_at = 0.0
        self._cut_at = inf

    @property
    def wake_at(self) -> float:
        """When `tick` must be called next, at the latest; infinity once nothing is due."""
        return self._cut_at

    @property
    def is_open(self) -> bool:
        """Whether events may be sent."""
        return self.state is State.OPEN

    @property
    def is_closed(self) -> bool:
        """Whether it has ended."""
        return self.state is State.CLOSED

    @property
    def pending(self) -> int:
        """How many requests wait for their answer."""
        return self._pending

    def start(self, now: float) -> list[ServerAction]:
        """Challenge the client; it has `GATEWAY_HANDSHAKE_S` to say who it is."""
        self._opened_at = now
        self._cut_at = now + GATEWAY_HANDSHAKE_S
        challenge = {"nonce": self._arrival.nonce, "ts": self._arrival.at_ms}
        return [Send(frames.event_frame(CHALLENGE, _encode(challenge)))]

    def receive(self, payload: bytes, is_text: bool, now: float) -> list[ServerAction]:
        """Take one message of the client."""
        match self.state:
            case State.OPEN:
                return self._take(payload, is_text)
            case State.AWAITING_CONNECT:
                return self._ending(self._greet(payload, is_text, now))
            case State.PROVING:
                return self._ending(self._prove(payload, is_text))
            case State.ADMITTING | State.HELD:
                return self._ending(self._wait(payload, is_text))
            case State.CLOSED:
                return []

    def tick(self, now: float) -> list[ServerAction]:
        """Do what is due: end a handshake that takes too long, without a word, or the wait of a node."""
        if now < self._cut_at:
            return []
        if self.state is State.HELD:
            return self.refuse(refusals.EXPIRED)
        return self._ending([End(1000)])

    # The handshake

    def hold(self, payload: object, now: float) -> list[ServerAction]:
        """Tell a Moltis node that an operator decides, and wait up to `PAIRING_WAIT_S`.

        Raises:
            MisuseError: No client waits to be admitted.
        """
        if self.state is State.CLOSED:
            return []
        self._move(Step.HELD)
        self._cut_at = now + PAIRING_WAIT_S
        return [Send(frames.event_frame(PENDING, _encode(payload)))]

    def resume(self, now: float) -> list[ServerAction]:
        """Go on with a node that was let in: decide again.

        Raises:
            MisuseError: Nobody is held.
        """
        if self.state is State.CLOSED:
            return []
        self._move(Step.RESUMED)
        self._cut_at = now + GATEWAY_HANDSHAKE_S
        assert self.who is not None
        return [Admit(self.who, self._proof)]

    def admitted(self, hello: bytes) -> list[ServerAction]:
        """Admit the client with this `hello-ok`. What it sent meanwhile follows.

        Raises:
            MisuseError: No client waits to be admitted.
        """
        if self.state is State.CLOSED:
            return []
        self._move(Step.ADMITTED)
        self._cut_at = inf
        # What it presented has served: no secret is kept for as long as the connection lives.
        self.who = self._proof = None
        actions: list[ServerAction] = [Send(frames.answer_frame(self._connect_id, hello))]
        early, self._early = self._early, []
        for payload in early:
            actions += self._take(payload, is_text=True)
        return actions

    def refuse(self, refusal: Refusal) -> list[ServerAction]:
        """Refuse the client and close."""
        if self.state is State.CLOSED:
            return []
        return self._ending(handshake.refuse(self._connect_id, refusal))

    # Requests

    def answer(self, request_id: str, payload: bytes) -> list[ServerAction]:
        """Answer a request with a payload that is JSON. On a connection that ended, nothing is sent.

        Raises:
            MisuseError: No request is under way.
        """
        return [Send(frames.answer_frame(request_id, payload))] if self._settle() else []

    def accept(self, request_id: str, payload: bytes) -> list[ServerAction]:
        """Say early that a request is under way; its answer follows under the same id."""
        return [Send(frames.answer_frame(request_id, payload))] if self.state is State.OPEN else []

    def fail(self, request_id: str, error: ErrorShape, payload: bytes = b"") -> list[ServerAction]:
        """Answer a request with its failure. On a connection that ended, nothing is sent.

        Raises:
            MisuseError: No request is under way.
        """
        return [Send(frames.error_frame(request_id, error, payload))] if self._settle() else []

    # The end

    def end(self, code: int, reason: str) -> list[ServerAction]:
        """Close the connection: the hub stops, the credential ended, the client takes nothing."""
        if self.state is State.CLOSED:
            return []
        return self._ending([End(code, refusals.cut(reason))])

    def close(self) -> None:
        """Note that the connection is gone; nothing is due any more, and late answers are dropped."""
        self.state = State.CLOSED
        self._pending = 0
        self._early = []
        self._cut_at = inf

    # Inner parts

    def _move(self, step: Step) -> None:
        moved = MOVES.get((self.state, step))
        if moved is None:
            raise machine.MisuseError(f"{step.name} in state {self.state.name}")
        self.state = moved

    def _ending(self, actions: list[ServerAction]) -> list[ServerAction]:
        if actions and isinstance(actions[-1], End):
            self.close()
        return actions

    def _greet(self, payload: bytes, is_text: bool, now: float) -> list[ServerAction]:
        now_ms = self._arrival.at_ms + round((now - self._opened_at) * 1_000)
        greeting = handshake.read_first(payload, is_text, self._arrival, now_ms)
        if not isinstance(greeting, Greeting):
            return greeting
        self._connect_id, self.who, self._proof = greeting
        self.generation = self.who.generation
        if not self.who.public_key:
            self._move(Step.GREETED)
            return [Admit(self.who, self._proof)]
        self._move(Step.CHALLENGED)
        nonce = msgspec.json.encode({"nonce": self._node_nonce})
        return [Send(frames.event_frame(NODE_CHALLENGE, nonce))]

    def _prove(self, payload: bytes, is_text: bool) -> list[ServerAction]:
        """Take a node's signature; other texts are ignored while it is awaited, as the original does."""
        if not is_text:
            return [End(1000)]
        try:
            request = frames.decode_request(payload, Generation.MOLTIS)
            if request.method != NODE_PROOF:
                return []
            signature = from_base64(_decode_proof(bytes(request.params) or b"{}").signature)
        except machine.UNREADABLE:
            return []
        if not signature:
            refusal = refusals.device_fault(signing.BAD_SIGNATURE, Generation.MOLTIS)
            return handshake.refuse(self._connect_id, refusal)
        assert self.who is not None
        key = signing.raw_public_key(self.who.public_key)
        assert key is not None
        self._proof = Proof(key, signature, (self._node_nonce,))
        self._move(Step.PROVED)
        return [Admit(self.who, self._proof)]

    def _wait(self, payload: bytes, is_text: bool) -> list[ServerAction]:
        """Keep what an OpenClaw client sends before its answer; a Moltis node has nothing to say meanwhile."""
        if not is_text:
            return [End(1000)]
        if self.generation is Generation.MOLTIS:
            return []
        if len(self._early) >= GATEWAY_EARLY_FRAMES_MAX:
            return [End(refusals.POLICY, "too many pending handshake frames")]
        self._early.append(payload)
        return []

    def _take(self, payload: bytes, is_text: bool) -> list[ServerAction]:
        """Take one frame of a client that was admitted."""
        is_moltis = self.generation is Generation.MOLTIS
        if is_moltis and len(payload) > GATEWAY_V3_FRAME_MAX_BYTES:
            return [_moltis_error(code="PAYLOAD_TOO_LARGE", maxBytes=GATEWAY_V3_FRAME_MAX_BYTES), Dropped()]
        try:
            request = frames.decode_request(payload, self.generation)
        except machine.UNREADABLE as error:
            return [_moltis_error(message="invalid frame")] if is_moltis else _malformed(payload, error)
        if not is_text:
            return []
        if request.method == handshake.CONNECT:
            return [Send(frames.error_frame(request.id, _SECOND_CONNECT))]
        if self._pending >= GATEWAY_PENDING_MAX:
            return [Send(frames.error_frame(request.id, _BUSY))]
        self._pending += 1
        return [Invoke(request)]

    def _settle(self) -> bool:
        if self.state is not State.OPEN:
            return False
        if not self._pending:
            raise machine.MisuseError("no request is under way")
        self._pending -= 1
        return True


class _Proof(msgspec.Struct):
    signature: str = ""


class _Id(msgspec.Struct):
    id: Any = None


_decode_id = msgspec.json.Decoder(_Id).decode
_decode_proof = msgspec.json.Decoder(_Proof).decode


def _malformed(payload: bytes, error: Exception) -> list[ServerAction]:
    """Answer a frame that is no request with its id, where it has one; what is no JSON is ignored."""
    if not handshake.is_json(payload):
        return []
    try:
        given = _decode_id(payload).id
    except machine.UNREADABLE:
        given = None
    request_id = given if isinstance(given, str) and given else "invalid"
    text = f"invalid request frame: {str(error)[:300]}"
    return [Send(frames.error_frame(request_id, ErrorShape(INVALID_REQUEST, text)))]


def _moltis_error(**payload: object) -> Send:
    return Send(frames.event_frame("error", _encode(payload)))
