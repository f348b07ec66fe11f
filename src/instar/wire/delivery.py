"""Inbox and feed: law 3, one delivery engine with two views."""

import enum
from typing import Annotated

from msgspec import Meta, Struct

from .events import EventView
from .limits import INBOX_PAGE_MAX, PAGE_DEFAULT, PAGE_MAX, REASON_MAX_CHARS, WAIT_MAX_S
from .operation import ObjectKind, Operation, Route, Verb


class ItemState(enum.StrEnum):
    """Where an inbox item stands."""

    PENDING = "pending"
    LEASED = "leased"
    ACKED = "acked"
    FAILED = "failed"
    """Not handled; it is offered again after `retry_at`."""
    DEAD = "dead"
    """Dead-lettered after the last attempt; an operator may replay it."""


class InboxItem(Struct, frozen=True, omit_defaults=True):
    """An event that wakes the agent, and where its delivery stands."""

    seq: int
    event: EventView
    state: ItemState
    reason: str = ""
    """Why it wakes: `dm`, `session`, `mention`, `thread` or `room`."""
    attempts: int = 0
    lease: str = ""
    """The lease to acknowledge with; only on items that this answer leased."""
    lease_until: str = ""
    retry_at: str = ""
    error: str = ""


class ReadInbox(Struct):
    """Lease the next items, waiting for the first up to `wait` seconds.

    `lease=false` only looks. `state` picks dead-lettered (`dead`) or failed items to look at.
    """

    agent_id: str
    wait: Annotated[float, Meta(ge=0, le=WAIT_MAX_S)] = 0.0
    limit: Annotated[int, Meta(ge=1, le=INBOX_PAGE_MAX)] = 20
    lease: bool = True
    state: ItemState = ItemState.PENDING


class Inbox(Struct, frozen=True):
    """Items in order of `seq`. `low_water`: everything up to it is settled."""

    agent_id: str
    items: list[InboxItem]
    low_water: int


class AckInbox(Struct, omit_defaults=True):
    """Settle items by `seq`, or everything up to and including `up_to`. The answer comes when it is on disk."""

    agent_id: str
    items: Annotated[list[int], Meta(max_length=PAGE_MAX)] = []
    up_to: int = 0
    lease: str = ""
    """When given, only a lease that still holds may settle."""


class NackInbox(Struct, omit_defaults=True):
    """Say that items could not be handled; they come again later, or are dead-lettered."""

    agent_id: str
    items: Annotated[list[int], Meta(min_length=1, max_length=PAGE_MAX)]
    reason: Annotated[str, Meta(min_length=1, max_length=REASON_MAX_CHARS)]
    lease: str = ""
    final: bool = False
    """Dead-letter at once: a further attempt cannot help."""


class Settled(Struct, frozen=True):
    """What the acknowledgement settled."""

    agent_id: str
    settled: int
    low_water: int


class ReplayInbox(Struct):
    """Put dead-lettered items back as pending."""

    agent_id: str
    items: Annotated[list[int], Meta(min_length=1, max_length=PAGE_MAX)]


class ReadEvents(Struct):
    """The caller's feed after a cursor: an event id or a `seq`; absent means from the start of the log."""

    after: str = ""
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = PAGE_DEFAULT
    wait: Annotated[float, Meta(ge=0, le=WAIT_MAX_S)] = 0.0
    room_id: str = ""
    thread_id: str = ""
    dm_id: str = ""
    session_id: str = ""


class EventPage(Struct, frozen=True):
    """Events in order. Pass `cursor` as the next `after`; `has_more` says whether to ask at once."""

    events: list[EventView]
    cursor: str
    has_more: bool


class LoopStopped(Struct, frozen=True):
    """Payload of `loop.stopped`: agents answered each other too often, and the room cools down."""

    agents: list[str]
    """FQIDs of the agents that answered each other."""
    hops: int
    """The length that the chain would have had."""
    reason: str
    until: str
    """Until then the room refuses answers of agents; a person's message ends it."""


INBOX = Operation(
    "inbox.read", ReadInbox, Inbox, Verb.CONSUME, ObjectKind.AGENT,
    "Lease (or look at) the next events that wake an agent", Route("GET", "/v1/agents/{agent_id}/inbox"),
)  # fmt: skip
ACK = Operation(
    "inbox.ack", AckInbox, Settled, Verb.CONSUME, ObjectKind.AGENT,
    "Acknowledge inbox items", Route("POST", "/v1/agents/{agent_id}/inbox/ack"),
    example={"agent_id": "beta", "items": [12]},
)  # fmt: skip
NACK = Operation(
    "inbox.nack", NackInbox, Settled, Verb.CONSUME, ObjectKind.AGENT,
    "Give inbox items back with a reason", Route("POST", "/v1/agents/{agent_id}/inbox/nack"),
    example={"agent_id": "beta", "items": [12], "reason": "model unreachable"},
)  # fmt: skip
REPLAY = Operation(
    "inbox.replay", ReplayInbox, Settled, Verb.MANAGE, ObjectKind.AGENT,
    "Offer dead-lettered items again", Route("POST", "/v1/agents/{agent_id}/inbox/replay"), audited=True,
)  # fmt: skip
EVENTS = Operation(
    "events.read", ReadEvents, EventPage, Verb.ENTER, ObjectKind.HUB,
    "Read the caller's feed after a cursor, waiting for news if asked", Route("GET", "/v1/events"),
)  # fmt: skip

OPERATIONS = (INBOX, ACK, NACK, REPLAY, EVENTS)
