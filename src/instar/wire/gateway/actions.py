"""What the machines of the gateway's dialect ask their driver to do, in order."""

from msgspec import Raw, Struct

from .connect import Introduction
from .frames import AnyRequest, ErrorShape
from .signing import Proof


class Send(Struct, frozen=True, gc=False):
    """Send this as one text message."""

    payload: bytes


class Admit(Struct, frozen=True):
    """The client introduced itself, and what can be said without the hub is in order.

    Decide, then call `admitted`, `refuse` or, while an operator decides on a Moltis node, `hold`.
    """

    who: Introduction
    proof: Proof | None = None
    """What its device must have signed; the same object each time that this client is to be decided on."""


class Invoke(Struct, frozen=True):
    """Invoke this method, then call `answer` or `fail` with the id; before that, `accept` as often as needed."""

    request: AnyRequest


class Dropped(Struct, frozen=True, gc=False):
    """A frame of the client was larger than its dialect's and was not read; it was told so."""


class End(Struct, frozen=True, gc=False):
    """Close the socket with this code; the reason is cut to `GATEWAY_CLOSE_REASON_MAX_BYTES` already."""

    code: int
    reason: str = ""


class Challenged(Struct, frozen=True, gc=False):
    """The gateway wants `connect`: call `connect` with parameters made for this nonce."""

    nonce: str
    at_ms: int


class Prove(Struct, frozen=True, gc=False):
    """A Moltis gateway wants a signature of these bytes: call `prove`."""

    nonce: bytes


class Opened(Struct, frozen=True):
    """The gateway admitted the client."""

    hello: Raw


class Answered(Struct, frozen=True):
    """A request succeeded. It may have been accepted only: `is_final` is False while its payload says so."""

    id: str
    payload: Raw
    is_final: bool = True


class Refused(Struct, frozen=True):
    """A request failed."""

    id: str
    error: ErrorShape


class Happened(Struct, frozen=True):
    """An event came."""

    event: str
    payload: Raw
    cursor: str = ""


class Missed(Struct, frozen=True, gc=False):
    """Events between these numbers never came: read again what they would have told."""

    known_seq: int
    seq: int


ServerAction = Send | Admit | Invoke | Dropped | End
ClientAction = Send | Challenged | Prove | Opened | Answered | Refused | Happened | Missed | End
