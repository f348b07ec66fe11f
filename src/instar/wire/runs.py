"""Runs: one waking of an agent. The updates are a superset of ACP's session updates, for hub and node alike."""

import enum
from typing import Annotated, Any

from msgspec import Meta, Struct

from .calls import OutputSignal
from .limits import PAGE_MAX, REASON_MAX_CHARS, WAIT_MAX_S
from .nodes import TelemetrySignal
from .operation import ObjectKind, Operation, Route, Verb
from .presence import PresenceChanged


class RunState(enum.StrEnum):
    """Where a run stands. `hub.runs.machine` holds the table of moves."""

    ADMITTED = "admitted"
    LEASED = "leased"
    STREAMING = "streaming"
    WAITING = "waiting"
    """For an approval, an input or a call."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Run(Struct, frozen=True, omit_defaults=True):
    """A run as callers see it."""

    id: str
    agent_id: str
    room: str
    """Key of the room that it speaks into."""
    state: RunState
    created_at: str
    cause: str = ""
    """Id of the event that woke the agent."""
    item_seq: int = 0
    """The inbox item that it settles."""
    message_id: str = ""
    """The message that its answer becomes; reserved before the first signal."""
    attempt: int = 1
    started_at: str = ""
    ended_at: str = ""
    error: str = ""
    partial: str = ""
    """Text so far; of a dead run, what it had said."""


class RunRef(Struct):
    """One run by its id."""

    run_id: str


class AwaitRun(Struct, omit_defaults=True):
    """Wait for the run that a message caused (or for one by id) to end; name one of both."""

    run_id: str = ""
    message_id: str = ""
    """The message that woke the agent."""
    agent_id: str = ""
    """Of several agents that it woke, this one; empty: the first."""
    wait: Annotated[float, Meta(ge=0, le=WAIT_MAX_S)] = 0.0


class AwaitedRun(Struct, frozen=True, omit_defaults=True):
    """The run as it stands, ended or not; none when the message woke nobody yet."""

    run: Run | None = None
    text: str = ""
    """What the agent said, once the run is done."""
    ended: bool = False


class CancelRun(Struct):
    """Cancel a run; what it has said so far ends in its last event."""

    run_id: str
    reason: Annotated[str, Meta(max_length=REASON_MAX_CHARS)] = ""


class RunQuery(Struct):
    """Runs, newest first."""

    agent_id: str = ""
    state: RunState | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50
    before: str = ""


class RunList(Struct, frozen=True):
    """Runs, newest first."""

    runs: list[Run]
    has_more: bool


# Updates: what a runtime says while a run streams. Each kind is a tag, as in ACP.


class TextDelta(Struct, frozen=True, tag="agent_message_chunk", tag_field="kind"):
    """More of the answer's text."""

    text: str


class ThoughtDelta(Struct, frozen=True, tag="agent_thought_chunk", tag_field="kind"):
    """More of the model's visible reasoning; never part of the message."""

    text: str


class PlanUpdate(Struct, frozen=True, tag="plan", tag_field="kind"):
    """The agent's plan, whole."""

    entries: list[dict[str, Any]]


class ToolCallUpdate(Struct, frozen=True, tag="tool_call_update", tag_field="kind", omit_defaults=True):
    """A call began or moved on."""

    call_id: str
    title: str = ""
    status: str = ""
    content: list[dict[str, Any]] = []


class UsageUpdate(Struct, frozen=True, tag="usage_update", tag_field="kind", omit_defaults=True):
    """Tokens and cost so far."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


class WaitingUpdate(Struct, frozen=True, tag="waiting", tag_field="kind"):
    """The run waits: for an approval, an input or a call."""

    reason: str


RunUpdate = TextDelta | ThoughtDelta | PlanUpdate | ToolCallUpdate | UsageUpdate | WaitingUpdate


class DeltaSignal(Struct, frozen=True, tag="run.delta", tag_field="signal"):
    """Text of a streaming run. The `message.created` with this message id replaces it.

    `offset` counts characters: a reader that missed one waits for the message, or reads the run's `partial`.
    """

    run_id: str
    agent_id: str
    message_id: str
    room: str
    offset: int
    text: str


class RunSignal(Struct, frozen=True, tag="run.state", tag_field="signal"):
    """A run moved; the run itself replaces it."""

    run_id: str
    agent_id: str
    room: str
    state: RunState


class PresenceSignal(Struct, frozen=True, tag="agent.presence", tag_field="signal"):
    """An agent became busy or idle; the agent's summary replaces it."""

    agent_id: str
    activity: str
    task: str = ""


Signal = DeltaSignal | RunSignal | PresenceSignal | PresenceChanged | OutputSignal | TelemetrySignal

LIST = Operation(
    "runs.list", RunQuery, RunList, Verb.ENTER, ObjectKind.HUB, "List the runs that the caller may read",
    Route("GET", "/v1/runs"),
)  # fmt: skip
GET = Operation("runs.get", RunRef, Run, Verb.READ, ObjectKind.RUN, "Read one run", Route("GET", "/v1/runs/{run_id}"))
CANCEL = Operation(
    "runs.cancel", CancelRun, Run, Verb.MANAGE, ObjectKind.RUN,
    "Cancel a run", Route("POST", "/v1/runs/{run_id}/cancel"),
)  # fmt: skip

AWAIT = Operation(
    "runs.await", AwaitRun, AwaitedRun, Verb.ENTER, ObjectKind.HUB,
    "Wait for a run to end; who may not read its room finds none", Route("GET", "/v1/runs/await"),
)  # fmt: skip

OPERATIONS = (LIST, GET, CANCEL, AWAIT)
