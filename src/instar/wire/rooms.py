"""Rooms, threads and direct conversations (Moltnet http.v1 §1.2), read markers, export and `apply`."""

import enum
from typing import Annotated

from msgspec import Meta, Struct, field

from .identity import Id, Name
from .limits import MEMBERS_MAX
from .messages import MessagePage, Page, PageQuery, Target
from .operation import ObjectKind, Operation, Route, Verb

Members = Annotated[list[str], Meta(max_length=MEMBERS_MAX)]


class RoomKind(enum.StrEnum):
    """What a room is; the first part of its key."""

    ROOM = "room"
    THREAD = "thread"
    DM = "dm"
    SESSION = "session"
    SYSTEM = "system"


class Visibility(enum.StrEnum):
    """Who may read a room besides its members and observers."""

    PRIVATE = "private"
    PUBLIC = "public"


class WritePolicy(enum.StrEnum):
    """Who may send into a room."""

    MEMBERS = "members"
    REGISTERED_AGENTS = "registered_agents"
    OPERATORS = "operators"


class Access(Struct, frozen=True):
    """What the caller may do in a room."""

    can_read: bool
    can_write: bool
    reason: str


class Room(Struct, frozen=True, omit_defaults=True):
    """A room as callers see it."""

    id: str
    network_id: str
    fqid: str
    name: str
    visibility: Visibility
    write_policy: WritePolicy
    created_at: str
    members: list[str] = []
    access: Access | None = None
    message_count: int = 0
    last_message_at: str = ""
    unread_count: int = 0
    """Messages past the caller's read marker, counted up to `UNREAD_COUNT_MAX`."""
    last_read_seq: int = 0
    last_seq: int = 0


class Thread(Struct, frozen=True, omit_defaults=True):
    """A thread; it has its room's members and policy."""

    id: str
    network_id: str
    fqid: str
    room_id: str
    message_count: int
    last_message_at: str = ""
    """Absent before the first message; an empty timestamp would not decode in Go."""
    parent_message_id: str = ""


class DirectConversation(Struct, frozen=True, omit_defaults=True):
    """A conversation between fixed participants."""

    id: str
    network_id: str
    fqid: str
    participant_ids: list[str]
    message_count: int
    last_message_at: str = ""
    """Absent before the first message; an empty timestamp would not decode in Go."""
    unread_count: int = 0
    last_read_seq: int = 0


class RoomRef(Struct):
    """One room by its id."""

    room_id: Id


class ThreadRef(Struct):
    """One thread by its id."""

    thread_id: Id


class DmRef(Struct):
    """One direct conversation by its id."""

    dm_id: Id


class CreateRoom(Struct, omit_defaults=True):
    """A new room."""

    id: str
    name: Name = ""
    members: Members = []
    visibility: Visibility = Visibility.PRIVATE
    write_policy: WritePolicy = WritePolicy.MEMBERS


class UpdateRoom(Struct, omit_defaults=True):
    """Change what is given; the rest stays."""

    room_id: Id
    name: Name | None = None
    visibility: Visibility | None = None
    write_policy: WritePolicy | None = None


class UpdateMembers(Struct):
    """Add first, then remove."""

    room_id: Id
    add: Members = []
    remove: Members = []


class Removed(Struct, frozen=True):
    """A soft removal: the id stays taken, the history stays stored."""

    removed: bool
    kind: str
    id: str
    mode: str = field(default="soft")


class RoomPage(Struct, frozen=True):
    """Rooms by id."""

    rooms: list[Room]
    page: Page


class ThreadPage(Struct, frozen=True):
    """Threads by id."""

    threads: list[Thread]
    page: Page


class DmPage(Struct, frozen=True):
    """Direct conversations by id."""

    dms: list[DirectConversation]
    page: Page


class RoomMessages(PageQuery):
    """A page of a room's messages; its threads are not among them."""

    room_id: str = ""


class RoomThreads(PageQuery):
    """A page of a room's threads."""

    room_id: str = ""


class ThreadMessages(PageQuery):
    """A page of a thread's messages."""

    thread_id: str = ""


class DmMessages(PageQuery):
    """A page of a direct conversation's messages."""

    dm_id: str = ""


class OpenDm(Struct):
    """Open (or find) the direct conversation with these participants; the caller's own name may be left out."""

    participant_ids: Annotated[list[str], Meta(min_length=1, max_length=MEMBERS_MAX)]
    as_: str = field(name="as", default="")
    """The agent that opens it, when the caller speaks for several."""


class MarkRead(Struct):
    """Everything up to this message (or `seq`) has been read."""

    target: Target
    message_id: str = ""
    seq: int = 0
    as_: str = field(name="as", default="")


class ReadMarker(Struct, frozen=True):
    """How far a principal has read in a conversation."""

    principal: str
    room: str
    last_read_seq: int
    unread_count: int


class ExportRoom(Struct):
    """A conversation's whole history as NDJSON: one event a line, from the first."""

    room_id: str = ""
    thread_id: str = ""
    dm_id: str = ""
    session_id: str = ""


class ExportEnd(Struct, frozen=True):
    """The last line of an export."""

    events: int
    last_seq: int
    chain: str
    """Hex of the last event's chain value."""


class ApplyRoom(Struct, omit_defaults=True):
    """A room as it shall be."""

    id: str
    name: Name = ""
    members: Members = []
    visibility: Visibility = Visibility.PRIVATE
    write_policy: WritePolicy = WritePolicy.MEMBERS


class ApplyAgent(Struct, omit_defaults=True):
    """An agent as it shall be. `credential_key` binds it to a key (`token:KEY_ID`).

    The older spelling of `wake` is accepted as in `UpdateAgent`: `read`, and `reply: never`.
    """

    id: str
    name: Name = ""
    credential_key: str = ""
    wake: str = ""
    read: str = ""
    reply: str = ""
    runtime: str = ""


class Apply(Struct, omit_defaults=True):
    """Rooms and agents as they shall be; what is not named stays. One transaction: all of it or nothing."""

    network_id: str = ""
    rooms: list[ApplyRoom] = []
    agents: list[ApplyAgent] = []
    dry_run: bool = False


class Change(Struct, frozen=True, omit_defaults=True):
    """One difference between what is and what shall be."""

    kind: str
    id: str
    action: str
    """create, update, unchanged, or removed: a removed id stays as it is."""
    fields: list[str] = []
    note: str = ""
    """Why nothing is done."""


class Applied(Struct, frozen=True, omit_defaults=True):
    """What was done, or with `dry_run` what would be."""

    applied: bool
    changes: list[Change]
    rooms: list[Room] = []


LIST = Operation(
    "rooms.list", PageQuery, RoomPage, Verb.ENTER, ObjectKind.HUB,
    "List the rooms that the caller may read", Route("GET", "/v1/rooms"),
)  # fmt: skip
CREATE = Operation(
    "rooms.create", CreateRoom, Room, Verb.CREATE, ObjectKind.ROOM,
    "Create a room", Route("POST", "/v1/rooms", 201), idempotent=True, audited=True,
    example={"id": "review", "members": ["alpha", "beta"]},
)  # fmt: skip
GET = Operation(
    "rooms.get",
    RoomRef,
    Room,
    Verb.READ,
    ObjectKind.ROOM,
    "Read one room",
    Route("GET", "/v1/rooms/{room_id}"),
)
UPDATE = Operation(
    "rooms.update", UpdateRoom, Room, Verb.MANAGE, ObjectKind.ROOM,
    "Change a room's name, visibility or write policy", Route("PATCH", "/v1/rooms/{room_id}"), audited=True,
)  # fmt: skip
REMOVE = Operation(
    "rooms.remove", RoomRef, Removed, Verb.MANAGE, ObjectKind.ROOM,
    "Remove a room softly", Route("DELETE", "/v1/rooms/{room_id}"), audited=True,
)  # fmt: skip
MEMBERS = Operation(
    "rooms.members", UpdateMembers, Room, Verb.MANAGE, ObjectKind.ROOM,
    "Add and remove members", Route("PATCH", "/v1/rooms/{room_id}/members"), audited=True,
)  # fmt: skip
MESSAGES = Operation(
    "rooms.messages", RoomMessages, MessagePage, Verb.READ, ObjectKind.ROOM,
    "Page through a room's messages", Route("GET", "/v1/rooms/{room_id}/messages"),
)  # fmt: skip
THREADS = Operation(
    "rooms.threads", RoomThreads, ThreadPage, Verb.READ, ObjectKind.ROOM,
    "Page through a room's threads", Route("GET", "/v1/rooms/{room_id}/threads"),
)  # fmt: skip
THREAD_GET = Operation(
    "threads.get", ThreadRef, Thread, Verb.READ, ObjectKind.ROOM,
    "Read one thread", Route("GET", "/v1/threads/{thread_id}"),
)  # fmt: skip
THREAD_MESSAGES = Operation(
    "threads.messages", ThreadMessages, MessagePage, Verb.READ, ObjectKind.ROOM,
    "Page through a thread's messages", Route("GET", "/v1/threads/{thread_id}/messages"),
)  # fmt: skip
DM_LIST = Operation(
    "dms.list", PageQuery, DmPage, Verb.ENTER, ObjectKind.HUB,
    "List the direct conversations that the caller may read", Route("GET", "/v1/dms"),
)  # fmt: skip
DM_OPEN = Operation(
    "dms.open", OpenDm, DirectConversation, Verb.SEND, ObjectKind.HUB,
    "Open or find a direct conversation by its participants", Route("POST", "/v1/dms", 201),
    example={"participant_ids": ["beta"]},
)  # fmt: skip
DM_GET = Operation(
    "dms.get", DmRef, DirectConversation, Verb.READ, ObjectKind.ROOM,
    "Read one direct conversation", Route("GET", "/v1/dms/{dm_id}"),
)  # fmt: skip
DM_MESSAGES = Operation(
    "dms.messages", DmMessages, MessagePage, Verb.READ, ObjectKind.ROOM,
    "Page through a direct conversation's messages", Route("GET", "/v1/dms/{dm_id}/messages"),
)  # fmt: skip
MARK_READ = Operation(
    "rooms.mark_read", MarkRead, ReadMarker, Verb.READ, ObjectKind.ROOM,
    "Move the caller's read marker", Route("PUT", "/v1/read-markers"),
)  # fmt: skip
EXPORT = Operation(
    "rooms.export", ExportRoom, ExportEnd, Verb.READ, ObjectKind.ROOM,
    "Export a conversation as NDJSON", Route("GET", "/v1/export", media_type="application/x-ndjson"),
)  # fmt: skip
APPLY = Operation(
    "hub.apply", Apply, Applied, Verb.CREATE, ObjectKind.ROOM,
    "Make rooms and agents as declared", Route("POST", "/v1/apply"), audited=True,
    example={"rooms": [{"id": "review", "members": ["alpha"]}], "dry_run": True},
)  # fmt: skip

OPERATIONS = (
    LIST, CREATE, GET, UPDATE, REMOVE, MEMBERS, MESSAGES, THREADS, THREAD_GET, THREAD_MESSAGES,
    DM_LIST, DM_OPEN, DM_GET, DM_MESSAGES, MARK_READ, EXPORT, APPLY,
)  # fmt: skip
