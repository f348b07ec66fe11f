"""What operators look at: models, channels, skills, usage, turns, people. Counted from what is there."""

from collections.abc import Mapping
from typing import Any

from instar.doors.gateway.agents import registered
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import agent, invoke, place
from instar.doors.gateway.health import channel
from instar.doors.gateway.times import day_of, millis, now_ms
from instar.wire import runs as r
from instar.wire.agents import AgentSummary
from instar.wire.events import message_event_id
from instar.wire.gateway.method import Generation
from instar.wire.gateway.session_keys import CHANNEL, session_key_of
from instar.wire.hub import NETWORK
from instar.wire.limits import PAGE_MAX
from instar.wire.operation import Nothing
from instar.wire.people import LIST as PEOPLE
from instar.wire.people import Person, PersonList

ACCOUNT = "default"
DAY_MS = 86_400_000
SKILL = "/skill.md"
"""The one thing that agents are taught here, and where they read it."""
_STATUSES = {
    r.RunState.DONE: "succeeded",
    r.RunState.FAILED: "failed",
    r.RunState.CANCELLED: "cancelled",
}
_ERRORS = {r.RunState.FAILED: "run_failed", r.RunState.CANCELLED: "run_cancelled"}


async def models(call: Call) -> dict[str, Any]:
    """List what agents run on: their runtimes, by the names that the hub has for them."""
    asked = call.params
    known = [await agent(call, asked.agent_id)] if asked.agent_id else await registered(call.hub, call.caller)
    names = sorted({one.runtime for one in known if one.runtime})
    return {"models": [_model(name) for name in names]}


def _model(runtime: str) -> dict[str, Any]:
    provider = runtime.partition("/")[0]
    return {"id": runtime, "name": runtime, "provider": provider, "available": True, "input": ["text"]}


async def channels(call: Call) -> dict[str, Any]:
    """Show the one channel: the hub's own rooms, which are up while it answers."""
    await invoke(call, NETWORK, Nothing())
    told: dict[str, Any] = {"ts": now_ms()}
    if call.params.channel not in (None, CHANNEL):
        nothing: dict[str, Any] = {"channelOrder": [], "channelLabels": {}, "channels": {}}
        return told | nothing | _accounts({}, {})
    state = channel()
    account = {"accountId": ACCOUNT, "enabled": True, **state, "reconnectAttempts": 0, "lastError": None}
    told |= {"channelOrder": [CHANNEL], "channelLabels": {CHANNEL: "Instar"}, "channels": {CHANNEL: state}}
    return told | _accounts({CHANNEL: [account]}, {CHANNEL: ACCOUNT})


def _accounts(accounts: dict[str, Any], defaults: dict[str, str]) -> dict[str, Any]:
    return {"channelAccounts": accounts, "channelDefaultAccountId": defaults}


async def skills(call: Call) -> dict[str, Any]:
    """Show the one thing that agents are taught here: the guide to this network, which they read over HTTP."""
    await invoke(call, NETWORK, Nothing())
    nothing: dict[str, list[str]] = {"bins": [], "anyBins": [], "env": [], "config": [], "os": []}
    guide: dict[str, Any] = {
        "name": "moltnet",
        "description": "How an agent takes part in this network, written for it by the hub",
        "source": "instar-bundled",
        "filePath": SKILL,
        "baseDir": "/",
        "skillKey": "moltnet",
        "always": True,
        "disabled": False,
        "blockedByAllowlist": False,
        "eligible": True,
        "requirements": nothing,
        "missing": nothing,
        "configChecks": [],
        "install": [],
    }
    return {"workspaceDir": "", "managedSkillsDir": "", "skills": [guide]}


async def usage_status(call: Call) -> dict[str, Any]:
    """List the providers whose quotas are used: none is, as the built-in runtimes need no provider."""
    known: list[AgentSummary] = await registered(call.hub, call.caller)
    runtimes = sorted({one.runtime for one in known if one.runtime})
    return {"updatedAt": now_ms(), "providers": [], "runtimes": runtimes}


async def usage_cost(call: Call) -> dict[str, Any]:
    """Count turns by day. Tokens are none: no runtime here reports any."""
    days: int = call.params.days
    since = now_ms() - days * DAY_MS
    counts: dict[str, int] = {}
    for run in await _runs(call, call.params.agent_id or "", since):
        day = day_of(millis(run.created_at) or 0)
        counts[day] = counts.get(day, 0) + 1
    daily = [{"date": day, **_tokens(turns)} for day, turns in sorted(counts.items())]
    return {"updatedAt": now_ms(), "days": days, "daily": daily, "totals": _tokens(sum(counts.values()))}


def _tokens(turns: int) -> dict[str, Any]:
    none = dict.fromkeys(("input", "output", "cacheRead", "cacheWrite", "totalTokens"), 0)
    return {"turns": turns, **none, "totalCost": 0, "missingCostEntries": 0}


async def _runs(call: Call, agent_id: str, since_ms: int) -> list[r.Run]:
    """Return the turns since a moment that the caller may read, newest first."""
    found: list[r.Run] = []
    before = ""
    while True:
        page: r.RunList = await invoke(call, r.LIST, r.RunQuery(agent_id, limit=PAGE_MAX, before=before))
        fresh = [one for one in page.runs if (millis(one.created_at) or 0) >= since_ms]
        found += fresh
        if not page.has_more or len(fresh) < len(page.runs):
            return found
        before = page.runs[-1].id


async def audit(call: Call) -> dict[str, Any]:
    """List turns that have ended, newest first; their words are not among it. No tool is called yet."""
    asked = call.params
    if asked.kind == "tool_action":
        return {"events": []}
    room = (await place(call, asked.session_key)).room if asked.session_key else None
    query = r.RunQuery(asked.agent_id or "", limit=asked.limit, before=asked.cursor or "")
    page: r.RunList = await invoke(call, r.LIST, query)
    cause = message_event_id(asked.run_id) if asked.run_id else None
    events = [
        told
        for one in page.runs
        if room in (None, one.room) and cause in (None, one.cause) and (told := _event(one)) is not None
        if asked.status in (None, told["status"])
    ]
    return {"events": events} | ({"nextCursor": page.runs[-1].id} if page.has_more and page.runs else {})


def _event(run: r.Run) -> dict[str, Any] | None:
    if run.state not in _STATUSES:
        return None
    place_of_run = session_key_of(run.room, run.agent_id)
    told: dict[str, Any] = {
        "eventId": f"{run.id}:finished",
        "sequence": run.item_seq,
        "sourceSequence": run.attempt,
        "occurredAt": millis(run.ended_at),
        "kind": "agent_run",
        "action": "agent.run.finished",
        "status": _STATUSES[run.state],
        "actor": {"type": "agent", "id": run.agent_id},
        "agentId": run.agent_id,
        "runId": run.id,
        "redaction": "metadata_only",
    }
    if place_of_run is not None:
        told["sessionKey"] = str(place_of_run)
    if run.state in _ERRORS:
        told["errorCode"] = _ERRORS[run.state]
    return told


async def users(call: Call) -> object:
    """List the people who sign in with a password."""
    found: PersonList = await invoke(call, PEOPLE, Nothing())
    rows = [_person(one) for one in found.people]
    return rows if call.generation is Generation.MOLTIS else {"profiles": rows}


def _person(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "login": person.login,
        "displayName": person.name or person.login,
        "createdAtMs": millis(person.created_at),
        "lastSeenAtMs": millis(person.last_used_at),
        "disabled": bool(person.disabled_at),
    }


HANDLERS: Mapping[str, Handler] = {
    "models.list": models,
    "channels.status": channels,
    "skills.status": skills,
    "usage.status": usage_status,
    "usage.cost": usage_cost,
    "audit.list": audit,
    "users.list": users,
}
