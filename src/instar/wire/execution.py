"""What passes between the hub and whatever carries a call out: a node, an SSH target, a node of another dialect.

The order of a call: `Preparation` → `Prepared`, then, once policy or a person allowed exactly that, `Start` →
output chunks → `Outcome`. Executors keep a ledger by call id: starting a call twice starts it once.
"""

import enum
from typing import Annotated, Any

from msgspec import Meta, Raw, Struct

from .limits import TERMINAL_MAX_CELLS


class Channel(enum.IntEnum):
    """One stream of bytes of a call."""

    STDIN = 0
    STDOUT = 1
    """With a terminal, everything."""
    STDERR = 2


class Terminal(Struct, frozen=True):
    """A terminal that the process has, instead of pipes."""

    rows: Annotated[int, Meta(ge=1, le=TERMINAL_MAX_CELLS)] = 24
    columns: Annotated[int, Meta(ge=1, le=TERMINAL_MAX_CELLS)] = 80


class Sandbox(enum.StrEnum):
    """How far a call is kept from the machine it runs on."""

    NONE = "none"
    STRICT = "strict"
    """No network, nothing writable but the granted roots, its own processes only."""
    NETWORK = "network"
    """As strict, with the network."""


class ReadRule(Struct, frozen=True):
    """A rule about what may be read, for an executor that comes upon files which the call does not name."""

    layer: str
    """`wire.approvals.Layer`."""
    value: str
    """A glob of paths."""
    action: str
    """`wire.approvals.Action`."""


class Preparation(Struct, frozen=True, omit_defaults=True):
    """What is asked: everything that decides what would run. The executor resolves it and runs nothing."""

    call_id: str
    tool: str
    args: Raw
    """JSON of the tool's parameters (`wire.tools.TOOLS`)."""
    cwd: str = ""
    """Empty: the executor's own choice."""
    env: dict[str, str] = {}
    """Filtered by the hub; the executor filters it again (`policy.environment`)."""
    env_allowed: list[str] = []
    """Names beyond `TERM`, `LANG` and `LC_*` that the node's permit lists."""
    terminal: Terminal | None = None
    has_input: bool = False
    timeout_s: float = 0.0
    """0: none; a background job may have none."""
    sandbox: Sandbox = Sandbox.NONE
    is_background: bool = False
    read_rules: list[ReadRule] = []
    """Of a search: what it finds is shown only where these let it be read."""


class FileFact(Struct, frozen=True, omit_defaults=True):
    """A regular file that the call names, as it was when it was resolved."""

    path: str
    """Absolute, without symbolic links."""
    sha256: str
    size_bytes: int
    role: str = ""
    """`executable`, `operand` or `target`."""


class Plan(Struct, frozen=True, omit_defaults=True):
    """What would run, resolved by the executor; its digest is what an approval binds."""

    target_id: str
    tool: str
    args: Raw
    cwd: str = ""
    argv: list[str] = []
    """Of `exec`, or how the shell is called."""
    env: dict[str, str] = {}
    """All of what the process gets from the caller; what the node adds from its account is not among it."""
    files: list[FileFact] = []
    sandbox: Sandbox = Sandbox.NONE
    has_terminal: bool = False
    timeout_s: float = 0.0
    is_background: bool = False
    address: str = ""
    """Of an SSH target: `user@host:port`, as it is reached."""
    host_keys: list[str] = []
    """Of an SSH target: fingerprints of the host keys that are pinned."""
    read_rules: list[ReadRule] = []
    """Of a search: those of the preparation."""


class Prepared(Struct, frozen=True, omit_defaults=True):
    """The plan and what it does not bind."""

    plan: Plan
    digest: str
    """`policy.digest.plan_digest(plan)`; the hub computes it again and refuses another."""
    unbound: list[str] = []
    """What may change between approval and start, as sentences for the approver."""
    is_ruleable: bool = True
    """Whether an approval of it may become a rule: not where the executor cannot hold to a plan."""


class Start(Struct, frozen=True, omit_defaults=True):
    """Run exactly this; the executor resolves it anew and refuses when the digest is another (`plan_changed`)."""

    preparation: Preparation
    digest: str
    deadline_s: float = 0.0
    """Seconds left; 0: none."""


class LedgerState(enum.StrEnum):
    """What an executor knows of a call."""

    UNKNOWN = "unknown"
    """It never came here: nothing ran."""
    RUNNING = "running"
    ENDED = "ended"


class Ended(enum.StrEnum):
    """How a call ended where it ran."""

    DONE = "done"
    """It ran to its end, whatever its exit status."""
    FAILED = "failed"
    """It could not run, or a limit ended it; `code` says which."""
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """Its time was over."""
    LOST = "lost"
    """It had started, and nobody can say how it ended."""


class StreamEnd(Struct, frozen=True, omit_defaults=True):
    """How much a stream held in all."""

    channel: int
    size_bytes: int
    sha256: str = ""
    dropped_bytes: int = 0
    """Beyond the cap: they were read and thrown away."""


class Outcome(Struct, frozen=True, omit_defaults=True):
    """How a call ended. The executor repeats it until the hub says that it is settled."""

    call_id: str
    ended: Ended
    exit_status: int | None = None
    """Of a process that ended by itself."""
    signal: str = ""
    """Name of the signal that ended it."""
    code: str = ""
    """Row of `wire.codes` when it failed."""
    message: str = ""
    hint: str = ""
    """The next step, when it failed."""
    result: Any = None
    """What a tool that runs no program answers: any JSON value; None: nothing."""
    streams: list[StreamEnd] = []
    duration_s: float = 0.0


class LedgerEntry(Struct, frozen=True, omit_defaults=True):
    """What an executor says of one call when it is asked after a break."""

    call_id: str
    state: LedgerState
    outcome: Outcome | None = None
    produced: dict[str, int] = {}
    """Bytes so far by channel number; chunks go on where the hub wants them (`Resume.offsets`)."""


class Recall(Struct, frozen=True):
    """Ask an executor what became of calls."""

    call_ids: list[str]


class Recalled(Struct, frozen=True):
    """The answer, in the same order."""

    entries: list[LedgerEntry]


class CallOrder(Struct, frozen=True, omit_defaults=True):
    """An order about a running call; which fields count is the method's affair."""

    call_id: str
    reason: str = ""
    """Of `cancel`."""
    signal: str = ""
    """Of `signal`: a name such as `INT`."""
    rows: int = 0
    columns: int = 0
    """Of `resize`."""
    size_bytes: int = 0
    """Of `close_input`: how much was sent in all."""
    offsets: dict[str, int] = {}
    """Of `resume`: where each channel goes on."""


class Ok(Struct, frozen=True):
    """Done."""


class Declaration(Struct, frozen=True, omit_defaults=True):
    """What a node offers, said when it connects and whenever it changes. Nothing of it is granted by saying so."""

    name: str = ""
    platform: str = ""
    version: str = ""
    commands: list[str] = []
    """Names of the tools (of other dialects: commands) that its own allow list permits."""
    capabilities: list[str] = []
    labels: dict[str, str] = {}
    roots: list[str] = []
    """Folders that its file tools reach."""
    working_dir: str = ""
    sandboxes: list[Sandbox] = []
    concurrency: int = 0
    """Calls at once; 0: `NODE_CALLS_MAX`."""
    path_env: str = ""
    permissions: dict[str, bool] = {}
    details: dict[str, Any] = {}
    """What a dialect says besides."""
