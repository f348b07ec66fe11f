"""Calls: one request to do something outside the model, with its approval, its output and its end."""

import enum
from typing import Annotated, Any

from msgspec import Meta, Struct

from .execution import Plan, Sandbox, StreamEnd, Terminal
from .identity import Id
from .limits import (
    CALL_ENV_MAX,
    CALL_OUTPUT_PAGE_BYTES,
    CALL_TIMEOUT_MAX_S,
    PAGE_MAX,
    PATH_MAX_CHARS,
    REASON_MAX_CHARS,
    TARGET_MAX_CHARS,
    TERMINAL_MAX_CELLS,
    WAIT_MAX_S,
)
from .operation import Body, Nothing, ObjectKind, Operation, Route, Verb

Target = Annotated[str, Meta(max_length=TARGET_MAX_CHARS, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""`local`, the id or name of a node, `ssh:LABEL`, or a label expression (`gpu=yes,os=linux`); empty: as routed."""


class CallState(enum.StrEnum):
    """Where a call stands. `hub.calls.machine` holds the table of moves; the last five are for ever."""

    ADMITTED = "admitted"
    """Written down; being prepared, or waiting for its node (`waits_for`)."""
    AWAITING_APPROVAL = "awaiting_approval"
    DISPATCHED = "dispatched"
    """The executor was told to start; from here on it may have had an effect."""
    STREAMING = "streaming"
    DONE = "done"
    FAILED = "failed"
    """It never ran, or was stopped by a limit; `error` says why (denied, node away, changed after approval …)."""
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """Its time was over, before or after it ran; `has_run` says which."""
    LOST = "lost"
    """It was dispatched, and nobody can say how it ended."""


class IfAway(enum.StrEnum):
    """What becomes of a call whose node is not connected, or goes away."""

    FAIL = "fail"
    QUEUE = "queue"
    """It waits for the node, until its deadline; one that runs is taken up again when the node is back."""


class StartCall(Struct, omit_defaults=True):
    """Ask for a call."""

    tool: Annotated[str, Meta(min_length=1, max_length=128)]
    """A tool of `wire.tools.TOOLS`, or a command of a node of another dialect (`camera.snap`)."""
    args: dict[str, Any] = {}
    target: Target = ""
    room: Annotated[str, Meta(max_length=192)] = ""
    """Key of the room whose call it is: who reads the room sees it, and its route counts. Empty: the caller's own."""
    agent_id: str = ""
    """The agent on whose behalf; empty: the caller's own, if it is an agent's credential."""
    run_id: str = ""
    cwd: Annotated[str, Meta(max_length=PATH_MAX_CHARS)] = ""
    env: Annotated[dict[str, str], Meta(max_length=CALL_ENV_MAX)] = {}
    timeout_s: Annotated[float, Meta(gt=0, le=CALL_TIMEOUT_MAX_S)] | None = None
    """Longest run; None: the tool's default. It counts from the start, not while it waits for an approval."""
    terminal: Terminal | None = None
    has_input: bool = False
    is_background: bool = False
    """It outlives the run that asked for it, and has no time limit unless one is given."""
    if_away: IfAway = IfAway.FAIL
    sandbox: Sandbox | None = None
    """None: strict for agents where the target has it, none for people."""
    reason: Annotated[str, Meta(max_length=REASON_MAX_CHARS)] = ""
    """Why, in the caller's words; shown as such to approvers, never as fact."""
    ends_unwatched: bool = False
    """Let it expire when nobody has watched it for `CALL_UNWATCHED_S`: a terminal whose window was closed for good."""
    wait: Annotated[float, Meta(ge=0, le=WAIT_MAX_S)] = 0.0
    """Answer when it has ended, or after so many seconds."""


class CallError(Struct, frozen=True, omit_defaults=True):
    """Why a call did not end well."""

    code: str
    message: str
    hint: str = ""


class Call(Struct, frozen=True, omit_defaults=True):
    """A call as callers see it."""

    id: str
    tool: str
    state: CallState
    created_at: str
    requester: str
    """Id of the principal that asked."""
    args: dict[str, Any] = {}
    target_id: str = ""
    target_name: str = ""
    routed_by: str = ""
    """Which row of the truth table chose the target: `call`, `room`, `agent`, `org`, `local`."""
    room: str = ""
    agent_id: str = ""
    run_id: str = ""
    plan: Plan | None = None
    digest: str = ""
    approval_id: str = ""
    approved_by: str = ""
    """A principal, or `rule:ID`, `file`, `default`."""
    waits_for: str = ""
    """In words, while it waits: for an approval, for a node, for its turn."""
    has_run: bool = False
    dispatched_at: str = ""
    ended_at: str = ""
    exit_status: int | None = None
    signal: str = ""
    error: CallError | None = None
    result: Any = None
    """What a tool that runs no program answered."""
    stdout: str = ""
    """The end of what it wrote, as text (`CALL_INLINE_*`), once it has ended; all of it is read by `calls.output`."""
    stderr: str = ""
    is_truncated: bool = False
    streams: list[StreamEnd] = []
    is_background: bool = False
    has_terminal: bool = False
    ends_unwatched: bool = False
    """It expires when nobody has watched it for `CALL_UNWATCHED_S`."""
    if_away: IfAway = IfAway.FAIL
    deadline_at: str = ""


class CallRef(Struct, omit_defaults=True):
    """One call by its id."""

    call_id: Id


class AwaitCall(Struct, omit_defaults=True):
    """One call; wait for its end (or, from `awaiting_approval`, for the decision) up to `wait` seconds."""

    call_id: Id
    wait: Annotated[float, Meta(ge=0, le=WAIT_MAX_S)] = 0.0


class CallQuery(Struct, omit_defaults=True):
    """Calls that the caller may read, newest first."""

    room: str = ""
    target: str = ""
    state: CallState | None = None
    live: bool = False
    """Only those that have not ended."""
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50
    before: str = ""
    """The id of a call, or the `next_before` of a page."""


class CallList(Struct, frozen=True, omit_defaults=True):
    """Calls, newest first: fewer than asked for, or none, where many lie between that the caller may not read."""

    calls: list[Call]
    has_more: bool
    next_before: str = ""
    """Where the list goes on; empty: it ends here."""


class CancelCall(Struct, omit_defaults=True):
    """Stop a call, and every process that it started."""

    call_id: Id
    reason: Annotated[str, Meta(max_length=REASON_MAX_CHARS)] = ""


class SignalCall(Struct):
    """Send a signal to a call's process group."""

    call_id: Id
    signal: Annotated[str, Meta(pattern=r"^[A-Z0-9]{2,12}$")]


class ResizeCall(Struct):
    """Tell a call's terminal its size."""

    call_id: Id
    rows: Annotated[int, Meta(ge=1, le=TERMINAL_MAX_CELLS)]
    columns: Annotated[int, Meta(ge=1, le=TERMINAL_MAX_CELLS)]


class CallInput(Struct, omit_defaults=True):
    """Write to a call's standard input, as the body of the request."""

    call_id: Id
    offset: Annotated[int, Meta(ge=0)] | None = None
    """Where in the input these bytes begin; a repeat writes nothing twice. None: at its end."""
    eof: bool = False
    """These are the last."""


class InputTaken(Struct, frozen=True):
    """How far the input goes now."""

    offset: int


class OutputQuery(Struct, omit_defaults=True):
    """A range of a call's stored output, as bytes."""

    call_id: Id
    channel: Annotated[int, Meta(ge=1, le=2)] = 1
    offset: int = 0
    """Negative: from the end."""
    limit: Annotated[int, Meta(ge=1, le=CALL_OUTPUT_PAGE_BYTES)] = CALL_OUTPUT_PAGE_BYTES
    wait: Annotated[float, Meta(ge=0, le=WAIT_MAX_S)] = 0.0
    """Wait so long for bytes while the call lives."""


class OutputRange(Struct, frozen=True, omit_defaults=True):
    """What was read. Over HTTP the bytes are the body of the answer, the rest its headers (`instar-offset` …)."""

    offset: int
    size_bytes: int
    total_bytes: int
    """Stored so far."""
    dropped_bytes: int
    """Beyond the cap: read and thrown away."""
    ended: bool
    """Nothing more comes."""
    content: bytes = b""
    """The bytes; in JSON as base64."""


class RouteQuery(Struct, omit_defaults=True):
    """Ask where a call would go."""

    target: Target = ""
    room: str = ""
    agent_id: str = ""


class RouteStep(Struct, frozen=True, omit_defaults=True):
    """One row of the truth table and what it said."""

    by: str
    """`call`, `room`, `agent`, `org`, `local`."""
    wanted: str = ""
    verdict: str = ""
    """In words: `not set`, `chosen`, `no node has this id, name or label`, `not connected` …"""


class RouteAnswer(Struct, frozen=True, omit_defaults=True):
    """Where a call would go, or why nowhere, and how that came about."""

    steps: list[RouteStep]
    target_id: str = ""
    target_name: str = ""
    kind: str = ""
    """`local`, `node` or `ssh`."""
    by: str = ""
    error: CallError | None = None


class SetRoute(Struct, omit_defaults=True):
    """Choose where the calls of a room, of an agent, or of the org go. An empty target leaves it to the next row."""

    target: Target
    room: str = ""
    agent_id: str = ""
    """Neither: the default of the org."""


class RouteRow(Struct, frozen=True, omit_defaults=True):
    """One choice that was made."""

    target: str
    room: str = ""
    agent_id: str = ""
    set_by: str = ""
    set_at: str = ""


class RouteList(Struct, frozen=True):
    """Every choice that the caller may see."""

    routes: list[RouteRow]


class OutputSignal(Struct, frozen=True, tag="call.output", tag_field="signal"):
    """A call of a room wrote more; `calls.output` replaces it. Text is what was written as UTF-8, as far as it fits."""

    call_id: str
    room: str
    channel: int
    offset: int
    size_bytes: int
    text: str


START = Operation(
    "calls.start", StartCall, Call, Verb.CREATE, ObjectKind.CALL,
    "Ask for a call on a machine; its own events say who asked", Route("POST", "/v1/calls", 201), idempotent=True,
    example={"tool": "exec", "args": {"argv": ["uname", "-a"]}, "target": "local", "wait": 10},
)  # fmt: skip
GET = Operation(
    "calls.get", AwaitCall, Call, Verb.READ, ObjectKind.CALL,
    "Show one call, or wait for its end", Route("GET", "/v1/calls/{call_id}"),
)  # fmt: skip
LIST = Operation(
    "calls.list", CallQuery, CallList, Verb.ENTER, ObjectKind.HUB,
    "List the calls that the caller may read", Route("GET", "/v1/calls"),
)  # fmt: skip
CANCEL = Operation(
    "calls.cancel", CancelCall, Call, Verb.MANAGE, ObjectKind.CALL,
    "Stop a call and every process that it started", Route("POST", "/v1/calls/{call_id}/cancel"), audited=True,
)  # fmt: skip
SIGNAL = Operation(
    "calls.signal", SignalCall, Call, Verb.MANAGE, ObjectKind.CALL,
    "Send a signal to a call's processes", Route("POST", "/v1/calls/{call_id}/signal"), audited=True,
)  # fmt: skip
RESIZE = Operation(
    "calls.resize", ResizeCall, Call, Verb.MANAGE, ObjectKind.CALL,
    "Tell a call's terminal its size", Route("POST", "/v1/calls/{call_id}/resize"),
)  # fmt: skip
INPUT = Operation(
    "calls.input", CallInput, InputTaken, Verb.MANAGE, ObjectKind.CALL,
    "Write to a call's standard input", Route("POST", "/v1/calls/{call_id}/input", body=Body.BYTES),
)  # fmt: skip
OUTPUT = Operation(
    "calls.output", OutputQuery, OutputRange, Verb.READ, ObjectKind.CALL,
    "Read a range of a call's output", Route("GET", "/v1/calls/{call_id}/output", media_type="*/*"),
)  # fmt: skip
EXPLAIN = Operation(
    "calls.route", RouteQuery, RouteAnswer, Verb.CREATE, ObjectKind.CALL,
    "Say where a call would go, and why", Route("GET", "/v1/calls/route"),
)  # fmt: skip
ROUTES = Operation(
    "routes.list", Nothing, RouteList, Verb.CREATE, ObjectKind.CALL,
    "List where the calls of rooms, agents and the org go", Route("GET", "/v1/routes"),
)  # fmt: skip
SET_ROUTE = Operation(
    "routes.set", SetRoute, RouteAnswer, Verb.MANAGE, ObjectKind.ROUTE,
    "Choose where the calls of a room, an agent or the org go", Route("PUT", "/v1/routes"), audited=True,
)  # fmt: skip

OPERATIONS = (START, GET, LIST, CANCEL, SIGNAL, RESIZE, INPUT, OUTPUT, EXPLAIN, ROUTES, SET_ROUTE)
