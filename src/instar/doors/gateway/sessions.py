"""Sessions as the dialect lists them."""

from typing import Any

from instar.base.clock import from_rfc3339
from instar.wire.gateway.session_keys import CHANNEL
from instar.wire.sessions import Session


def entry_id(session: Session) -> str:
    """Return what the dialect calls the session's id: another one after each reset."""
    return session.id if session.generation == 1 else f"{session.id}:{session.generation}"


def session_row(session: Session, at_ms: int) -> dict[str, Any]:
    """Return a session as a row of a list."""
    updated = from_rfc3339(session.updated_at) // 1_000
    row: dict[str, Any] = {
        "key": session.id,
        "kind": "direct",
        "agentId": session.agent_id,
        "sessionId": entry_id(session),
        "channel": CHANNEL,
        "chatType": "direct",
        "displayName": session.label or session.name,
        "updatedAt": updated,
        "age": max(0, at_ms - updated),
        "messageCount": session.messages,
        "flags": [],
    }
    return row | ({"label": session.label} if session.label else {})
