"""What the machines of `instar.v1` ask their driver to do, in order."""

from typing import Any

from msgspec import Raw, Struct

from .frames import ErrorBody, Hello, Op, Watch, Welcome


class Send(Struct, frozen=True, gc=False):
    """Send this as one text message."""

    payload: bytes


class SendBytes(Struct, frozen=True, gc=False):
    """Send this as one binary message."""

    payload: bytes


class Probe(Struct, frozen=True, gc=False):
    """Send a WebSocket ping; when its pong comes, call `heard`. A browser answers it with its timers asleep."""


class Open(Struct, frozen=True):
    """The client introduced itself: open its feed where it wants one, then call `welcome`."""

    hello: Hello


class Invoke(Struct, frozen=True):
    """Invoke this operation, then call `answer` or `refuse` with its id."""

    op: Op


class End(Struct, frozen=True, gc=False):
    """Close the connection. `code` is a row of `wire.codes`, empty for an orderly end."""

    code: str
    message: str
    cursor: str = ""
    """With what to link again, where that is known."""


class Opened(Struct, frozen=True):
    """Watch this call; then call `watched` with its stream when it is over."""

    watch: Watch


class Closed(Struct, frozen=True, gc=False):
    """Nobody watches on this stream any more."""

    stream: int


class InputClosed(Struct, frozen=True, gc=False):
    """The input of the call that is watched on this stream ends here."""

    stream: int
    size_bytes: int


class Took(Struct, frozen=True):
    """New bytes of a stream came."""

    stream: int
    channel: int
    offset: int
    content: memoryview


class Granted(Struct, frozen=True, gc=False):
    """The peer takes bytes of this stream and channel up to here."""

    stream: int
    channel: int
    upto: int


class Told(Struct, frozen=True):
    """The other end of a node's link said something that wants no answer."""

    method: str
    params: Raw


class Asked(Struct, frozen=True):
    """The hub asks the node; answer with `reply` or `refuse`."""

    id: int
    method: str
    params: Raw
    stream: int


class Over(Struct, frozen=True):
    """A watched call has ended, or cannot be watched."""

    stream: int
    call: dict[str, Any] | None
    error: ErrorBody | None


class Welcomed(Struct, frozen=True):
    """The hub admitted the client."""

    welcome: Welcome


class Answered(Struct, frozen=True):
    """An operation succeeded."""

    id: int
    result: Raw


class Refused(Struct, frozen=True):
    """An operation failed."""

    id: int
    error: ErrorBody


class Arrived(Struct, frozen=True):
    """Events that were not seen before, in order."""

    events: list[Raw]
    cursor: str


class Missed(Struct, frozen=True, gc=False):
    """The room's log has events between these that never came: read it again after `known_seq`."""

    room: str
    known_seq: int
    prev_seq: int


class Lost(Struct, frozen=True):
    """The feed could not go on at the cursor that was asked for (`wire.events.ReplayGap`)."""

    replay_gap: Raw


class Signalled(Struct, frozen=True):
    """A signal (`wire.runs.Signal`)."""

    signal: Raw


ServerAction = (
    Send | SendBytes | Probe | Open | Invoke | Opened | Closed | InputClosed | Took | Granted | Told | Answered
    | Refused | End
)  # fmt: skip
"""`Answered` and `Refused` are a node's, to what the hub asked."""
ClientAction = (
    Send | SendBytes | Welcomed | Answered | Refused | Arrived | Missed | Lost | Signalled | Took | Granted | Over
    | Asked | Told | End
)  # fmt: skip
