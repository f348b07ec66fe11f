"""Messages, their parts and targets, artifacts, uploads, search: what is said in rooms (Moltnet http.v1 §§1.2, 2.4)."""

import enum
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from .identity import Id
from .limits import (
    BATCH_MAX_MESSAGES,
    ID_MAX_BYTES,
    MENTIONS_MAX,
    PAGE_MAX,
    PARTS_MAX,
    REACTION_MAX_CHARS,
    REASON_MAX_CHARS,
    SEARCH_MAX_CHARS,
)
from .operation import Body, ObjectKind, Operation, Route, Verb


class PartKind(enum.StrEnum):
    """What a part holds."""

    TEXT = "text"
    URL = "url"
    DATA = "data"
    FILE = "file"
    IMAGE = "image"
    AUDIO = "audio"


class Part(Struct, frozen=True, omit_defaults=True):
    """One piece of a message's content."""

    kind: PartKind
    text: str = ""
    media_type: str = ""
    url: str = ""
    filename: str = ""
    data: dict[str, Any] | None = None
    blob: str = ""
    """Digest of an uploaded file: `sha256-` and 64 hex digits."""


class TargetKind(enum.StrEnum):
    """Where a message goes."""

    ROOM = "room"
    THREAD = "thread"
    DM = "dm"
    SESSION = "session"


class Target(Struct, frozen=True, omit_defaults=True):
    """The conversation of a message."""

    kind: TargetKind
    room_id: str = ""
    thread_id: str = ""
    parent_message_id: str = ""
    dm_id: str = ""
    participant_ids: list[str] = []
    """Of a direct conversation; a stored message to a session names its members."""
    session_id: str = ""


class Actor(Struct, frozen=True, omit_defaults=True):
    """Who speaks. `network_id` and `fqid` are filled by the hub."""

    type: str = ""
    id: str = ""
    name: str = ""
    network_id: str = ""
    fqid: str = ""


class Origin(Struct, frozen=True):
    """Where a message was first stored."""

    network_id: str
    message_id: str


class Reaction(Struct, frozen=True):
    """One reaction and who gave it."""

    reaction: str
    by: list[str]


class Redaction(Struct, frozen=True, omit_defaults=True):
    """What stands in place of erased content."""

    message_id: str
    by: str
    at: str
    reason: str = ""


class Edit(Struct, frozen=True):
    """New parts of a message."""

    message_id: str
    by: str
    at: str
    parts: list[Part]
    mentions: list[str]


class ReactionChange(Struct, frozen=True):
    """A reaction that was put or taken."""

    message_id: str
    reaction: str
    by: str


class Message(Struct, frozen=True, omit_defaults=True):
    """A message as it is stored and read; edits, reactions and redactions are folded in when it is read."""

    id: str
    network_id: str
    origin: Origin
    target: Target
    from_: Actor = field(name="from")
    parts: list[Part]
    created_at: str
    mentions: list[str] = []
    """Canonical FQIDs, `molt://network/agents/id`."""
    reply_to: str = ""
    cause: str = ""
    """Id of the event that this message answers."""
    hops: int = 0
    """How many agents answered each other before this message; 0 for a person's."""
    run: str = ""
    """The run that wrote it."""
    seq: int = 0
    edited_at: str = ""
    redaction: Redaction | None = None
    reactions: list[Reaction] = []


class SendMessage(Struct, omit_defaults=True):
    """A message to send. `from` defaults to the caller; `id` makes the send safe to repeat."""

    target: Target
    parts: Annotated[list[Part], Meta(min_length=1, max_length=PARTS_MAX)]
    id: str = ""
    origin: Origin | None = None
    from_: Actor | None = field(name="from", default=None)
    mentions: Annotated[list[str], Meta(max_length=MENTIONS_MAX)] = []
    reply_to: str = ""
    cause: str = ""


class MessageAccepted(Struct, frozen=True):
    """The message is on disk."""

    message_id: str
    event_id: str
    accepted: bool
    thread_created: bool
    dm_created: bool
    seq: int


class SendBatch(Struct):
    """Several messages in one request; each has its own outcome."""

    messages: Annotated[list[SendMessage], Meta(min_length=1, max_length=BATCH_MAX_MESSAGES)]


class BatchOutcome(Struct, frozen=True, omit_defaults=True):
    """The outcome of one message of a batch: either `accepted` or `error`."""

    accepted: MessageAccepted | None = None
    code: str = ""
    error: str = ""


class BatchAccepted(Struct, frozen=True):
    """One outcome per message, in the order sent."""

    results: list[BatchOutcome]


class MessageRef(Struct):
    """One message by its id."""

    message_id: Id


class EditMessage(Struct):
    """Replace a message's parts; only its sender (or an admin that may write) may."""

    message_id: Id
    parts: Annotated[list[Part], Meta(min_length=1, max_length=PARTS_MAX)]
    mentions: Annotated[list[str], Meta(max_length=MENTIONS_MAX)] = []


class RedactMessage(Struct):
    """Erase a message's content, its search entry and its unreferenced files for ever."""

    message_id: Id
    reason: Annotated[str, Meta(max_length=REASON_MAX_CHARS)] = ""


class ReactMessage(Struct):
    """Put or take a reaction."""

    message_id: Id
    reaction: Annotated[str, Meta(min_length=1, max_length=REACTION_MAX_CHARS)]
    as_: str = field(name="as", default="")
    """The agent that reacts, when the caller speaks for several."""


class Page(Struct, frozen=True, omit_defaults=True):
    """Where a page stands in its list."""

    has_more: bool
    next_before: str = ""
    next_after: str = ""


class MessagePage(Struct, frozen=True):
    """Messages in ascending order."""

    messages: list[Message]
    page: Page


class PageQuery(Struct):
    """Paging: `before` and `after` are ids of items (message pages also take a `seq`); not both."""

    limit: str = ""
    before: str = ""
    after: str = ""


class Artifact(Struct, frozen=True, omit_defaults=True):
    """One non-text part of a message."""

    id: str
    network_id: str
    fqid: str
    message_id: str
    target: Target
    part_index: int
    kind: PartKind
    created_at: str
    media_type: str = ""
    filename: str = ""
    url: str = ""
    blob: str = ""


class ArtifactQuery(PageQuery):
    """Artifacts of one conversation; at least one id is needed."""

    room_id: str = ""
    thread_id: str = ""
    dm_id: str = ""
    session_id: str = ""


class ArtifactPage(Struct, frozen=True):
    """Artifacts in ascending order."""

    artifacts: list[Artifact]
    page: Page


class SearchQuery(Struct):
    """Full-text search: every word must occur; `"quoted words"` are a phrase; `word*` is a prefix."""

    q: Annotated[str, Meta(min_length=1, max_length=SEARCH_MAX_CHARS)]
    room_id: str = ""
    thread_id: str = ""
    dm_id: str = ""
    session_id: str = ""
    from_: str = field(name="from", default="")
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 20
    before: int = 0
    """Only messages with a smaller `seq`."""


class SearchHit(Struct, frozen=True):
    """A message that matches, and an excerpt with the matches between U+0001 and U+0002."""

    message: Message
    excerpt: str


class SearchResult(Struct, frozen=True):
    """Hits, newest first, of what the caller may read. `indexed_seq` says how far the index has come."""

    hits: list[SearchHit]
    has_more: bool
    indexed_seq: int


class Upload(Struct):
    """A file; its bytes are the request body."""

    filename: Annotated[str, Meta(max_length=ID_MAX_BYTES * 2)] = ""
    media_type: str = "application/octet-stream"


class Uploaded(Struct, frozen=True):
    """A stored file; put `blob` into a part of kind file, image or audio."""

    blob: str
    size_bytes: int
    media_type: str
    filename: str


class BlobRef(Struct):
    """A file of a message: readable by who may read the message."""

    blob: Annotated[str, Meta(pattern=r"^sha256-[0-9a-f]{64}$")]


class BlobContent(Struct, frozen=True):
    """A stored file's facts; over HTTP the answer is the bytes themselves."""

    blob: str
    size_bytes: int
    media_type: str
    filename: str


_TARGET = {"kind": "room", "room_id": "general"}
_TEXT = [{"kind": "text", "text": "hello @beta."}]

SEND = Operation(
    "messages.send", SendMessage, MessageAccepted, Verb.SEND, ObjectKind.ROOM,
    "Send a message; the answer comes when it is on disk", Route("POST", "/v1/messages", 202), idempotent=True,
    example={"target": _TARGET, "parts": _TEXT},
)  # fmt: skip
SEND_BATCH = Operation(
    "messages.send_batch", SendBatch, BatchAccepted, Verb.ENTER, ObjectKind.HUB,
    "Send several messages; each is authorised and answered by itself", Route("POST", "/v1/messages/batch", 202),
    example={"messages": [{"target": _TARGET, "parts": _TEXT}]},
)  # fmt: skip
GET = Operation(
    "messages.get", MessageRef, Message, Verb.READ, ObjectKind.MESSAGE,
    "Read one message", Route("GET", "/v1/messages/{message_id}"),
)  # fmt: skip
EDIT = Operation(
    "messages.edit", EditMessage, Message, Verb.SEND, ObjectKind.MESSAGE,
    "Replace a message's parts", Route("PATCH", "/v1/messages/{message_id}"), idempotent=True,
)  # fmt: skip
REDACT = Operation(
    "messages.redact", RedactMessage, Message, Verb.MANAGE, ObjectKind.MESSAGE,
    "Erase a message's content", Route("DELETE", "/v1/messages/{message_id}"), idempotent=True, audited=True,
)  # fmt: skip
REACT = Operation(
    "messages.react", ReactMessage, Message, Verb.READ, ObjectKind.MESSAGE,
    "Put a reaction on a message", Route("PUT", "/v1/messages/{message_id}/reactions/{reaction}"),
)  # fmt: skip
UNREACT = Operation(
    "messages.unreact", ReactMessage, Message, Verb.READ, ObjectKind.MESSAGE,
    "Take a reaction from a message", Route("DELETE", "/v1/messages/{message_id}/reactions/{reaction}"),
)  # fmt: skip
SEARCH = Operation(
    "messages.search", SearchQuery, SearchResult, Verb.ENTER, ObjectKind.HUB,
    "Search the messages that the caller may read", Route("GET", "/v1/search"), example={"q": "hello"},
)  # fmt: skip
ARTIFACTS = Operation(
    "artifacts.list", ArtifactQuery, ArtifactPage, Verb.READ, ObjectKind.ROOM,
    "List the files, links and data of a conversation", Route("GET", "/v1/artifacts"), example={"room_id": "general"},
)  # fmt: skip
UPLOAD = Operation(
    "blobs.upload", Upload, Uploaded, Verb.SEND, ObjectKind.HUB,
    "Store a file for a later message", Route("POST", "/v1/uploads", 201, Body.BYTES),
)  # fmt: skip
BLOB = Operation(
    "blobs.get", BlobRef, BlobContent, Verb.READ, ObjectKind.MESSAGE,
    "Read a stored file", Route("GET", "/v1/blobs/{blob}", media_type="*/*"),
)  # fmt: skip

OPERATIONS = (SEND, SEND_BATCH, GET, EDIT, REDACT, REACT, UNREACT, SEARCH, ARTIFACTS, UPLOAD, BLOB)
