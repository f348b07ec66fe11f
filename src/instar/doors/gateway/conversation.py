"""A conversation with an agent: which one a session key means, saying something in it, and what the agent answers."""

import time
from typing import Any

import msgspec

from instar.base.errors import InstarError
from instar.wire import messages as m
from instar.wire import rooms
from instar.wire import runs as r
from instar.wire import sessions as s
from instar.wire.agents import GET, AgentRef, AgentSummary
from instar.wire.gateway.session_keys import MAIN, SessionKey, parse_session_key
from instar.wire.limits import PAGE_MAX, WAIT_MAX_S

from .agents import default_of, registered
from .call import Call


async def invoke(call: Call, operation: Any, params: Any, *, key: str = "") -> Any:  # noqa: ANN401 - the operation's own types
    """Do an operation for the caller of `call`, with parameters that are checked as if they had come over the wire.

    A repeat with the same idempotency key answers as the first one did.

    Raises:
        InstarError: `bad_request` for parameters that break the operation's own limits; what the operation raises.
    """
    try:
        checked = msgspec.json.decode(msgspec.json.encode(params), type=operation.params)
    except msgspec.ValidationError as error:
        raise InstarError("bad_request", f"invalid {call.method.name} params: {str(error)[:300]}") from None
    return await call.hub.invoke(
        call.caller, operation, checked, request_id=call.request_id, idempotency_key=key, peer=call.address
    )


async def sought(call: Call, operation: Any, params: Any) -> Any:  # noqa: ANN401 - the operation's own types
    """Do an operation on one thing; None: there is none, or it is not the caller's to see."""
    try:
        return await invoke(call, operation, params)
    except InstarError as error:
        if error.code != "not_found":
            raise
        return None


async def reworded(call: Call, operation: Any, params: Any, unknown: str) -> Any:  # noqa: ANN401 - the operation's own types
    """Do an operation whose `not_found` the dialect words in its own way.

    Raises:
        InstarError: `not_found` with the words of `unknown`; what else the operation raises.
    """
    found = await sought(call, operation, params)
    if found is None:
        raise InstarError("not_found", unknown)
    return found


async def agent(call: Call, agent_id: str) -> AgentSummary:
    """Return an agent.

    Raises:
        InstarError: `not_found` in the dialect's words.
    """
    found: AgentSummary | None = await sought(call, GET, AgentRef(agent_id))
    if found is None or not found.registered:
        raise InstarError(
            "not_found",
            f'unknown agent id "{agent_id[:128]}"',
            detail={"code": "UNKNOWN_AGENT_ID", "agentId": agent_id[:128]},
        )
    return found


async def agents(call: Call) -> list[AgentSummary]:
    """Return the agents that are registered, by id."""
    return await registered(call.hub, call.caller)


async def default_agent(call: Call) -> str:
    """Return the agent that is meant when none is named."""
    return default_of(await agents(call))


async def place(call: Call, key: str | None, agent_id: str | None = None) -> SessionKey:
    """Return the conversation that a session key means; without one, the main session of the agent.

    Raises:
        InstarError: `bad_request` for a key that is none, or one of another agent; `not_found` for an unknown agent.
    """
    is_bare = key is None or not key.strip().startswith("agent:")
    owner = agent_id or (await default_agent(call) if is_bare else "")
    meant = parse_session_key(key or MAIN, owner)
    if agent_id and meant.agent_id != agent_id:
        raise InstarError(
            "bad_request", f'agent "{agent_id[:128]}" does not match session key agent "{meant.agent_id}"'
        )
    await agent(call, meant.agent_id)
    return meant


async def session(call: Call, meant: SessionKey) -> s.Session | None:
    """Return the session that a key means; None: nobody has opened it, it is not the caller's to see, or a room."""
    return await sought(call, s.GET, s.SessionRef(str(meant))) if meant.is_session else None


async def opened(call: Call, meant: SessionKey, label: str = "") -> None:
    """Open the session, or take part in it. A room is open already, or not the caller's to open."""
    if meant.is_session:
        await invoke(call, s.OPEN, s.OpenSession(meant.agent_id, meant.name, label))


async def said_before(call: Call, message_id: str) -> bool:
    """Whether a message of this id stands in the log, so that a call with this key is a repeat."""
    return await sought(call, m.GET, m.MessageRef(message_id)) is not None


async def say(
    call: Call, meant: SessionKey, message_id: str, parts: list[m.Part], *, reply_to: str = ""
) -> m.MessageAccepted:
    """Say something where the agent hears it. Saying the same again under the same id says it once.

    Raises:
        InstarError: What sending raises; `id_reused` for other words under the same id.
    """
    mentions = [] if meant.is_session else [meant.agent_id]
    message = m.SendMessage(meant.target, parts, id=message_id, mentions=mentions, reply_to=reply_to)
    return await invoke(call, m.SEND, message)


async def answer(call: Call, message_id: str, agent_id: str, within_s: float) -> r.AwaitedRun:
    """Return what became of the turn that a message caused, as soon as it has ended, or as it stands after a time."""
    ends = time.monotonic() + within_s
    while True:
        left = max(0.0, ends - time.monotonic())
        ask = r.AwaitRun(message_id=message_id, agent_id=agent_id, wait=min(left, WAIT_MAX_S))
        found: r.AwaitedRun = await invoke(call, r.AWAIT, ask)
        if found.ended or left == 0.0:
            return found


async def messages(call: Call, meant: SessionKey, limit: int) -> list[m.Message]:
    """Return the latest messages of a conversation, oldest first."""
    found: list[m.Message] = []
    before = ""
    while len(found) < limit:
        page = await _page(call, meant, min(limit - len(found), PAGE_MAX), before)
        found = page.messages + found
        before = page.page.next_before
        if not before:
            break
    return found


async def _page(call: Call, meant: SessionKey, limit: int, before: str) -> m.MessagePage:
    size = str(limit)
    match meant.kind:
        case rooms.RoomKind.SESSION:
            return await invoke(call, s.MESSAGES, s.SessionMessages(size, before, session_id=str(meant)))
        case rooms.RoomKind.THREAD:
            return await invoke(call, rooms.THREAD_MESSAGES, rooms.ThreadMessages(size, before, thread_id=meant.name))
        case rooms.RoomKind.DM:
            return await invoke(call, rooms.DM_MESSAGES, rooms.DmMessages(size, before, dm_id=meant.name))
        case _:
            return await invoke(call, rooms.MESSAGES, rooms.RoomMessages(size, before, room_id=meant.name))
