"""Nodes: machines that dial in and offer capabilities, what they may be asked, and how they are."""

import enum
from typing import Annotated, Any

from msgspec import Meta, Struct

from .devices import Facts
from .execution import Declaration
from .identity import Id, Name, Scope
from .limits import NODE_COMMANDS_MAX, NODE_ENV_MAX, NODE_LABELS_MAX, PAGE_MAX
from .operation import Nothing, ObjectKind, Operation, Route, Verb

Command = Annotated[str, Meta(min_length=1, max_length=128)]
"""A command's name, or a glob over such names."""
EnvName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
LabelKey = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._/-]{0,62}$")]
LabelValue = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,63}$")]
LOCAL = "local"
"""The hub's own machine as a node."""


class NodeKind(enum.StrEnum):
    """How a target is reached."""

    LOCAL = "local"
    NODE = "node"
    SSH = "ssh"


class Permit(Struct, frozen=True, omit_defaults=True):
    """What a node may be asked. Pairing alone gives an empty one."""

    commands: Annotated[list[Command], Meta(max_length=NODE_COMMANDS_MAX)] = []
    """Globs; what is asked must match one, and be declared by the node."""
    env: Annotated[list[EnvName], Meta(max_length=NODE_ENV_MAX)] = []
    """Names beyond `TERM`, `LANG` and `LC_*` that may be forwarded."""
    agents: list[Id] | None = None
    """Agents on whose behalf it may be asked; None: all."""


class Disk(Struct, frozen=True):
    """One mounted file system."""

    mount: str
    total_bytes: int
    available_bytes: int


class Runtime(Struct, frozen=True, omit_defaults=True):
    """Something that runs programs: an interpreter, a compiler."""

    name: str
    version: str = ""
    path: str = ""


class Provider(Struct, frozen=True, omit_defaults=True):
    """A provider of models that the node reaches: which, never with what secret."""

    name: str
    models: list[str] = []
    url: str = ""


class Telemetry(Struct, frozen=True, omit_defaults=True):
    """How a machine is, by its own word."""

    taken_at: str = ""
    cpu_count: int = 0
    cpu_percent: float = 0.0
    cpu_percents: list[float] = []
    """Of each core."""
    memory_total_bytes: int = 0
    memory_available_bytes: int = 0
    disks: list[Disk] = []
    load: list[float] = []
    """Over 1, 5 and 15 minutes."""
    uptime_s: float = 0.0
    runtimes: list[Runtime] = []
    providers: list[Provider] = []
    agents: list[Runtime] = []
    """Agent programs that are installed."""
    calls_running: int = 0


class Node(Struct, frozen=True, omit_defaults=True):
    """A target of calls: a node, the hub's own machine, or an SSH target (which reports nothing of itself)."""

    id: str
    name: str
    kind: NodeKind
    is_connected: bool = False
    """Of SSH targets: whether it could be used now, as far as the hub can know without trying."""
    dialect: str = ""
    """`instar`, `moltis`, `openclaw`; empty for SSH."""
    platform: str = ""
    version: str = ""
    fingerprint: str = ""
    address: str = ""
    alias: str = ""
    labels: dict[str, str] = {}
    """Those that the node declares and those that operators set; the operator's win."""
    given_labels: dict[str, str] = {}
    """Those that operators set: what `nodes.label` replaces."""
    capabilities: list[str] = []
    declared: list[str] = []
    """Commands that it offers."""
    commands: list[str] = []
    """Of these, what it may be asked now."""
    permit: Permit = Permit()
    working_dir: str = ""
    roots: list[str] = []
    sandboxes: list[str] = []
    permissions: dict[str, bool] = {}
    path_env: str = ""
    details: dict[str, Any] = {}
    connected_at: str = ""
    last_seen_at: str = ""
    telemetry: Telemetry | None = None
    is_stale: bool = False
    """Its last report is older than `TELEMETRY_STALE_S`, or there never was one."""
    calls_running: int = 0
    calls_max: int = 0
    host_pinned: bool | None = None
    """Of SSH targets."""
    is_default: bool = False


class NodeRef(Struct):
    """One node by its id, alias or unique name."""

    node_id: Annotated[str, Meta(min_length=1, max_length=192)]


class NodeQuery(Struct, omit_defaults=True):
    """Which nodes to list."""

    connected: bool = False
    select: str = ""
    """A label expression, id or name."""


class NodeList(Struct, frozen=True):
    """Nodes: the local one, then connected ones, then the others; by name."""

    nodes: list[Node]


class SetPermit(Struct):
    """Say what a node may be asked from now on."""

    node_id: Id
    permit: Permit


class SetLabels(Struct):
    """Give a node labels; they win over those that it declares. An empty value hides a declared one."""

    node_id: Id
    labels: Annotated[dict[LabelKey, LabelValue], Meta(max_length=NODE_LABELS_MAX)]


class ApproveNode(Struct, omit_defaults=True):
    """Let a machine in as a node, and say in the same step what it may be asked."""

    request_id: Id
    digest: str = ""
    """Of the request as it was shown; another one is a conflict."""
    permit: Permit = Permit()
    labels: dict[LabelKey, LabelValue] = {}
    name: Name = ""


class NodeRequest(Struct, frozen=True, omit_defaults=True):
    """A machine that asks to be a node."""

    request_id: str
    device_id: str
    digest: str
    fingerprint: str
    facts: Facts
    created_at: str
    expires_at: str
    asked: list[Scope] = []
    declaration: Declaration | None = None
    """What it says that it offers, where its dialect says so while it asks."""
    address: str = ""
    dialect: str = ""


class NodeRequestList(Struct, frozen=True):
    """Machines that ask, oldest first."""

    requests: list[NodeRequest]


class HistoryQuery(Struct, omit_defaults=True):
    """A node's telemetry over time, newest first."""

    node_id: Id
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 120
    before: str = ""


class TelemetryHistory(Struct, frozen=True):
    """Reports, newest first."""

    reports: list[Telemetry]
    has_more: bool


class CheckLevel(enum.StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    ERROR = "error"


class ExecCheck(Struct, frozen=True, omit_defaults=True):
    """One finding about remote execution."""

    id: str
    level: CheckLevel
    title: str
    message: str
    hint: str = ""
    """The command or step that mends it."""
    subject: str = ""


class ExecStatus(Struct, frozen=True, omit_defaults=True):
    """The state of remote execution: what the Remote Exec Status panel and `instar doctor` show."""

    backend: str
    """What an untargeted call uses: `local`, `node` or `ssh`; `none` when it would fail."""
    target_id: str = ""
    target_name: str = ""
    routed_by: str = ""
    nodes_paired: int = 0
    nodes_connected: int = 0
    ssh_targets: int = 0
    ssh_pinned: int = 0
    ssh_keys: int = 0
    ssh_keys_unreadable: int = 0
    ssh_client: str = ""
    """Path and version of the system's OpenSSH client; empty: there is none."""
    is_local_forbidden: bool = False
    checks: list[ExecCheck] = []


class TelemetrySignal(Struct, frozen=True, tag="node.telemetry", tag_field="signal"):
    """A node reported how it is; `nodes.get` replaces it."""

    node_id: str
    telemetry: Telemetry


LIST = Operation(
    "nodes.list", NodeQuery, NodeList, Verb.READ, ObjectKind.NODE, "List nodes, the local machine and SSH targets",
    Route("GET", "/v1/nodes"),
)  # fmt: skip
GET = Operation(
    "nodes.get", NodeRef, Node, Verb.READ, ObjectKind.NODE, "Show one node", Route("GET", "/v1/nodes/{node_id}")
)
REQUESTS = Operation(
    "nodes.requests", Nothing, NodeRequestList, Verb.GRANT, ObjectKind.DEVICE,
    "List the machines that ask to be nodes", Route("GET", "/v1/nodes/requests"),
)  # fmt: skip
APPROVE = Operation(
    "nodes.approve", ApproveNode, Node, Verb.GRANT, ObjectKind.NODE,
    "Let a machine in as a node, with what it may be asked",
    Route("POST", "/v1/nodes/requests/{request_id}/approve"), idempotent=True, audited=True,
)  # fmt: skip
PERMIT = Operation(
    "nodes.permit", SetPermit, Node, Verb.GRANT, ObjectKind.NODE,
    "Say what a node may be asked", Route("PUT", "/v1/nodes/{node_id}/permit"), audited=True,
)  # fmt: skip
LABEL = Operation(
    "nodes.label", SetLabels, Node, Verb.MANAGE, ObjectKind.NODE,
    "Give a node labels", Route("PUT", "/v1/nodes/{node_id}/labels"), audited=True,
)  # fmt: skip
HISTORY = Operation(
    "nodes.history", HistoryQuery, TelemetryHistory, Verb.READ, ObjectKind.NODE,
    "Show a node's telemetry over time", Route("GET", "/v1/nodes/{node_id}/telemetry"),
)  # fmt: skip
STATUS = Operation(
    "nodes.exec_status", Nothing, ExecStatus, Verb.READ, ObjectKind.NODE,
    "Say where calls go by default and what is wrong with it", Route("GET", "/v1/nodes/exec-status"),
)  # fmt: skip

OPERATIONS = (LIST, GET, REQUESTS, APPROVE, PERMIT, LABEL, HISTORY, STATUS)
