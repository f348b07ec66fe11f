"""From a call to the question that the rules are asked, and to the approval that a person is shown."""

import shlex
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from msgspec import Struct

from instar.base.clock import MICROS_PER_S, Micros, to_rfc3339
from instar.base.ids import new_id
from instar.policy.characters import visible
from instar.policy.rules import NOBODY, Question, RuleLayers, describe, judge
from instar.policy.values import NAMES_OF_COMMANDS, Values, values_of
from instar.wire.approvals import Action, ApprovalState, Rule, Verdict
from instar.wire.execution import Plan, Prepared

from .records import ApprovalRecord, shown_digest

COMMANDS = "shell_exec"
"""What remembered rules call the tools that run commands."""


class ApprovalDraft(Struct, frozen=True):
    """A call that policy is asked about. All of it but `reason` comes from hub and executor, never from a model."""

    call_id: str
    requester: str
    """Id of the principal that asks."""
    target_id: str
    target_name: str
    prepared: Prepared
    requester_name: str = ""
    labels: Mapping[str, str] = {}
    agent_id: str = ""
    room: str = ""
    reason: str = ""
    is_lax: bool = False
    """It asks for less than it would have by default: it asks, and no rule comes of it."""


def labels_of(draft: ApprovalDraft) -> list[str]:
    """Return the target's labels as `KEY=VALUE`."""
    return [f"{name}={value}" for name, value in sorted(draft.labels.items())]


def asked_of(plan: Plan) -> Values:
    """Return the values of what a plan would do."""
    return values_of(plan.tool, _args(plan), plan)


def judged(layers: RuleLayers, draft: ApprovalDraft, at: Micros) -> Verdict:
    """Return what the rules say of a call, with the rules that `always` would remember of it."""
    plan = draft.prepared.plan
    values = asked_of(plan)
    question = Question(
        plan.tool, values.values, draft.target_id, draft.target_name, labels_of(draft), draft.agent_id, draft.room
    )
    verdict = judge(layers, question, at)
    if draft.is_lax and verdict.action is Action.ALLOW:
        verdict = msgspec.structs.replace(verdict, action=Action.ASK)
    can_be_kept = draft.prepared.is_ruleable and not draft.is_lax
    if verdict.action is not Action.ASK or not can_be_kept:
        return verdict
    rules = suggested(plan.tool, values, draft.target_id, draft.agent_id)
    texts = [describe(rule, draft.target_name) for rule in rules]
    return msgspec.structs.replace(verdict, rules=rules, rule_texts=texts)


def suggested(tool: str, values: Values, target_id: str, agent_id: str) -> list[Rule]:
    """Return the rules that `always` would remember: for this machine, and this agent or people."""
    name = COMMANDS if tool in NAMES_OF_COMMANDS else tool
    globs = dict.fromkeys(values.always)
    return [Rule(name, glob, Action.ALLOW, target_id or "*", agent_id or NOBODY) for glob in globs]


def made(draft: ApprovalDraft, verdict: Verdict, at: Micros, expires_s: float) -> ApprovalRecord:
    """Return the approval that a person is shown, with the digest of all of it."""
    plan = draft.prepared.plan
    record = ApprovalRecord(
        new_id("apr"),
        draft.call_id,
        ApprovalState.PENDING,
        "",
        draft.requester,
        draft.target_id,
        draft.target_name,
        plan.tool,
        shown_command(plan),
        plan,
        to_rfc3339(at),
        to_rfc3339(Micros(at + round(expires_s * MICROS_PER_S))),
        requester_name=draft.requester_name,
        agent_id=draft.agent_id,
        room=draft.room,
        files=plan.files,
        judged=verdict.judged,
        unbound=draft.prepared.unbound,
        rules=verdict.rules,
        rule_texts=verdict.rule_texts,
        reason=draft.reason,
        is_dangerous=verdict.is_dangerous,
        plan_digest=draft.prepared.digest,
        labels=tuple(labels_of(draft)),
        is_lax=draft.is_lax,
    )
    return msgspec.structs.replace(record, digest=shown_digest(record))


def drafted(record: ApprovalRecord) -> ApprovalDraft:
    """Return what an approval was asked with, to judge it again."""
    labels = dict(label.split("=", 1) for label in record.labels)
    prepared = Prepared(record.plan, record.plan_digest, record.unbound, bool(record.rules))
    return ApprovalDraft(
        record.call_id, record.requester, record.target_id, record.target_name, prepared, record.requester_name,
        labels, record.agent_id, record.room, record.reason, record.is_lax,
    )  # fmt: skip


def shown_command(plan: Plan) -> str:
    """Return what a plan would do as one text, whole, with hidden characters written out."""
    args = _args(plan)
    if plan.tool == "exec":
        words = args.get("argv")
        return visible(
            shlex.join([str(each) for each in cast("list[object]", words)]) if isinstance(words, list) else ""
        )
    if plan.tool == "shell":
        return visible(str(args.get("command", "")))
    return visible(f"{plan.tool} {msgspec.json.encode(args).decode()}" if args else plan.tool)


def _args(plan: Plan) -> dict[str, Any]:
    found = msgspec.json.decode(plan.args)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
