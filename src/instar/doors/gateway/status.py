"""The dialect's summary of the hub: sessions, heartbeats, the process."""

import os
from typing import Any

import instar
from instar.wire.presence import GONE, PresenceEntry

from .health import RECENT, STORE, Survey, heartbeat_of
from .presence import is_connected_node
from .sessions import session_row

MOBILE = frozenset({"ios", "android"})


def status_of(seen: Survey, uptime_ms: int) -> dict[str, Any]:
    """Return the payload of `status`, a superset for all generations."""
    default = seen.default_agent
    model = next((agent.runtime for agent in seen.agents if agent.id == default), "") or None
    heartbeats = [{"agentId": one.id, **heartbeat_of(one.id, seen.heartbeats)} for one in seen.agents]
    return {
        "runtimeVersion": instar.__version__,
        "version": instar.__version__,
        "pid": os.getpid(),
        "uptimeMs": uptime_ms,
        "heartbeat": {"defaultAgentId": default, "agents": heartbeats},
        "channelSummary": [f"Instar: {len(seen.agents)} agents, {seen.total} sessions"],
        "queuedSystemEvents": [],
        "sessions": {
            "paths": [STORE],
            "count": seen.total,
            "defaults": {"model": model, "contextTokens": None},
            "recent": [session_row(one, seen.at_ms) for one in seen.sessions[:RECENT]],
            "byAgent": [_of_agent(seen, agent.id) for agent in seen.agents],
        },
    }


def _of_agent(seen: Survey, agent_id: str) -> dict[str, Any]:
    own = [one for one in seen.sessions if one.agent_id == agent_id]
    recent = [session_row(one, seen.at_ms) for one in own[:RECENT]]
    return {"agentId": agent_id, "path": STORE, "count": len(own), "recent": recent}


def moltis_status(entries: list[PresenceEntry]) -> dict[str, Any]:
    """Return what Moltis adds to it."""
    nodes = [one for one in entries if is_connected_node(one)]
    return {
        "nodes": len(nodes),
        "hasMobileNode": any(one.platform.lower() in MOBILE for one in nodes),
        "connections": sum(one.reason != GONE for one in entries),
    }
