"""Approvals: calls that wait for a person, the rules that decide without one, and why a call was stopped."""

import enum
from typing import Annotated

from msgspec import Meta, Struct

from .execution import FileFact, Plan
from .identity import Id
from .limits import (
    PAGE_MAX,
    REASON_MAX_CHARS,
    RULE_EXPIRES_MAX_S,
    RULE_GLOB_MAX_CHARS,
    RULES_FILE_MAX_CHARS,
    RULES_LAYER_MAX,
    WAIT_MAX_S,
)
from .operation import Nothing, ObjectKind, Operation, Route, Verb

Glob = Annotated[str, Meta(min_length=1, max_length=RULE_GLOB_MAX_CHARS)]


class Action(enum.StrEnum):
    """What a rule says. Of several answers the most restrictive one wins: deny, then ask, then allow."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class Layer(enum.StrEnum):
    """Where a rule stands; later layers are asked later, and the last match of all wins. A deny of `agent` is final."""

    AGENT = "agent"
    FILE = "file"
    REMEMBERED = "remembered"


class Rule(Struct, frozen=True, omit_defaults=True):
    """One rule. Every glob that is not `*` narrows it; `policy.globs` says what a glob matches."""

    tool: Glob
    value: Glob
    """Of what the tool is asked to do: a command, a path, a host (`policy.values`)."""
    action: Action
    target: Glob = "*"
    """A node's id, name, or a label as `label:KEY=VALUE`."""
    agent: Glob = "*"
    room: Glob = "*"
    expires_at: str = ""


class KnownRule(Struct, frozen=True, omit_defaults=True):
    """A rule with its place."""

    id: str
    layer: Layer
    rule: Rule
    text: str
    """As a sentence, exactly as it was shown before it was made."""
    position: int = 0
    agent_id: str = ""
    """Of layer `agent`: whose."""
    created_at: str = ""
    created_by: str = ""
    last_used_at: str = ""


class Judged(Struct, frozen=True, omit_defaults=True):
    """What was decided about one value, and by which rule."""

    value: str
    action: Action
    rule_id: str = ""
    """Empty: no rule matched."""
    layer: str = ""
    floor: str = ""
    """The row of the dangerous-command floor that lifted it to ask; no rule can lift that."""
    unclear: str = ""
    """Why the shell parser could not vouch for it; it asks."""


class ApprovalState(enum.StrEnum):
    """What became of an approval."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    """The call ended otherwise."""


class Approval(Struct, frozen=True, omit_defaults=True):
    """A call that waits, as it is shown. Everything here but `reason` is derived by hub and node, never by a model."""

    id: str
    call_id: str
    state: ApprovalState
    digest: str
    """Of the plan and the call; a decision names it."""
    requester: str
    target_id: str
    target_name: str
    tool: str
    command: str
    """The whole command line, or what the tool does, as text: control and direction characters are made visible."""
    plan: Plan
    created_at: str
    expires_at: str
    requester_name: str = ""
    agent_id: str = ""
    room: str = ""
    files: list[FileFact] = []
    judged: list[Judged] = []
    """Why it asks."""
    unbound: list[str] = []
    """What may change between decision and start."""
    rules: list[Rule] = []
    """What `always` would remember; empty: it cannot become a rule."""
    rule_texts: list[str] = []
    """The same, as sentences."""
    reason: str = ""
    """Why, in the requester's words."""
    decided_at: str = ""
    decided_by: str = ""
    feedback: str = ""
    is_dangerous: bool = False


class ApprovalQuery(Struct, omit_defaults=True):
    """Approvals, those that wait first (oldest first), then the decided ones, newest first."""

    state: ApprovalState | None = ApprovalState.PENDING
    """None: all of them."""
    all: bool = False
    """All of them, as None; for queries, which cannot say that."""
    room: str = ""
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50
    wait: Annotated[float, Meta(ge=0, le=WAIT_MAX_S)] = 0.0
    """With none that waits, wait so long for one."""


class ApprovalList(Struct, frozen=True):
    """Approvals."""

    approvals: list[Approval]


class ApprovalRef(Struct):
    """One approval by its id, or by the id of its call."""

    approval_id: Id


class Approve(Struct, omit_defaults=True):
    """Let exactly what was shown run, once; or remember the rules that were shown with it."""

    approval_id: Id
    digest: Annotated[str, Meta(min_length=1, max_length=128)]
    """Of the approval as it was shown; another one is a conflict."""
    always: bool = False
    expires_in_s: Annotated[float, Meta(gt=0, le=RULE_EXPIRES_MAX_S)] | None = None
    """Of the rules."""


class Deny(Struct, omit_defaults=True):
    """Do not let it run. The feedback is what the model reads."""

    approval_id: Id
    digest: Annotated[str, Meta(max_length=128)] = ""
    feedback: Annotated[str, Meta(max_length=REASON_MAX_CHARS)] = ""


class RuleList(Struct, frozen=True):
    """Rules in the order in which they are asked."""

    rules: list[KnownRule]
    file: str = ""
    """Where the static file is."""
    file_fault: str = ""
    """Why it is not obeyed: everything asks then."""


class AddRule(Struct, omit_defaults=True):
    """Remember a rule."""

    rule: Rule


class RuleRef(Struct):
    """One remembered rule by its id."""

    rule_id: Id


class SetAgentRules(Struct):
    """Replace the veto of an agent: its own layer."""

    agent_id: Id
    rules: Annotated[list[Rule], Meta(max_length=RULES_LAYER_MAX)]


class ImportRules(Struct, omit_defaults=True):
    """Replace the static file with a `permissions.jsonc` text (Molf's grammar, or a list of rules)."""

    text: Annotated[str, Meta(max_length=RULES_FILE_MAX_CHARS)]
    check_only: bool = False


class JudgeQuery(Struct, omit_defaults=True):
    """Ask what the rules would say, without asking for a call."""

    tool: Annotated[str, Meta(min_length=1, max_length=128)]
    command: Annotated[str, Meta(max_length=65_536)] = ""
    path: str = ""
    target: str = ""
    agent_id: str = ""
    room: str = ""


class Verdict(Struct, frozen=True, omit_defaults=True):
    """What the rules say."""

    action: Action
    judged: list[Judged]
    rules: list[Rule] = []
    """What `always` would remember."""
    rule_texts: list[str] = []
    is_dangerous: bool = False


LIST = Operation(
    "approvals.list", ApprovalQuery, ApprovalList, Verb.READ, ObjectKind.APPROVAL,
    "List what waits for an approval, or waited", Route("GET", "/v1/approvals"),
)  # fmt: skip
GET = Operation(
    "approvals.get", ApprovalRef, Approval, Verb.READ, ObjectKind.APPROVAL,
    "Show one approval", Route("GET", "/v1/approvals/{approval_id}"),
)  # fmt: skip
APPROVE = Operation(
    "approvals.approve", Approve, Approval, Verb.MANAGE, ObjectKind.APPROVAL,
    "Let what was shown run", Route("POST", "/v1/approvals/{approval_id}/approve"), idempotent=True, audited=True,
)  # fmt: skip
DENY = Operation(
    "approvals.deny", Deny, Approval, Verb.MANAGE, ObjectKind.APPROVAL,
    "Do not let it run", Route("POST", "/v1/approvals/{approval_id}/deny"), idempotent=True, audited=True,
)  # fmt: skip
RULES = Operation(
    "approvals.rules", Nothing, RuleList, Verb.GRANT, ObjectKind.APPROVAL,
    "List the rules, in the order in which they are asked", Route("GET", "/v1/approvals/rules"),
)  # fmt: skip
ADD_RULE = Operation(
    "approvals.add_rule", AddRule, KnownRule, Verb.GRANT, ObjectKind.APPROVAL,
    "Remember a rule", Route("POST", "/v1/approvals/rules", 201), audited=True,
)  # fmt: skip
REMOVE_RULE = Operation(
    "approvals.remove_rule", RuleRef, KnownRule, Verb.GRANT, ObjectKind.APPROVAL,
    "Forget a remembered rule", Route("DELETE", "/v1/approvals/rules/{rule_id}"), audited=True,
)  # fmt: skip
SET_AGENT_RULES = Operation(
    "approvals.set_agent_rules", SetAgentRules, RuleList, Verb.GRANT, ObjectKind.APPROVAL,
    "Replace the veto of an agent", Route("PUT", "/v1/approvals/agents/{agent_id}"), audited=True,
)  # fmt: skip
IMPORT = Operation(
    "approvals.import", ImportRules, RuleList, Verb.GRANT, ObjectKind.APPROVAL,
    "Replace the static file of rules", Route("PUT", "/v1/approvals/file"), audited=True,
)  # fmt: skip
JUDGE = Operation(
    "approvals.judge", JudgeQuery, Verdict, Verb.READ, ObjectKind.APPROVAL,
    "Say what the rules would answer", Route("POST", "/v1/approvals/judge"),
)  # fmt: skip

OPERATIONS = (LIST, GET, APPROVE, DENY, RULES, ADD_RULE, REMOVE_RULE, SET_AGENT_RULES, IMPORT, JUDGE)
