"""What the machines of `moltnet.attach.v1` ask their driver to do, in order."""

import enum

from msgspec import Raw, Struct

from instar.wire.messages import Actor


class EndKind(enum.StrEnum):
    """Why a machine ended its socket; the door derives the reason of `agent.disconnected` from it."""

    ERROR = "error"
    """The peer broke the rules, or was refused; it was sent an ERROR frame."""
    SILENT = "silent"
    """The peer said nothing for too long; it is told nothing."""
    PEER_ERROR = "peer_error"
    """The peer sent an ERROR frame."""


class Send(Struct, frozen=True, gc=False):
    """Send this as one text message."""

    payload: bytes


class Identify(Struct, frozen=True):
    """The client says who it is: register or refuse it, then call `ready` or `refuse`."""

    agent: Actor
    """With a plain id and, where the client left it out, type `agent`."""
    cursor: str
    """The last event that it has processed; empty: none."""


class Acknowledge(Struct, frozen=True, gc=False):
    """The client has processed the event with this id; whether it was ever sent is the hub's to judge."""

    cursor: str


class WakeFailed(Struct, frozen=True, gc=False):
    """The client could not handle what it was woken for."""

    error: str


class Attached(Struct, frozen=True, gc=False):
    """The server admitted the client; `agent_token` is there only on a first, anonymous claim."""

    agent_id: str
    actor_uid: str
    actor_uri: str
    agent_token: str


class Received(Struct, frozen=True):
    """An event came; process it, then call `acknowledge(cursor)`."""

    cursor: str
    event: Raw


class End(Struct, frozen=True, gc=False):
    """Drop the connection without a close frame: clients of the original take a clean close for the end of all."""

    kind: EndKind
    text: str


ServerAction = Send | Identify | Acknowledge | WakeFailed | End
ClientAction = Send | Attached | Received | End
