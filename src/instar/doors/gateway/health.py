"""The hub's health as the dialect shows it, taken at most once a minute for each grant that asks."""

import time
from collections import OrderedDict
from typing import Any

import msgspec

from instar.base.clock import from_rfc3339
from instar.hub.operations.hub import Caller, Hub
from instar.wire.agents import AgentSummary
from instar.wire.gateway.session_keys import CHANNEL, MAIN
from instar.wire.identity import Scope
from instar.wire.limits import GATEWAY_HEALTH_S
from instar.wire.operation import Nothing
from instar.wire.presence import LIST as PRESENCE
from instar.wire.schedules import LIST as SCHEDULES
from instar.wire.schedules import Every, Schedule, ScheduleList
from instar.wire.sessions import LIST as SESSIONS
from instar.wire.sessions import Session, SessionList, SessionQuery

from .agents import default_of, registered
from .times import now_ms

RECENT = 10
"""Sessions that are named."""
KEPT_MAX = 256
"""Grants whose latest answer is kept."""
HEARTBEAT = "sch_heartbeat-"
"""What the id of a schedule that is a heartbeat begins with."""
STORE = "instar"
"""What stands where the dialect names the file of an agent's sessions: they lie in the hub's log."""


class Survey(msgspec.Struct, frozen=True):
    """What health and status are made from, as one caller may see it."""

    at_ms: int
    agents: list[AgentSummary]
    sessions: list[Session]
    total: int
    """Sessions that there are, named here or not."""
    heartbeats: list[Schedule]

    @property
    def default_agent(self) -> str:
        """The agent that is meant when none is named."""
        return default_of(self.agents)


async def survey(hub: Hub, caller: Caller) -> Survey:
    """Look at the hub as a caller may see it.

    Raises:
        InstarError: `forbidden` for who may not observe.
    """
    await hub.invoke(caller, PRESENCE, Nothing())
    agents = await registered(hub, caller)
    sessions: SessionList = await hub.invoke(caller, SESSIONS, SessionQuery())
    schedules: ScheduleList = await hub.invoke(caller, SCHEDULES, Nothing())
    heartbeats = [one for one in schedules.schedules if one.id.startswith(HEARTBEAT)]
    return Survey(now_ms(), agents, sessions.sessions, sessions.total, heartbeats)


class HealthCache:
    """Who asks again within a minute gets the same answer, ready as bytes."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, frozenset[Scope]], tuple[float, msgspec.Raw]] = OrderedDict()

    def kept(self, caller: Caller) -> msgspec.Raw | None:
        """Return the payload that was taken for this grant within the last minute, if there is one."""
        kept = self._kept.get((caller.grant.id, caller.grant.scopes))
        return kept[1] if kept is not None and time.monotonic() - kept[0] < GATEWAY_HEALTH_S else None

    async def health(self, hub: Hub, caller: Caller, *, probe: bool = False) -> msgspec.Raw:
        """Return the payload of `health`.

        Args:
            hub: The hub.
            caller: Who asks; it was let through once for each answer that is kept.
            probe: Look anew.

        Raises:
            InstarError: `forbidden` for who may not observe.
        """
        if not probe and (kept := self.kept(caller)) is not None:
            return kept
        key = (caller.grant.id, caller.grant.scopes)
        began = time.monotonic()
        payload = health_of(await survey(hub, caller), began)
        self._kept[key] = (began, payload)
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return payload


def health_of(seen: Survey, began: float) -> msgspec.Raw:
    """Return the payload of `health` as ready JSON."""
    default = seen.default_agent
    payload = {
        "ok": True,
        "ts": seen.at_ms,
        "durationMs": int((time.monotonic() - began) * 1_000),
        "channels": {CHANNEL: channel()},
        "channelOrder": [CHANNEL],
        "channelLabels": {CHANNEL: "Instar"},
        "heartbeatSeconds": heartbeat_seconds(seen.heartbeats),
        "defaultAgentId": default,
        "agents": [
            {
                "agentId": agent.id,
                "name": agent.name or agent.id,
                "isDefault": agent.id == default,
                "heartbeat": heartbeat_of(agent.id, seen.heartbeats),
                "sessions": sessions_of([one for one in seen.sessions if one.agent_id == agent.id], seen.at_ms),
            }
            for agent in seen.agents
        ],
        "sessions": sessions_of(seen.sessions, seen.at_ms, seen.total),
    }
    return msgspec.Raw(msgspec.json.encode(payload))


def channel() -> dict[str, Any]:
    """Return the state of the one channel: it is up while the hub answers."""
    return {"accountId": "default", "configured": True, "linked": True, "running": True, "connected": True}


def heartbeat_seconds(heartbeats: list[Schedule]) -> int:
    """Return the shortest interval of the heartbeats that go on; 0: there is none."""
    intervals = [one.timing.seconds for one in heartbeats if isinstance(one.timing, Every) and not one.is_paused]
    return int(min(intervals, default=0))


def heartbeat_of(agent_id: str, heartbeats: list[Schedule]) -> dict[str, Any]:
    """Return an agent's heartbeat: its schedules whose ids begin so."""
    own = [one for one in heartbeats if one.agent_id == agent_id or one.room.startswith(f"session:agent:{agent_id}:")]
    going = [one for one in own if not one.is_paused]
    seconds = heartbeat_seconds(going)
    return {
        "enabled": bool(going),
        "every": f"{seconds}s" if seconds else "disabled" if not going else going[0].name,
        "everyMs": seconds * 1_000 or None,
        "prompt": going[0].text if going else "",
        "target": "last" if going else "none",
        "session": MAIN,
        "ackMaxChars": 0,
    }


def sessions_of(sessions: list[Session], at_ms: int, total: int | None = None) -> dict[str, Any]:
    """Return how many sessions there are, and the latest of them."""
    return {
        "path": STORE,
        "count": len(sessions) if total is None else total,
        "recent": [_recent(one, at_ms) for one in sessions[:RECENT]],
    }


def _recent(session: Session, at_ms: int) -> dict[str, Any]:
    updated = from_rfc3339(session.updated_at) // 1_000
    return {"key": session.id, "updatedAt": updated, "age": max(0, at_ms - updated)}
