"""What the machines of `instar.v1` ask their driver to do, in order."""

from msgspec import Raw, Struct

from .frames import ErrorBody, Hello, Op, Welcome


class Send(Struct, frozen=True, gc=False):
    """Send this as one text message."""

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


ServerAction = Send | Probe | Open | Invoke | End
ClientAction = Send | Welcomed | Answered | Refused | Arrived | Missed | Lost | Signalled | End
