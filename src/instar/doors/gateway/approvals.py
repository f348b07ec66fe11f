"""Approvals as the dialects show them: what waits, what was decided, and by whom."""

from typing import Any

from instar.doors.gateway.times import millis, now_ms
from instar.wire.approvals import Approval, ApprovalState
from instar.wire.gateway.session_keys import session_key_of

ONCE = "allow-once"
ALWAYS = "allow-always"
DENY = "deny"
STATES = {
    ApprovalState.PENDING: "pending",
    ApprovalState.APPROVED: "allowed",
    ApprovalState.DENIED: "denied",
    ApprovalState.EXPIRED: "expired",
    ApprovalState.CANCELLED: "cancelled",
}
_REASONS = {
    ApprovalState.APPROVED: "user",
    ApprovalState.DENIED: "user",
    ApprovalState.EXPIRED: "timeout",
    ApprovalState.CANCELLED: "run-aborted",
}


def decisions(approval: Approval) -> list[str]:
    """Return what may be decided: `allow-always` only where rules were shown that would be remembered."""
    return [ONCE, ALWAYS, DENY] if approval.rules else [ONCE, DENY]


def decision_of(approval: Approval) -> str | None:
    """Return what was decided; None: nothing, or nobody did."""
    match approval.state:
        case ApprovalState.APPROVED:
            return ONCE
        case ApprovalState.DENIED:
            return DENY
        case _:
            return None


def times(approval: Approval) -> dict[str, Any]:
    """Return when it was asked for and when it ends."""
    return {"createdAtMs": millis(approval.created_at) or now_ms(), "expiresAtMs": millis(approval.expires_at) or 0}


def request_row(approval: Approval) -> dict[str, Any]:
    """Return what waits, as a row of `exec.approval.list` and as the event that tells of it.

    The command is shown whole, with control characters made visible; what is not bound to it is said beside it.
    """
    request = {
        "command": approval.command,
        "commandArgv": approval.plan.argv or None,
        "cwd": approval.plan.cwd or None,
        "nodeId": approval.target_id,
        "host": "node",
        "ask": "always",
        "agentId": approval.agent_id or None,
        "sessionKey": _session_key(approval),
        "resolvedPath": next((one.path for one in approval.files if one.role == "executable"), None),
        "warningText": "; ".join(approval.unbound) or None,
        "allowedDecisions": decisions(approval),
    }
    return {"id": approval.id, "request": request, **times(approval)}


def shown(approval: Approval) -> dict[str, Any]:
    """Return one that waits, as `exec.approval.get` shows it."""
    return {
        "id": approval.id,
        "commandText": approval.command,
        "commandPreview": None,
        "allowedDecisions": decisions(approval),
        "host": "node",
        "nodeId": approval.target_id,
        "agentId": approval.agent_id or None,
        **times(approval),
    }


def snapshot(approval: Approval) -> dict[str, Any]:
    """Return an approval as `approval.get` shows it."""
    row: dict[str, Any] = {
        "id": approval.id,
        "urlPath": f"/approvals/{approval.id}",
        "status": STATES[approval.state],
        **times(approval),
        "presentation": {
            "kind": "exec",
            "commandText": approval.command,
            "warningText": "; ".join(approval.unbound) or None,
            "host": "node",
            "nodeId": approval.target_id,
            "agentId": approval.agent_id or None,
            "allowedDecisions": decisions(approval),
        },
    }
    if approval.state is ApprovalState.PENDING:
        return row
    row |= {"resolvedAtMs": millis(approval.decided_at) or 0, "reason": _REASONS[approval.state]}
    if (decision := decision_of(approval)) is not None:
        row["decision"] = decision
    if approval.decided_by:
        row["resolver"] = {"kind": "device", "id": approval.decided_by}
    return row


def resolved(approval: Approval) -> dict[str, Any]:
    """Return what was decided, as the event that tells of it."""
    told = {"id": approval.id, "decision": decision_of(approval), "resolvedBy": approval.decided_by or None}
    return told | {"ts": millis(approval.decided_at) or now_ms()}


def waited(approval: Approval) -> dict[str, Any]:
    """Return what was decided, as `exec.approval.waitDecision` answers."""
    told = {"id": approval.id, "decision": decision_of(approval), **times(approval)}
    return told | {"terminalReason": _REASONS.get(approval.state)}


def moltis_row(approval: Approval) -> dict[str, Any]:
    """Return what waits as Moltis shows it."""
    return {
        "requestId": approval.id,
        "command": approval.command,
        "sessionKey": _session_key(approval),
        "nodeId": approval.target_id,
        "unbound": approval.unbound,
        **times(approval),
    }


def moltis_resolved(approval: Approval) -> dict[str, Any]:
    """Return what was decided as Moltis shows it."""
    word = {ApprovalState.APPROVED: "approved", ApprovalState.DENIED: "denied"}.get(approval.state, "timeout")
    return {"requestId": approval.id, "decision": word}


def _session_key(approval: Approval) -> str | None:
    key = session_key_of(approval.room, approval.agent_id) if approval.room else None
    return str(key) if key is not None else None
