"""The replies that the reference's decoders accept: Go types, and the members that its server always writes.

Go ignores unknown members, keeps a zero value for a missing or null one, and fails on a member of another type. A time
must be RFC 3339 with an offset; an empty string is no time. Members without a default here are always written.
"""

from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct, field

REPLY_MAX_BYTES = 1 << 20
"""The client reads no more of a reply, and decodes what it has."""

HTTP_V1 = "moltnet.http.v1"
ATTACH_V1 = "moltnet.attach.v1"

Time = Annotated[datetime, Meta(tz=True)]
S = TypeVar("S", bound=Struct)


class Protocols(Struct):
    http: list[str]
    attach: list[str]
    pair: list[str]


class Capabilities(Struct):
    event_stream: str
    attachment_protocol: str
    human_ingress: bool
    direct_messages: bool
    message_pagination: str
    pairings: bool
    public_read: bool
    agent_registration: str = ""
    debug_events: bool = False


class ConsoleCapabilities(Struct):
    can_send_human: bool


class NetworkWarning(Struct):
    severity: str
    code: str
    message: str
    action: str = ""
    docs_url: str = ""


class Network(Struct):
    id: str
    name: str
    version: str
    protocols: Protocols
    capabilities: Capabilities
    console: ConsoleCapabilities | None = None
    warnings: list[NetworkWarning] = []


class Access(Struct):
    can_read: bool
    can_write: bool
    reason: str


class Room(Struct):
    id: str
    network_id: str
    fqid: str
    name: str
    visibility: str
    write_policy: str
    created_at: Time
    members: list[str] = []
    access: Access | None = None


class Thread(Struct):
    id: str
    network_id: str
    fqid: str
    room_id: str
    message_count: int
    last_message_at: Time | None = None
    parent_message_id: str = ""


class DirectConversation(Struct):
    id: str
    network_id: str
    fqid: str
    participant_ids: list[str]
    message_count: int
    last_message_at: Time | None = None


class Actor(Struct):
    type: str
    id: str
    name: str = ""
    network_id: str = ""
    fqid: str = ""


class Origin(Struct):
    network_id: str
    message_id: str


class Target(Struct):
    kind: str
    room_id: str = ""
    thread_id: str = ""
    parent_message_id: str = ""
    dm_id: str = ""
    participant_ids: list[str] = []


class Part(Struct):
    kind: str
    text: str = ""
    media_type: str = ""
    url: str = ""
    filename: str = ""
    data: dict[str, Any] = {}


class Message(Struct):
    id: str
    network_id: str
    origin: Origin
    target: Target
    from_: Actor = field(name="from")
    parts: list[Part]
    created_at: Time
    mentions: list[str] = []


class AgentEvent(Struct):
    agent_id: str
    network_id: str = ""
    fqid: str = ""
    name: str = ""
    message_id: str = ""
    reason: str = ""
    target: Target | None = None
    error: str = ""


class ReplayGap(Struct):
    requested_event_id: str = ""
    oldest_event_id: str = ""
    newest_event_id: str = ""


class Event(Struct):
    """Any member of another type ends the attachment of a stock node, whatever the event's type."""

    id: str
    type: str
    network_id: str
    created_at: Time
    agent: AgentEvent | None = None
    message: Message | None = None
    room: Room | None = None
    thread: Thread | None = None
    dm: DirectConversation | None = None
    pairing: dict[str, Any] | None = None
    replay_gap: ReplayGap | None = None


class AgentSummary(Struct):
    id: str
    fqid: str
    network_id: str
    connected: bool
    name: str = ""
    actor_uid: str = ""
    rooms: list[str] = []


class AgentRegistration(Struct):
    network_id: str
    agent_id: str
    actor_uid: str
    actor_uri: str
    created_at: Time
    updated_at: Time
    display_name: str = ""
    agent_token: str = ""


class MessageAccepted(Struct):
    message_id: str
    event_id: str
    accepted: bool
    thread_created: bool
    dm_created: bool


class Page(Struct):
    has_more: bool
    next_before: str = ""
    next_after: str = ""


class MessagePage(Struct):
    messages: list[Message]
    page: Page


class RoomPage(Struct):
    rooms: list[Room]
    page: Page


class ThreadPage(Struct):
    threads: list[Thread]
    page: Page


class DmPage(Struct):
    dms: list[DirectConversation]
    page: Page


class AgentPage(Struct):
    agents: list[AgentSummary]
    page: Page


class Artifact(Struct):
    id: str
    network_id: str
    fqid: str
    message_id: str
    target: Target
    part_index: int
    kind: str
    created_at: Time
    media_type: str = ""
    filename: str = ""
    url: str = ""


class ArtifactPage(Struct):
    artifacts: list[Artifact]
    page: Page


class PairingPage(Struct):
    pairings: list[dict[str, Any]]
    page: Page


class Removed(Struct):
    removed: bool
    kind: str
    id: str
    mode: str


class Applied(Struct):
    applied: bool
    rooms: list[Room] = []
    agents: list[AgentRegistration] = []


class ErrorBody(Struct):
    code: str
    error: str
    request_id: str


class Version(Struct):
    """All that `update --server` reads of the network card."""

    version: str


class FrameCapabilities(Struct):
    rooms: bool = False
    threads: bool = False
    dms: bool = False
    artifacts: bool = False


class Frame(Struct):
    op: str
    version: str = ""
    heartbeat_interval_ms: int = 0
    network_id: str = ""
    agent: Actor | None = None
    agent_id: str = ""
    actor_uid: str = ""
    actor_uri: str = ""
    agent_token: str = ""
    capabilities: FrameCapabilities = msgspec.field(default_factory=FrameCapabilities)
    cursor: str = ""
    event: Event | None = None
    error: str = ""


class NotAcceptedError(Exception):
    """A reply that the reference cannot use; the text says why."""


def decode(payload: bytes, shape: type[S]) -> S:
    """Decode a reply as the reference does.

    Raises:
        NotAcceptedError: It is no JSON, has a member of another type, or lacks one that is always written.
    """
    try:
        return msgspec.json.decode(payload, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotAcceptedError(f"{shape.__name__}: {error}: {payload[:300]!r}") from None
