"""Sessions: conversations of one agent, kept apart by name. A session is a room of that kind.

Moltnet's dialect has no such kind: to its clients a session is the direct conversation whose id is the session's key.
"""

from typing import Annotated

from msgspec import Meta, Struct

from .identity import Id, Name
from .limits import PAGE_MAX, SESSION_NAME_PATTERN
from .messages import MessagePage, PageQuery, Target, TargetKind
from .names import session_parts
from .operation import ObjectKind, Operation, Route, Verb

SessionName = Annotated[str, Meta(pattern=SESSION_NAME_PATTERN)]


class Session(Struct, frozen=True, omit_defaults=True):
    """One conversation with an agent."""

    key: str
    """Room key: `session:agent:AGENT:NAME`."""
    id: str
    """Room id: `agent:AGENT:NAME`; the key of the session in the gateway's dialect."""
    agent_id: str
    name: str
    """`main` is the agent's first one."""
    label: str
    created_at: str
    """When this conversation began: it was opened, or reset last."""
    updated_at: str
    """When its last message came; else `created_at`."""
    messages: int
    members: list[str]
    generation: int = 1
    """Rises with each reset: what came before is history of another conversation."""
    created: bool = False
    """Said by `sessions.open` alone: nobody had it open."""


class SessionEvent(Struct, frozen=True):
    """Payload of the events that change a session: all of it, but what was said in it."""

    key: str
    id: str
    agent_id: str
    name: str
    label: str
    members: list[str]
    generation: int


class OpenSession(Struct, omit_defaults=True):
    """Open a session, or take part in one that is; the agent is a member from the start."""

    agent_id: Id
    name: SessionName = "main"
    label: Name = ""


class SessionRef(Struct):
    """One session by its id (`agent:AGENT:NAME`)."""

    session_id: Id


class SessionMessages(PageQuery):
    """A page of a session's messages, of its present generation."""

    session_id: str = ""


class SessionQuery(Struct, omit_defaults=True):
    """Sessions by last message, newest first."""

    agent_id: str = ""
    search: str = ""
    active_s: float | None = None
    """Only those with a message in the last so many seconds."""
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 100


class SessionList(Struct, frozen=True):
    """Sessions, newest first."""

    sessions: list[Session]
    total: int


class UpdateSession(Struct):
    """Call a session something else."""

    session_id: Id
    label: Name


_KEY_PREFIX = "session:"


def as_direct(target: Target) -> Target:
    """Return the target of a session's message as Moltnet's clients know it; other targets as they are."""
    if target.kind is not TargetKind.SESSION:
        return target
    return Target(TargetKind.DM, dm_id=_KEY_PREFIX + target.session_id, participant_ids=target.participant_ids)


def is_session_of(target: Target, agent_fqid: str) -> bool:
    """Whether a target is a session of this agent."""
    return target.kind is TargetKind.SESSION and agent_fqid.endswith(f"/{session_parts(target.session_id)[0]}")


def session_behind(dm_id: str) -> str:
    """Return the id of the session that a direct conversation's id stands for; empty when it is none's."""
    return dm_id.removeprefix(_KEY_PREFIX) if dm_id.startswith(_KEY_PREFIX) else ""


def from_direct(target: Target) -> Target:
    """Return the session that Moltnet's clients mean by a target; other targets as they are."""
    if target.kind is TargetKind.DM and (session_id := session_behind(target.dm_id)):
        return Target(TargetKind.SESSION, session_id=session_id)
    return target


OPEN = Operation(
    "sessions.open", OpenSession, Session, Verb.CREATE, ObjectKind.SESSION,
    "Open a session with an agent, or join it", Route("POST", "/v1/sessions", 201, repeat_status=200),
)  # fmt: skip
LIST = Operation(
    "sessions.list", SessionQuery, SessionList, Verb.ENTER, ObjectKind.HUB,
    "List the sessions that the caller may read", Route("GET", "/v1/sessions"),
)  # fmt: skip
GET = Operation(
    "sessions.get", SessionRef, Session, Verb.READ, ObjectKind.ROOM,
    "Show one session", Route("GET", "/v1/sessions/{session_id}"),
)  # fmt: skip
UPDATE = Operation(
    "sessions.update", UpdateSession, Session, Verb.MANAGE, ObjectKind.SESSION,
    "Call a session something else", Route("PATCH", "/v1/sessions/{session_id}"),
)  # fmt: skip
RESET = Operation(
    "sessions.reset", SessionRef, Session, Verb.MANAGE, ObjectKind.SESSION,
    "Begin anew under the same name; what was said stays in the log", Route("POST", "/v1/sessions/{session_id}/reset"),
    audited=True,
)  # fmt: skip
REMOVE = Operation(
    "sessions.remove", SessionRef, Session, Verb.MANAGE, ObjectKind.SESSION,
    "Remove a session; its name may be opened anew", Route("DELETE", "/v1/sessions/{session_id}"), audited=True,
)  # fmt: skip

MESSAGES = Operation(
    "sessions.messages", SessionMessages, MessagePage, Verb.READ, ObjectKind.ROOM,
    "Page through a session's messages", Route("GET", "/v1/sessions/{session_id}/messages"),
)  # fmt: skip

OPERATIONS = (OPEN, LIST, GET, UPDATE, RESET, REMOVE, MESSAGES)
