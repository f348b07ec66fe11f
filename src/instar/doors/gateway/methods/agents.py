"""Agents: listed, made, called something else, removed."""

from collections.abc import Mapping
from typing import Any

from instar.doors.gateway.agents import default_of
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import agent, agents, invoke
from instar.wire import agents as a
from instar.wire.gateway.session_keys import MAIN


def _row(one: a.AgentSummary) -> dict[str, Any]:
    name = one.name or one.id
    row: dict[str, Any] = {"id": one.id, "name": name, "identity": {"name": name}, "activity": str(one.activity)}
    return row | ({"model": {"primary": one.runtime}} if one.runtime else {})


async def list_agents(call: Call) -> dict[str, Any]:
    """List the agents that are registered."""
    known = await agents(call)
    rows = [_row(one) for one in known]
    return {"defaultId": default_of(known), "mainKey": MAIN, "scope": "per-sender", "agents": rows}


async def create(call: Call) -> dict[str, Any]:
    """Make an agent whose id comes from its name. A program attaches as it, or it waits for one: none comes with it."""
    made: a.AgentRegistration = await invoke(call, a.REGISTER, a.RegisterAgent(name=call.params.name))
    return {"ok": True, "agentId": made.agent_id, "name": call.params.name}


async def update(call: Call) -> dict[str, Any]:
    """Call an agent something else."""
    found = await agent(call, call.params.agent_id)
    if call.params.name is not None:
        await invoke(call, a.UPDATE, a.UpdateAgent(found.id, name=call.params.name))
    return {"ok": True, "agentId": found.id}


async def delete(call: Call) -> dict[str, Any]:
    """Remove an agent: its memberships, tokens and attachments end."""
    found = await agent(call, call.params.agent_id)
    await invoke(call, a.REMOVE, a.AgentRef(found.id))
    return {"ok": True, "agentId": found.id, "removedBindings": len(found.rooms)}


HANDLERS: Mapping[str, Handler] = {
    "agents.list": list_agents,
    "agents.create": create,
    "agents.update": update,
    "agents.delete": delete,
}
