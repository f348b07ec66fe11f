"""What operators look at: models, channels, skills, usage, audit, people."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta

from instar.wire.gateway.method import Generation, Method, NoParams
from instar.wire.gateway.scopes import ADMIN, READ

from .params import Count, Params, Text, Unserved

MODERN = frozenset({Generation.V4, Generation.MOLTIS})
USAGE_DAYS_MAX = 365


class ModelsListParams(Params):
    """What agents run on."""

    agent_id: Text | None = None
    view: Literal["default", "configured", "provider-config", "all"] = "default"
    include_provider_capabilities: bool = False
    prepared_only: bool = False
    refresh: bool = False


class ChannelsStatusParams(Params):
    """The channels; here it is one."""

    probe: bool = False
    timeout_ms: Count | None = None
    channel: Text | None = None


class SkillsStatusParams(Params):
    """What agents can be taught."""

    agent_id: Text | None = None
    session_key: Text | None = None


class UsageCostParams(Params):
    """Turns and tokens of the last days."""

    days: Annotated[int, Meta(ge=1, le=USAGE_DAYS_MAX)] = 30
    agent_id: Text | None = None
    start_date: Unserved = UNSET
    end_date: Unserved = UNSET
    mode: Unserved = UNSET
    range: Unserved = UNSET
    utc_offset: Unserved = UNSET
    time_zone: Unserved = UNSET
    agent_scope: Unserved = UNSET


class AuditListParams(Params):
    """Turns of agents, newest first."""

    agent_id: Text | None = None
    session_key: Text | None = None
    run_id: Text | None = None
    kind: Literal["agent_run", "tool_action"] | None = None
    status: str | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    cursor: Text | None = None
    after: Unserved = UNSET
    before: Unserved = UNSET


METHODS = (
    Method("models.list", ModelsListParams, "Say what agents run on", READ),
    Method("channels.status", ChannelsStatusParams, "Show the one channel: the hub's own conversations", READ),
    Method("skills.status", SkillsStatusParams, "Show what agents can be taught", READ),
    Method("usage.status", NoParams, "Say whose quotas are used", READ),
    Method("usage.cost", UsageCostParams, "Count turns and tokens by day", READ),
    Method("audit.list", AuditListParams, "List turns of agents", READ, generations=MODERN),
    Method("users.list", NoParams, "List people", ADMIN, generations=MODERN),
)
