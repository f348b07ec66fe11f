"""What waits for an approval, over the gateway: shown, decided, waited for; and the rules that decide without one."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from instar.base.errors import InstarError
from instar.doors.gateway import approvals as shape
from instar.doors.gateway import node_calls
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import invoke, place, sought
from instar.doors.gateway.node_calls import Wanted
from instar.doors.gateway.nodes.results import items, members
from instar.doors.gateway.times import now_ms
from instar.wire import approvals as a
from instar.wire import calls as c
from instar.wire.gateway.commands import GET_POLICY, SET_POLICY
from instar.wire.gateway.method import Generation
from instar.wire.limits import PAGE_MAX, WAIT_MAX_S
from instar.wire.operation import Nothing

DAY_S = 86_400.0
MOLTIS_DECISIONS = {"approved": shape.ONCE, "denied": shape.DENY}
_encode = msgspec.json.Encoder(order="sorted").encode


async def _listed(call: Call, state: a.ApprovalState | None) -> list[a.Approval]:
    found: a.ApprovalList = await invoke(call, a.LIST, a.ApprovalQuery(state=state, limit=PAGE_MAX))
    return found.approvals


async def _found(call: Call, approval_id: str) -> a.Approval:
    approval: a.Approval | None = await sought(call, a.GET, a.ApprovalRef(approval_id))
    if approval is None:
        raise InstarError(
            "not_found", "unknown or expired approval id", hint="List them with `exec.approval.list`.",
            detail={"code": "APPROVAL_NOT_FOUND", "reason": "APPROVAL_NOT_FOUND"},
        )  # fmt: skip
    return approval


async def list_pending(call: Call) -> list[dict[str, Any]]:
    """List what waits, oldest first."""
    return [shape.request_row(one) for one in await _listed(call, a.ApprovalState.PENDING)]


async def list_none(call: Call) -> list[object]:
    """List nothing: plugins and setup agents ask for calls as everybody does, and wait in `exec.approval.list`."""
    await _listed(call, a.ApprovalState.PENDING)
    return []


async def request(call: Call) -> object:
    """Of Moltis: list what waits. Of OpenClaw: say what the rules answer to a command that the client itself would run.

    Nobody is asked about that: an approval belongs to a call of this hub. Where the rules leave it to a person there is
    no decision, with reason `no-route`.
    """
    asked = call.params
    if call.generation is Generation.MOLTIS:
        waiting = await _listed(call, a.ApprovalState.PENDING)
        room = (await place(call, asked.session_key)).room if asked.session_key else ""
        return {"pending": [shape.moltis_row(one) for one in waiting if not room or one.room == room]}
    command = asked.command or " ".join(asked.command_argv or [])
    if not command:
        raise InstarError("bad_request", "invalid exec.approval.request params: command is required")
    room = (await place(call, asked.session_key)).room if asked.session_key else ""
    query = a.JudgeQuery("shell", command, target=asked.node_id or "", agent_id=asked.agent_id or "", room=room)
    verdict: a.Verdict = await invoke(call, a.JUDGE, query)
    decision = {a.Action.ALLOW: shape.ONCE, a.Action.DENY: shape.DENY}.get(verdict.action)
    at = now_ms()
    told = {"id": asked.id or call.request_id, "decision": decision, "createdAtMs": at, "expiresAtMs": at}
    return told | {"terminalReason": "user" if decision else "no-route"}


async def get_pending(call: Call) -> dict[str, Any]:
    """Show one that waits."""
    return shape.shown(await _found(call, call.params.id))


async def get(call: Call) -> dict[str, Any]:
    """Show an approval, decided or not."""
    return {"approval": shape.snapshot(await _found(call, call.params.id))}


async def resolve(call: Call) -> dict[str, Any]:
    """Decide. The same decision twice is one; another one is told that it was decided."""
    if call.generation is Generation.MOLTIS:
        return await _moltis_resolve(call)
    asked = call.params
    await _decided(call, asked.id, asked.decision, days=asked.grant_expires_in_days, feedback=asked.reason or "")
    return {"ok": True}


async def _moltis_resolve(call: Call) -> dict[str, Any]:
    asked = call.params
    decision = MOLTIS_DECISIONS.get(asked.decision)
    if decision is None:
        raise InstarError("bad_request", "invalid decision", hint="Decide `approved` or `denied`.")
    if asked.command is not None and decision == shape.ONCE:
        known = await _found(call, asked.request_id)
        if asked.command != known.command:
            raise InstarError("conflict", "the command is not the one that was shown")
        decision = shape.ALWAYS
    await _decided(call, asked.request_id, decision)
    return {"ok": True}


async def resolve_any(call: Call) -> dict[str, Any]:
    """Decide, and show what was decided; of two deciders the first one counts."""
    asked = call.params
    before = await _found(call, asked.id)
    if before.state is not a.ApprovalState.PENDING:
        return {"applied": False, "approval": shape.snapshot(before)}
    after = await _decided(call, asked.id, asked.decision, days=asked.grant_expires_in_days)
    approval = shape.snapshot(after)
    if asked.decision == shape.ALWAYS:
        approval["decision"] = shape.ALWAYS
    return {"applied": True, "approval": approval}


async def _decided(
    call: Call, approval_id: str, decision: str, *, days: int | None = None, feedback: str = ""
) -> a.Approval:
    """Decide on an approval as it is now: its digest is that of what was shown, which never changes under one id."""
    approval = await _found(call, approval_id)
    if decision not in (shape.ONCE, shape.ALWAYS, shape.DENY):
        raise InstarError("bad_request", "invalid decision", hint="Decide `allow-once`, `allow-always` or `deny`.")
    if approval.state is not a.ApprovalState.PENDING:
        if shape.decision_of(approval) == (shape.DENY if decision == shape.DENY else shape.ONCE):
            return approval
        detail = {"code": "APPROVAL_ALREADY_RESOLVED", "reason": "APPROVAL_ALREADY_RESOLVED"}
        raise InstarError("conflict", "approval already resolved", detail=detail)
    if decision == shape.DENY:
        return await invoke(call, a.DENY, a.Deny(approval.id, approval.digest, feedback))
    if decision == shape.ALWAYS and not approval.rules:
        detail = {"code": "APPROVAL_ALLOW_ALWAYS_UNAVAILABLE"}
        told = "allow-always is unavailable: what would run is not bound, so no rule can stand for it"
        raise InstarError("bad_request", told, hint="Decide `allow-once`.", detail=detail)
    expires_s = days * DAY_S if days is not None else None
    wanted = a.Approve(approval.id, approval.digest, decision == shape.ALWAYS, expires_s)
    return await invoke(call, a.APPROVE, wanted)


async def wait_decision(call: Call) -> dict[str, Any]:
    """Wait until it was decided, or has expired."""
    approval = await _found(call, call.params.id)
    if call.peer is not None:
        call.peer.only_waits()
    while approval.state is a.ApprovalState.PENDING:
        await invoke(call, c.GET, c.AwaitCall(approval.call_id, wait=WAIT_MAX_S))
        approval = await _found(call, approval.id)
    return shape.waited(approval)


async def history(call: Call) -> dict[str, Any]:
    """List what was decided, newest first: the latest page of it."""
    asked = call.params
    if asked.kind not in (None, "exec"):
        return {"items": []}
    found = [one for one in await _listed(call, None) if one.state is not a.ApprovalState.PENDING]
    return {"items": [shape.snapshot(one) for one in found[: asked.limit or PAGE_MAX]]}


# The rules


async def get_policy(call: Call) -> dict[str, Any]:
    """Show the rules of the hub as far as the dialect's file can say them: what runs without asking, by its pattern.

    The dialect's patterns are paths of programs; ours are globs over whole commands. Those of the file and those that
    were remembered are shown, each as it is; `rules` holds all of them.
    """
    return _policy(await invoke(call, a.RULES, Nothing()))


def _policy(found: a.RuleList) -> dict[str, Any]:
    agents: dict[str, Any] = {}
    for known in found.rules:
        rule = known.rule
        if rule.action is a.Action.ALLOW and rule.tool in ("*", "exec", "shell"):
            entry = {"id": known.id, "pattern": rule.value, "commandText": known.text}
            agents.setdefault(rule.agent, {}).setdefault("allowlist", []).append(entry)
    file: dict[str, Any] = {
        "version": 1,
        "defaults": {"security": "allowlist", "ask": "on-miss", "askFallback": "deny", "autoAllowSkills": False},
        "agents": agents,
    }
    told = {"path": found.file or "rules", "exists": bool(found.file), "file": file}
    return told | {"hash": hashlib.sha256(_encode(msgspec.to_builtins(found.rules))).hexdigest()}


async def set_policy(call: Call) -> dict[str, Any]:
    """Take a file that changes nothing, or only takes allow rules away that were remembered.

    Raises:
        InstarError: `conflict` when the rules have changed meanwhile; `not_available` for what it adds or changes: a
            path of a program says nothing of what it is asked to do, so it becomes no rule here.
    """
    found: a.RuleList = await invoke(call, a.RULES, Nothing())
    before = _policy(found)
    if call.params.base_hash != before["hash"]:
        told = "exec approvals changed since last load; re-run exec.approvals.get and retry"
        raise InstarError("conflict", told)
    wanted = call.params.file
    kept = _entries(wanted)
    known = _entries(before["file"])
    if members(wanted.get("defaults")) not in ({}, before["file"]["defaults"]) or kept - known:
        raise InstarError(
            "not_available",
            "a path of a program says nothing of what it is asked to do: it becomes no rule of this hub",
            hint="Add rules with `instar approvals rules add`, or approve a command with `allow-always`.",
        )
    remembered = {one.id for one in found.rules if one.layer is a.Layer.REMEMBERED}
    if fixed := {rule_id for _, rule_id, _ in known - kept} - remembered:
        raise InstarError(
            "not_available",
            f"rules of the static file are changed there, not here: {', '.join(sorted(fixed))[:200]}",
            hint=f"Edit {found.file}, or use `instar approvals rules import`.",
        )
    for _, rule_id, _ in sorted(known - kept):
        await invoke(call, a.REMOVE_RULE, a.RuleRef(rule_id))
    return await get_policy(call)


def _entries(file: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Return (agent, id, pattern) of every entry of a file's allow lists."""
    rows: set[tuple[str, str, str]] = set()
    for agent, policy in members(file.get("agents")).items():
        for entry in items(members(policy).get("allowlist")):
            told = members(entry)
            rows.add((agent, str(told.get("id", "")), str(told.get("pattern", ""))))
    return rows


async def get_node_policy(call: Call) -> object:
    """Show the policy that a node keeps itself, by asking it."""
    return await _of_node(call, Wanted(GET_POLICY))


async def set_node_policy(call: Call) -> object:
    """Replace the policy that a node keeps itself; the call is judged as any other."""
    asked = call.params
    if (asked.file is None) == (asked.native is None):
        raise InstarError("bad_request", "invalid exec.approvals.node.set params: give `file` or `native`")
    args: dict[str, Any] = {"file": asked.file} if asked.file is not None else {"native": asked.native}
    return await _of_node(call, Wanted(SET_POLICY, args | ({"baseHash": asked.base_hash} if asked.base_hash else {})))


async def _of_node(call: Call, wanted: Wanted) -> object:
    node = await node_calls.node_of(call, call.params.node_id)
    node_calls.check(node, wanted)
    carried = await node_calls.carry(call, node, wanted)
    if (error := node_calls.failure_of(carried)) is not None:
        raise error
    return node_calls.payload_of(carried)


HANDLERS: Mapping[str, Handler] = {
    "exec.approval.request": request,
    "exec.approval.list": list_pending,
    "exec.approval.get": get_pending,
    "exec.approval.resolve": resolve,
    "exec.approval.waitDecision": wait_decision,
    "approval.get": get,
    "approval.resolve": resolve_any,
    "approval.history": history,
    "plugin.approval.list": list_none,
    "openclaw.approval.list": list_none,
    "exec.approvals.get": get_policy,
    "exec.approvals.set": set_policy,
    "exec.approvals.node.get": get_node_policy,
    "exec.approvals.node.set": set_node_policy,
}
