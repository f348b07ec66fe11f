"""The tools of agents over the gateway: the hub's catalogue, and the use of one as a call like any other."""

from collections.abc import Mapping
from typing import Any

from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import default_agent, invoke, opened, place, session
from instar.wire import agent_tools as t
from instar.wire import calls as c
from instar.wire.limits import GATEWAY_INVOKE_S, WAIT_MAX_S

CORE = {"id": "core", "label": "Hub", "source": "core"}
PROFILE = "full"


async def _tools(call: Call, room: str) -> tuple[str, list[t.AgentTool]]:
    agent_id = call.params.agent_id or await default_agent(call)
    found: t.ToolList = await invoke(call, t.LIST, t.ToolQuery(room=room))
    return agent_id, found.tools


def _entry(tool: t.AgentTool, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    row = {"id": tool.name, "label": tool.name, "description": tool.description, "source": "core"}
    return row | more


async def catalog(call: Call) -> dict[str, Any]:
    """List the tools of agents; there is one profile, as permits and rules say what each may do."""
    agent_id, tools = await _tools(call, "")
    rows = [_entry(tool, defaultProfiles=[PROFILE]) for tool in tools]
    profiles = [{"id": PROFILE, "label": "Full"}]
    return {"agentId": agent_id, "profiles": profiles, "groups": [CORE | {"tools": rows}]}


async def effective(call: Call) -> dict[str, Any]:
    """List the tools of a session, where `exec` names the targets that can be chosen now."""
    meant = await place(call, call.params.session_key, call.params.agent_id)
    is_open = not meant.is_session or await session(call, meant) is not None
    agent_id, tools = await _tools(call, meant.room if is_open else "")
    rows = [_entry(tool, rawDescription=tool.description) for tool in tools]
    return {"agentId": agent_id, "profile": PROFILE, "groups": [CORE | {"tools": rows}]}


async def use(call: Call) -> dict[str, Any]:
    """Use a tool; a call that waits for an approval is told as such."""
    asked = call.params
    room = ""
    if asked.session_key:
        meant = await place(call, asked.session_key, asked.agent_id)
        await opened(call, meant)
        room = meant.room
    wanted = t.UseTool(asked.name, asked.args or {}, room=room, wait=min(GATEWAY_INVOKE_S, WAIT_MAX_S))
    done: t.ToolResult = await invoke(call, t.USE, wanted, key=call.key)
    told: dict[str, Any] = {"ok": not done.is_error, "toolName": asked.name, "source": "core"}
    told["output"] = {"text": done.text, **done.data} | ({"callId": done.call_id} if done.call_id else {})
    if done.is_pending:
        asked_for: c.Call = await invoke(call, c.GET, c.AwaitCall(done.call_id))
        waits = {"approvalId": asked_for.approval_id} if asked_for.approval_id else {}
        return told | {"ok": False, "requiresApproval": asked_for.state is c.CallState.AWAITING_APPROVAL} | waits
    if done.is_error:
        told["error"] = {"code": "TOOL_FAILED", "message": done.text or "the tool failed"}
    return told


HANDLERS: Mapping[str, Handler] = {
    "tools.catalog": catalog,
    "tools.effective": effective,
    "tools.invoke": use,
}
