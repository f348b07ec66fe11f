"""Agents: named participants that can be woken (Moltnet http.v1 §§1.2, 2.5), and their presence."""

import enum
from typing import Annotated

from msgspec import Meta, Struct

from .identity import Name
from .limits import REASON_MAX_CHARS
from .messages import Page, PageQuery, Target
from .operation import Nothing, ObjectKind, Operation, Route, Verb
from .rooms import Removed


class Wake(enum.StrEnum):
    """Which room messages wake an agent. Direct messages wake under `all` and `mentions`."""

    ALL = "all"
    MENTIONS = "mentions"
    THREAD_ONLY = "thread_only"
    NEVER = "never"


class Activity(enum.StrEnum):
    """What an agent is doing."""

    OFFLINE = "offline"
    IDLE = "idle"
    BUSY = "busy"
    PAUSED = "paused"


class AgentSummary(Struct, frozen=True, omit_defaults=True):
    """An agent as callers see it: a registered one, or a name that some room lists as member."""

    id: str
    fqid: str
    network_id: str
    connected: bool
    name: str = ""
    actor_uid: str = ""
    rooms: list[str] = []
    registered: bool = False
    activity: Activity = Activity.OFFLINE
    task: str = ""
    """What it says it is working on."""
    last_seen_at: str = ""
    wake: Wake = Wake.ALL
    wake_rooms: dict[str, Wake] = {}
    """Rooms whose wake policy differs from `wake`."""
    runtime: str = ""
    pending_count: int = 0
    """Inbox items that wait, counted up to `UNREAD_COUNT_MAX`; only on the single-agent route."""


class AgentEvent(Struct, frozen=True, omit_defaults=True):
    """Payload of every `agent.*` event."""

    agent_id: str
    network_id: str = ""
    fqid: str = ""
    name: str = ""
    message_id: str = ""
    reason: str = ""
    target: Target | None = None
    error: str = ""


class AgentPage(Struct, frozen=True):
    """Agents by id."""

    agents: list[AgentSummary]
    page: Page


class AgentRef(Struct):
    """One agent by its id."""

    agent_id: str


class RegisterAgent(Struct, omit_defaults=True):
    """Claim an agent id, or the slug of a name."""

    requested_agent_id: str = ""
    name: Name = ""
    wake: Wake | None = None
    issue_token: bool = False
    """Ask for an agent token although the caller has a credential of its own."""


class AgentRegistration(Struct, frozen=True, omit_defaults=True):
    """A claimed agent id; `agent_token` is shown once."""

    network_id: str
    agent_id: str
    actor_uid: str
    actor_uri: str
    created_at: str
    updated_at: str
    display_name: str = ""
    agent_token: str = ""
    created: bool = False


class AgentToken(Struct, frozen=True):
    """A fresh agent token, shown once; older ones of the agent have ended."""

    agent_id: str
    agent_token: str


class UpdateAgent(Struct, omit_defaults=True):
    """Change what is given. `wake_rooms` maps room ids to policies; an empty string removes an entry.

    The older spelling is accepted: `read: all|mentions|thread_only|never` is `wake`; `reply: never` with no
    `read` is `wake: never`; other `reply` values change nothing on the hub.
    """

    agent_id: str
    name: Name | None = None
    wake: Wake | None = None
    wake_rooms: dict[str, str] = {}
    read: Wake | None = None
    reply: str = ""


class SetPresence(Struct):
    """What the agent says of itself; a signal tells the others, and it ends with the last attachment."""

    agent_id: str
    activity: Activity = Activity.IDLE
    task: Annotated[str, Meta(max_length=REASON_MAX_CHARS)] = ""


class StopAll(Struct):
    """Stop every agent: cancel runs, refuse agent messages and wakes until resumed."""

    reason: Annotated[str, Meta(max_length=REASON_MAX_CHARS)] = ""


class HubSwitch(Struct, frozen=True):
    """Whether agents are stopped."""

    stopped: bool
    reason: str = ""
    cancelled_runs: int = 0


class HubEvent(Struct, frozen=True, omit_defaults=True):
    """Payload of `hub.stopped` and `hub.resumed`."""

    stopped: bool
    reason: str = ""


LIST = Operation(
    "agents.list", PageQuery, AgentPage, Verb.READ, ObjectKind.AGENT,
    "List agents and their presence", Route("GET", "/v1/agents"),
)  # fmt: skip
GET = Operation(
    "agents.get", AgentRef, AgentSummary, Verb.READ, ObjectKind.AGENT,
    "Read one agent", Route("GET", "/v1/agents/{agent_id}"),
)  # fmt: skip
REGISTER = Operation(
    "agents.register", RegisterAgent, AgentRegistration, Verb.REGISTER, ObjectKind.AGENT,
    "Claim an agent id", Route("POST", "/v1/agents/register", 201, repeat_status=200),
    example={"requested_agent_id": "beta"},
)  # fmt: skip
TOKEN = Operation(
    "agents.rotate_token", AgentRef, AgentToken, Verb.MANAGE, ObjectKind.AGENT,
    "Give an agent a new token and end the old ones", Route("POST", "/v1/agents/{agent_id}/token"), audited=True,
)  # fmt: skip
UPDATE = Operation(
    "agents.update", UpdateAgent, AgentSummary, Verb.CONSUME, ObjectKind.AGENT,
    "Change an agent's name or wake policy", Route("PATCH", "/v1/agents/{agent_id}"),
)  # fmt: skip
REMOVE = Operation(
    "agents.remove", AgentRef, Removed, Verb.MANAGE, ObjectKind.AGENT,
    "Remove an agent: memberships, tokens and attachments end", Route("DELETE", "/v1/agents/{agent_id}"), audited=True,
)  # fmt: skip
PAUSE = Operation(
    "agents.pause", AgentRef, AgentSummary, Verb.MANAGE, ObjectKind.AGENT,
    "Stop waking an agent; its inbox waits", Route("POST", "/v1/agents/{agent_id}/pause"), audited=True,
)  # fmt: skip
RESUME = Operation(
    "agents.resume", AgentRef, AgentSummary, Verb.MANAGE, ObjectKind.AGENT,
    "Wake a paused agent again", Route("POST", "/v1/agents/{agent_id}/resume"), audited=True,
)  # fmt: skip
PRESENCE = Operation(
    "agents.set_presence", SetPresence, AgentSummary, Verb.CONSUME, ObjectKind.AGENT,
    "Say whether the agent is busy, and with what", Route("PUT", "/v1/agents/{agent_id}/presence"),
)  # fmt: skip
STOP_ALL = Operation(
    "agents.stop_all", StopAll, HubSwitch, Verb.OPERATE, ObjectKind.HUB,
    "Stop all agents at once", Route("POST", "/v1/stop"), audited=True,
)  # fmt: skip
RESUME_ALL = Operation(
    "agents.resume_all", Nothing, HubSwitch, Verb.OPERATE, ObjectKind.HUB,
    "Let stopped agents run again", Route("POST", "/v1/resume"), audited=True,
)  # fmt: skip

OPERATIONS = (LIST, GET, REGISTER, TOKEN, UPDATE, REMOVE, PAUSE, RESUME, PRESENCE, STOP_ALL, RESUME_ALL)
