"""Frames of the native link: subprotocol `instar.v1` on `/v1/attach`, one JSON object per text message.

The client opens with `hello`; the hub answers `welcome`. Then either side speaks at will: operations are answered by
`result` or `error` with their id, in any order; events come in batches as they are committed; signals only if asked.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from instar.base.errors import InstarError
from instar.wire.problem import problem

SUBPROTOCOL = "instar.v1"


class Hello(Struct, frozen=True, tag="hello", tag_field="t", omit_defaults=True):
    """The first frame of a client."""

    client: str = ""
    """Name and version, for logs."""
    feed: bool = True
    """Whether it wants the events it may read."""
    cursor: str = ""
    """Event id or `seq` after which the feed goes on; empty: from now."""
    signals: bool = False


class Op(Struct, frozen=True, tag="op", tag_field="t", omit_defaults=True):
    """Ask for an operation. `key` is its idempotency key."""

    id: int
    op: str
    params: Raw = msgspec.field(default_factory=lambda: Raw(b"{}"))
    key: str = ""


class Ping(Struct, frozen=True, tag="ping", tag_field="t"):
    """Are you there?"""

    n: int


ClientFrame = Hello | Op | Ping


class Welcome(Struct, frozen=True, tag="welcome", tag_field="t"):
    """The first frame of the hub. `cursor`: where the feed stands; what the client missed follows."""

    version: str
    network_id: str
    principal: str
    cursor: str


class Result(Struct, frozen=True, tag="result", tag_field="t"):
    """The answer of an operation."""

    id: int
    result: Raw


class ErrorBody(Struct, frozen=True, omit_defaults=True):
    """A failure as data."""

    code: str
    message: str
    hint: str = ""
    retryable: bool = False
    retry_after_s: float | None = None
    request_id: str = ""
    detail: dict[str, Any] = {}


class Error(Struct, frozen=True, tag="error", tag_field="t"):
    """The failure of an operation; with id 0, of the link itself, and the hub closes it."""

    id: int
    error: ErrorBody


class Events(Struct, frozen=True, tag="events", tag_field="t"):
    """A batch of events (`wire.events.EventView`); `cursor` is the `seq` of the last."""

    events: list[Raw]
    cursor: str


class SignalFrame(Struct, frozen=True, tag="signal", tag_field="t"):
    """A signal (`wire.runs.Signal`): unnumbered, unstored, replaced by what it names."""

    signal: Raw


class Gap(Struct, frozen=True, tag="gap", tag_field="t"):
    """The feed cannot go on at the cursor that was asked for (`wire.events.ReplayGap`); it goes on at the newest."""

    replay_gap: Raw


class Pong(Struct, frozen=True, tag="pong", tag_field="t"):
    """I am."""

    n: int


class Bye(Struct, frozen=True, tag="bye", tag_field="t"):
    """The hub closes this link; resume with `cursor`."""

    code: str
    message: str
    cursor: str


HubFrame = Welcome | Result | Error | Events | SignalFrame | Gap | Pong | Bye

decode_client_frame = msgspec.json.Decoder(ClientFrame).decode
decode_hub_frame = msgspec.json.Decoder(HubFrame).decode


def events_frame(events: Sequence[bytes], cursor: int) -> bytes:
    """Return the `events` frame around events that are already JSON: the hot path, nothing is encoded again."""
    return b'{"t":"events","events":[%b],"cursor":"%d"}' % (b",".join(events), cursor)


def signal_frame(signal: bytes) -> bytes:
    """Return the `signal` frame around a signal that is already JSON."""
    return b'{"t":"signal","signal":%b}' % signal


def result_frame(op_id: int, result: bytes) -> bytes:
    """Return the `result` frame around an answer that is already JSON."""
    return b'{"t":"result","id":%d,"result":%b}' % (op_id, result)


def error_frame(op_id: int, error: InstarError, request_id: str = "") -> bytes:
    """Return the `error` frame of a failed operation, or of the link itself (`op_id` 0)."""
    told = problem(error, request_id)
    body = ErrorBody(
        code=told.code,
        message=told.error,
        hint=told.hint,
        retryable=told.retryable,
        retry_after_s=error.retry_after_s,
        request_id=told.request_id,
        detail={} if told.detail is msgspec.UNSET else told.detail,
    )
    return msgspec.json.encode(Error(op_id, body))
