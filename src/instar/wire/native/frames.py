"""Frames of the native link: subprotocol `instar.v1` on `/v1/attach`, one JSON object per text message.

The client opens with `hello`; the hub answers `welcome`. Then either side speaks at will: operations are answered by
`result` or `error` with their id, in any order; events come in batches as they are committed; signals only if asked.
"""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from instar.base.errors import InstarError
from instar.wire.codes import CODES
from instar.wire.execution import Channel, Declaration
from instar.wire.limits import LINK_CHUNK_MAX_BYTES
from instar.wire.problem import problem

SUBPROTOCOL = "instar.v1"
_CAUSE_MAX_CHARS = 1_024


class Hello(Struct, frozen=True, tag="hello", tag_field="t", omit_defaults=True):
    """The first frame of a client."""

    client: str = ""
    """Name and version, for logs."""
    feed: bool = True
    """Whether it wants the events it may read."""
    cursor: str = ""
    """Event id or `seq` after which the feed goes on; empty: from now."""
    signals: bool = False
    node: Declaration | None = None
    """A machine that serves calls; needs a grant of scope `node`, and has no feed."""


class Op(Struct, frozen=True, tag="op", tag_field="t", omit_defaults=True):
    """Ask for an operation. `key` is its idempotency key."""

    id: int
    op: str
    params: Raw = msgspec.field(default_factory=lambda: Raw(b"{}"))
    key: str = ""


class Ping(Struct, frozen=True, tag="ping", tag_field="t"):
    """Are you there?"""

    n: int


class ErrorBody(Struct, frozen=True, omit_defaults=True):
    """A failure as data."""

    code: str
    message: str
    hint: str = ""
    retryable: bool = False
    retry_after_s: float | None = None
    request_id: str = ""
    detail: dict[str, Any] = {}


class Watch(Struct, frozen=True, tag="watch", tag_field="t", omit_defaults=True):
    """Send me a call's output as binary chunks on this stream, from these offsets, and its end when it comes.

    Chunks that the client sends on the same stream are the call's input, if it has any: none before the hub gave
    `credit` for it. What lies `LINK_CREDIT_BYTES` before that has arrived; after a break, send from there again.
    """

    stream: int
    """Chosen by the client; greater than 0 and not in use on this link."""
    call_id: str
    offsets: dict[str, int] = {}
    """By channel number; absent: from the beginning."""
    credit_bytes: int = 0
    """How much may be sent of each channel before more is granted, if more than `LINK_CREDIT_BYTES`."""


class Unwatch(Struct, frozen=True, tag="unwatch", tag_field="t"):
    """Send no more on this stream; the call goes on."""

    stream: int


class Credit(Struct, frozen=True, tag="credit", tag_field="t"):
    """Either way: chunks of this stream and channel may go up to (not beyond) this offset. It never goes back."""

    stream: int
    channel: int
    upto: int


class CloseInput(Struct, frozen=True, tag="close_input", tag_field="t"):
    """The input of the watched call ends here."""

    stream: int
    size_bytes: int


class Reply(Struct, frozen=True, tag="reply", tag_field="t"):
    """A node's answer to an `ask`."""

    id: int
    result: Raw


class Refusal(Struct, frozen=True, tag="refusal", tag_field="t"):
    """A node's refusal of an `ask`."""

    id: int
    error: ErrorBody


class Tell(Struct, frozen=True, tag="tell", tag_field="t"):
    """Either way, without an answer. From a node: `declare` (Declaration), `telemetry` (Telemetry), `started`
    (CallOrder), `ended` (Outcome, repeated until it is settled). To a node: `settled` (CallOrder)."""

    method: str
    params: Raw


ClientFrame = Hello | Op | Ping | Watch | Unwatch | Credit | CloseInput | Reply | Refusal | Tell


class Welcome(Struct, frozen=True, tag="welcome", tag_field="t", omit_defaults=True):
    """The first frame of the hub. `cursor`: where the feed stands; what the client missed follows."""

    version: str
    network_id: str
    principal: str
    cursor: str
    node_id: str = ""
    """Of a machine that serves calls: the id under which it is known, as its plans name it (`Plan.target_id`)."""


class Result(Struct, frozen=True, tag="result", tag_field="t"):
    """The answer of an operation."""

    id: int
    result: Raw


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


class Watched(Struct, frozen=True, tag="watched", tag_field="t", omit_defaults=True):
    """A watched call has ended (its `Call`), or cannot be watched (any longer); the stream is over."""

    stream: int
    call: dict[str, Any] | None = None
    error: ErrorBody | None = None


class Ask(Struct, frozen=True, tag="ask", tag_field="t", omit_defaults=True):
    """To a node: `prepare` (Preparation → Prepared), `start` (Start → Ok), `cancel`, `signal`, `resize`,
    `close_input` (CallOrder → Ok), `recall` (Recall → Recalled), `resume` (CallOrder → Ok).

    `start` names the stream on which the call's chunks travel: `stream` of this frame.
    """

    id: int
    method: str
    params: Raw
    stream: int = 0


HubFrame = Welcome | Result | Error | Events | SignalFrame | Gap | Pong | Bye | Watched | Credit | Ask | Tell

STREAM_MAX = 2**32 - 1
"""Largest number of a stream."""
CHUNK_HEAD = struct.Struct(">IBQ")
"""Of a binary frame: stream, channel (`wire.execution.Channel`), offset of its first byte there; bytes follow."""


class Chunk(NamedTuple):
    """One binary frame, either way."""

    stream: int
    channel: int
    offset: int
    content: memoryview


def chunk_frame(stream: int, channel: int, offset: int, content: bytes | memoryview) -> bytes:
    """Return the message of a chunk."""
    return CHUNK_HEAD.pack(stream, channel, offset) + content


def decode_chunk(message: bytes) -> Chunk:
    """Read a binary message.

    Raises:
        ValueError: It is too short or too long, or its channel is none.
    """
    if not CHUNK_HEAD.size <= len(message) <= CHUNK_HEAD.size + LINK_CHUNK_MAX_BYTES:
        raise ValueError("a chunk of this size is none")
    stream, channel, offset = CHUNK_HEAD.unpack_from(message)
    if channel > max(Channel):
        raise ValueError(f"there is no channel {channel}")
    return Chunk(stream, channel, offset, memoryview(message)[CHUNK_HEAD.size :])


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


def body_of(error: InstarError, request_id: str = "") -> ErrorBody:
    """Return a failure as frames carry it."""
    told = problem(error, request_id)
    return ErrorBody(
        code=told.code,
        message=told.error,
        hint=told.hint,
        retryable=told.retryable,
        retry_after_s=error.retry_after_s,
        request_id=told.request_id,
        detail={} if told.detail is msgspec.UNSET else told.detail,
    )


def watched_frame(stream: int, call: bytes) -> bytes:
    """Return the `watched` frame around a call that is already JSON."""
    return b'{"t":"watched","stream":%d,"call":%b}' % (stream, call)


def error_frame(op_id: int, error: InstarError, request_id: str = "") -> bytes:
    """Return the `error` frame of a failed operation, or of the link itself (`op_id` 0)."""
    return msgspec.json.encode(Error(op_id, body_of(error, request_id)))


def error_of(body: ErrorBody) -> InstarError:
    """Return a node's refusal as the error that it is; a code that nobody knows is `bad_gateway`."""
    code = body.code if body.code in CODES else "bad_gateway"
    return InstarError(
        code, body.message[:_CAUSE_MAX_CHARS], hint=body.hint[:_CAUSE_MAX_CHARS], retry_after_s=body.retry_after_s,
        detail=body.detail,
    )  # fmt: skip
