"""The client's end of the gateway's dialect without IO, for all three generations: `instar gateway` and tests use it.

It waits for the challenge, introduces itself, answers a Moltis gateway's own challenge, matches answers, and sees what
it missed. Who it is and how it signs is the driver's.
"""

import enum
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, ClassVar

import msgspec

from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.wire import machine
from instar.wire.limits import GATEWAY_HANDSHAKE_S, GATEWAY_PENDING_MAX, GATEWAY_TICK_S, PAIRING_WAIT_S
from instar.wire.signatures import from_base64

from . import frames
from .actions import Answered, Challenged, ClientAction, End, Happened, Missed, Opened, Prove, Refused, Send
from .frames import Event, Response
from .machine import CHALLENGE, NODE_CHALLENGE, NODE_PROOF, PENDING
from .method import Generation

SILENT = 4000
"""Close code of a client that heard nothing of the gateway for two ticks."""
ACCEPTED = frozenset({"accepted", "started", "in_flight"})
"""States of a payload that is no answer yet, where a final one was asked for."""


class State(enum.Enum):
    """Where the client's end stands."""

    AWAITING_CHALLENGE = enum.auto()
    CONNECTING = enum.auto()
    OPEN = enum.auto()
    CLOSED = enum.auto()


class _Nonce(msgspec.Struct):
    nonce: str
    ts: int = 0


class _Status(msgspec.Struct):
    status: str = ""


_encode = msgspec.json.Encoder().encode
_decode_nonce = msgspec.json.Decoder(_Nonce).decode
_decode_status = msgspec.json.Decoder(_Status).decode


class ClientMachine:
    """One connection as a client sees it. Nothing that the gateway sends raises; its faults become an `End`.

    Args:
        generation: As what the client speaks; a Moltis client says `connect` at once.
    """

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.state = State.AWAITING_CHALLENGE
        self._connect_id = ""
        self._in_flight: dict[str, bool] = {}
        self._seq = 0
        self._cut_at = inf

    @property
    def wake_at(self) -> float:
        """When `tick` must be called next, at the latest; infinity once closed."""
        return self._cut_at

    def start(self, now: float) -> list[ClientAction]:
        """Begin. A Moltis client is asked for its `connect` at once, with no nonce."""
        self._cut_at = now + GATEWAY_HANDSHAKE_S
        return [Challenged("", 0)] if self.generation is Generation.MOLTIS else []

    def connect(self, params: bytes) -> list[ClientAction]:
        """Introduce oneself with parameters that are JSON: a struct of `wire.gateway.connect`, encoded.

        Raises:
            MisuseError: The gateway has not challenged the client, or was told already.
        """
        if self.state is State.CLOSED:
            return []
        if self.state is not State.AWAITING_CHALLENGE:
            raise machine.MisuseError(f"connect() in state {self.state.name}")
        self.state = State.CONNECTING
        self._connect_id = new_id("req")
        return [Send(frames.request_frame(self._connect_id, "connect", params))]

    def prove(self, signature: str) -> list[ClientAction]:
        """Answer a Moltis gateway's challenge with a signature in base64."""
        if self.state is State.CLOSED:
            return []
        return [Send(frames.request_frame(new_id("req"), NODE_PROOF, _encode({"signature": signature})))]

    def call(self, method: str, params: bytes = b"", *, wants_final: bool = False) -> tuple[str, list[ClientAction]]:
        """Call a method; return its id, by which `Answered` or `Refused` will name it.

        Args:
            method: Its name.
            params: JSON.
            wants_final: An answer that only says `accepted` is told, and the final one awaited.

        Raises:
            InstarError: `overloaded` when too many wait for their answers, `unreachable` when there is no connection.
        """
        if self.state is not State.OPEN:
            raise InstarError("unreachable", "there is no connection to the gateway")
        if len(self._in_flight) >= GATEWAY_PENDING_MAX:
            raise InstarError("overloaded", f"{GATEWAY_PENDING_MAX} requests are under way on this connection")
        request_id = new_id("req")
        self._in_flight[request_id] = wants_final
        return request_id, [Send(frames.request_frame(request_id, method, params))]

    def receive(self, payload: bytes, is_text: bool, now: float) -> list[ClientAction]:
        """Take one message of the gateway."""
        if self.state is State.CLOSED:
            return []
        if not is_text:
            return self._end("the gateway sent a binary frame")
        try:
            frame = frames.decode_hub_frame(payload)
            actions = self._reactions[type(frame)](self, frame, now) if type(frame) in self._reactions else []
        except machine.UNREADABLE as error:
            return self._end(f"the gateway's frame cannot be read: {str(error)[:200]}")
        if self.state is State.OPEN:
            self._cut_at = now + 2 * GATEWAY_TICK_S
        return actions

    def tick(self, now: float) -> list[ClientAction]:
        """Do what is due: give a silent gateway up."""
        if now < self._cut_at:
            return []
        self.close()
        return [End(SILENT, "nothing came from the gateway for too long")]

    def close(self) -> None:
        """Note that the connection is gone; nothing is due any more. Requests under way have no known outcome."""
        self.state = State.CLOSED
        self._in_flight.clear()
        self._cut_at = inf

    def _end(self, reason: str) -> list[ClientAction]:
        self.close()
        return [End(1002, reason)]

    def _response(self, frame: Response, now: float) -> list[ClientAction]:
        del now
        if self.state is State.CONNECTING and frame.id == self._connect_id:
            return self._admitted(frame)
        if frame.id not in self._in_flight:
            return []
        wants_final = self._in_flight[frame.id]
        if frame.ok:
            payload = msgspec.Raw(b"null") if isinstance(frame.payload, msgspec.UnsetType) else frame.payload
            is_final = not (wants_final and _status(payload) in ACCEPTED)
            if is_final:
                del self._in_flight[frame.id]
            return [Answered(frame.id, payload, is_final)]
        del self._in_flight[frame.id]
        return [Refused(frame.id, _error(frame))]

    def _admitted(self, frame: Response) -> list[ClientAction]:
        if not frame.ok or isinstance(frame.payload, msgspec.UnsetType):
            self.close()
            return [Refused(frame.id, _error(frame)), End(1000)]
        self.state = State.OPEN
        return [Opened(frame.payload)]

    def _event(self, frame: Event, now: float) -> list[ClientAction]:
        payload = msgspec.Raw(b"null") if isinstance(frame.payload, msgspec.UnsetType) else frame.payload
        if frame.event == CHALLENGE:
            if self.state is not State.AWAITING_CHALLENGE:
                return []
            challenge = _decode_nonce(payload)
            return [Challenged(challenge.nonce, challenge.ts)]
        if frame.event == NODE_CHALLENGE:
            nonce = from_base64(_decode_nonce(payload).nonce)
            return [Prove(nonce)] if nonce else self._end("the gateway's challenge is no base64")
        if frame.event == PENDING and self.state is State.CONNECTING:
            self._cut_at = now + PAIRING_WAIT_S + GATEWAY_HANDSHAKE_S
        return [*self._missed(frame), Happened(frame.event, payload, frame.instar_cursor)]

    def _missed(self, frame: Event) -> list[ClientAction]:
        if isinstance(frame.seq, msgspec.UnsetType):
            return []
        known, self._seq = self._seq, frame.seq
        return [Missed(known, frame.seq)] if frame.seq > known + 1 else []

    _reactions: ClassVar[Mapping[type, Callable[[Any, Any, float], list[ClientAction]]]] = {
        Response: _response,
        Event: _event,
    }


def _status(payload: msgspec.Raw) -> str:
    try:
        return _decode_status(payload).status
    except machine.UNREADABLE:
        return ""


def _error(frame: Response) -> frames.ErrorShape:
    if isinstance(frame.error, msgspec.UnsetType):
        return frames.ErrorShape("UNAVAILABLE", "the gateway said no more than that it failed")
    return frame.error
