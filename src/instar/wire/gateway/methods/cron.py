"""Cron: schedules as the dialect's jobs."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from instar.wire.gateway.method import Generation, Method, NoParams
from instar.wire.gateway.scopes import ADMIN, READ
from instar.wire.identity import Id
from instar.wire.limits import NAME_MAX_CHARS, SCHEDULE_TEXT_MAX_CHARS

from .params import Count, Key, Params, Text, Unserved

MODERN = frozenset({Generation.V4, Generation.MOLTIS})
RUNS_MAX = 5_000
TIME_MAX_MS = 8_640_000_000_000_000
"""The last millisecond that the dialect's clients can name."""

Name = Annotated[str, Meta(min_length=1, max_length=NAME_MAX_CHARS)]
Description = Annotated[str, Meta(max_length=1_024)]
Words = Annotated[str, Meta(min_length=1, max_length=SCHEDULE_TEXT_MAX_CHARS)]
Moment = Annotated[int, Meta(ge=0, le=TIME_MAX_MS)]


class AtSchedule(Params, tag="at", tag_field="kind"):
    """Once: `atMs` in generation 3, `at` (ISO 8601) in generation 4."""

    at_ms: Moment | None = None
    at: Text | None = None


class EverySchedule(Params, tag="every", tag_field="kind"):
    """An interval from its anchor on."""

    every_ms: Annotated[int, Meta(ge=1, le=TIME_MAX_MS)]
    anchor_ms: Moment | None = None


class CronSchedule(Params, tag="cron", tag_field="kind"):
    """A cron expression; without `tz` in UTC."""

    expr: Text
    tz: str = ""
    stagger_ms: Moment | None = None


class ExitSchedule(Struct, frozen=True, tag="on-exit", tag_field="kind"):
    """When a command ends; there is no such thing here."""


class StreamSchedule(Struct, frozen=True, tag="stream", tag_field="kind"):
    """What a command prints; there is no such thing here."""


JobSchedule = AtSchedule | EverySchedule | CronSchedule | ExitSchedule | StreamSchedule


class SystemEvent(Params, tag="systemEvent", tag_field="kind"):
    """A text into the agent's main session."""

    text: Words
    tools_allow: Unserved = UNSET
    tools_allow_is_default: bool | None = None


class AgentTurn(Params, tag="agentTurn", tag_field="kind"):
    """A text into a session of the job's own."""

    message: Words
    thinking: str | None = None
    """A hint to models that think; nothing here does."""
    timeout_seconds: Annotated[float, Meta(ge=0)] | None = None
    """Turns end with the hub's budget (setting `runs.budget_s`)."""
    deliver: bool | None = None
    channel: str = ""
    to: str = ""
    best_effort_deliver: bool | None = None
    model: Unserved = UNSET
    fallbacks: Unserved = UNSET
    light_context: Unserved = UNSET
    allow_unsafe_external_content: Unserved = UNSET
    tools_allow: Unserved = UNSET
    tools_allow_is_default: bool | None = None


class CommandPayload(Struct, frozen=True, tag="command", tag_field="kind"):
    """A command; no job runs one here."""


class ScriptPayload(Struct, frozen=True, tag="script", tag_field="kind"):
    """A script; no job runs one here."""


JobPayload = SystemEvent | AgentTurn | CommandPayload | ScriptPayload


class JobDelivery(Params):
    """Where an answer is announced. Here it stands in the session itself, for who reads that."""

    mode: Literal["none", "announce", "webhook"]
    channel: str = ""
    to: str = ""
    best_effort: bool | None = None
    account_id: Unserved = UNSET
    thread_id: Unserved = UNSET
    failure_destination: Unserved = UNSET
    completion_destination: Unserved = UNSET


class CronAddParams(Params):
    """A new job."""

    name: Name
    schedule: JobSchedule
    session_target: Text
    payload: JobPayload
    wake_mode: Literal["now", "next-heartbeat"] = "now"
    """Here a job always speaks at once; the job that is answered says so."""
    id: Id | None = None
    agent_id: Text | None = None
    session_key: Key | None = None
    description: Description = ""
    enabled: bool = True
    delete_after_run: bool = False
    delivery: JobDelivery | None = None
    isolation: Unserved = UNSET
    declaration_key: Unserved = UNSET
    display_name: Unserved = UNSET
    owner: Unserved = UNSET
    pacing: Unserved = UNSET
    trigger: Unserved = UNSET
    failure_alert: Unserved = UNSET


class JobPatch(Params):
    """What shall change of a job."""

    name: Name | UnsetType = UNSET
    schedule: JobSchedule | UnsetType = UNSET
    payload: JobPayload | UnsetType = UNSET
    session_target: Text | UnsetType = UNSET
    wake_mode: Literal["now", "next-heartbeat"] | UnsetType = UNSET
    agent_id: Text | UnsetType | None = UNSET
    session_key: Key | UnsetType | None = UNSET
    description: Description | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    delete_after_run: bool | UnsetType = UNSET
    delivery: JobDelivery | UnsetType | None = UNSET
    isolation: Unserved = UNSET
    declaration_key: Unserved = UNSET
    display_name: Unserved = UNSET
    owner: Unserved = UNSET
    pacing: Unserved = UNSET
    trigger: Unserved = UNSET
    failure_alert: Unserved = UNSET
    state: Unserved = UNSET


class JobParams(Params):
    """One job, by `id` or `jobId`."""

    id: Id | None = None
    job_id: Id | None = None


class CronUpdateParams(JobParams, kw_only=True):
    """Change a job."""

    patch: JobPatch
    expected_config_revision: Text | None = None


class CronRunParams(JobParams):
    """Fire a job besides its slots; `due` only when a slot has come."""

    mode: Literal["due", "force", "if-enabled"] = "force"
    expected_process_instance_id: Unserved = UNSET


class CronRunsParams(JobParams):
    """What became of a job's slots, newest first."""

    limit: Annotated[int, Meta(ge=1, le=RUNS_MAX)] = 200
    offset: Count = 0
    scope: Literal["job", "all"] = "job"
    sort_dir: Literal["asc", "desc"] = "desc"
    agent_id: Text | None = None
    statuses: list[Literal["ok", "error", "skipped"]] | None = None
    status: Literal["all", "ok", "error", "skipped"] = "all"
    query: str = ""
    run_id: Unserved = UNSET
    delivery_statuses: Unserved = UNSET
    delivery_status: Unserved = UNSET


class CronListParams(Params):
    """Which jobs."""

    include_disabled: bool = False
    limit: Annotated[int, Meta(ge=1, le=200)] | None = None
    offset: Count = 0
    query: str = ""
    enabled: Literal["all", "enabled", "disabled"] | None = None
    schedule_kind: Literal["all", "at", "every", "cron", "on-exit", "stream"] = "all"
    last_run_status: Literal["all", "ok", "error", "skipped", "unknown"] = "all"
    trigger: Literal["all", "conditional", "unconditional"] = "all"
    sort_by: Literal["nextRunAtMs", "updatedAtMs", "name"] = "nextRunAtMs"
    sort_dir: Literal["asc", "desc"] = "asc"
    agent_id: Text | None = None
    compact: bool = False
    include_delivery_previews: Any = None


METHODS = (
    Method("cron.list", CronListParams, "List jobs", READ),
    Method("cron.get", JobParams, "Show one job", READ, generations=MODERN),
    Method("cron.status", NoParams, "Say how many jobs there are and when the next is due", READ),
    Method("cron.runs", CronRunsParams, "Say what became of a job's slots", READ),
    Method("cron.add", CronAddParams, "Make a job", ADMIN),
    Method("cron.update", CronUpdateParams, "Change a job", ADMIN),
    Method("cron.remove", JobParams, "Remove a job", ADMIN),
    Method("cron.run", CronRunParams, "Fire a job now", ADMIN),
)
