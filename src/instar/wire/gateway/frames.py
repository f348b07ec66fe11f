"""Frames of the gateway's dialect: one JSON object per text message; `req`, `res` and `event`.

Decoding is the validation, and the generated schema is made of these structs.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from .method import Generation


def _absent() -> Raw:
    return Raw(b"")


NonEmpty = Annotated[str, Meta(min_length=1)]


class Request(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A request of OpenClaw's clients. Closed: a member too many is no request."""

    type: Literal["req"]
    id: NonEmpty
    method: NonEmpty
    params: Raw = msgspec.field(default_factory=_absent)
    """Absent for methods that take none."""
    traceparent: Annotated[str, Meta(max_length=128)] = ""
    expected_profile_id: NonEmpty | UnsetType = UNSET
    """Whose session a client of generation 4 believes that it speaks in; nothing is decided on it."""


class MoltisRequest(Struct, frozen=True):
    """A request of Moltis's clients; it is open, as theirs is."""

    type: Literal["req"]
    id: NonEmpty
    method: NonEmpty
    params: Raw = msgspec.field(default_factory=_absent)
    channel: str | None = None


class ErrorShape(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A failure as the dialect says it."""

    code: str
    message: str
    details: dict[str, Any] | UnsetType = UNSET
    retryable: bool | UnsetType = UNSET
    retry_after_ms: int | UnsetType = UNSET


class Response(Struct, frozen=True, omit_defaults=True):
    """An answer; a method may send an early one and the final one under the same id."""

    type: Literal["res"]
    id: str
    ok: bool
    payload: Raw | UnsetType = UNSET
    error: ErrorShape | UnsetType = UNSET


class StateVersion(Struct, frozen=True):
    """Which presence and which health an event or a snapshot speaks of."""

    presence: int = 0
    health: int = 0


class Event(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What the gateway says by itself."""

    type: Literal["event"]
    event: str
    payload: Raw | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    """Consecutive on a connection; targeted events have none."""
    state_version: StateVersion | UnsetType = UNSET
    instar_cursor: str = ""
    """Where the log stands; only for a client that called `instar.resume`."""


class _Type(Struct):
    type: str = ""


_encode = msgspec.json.Encoder().encode
_type_of = msgspec.json.Decoder(_Type).decode
_decode_any = msgspec.json.Decoder().decode
_decode_response = msgspec.json.Decoder(Response).decode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_request = msgspec.json.Decoder(Request).decode
_decode_moltis = msgspec.json.Decoder(MoltisRequest).decode

AnyRequest = Request | MoltisRequest


def decode_request(payload: bytes, generation: Generation | None) -> AnyRequest:
    """Return the request; None is a connection that has yet to say which generation it speaks.

    Raises:
        msgspec.DecodeError: It is no JSON, or `msgspec.ValidationError` for JSON that is no request; one of
            `wire.machine.UNREADABLE` in any case.
    """
    return _decode_moltis(payload) if generation is Generation.MOLTIS else _decode_request(payload)


def decode_any(payload: bytes) -> Any:  # noqa: ANN401 - whatever a peer sent
    """Return what JSON there is: to say more of a frame that is no request.

    Raises:
        msgspec.DecodeError: There is none; one of `wire.machine.UNREADABLE` in any case.
    """
    return _decode_any(payload)


def decode_hub_frame(payload: bytes) -> Response | Event | AnyRequest:
    """Return a frame of the gateway, as a client reads it.

    Raises:
        msgspec.DecodeError: It is none; one of `wire.machine.UNREADABLE` in any case.
    """
    kind = _type_of(payload).type
    if kind == "res":
        return _decode_response(payload)
    return _decode_moltis(payload) if kind == "req" else _decode_event(payload)


def request_frame(request_id: str, method: str, params: bytes = b"") -> bytes:
    """Return a `req` around parameters that are already JSON."""
    tail = b',"params":%b}' % params if params else b"}"
    return b'{"type":"req","id":%b,"method":%b%b' % (_encode(request_id), _encode(method), tail)


def answer_frame(request_id: str, payload: bytes) -> bytes:
    """Return a `res` around a payload that is already JSON."""
    return b'{"type":"res","id":%b,"ok":true,"payload":%b}' % (_encode(request_id), payload)


def error_frame(request_id: str, error: ErrorShape, payload: bytes = b"") -> bytes:
    """Return a `res` that failed; method `agent` says the run's state beside the error."""
    beside = b',"payload":%b' % payload if payload else b""
    return b'{"type":"res","id":%b,"ok":false%b,"error":%b}' % (_encode(request_id), beside, _encode(error))


def event_frame(event: str, payload: bytes) -> bytes:
    """Return an `event` that carries no `seq`: for one client alone."""
    return b'{"type":"event","event":%b,"payload":%b}' % (_encode(event), payload)


def event_tail(event: str, payload: bytes, state_version: StateVersion | None = None) -> bytes:
    """Return the part of an `event` that is the same for all clients; `numbered_event` puts the number before it."""
    version = b',"stateVersion":%b' % _encode(state_version) if state_version is not None else b""
    return b'"event":%b,"payload":%b%b}' % (_encode(event), payload, version)


def numbered_event(seq: int, tail: bytes, cursor: int = 0) -> bytes:
    """Return an `event` around bytes that are shared by all clients: the hot path, nothing is encoded again."""
    if cursor:
        return b'{"type":"event","seq":%d,"instarCursor":"%d",%b' % (seq, cursor, tail)
    return b'{"type":"event","seq":%d,%b' % (seq, tail)
