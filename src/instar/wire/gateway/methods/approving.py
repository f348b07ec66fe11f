"""What waits for an approval, its decision, and the rules that decide without one."""

from types import MappingProxyType
from typing import Annotated, Any

from msgspec import Meta

from instar.wire.gateway.method import Generation, Method, NoParams
from instar.wire.gateway.scopes import ADMIN, APPROVALS
from instar.wire.identity import Id
from instar.wire.limits import PAGE_MAX, REASON_MAX_CHARS, SHELL_LINE_MAX_CHARS, TARGET_MAX_CHARS

from .devices import V4
from .params import Key, Params, Text

Command = Annotated[str, Meta(min_length=1, max_length=SHELL_LINE_MAX_CHARS)]
Target = Annotated[str, Meta(min_length=1, max_length=TARGET_MAX_CHARS)]
Decision = Annotated[str, Meta(min_length=1, max_length=64)]


class AskParams(Params):
    """Ask what the rules say of a command that the client itself would run; nobody is asked, and nothing runs here."""

    id: Text | None = None
    command: Command | None = None
    command_argv: list[str] | None = None
    cwd: str | None = None
    node_id: Target | None = None
    host: str | None = None
    security: str | None = None
    ask: str | None = None
    agent_id: str | None = None
    resolved_path: str | None = None
    session_key: str | None = None
    timeout_ms: Annotated[int, Meta(ge=1)] | None = None
    two_phase: bool = False
    system_run_plan: Any = None
    env: dict[str, str] | None = None


class MoltisAskParams(Params):
    """List what waits, of one session or of all."""

    session_key: Key | None = None


class ApprovalParams(Params):
    """One approval."""

    id: Id


class ResolveParams(Params):
    """Decide: `allow-once`, `allow-always` or `deny`."""

    id: Id
    decision: Decision
    grant_expires_in_days: Annotated[int, Meta(ge=1, le=3_650)] | None = None
    reason: Annotated[str, Meta(max_length=REASON_MAX_CHARS)] | None = None


class MoltisResolveParams(Params):
    """Decide: `approved` or `denied`; with the command, remember what was shown as a rule."""

    request_id: Id
    decision: Decision
    command: str | None = None


class UnifiedResolveParams(Params):
    """Decide on an approval of any kind; here all are of kind `exec`."""

    id: Id
    kind: Annotated[str, Meta(pattern="^exec$")]
    decision: Decision
    grant_expires_in_days: Annotated[int, Meta(ge=1, le=3_650)] | None = None


class HistoryParams(Params):
    """Approvals that were decided, newest first."""

    cursor: Text | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] | None = None
    kind: Annotated[str, Meta(max_length=32)] | None = None


class FileParams(Params):
    """Replace the policy of the hub, as far as the dialect's file can say it."""

    file: dict[str, Any]
    base_hash: Text | None = None


class NodePolicyParams(Params):
    """Show the policy of a node."""

    node_id: Target


class SetNodePolicyParams(Params):
    """Replace the policy of a node: its file, or the rules of a host that has rules of its own."""

    node_id: Target
    file: dict[str, Any] | None = None
    native: dict[str, Any] | None = None
    base_hash: Text | None = None


_ASK_BY = MappingProxyType({Generation.MOLTIS: MoltisAskParams})
_RESOLVE_BY = MappingProxyType({Generation.MOLTIS: MoltisResolveParams})

METHODS = (
    Method("exec.approval.request", AskParams, "Ask what the rules say", APPROVALS, params_by=_ASK_BY),
    Method("exec.approval.list", NoParams, "List what waits", APPROVALS),
    Method("exec.approval.get", ApprovalParams, "Show one that waits", APPROVALS),
    Method("exec.approval.resolve", ResolveParams, "Decide", APPROVALS, params_by=_RESOLVE_BY),
    Method("exec.approval.waitDecision", ApprovalParams, "Wait for the decision", APPROVALS),
    Method("approval.get", ApprovalParams, "Show one approval", APPROVALS, generations=V4),
    Method("approval.resolve", UnifiedResolveParams, "Decide", APPROVALS, generations=V4),
    Method("approval.history", HistoryParams, "List what was decided", APPROVALS, generations=V4),
    Method("plugin.approval.list", NoParams, "List what plugins wait for: nothing", APPROVALS, generations=V4),
    Method("openclaw.approval.list", NoParams, "List what a setup agent waits for: nothing", APPROVALS, generations=V4),
    Method("exec.approvals.get", NoParams, "Show the policy of the hub", ADMIN),
    Method("exec.approvals.set", FileParams, "Replace the policy of the hub", ADMIN),
    Method("exec.approvals.node.get", NodePolicyParams, "Show the policy of a node", ADMIN),
    Method("exec.approvals.node.set", SetNodePolicyParams, "Replace the policy of a node", ADMIN),
)
