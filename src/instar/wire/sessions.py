"""Sessions: conversations of one agent, kept apart by name. A session is a room of that kind."""

from typing import Annotated

from msgspec import Meta, Struct

from .identity import Id, Name
from .limits import PAGE_MAX, SESSION_NAME_PATTERN
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
    """`main` is the agent's own."""
    label: str
    created_at: str
    updated_at: str
    """Of its last message; else `created_at`."""
    messages: int
    members: list[str]
    generation: int = 1
    """Rises with each reset: what came before is history of another conversation."""


class OpenSession(Struct, omit_defaults=True):
    """Open a session, or take part in one that is; the agent is a member from the start."""

    agent_id: Id
    name: SessionName = "main"
    label: Name = ""


class SessionRef(Struct):
    """One session by its id (`agent:AGENT:NAME`)."""

    session_id: Id


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
    "Remove a session; what was said stays in the log", Route("DELETE", "/v1/sessions/{session_id}"), audited=True,
)  # fmt: skip

OPERATIONS = (OPEN, LIST, GET, UPDATE, RESET, REMOVE)
