"""`send`, `agent`, and what belongs to them. The log is the ledger: the idempotency key is the id of the message."""

from collections.abc import Mapping
from typing import Any

from instar.base.errors import InstarError
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import agent as find_agent
from instar.doors.gateway.conversation import answer, default_agent, invoke, opened, place, said_before, say
from instar.doors.gateway.files import parts_of
from instar.doors.gateway.times import now_ms
from instar.doors.gateway.turns import TURN_S, final_payload, unknown_channel, wait_payload
from instar.wire.gateway.method import Generation
from instar.wire.gateway.session_keys import CHANNEL, SessionKey, parse_session_key
from instar.wire.messages import SEND, MessageAccepted, Part, PartKind, SendMessage
from instar.wire.names import is_id, split_key
from instar.wire.rooms import RoomKind

LATEST = "last"
"""A channel that stands for the one of the latest message."""
INTERNAL = "webchat"
PLACES = {"room": RoomKind.ROOM, "channel": RoomKind.ROOM, "thread": RoomKind.THREAD, "dm": RoomKind.DM}


async def send(call: Call) -> dict[str, Any]:
    """Send a message into a conversation; a repeat answers the first result and sends nothing.

    Raises:
        InstarError: `bad_request` for a channel or a place that there is not, or a message without content;
            `not_available` for a copy into another session; what sending raises.
    """
    asked = call.params
    _check_channel(asked.channel)
    meant = await _destination(call, asked.to)
    if asked.session_key and (await place(call, asked.session_key)).room != meant.room:
        raise InstarError("not_available", "send: no message is copied into another session; it stands in its own")
    links = [*([asked.media_url] if asked.media_url else []), *asked.media_urls]
    parts = [Part(PartKind.TEXT, asked.message)] if asked.message else []
    parts += [Part(PartKind.URL, url=_web(link)) for link in links]
    if not parts:
        raise InstarError("bad_request", "invalid send params: message or media is required")
    await opened(call, meant)
    message = SendMessage(meant.target, parts, id=call.key, reply_to=asked.reply_to_id)
    done: MessageAccepted = await invoke(call, SEND, message)
    kind, place_id = split_key(meant.room)
    where = {"conversationId": f"{kind}:{place_id}", "chatId": place_id, "sessionKey": str(meant)}
    return {"runId": call.key, "messageId": done.message_id, "channel": CHANNEL, **where}


def _check_channel(channel: str) -> None:
    if channel == INTERNAL:
        raise InstarError("bad_request", "unsupported channel: webchat (internal-only)", hint="Use `chat.send`.")
    if channel not in ("", CHANNEL, LATEST):
        raise unknown_channel(channel)


async def _destination(call: Call, to: str) -> SessionKey:
    word, _, name = to.strip().removeprefix("session:").partition(":")
    if word == "agent":
        return await place(call, to.strip().removeprefix("session:"))
    kind, room_id = (PLACES[word], name) if word in PLACES and name else (RoomKind.ROOM, to.strip().removeprefix("#"))
    if not is_id(room_id):
        raise InstarError(
            "bad_request", f"invalid target: {to[:200]!r}", hint="Write `room:ID`, `thread:ID` or `dm:ID`."
        )
    return SessionKey(await default_agent(call), kind, room_id)


def _web(link: str) -> str:
    """Return a link to the web; nothing that names a file of some machine passes."""
    if not link.lower().startswith(("https://", "http://")):
        raise InstarError("bad_request", f"media is no http(s) address: {link[:100]!r}")
    return link


async def agent(call: Call) -> dict[str, Any]:
    """Say something to an agent; `accepted` comes at once, the answer later on the same id.

    A repeat says nothing again: while the turn goes on it is told so, and afterwards its result.

    Raises:
        TurnFailedError: The turn failed, was stopped, or gave no answer in time.
        InstarError: What sending raises.
    """
    asked = call.params
    # A channel says where the answer shall be delivered; without `deliver` it says nothing, and older clients name one.
    if asked.deliver and asked.channel not in ("", CHANNEL, LATEST, INTERNAL):
        raise unknown_channel(asked.channel)
    meant = await place(call, asked.session_key or asked.session_id, asked.agent_id)
    is_repeat = await said_before(call, call.key)
    await opened(call, meant, asked.label or "")
    await say(call, meant, call.key, await parts_of(call, asked.message, asked.attachments))
    accepted: dict[str, Any] = {"runId": call.key, "status": "accepted", "acceptedAt": now_ms()}
    if call.generation is not Generation.V3:
        accepted |= {"sessionKey": str(meant), "agentId": meant.agent_id}
    found = await answer(call, call.key, meant.agent_id, 0.0) if is_repeat else None
    if found is not None and not found.ended:
        under_way = {"status": "in_flight"} if call.generation is not Generation.V3 else {}
        return accepted | under_way
    if found is None:
        if call.peer is not None:
            call.peer.accept(accepted)
        found = await answer(call, call.key, meant.agent_id, asked.timeout or TURN_S)
    return final_payload(call.key, meant, found, (await find_agent(call, meant.agent_id)).runtime)


async def agent_wait(call: Call) -> dict[str, Any]:
    """Wait for a turn to end. One that nobody knows, or that is not the caller's to see, ends in the same `timeout`."""
    run_id: str = call.params.run_id
    if call.peer is not None:
        call.peer.only_waits()
    return wait_payload(run_id, await answer(call, run_id, "", call.params.timeout_ms / 1_000))


async def agent_identity(call: Call) -> dict[str, Any]:
    """Answer what an agent is called."""
    asked = call.params
    agent_id = asked.agent_id or await default_agent(call)
    if asked.session_key:
        agent_id = parse_session_key(asked.session_key, agent_id).agent_id
    found = await find_agent(call, agent_id)
    return {"agentId": found.id, "name": found.name or found.id, "nameSource": "agent" if found.name else "default"}


HANDLERS: Mapping[str, Handler] = {
    "send": send,
    "agent": agent,
    "agent.wait": agent_wait,
    "agent.identity.get": agent_identity,
}
