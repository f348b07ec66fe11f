"""Frames of `moltnet.attach.v1`: one flat JSON object per text message, its members always in this order."""

import msgspec
from msgspec import Raw, Struct, field

from instar.wire.messages import Actor

VERSION = "moltnet.attach.v1"

HELLO = "HELLO"
IDENTIFY = "IDENTIFY"
READY = "READY"
EVENT = "EVENT"
ACK = "ACK"
PING = "PING"
PONG = "PONG"
ERROR = "ERROR"


ABSENT = Raw()
"""No event."""


class Capabilities(Struct, frozen=True, omit_defaults=True):
    """What a client says it takes; v1 servers read it and change nothing."""

    rooms: bool = False
    threads: bool = False
    dms: bool = False
    artifacts: bool = False


class Frame(Struct, frozen=True, omit_defaults=True):
    """Any frame of the dialect; `op` says which members count. `capabilities` is always written, as the original does.

    Unknown members are ignored, in both directions: that is how the dialect grows.
    """

    op: str = ""
    version: str = ""
    heartbeat_interval_ms: int = 0
    network_id: str = ""
    agent: Actor | None = None
    agent_id: str = ""
    actor_uid: str = ""
    actor_uri: str = ""
    agent_token: str = ""
    capabilities: Capabilities = field(default_factory=lambda: Capabilities())  # noqa: PLW0108 - keeps it written
    cursor: str = ""
    """The id of the event: what an EVENT carries and an ACK gives back."""
    event: Raw = ABSENT
    error: str = ""


encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(Frame)


def decode(payload: bytes) -> Frame:
    """Decode one frame.

    Raises:
        msgspec.DecodeError: The payload is no JSON object of this shape; see `wire.machine.UNREADABLE` for the rest.
    """
    return _decoder.decode(payload)


def event_frame(network_id: str, event_id: str, event_json: bytes) -> bytes:
    """Return the EVENT frame around an event that is already JSON: the hot path, nothing is encoded again.

    Both ids must be plain ids (`wire.names.is_id`), which never need escaping.
    """
    shape = b'{"op":"EVENT","version":"moltnet.attach.v1","network_id":"%b","capabilities":{},"cursor":"%b","event":%b}'
    return shape % (network_id.encode(), event_id.encode(), event_json)
