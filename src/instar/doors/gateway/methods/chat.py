"""Chat: the words of one conversation, read, said, stopped."""

from collections.abc import Mapping
from typing import Any

from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import answer, invoke, messages, opened, place, said_before, say, sought
from instar.doors.gateway.conversation import session as find_session
from instar.doors.gateway.files import parts_of
from instar.doors.gateway.sessions import entry_id
from instar.doors.gateway.stopping import stop
from instar.doors.gateway.transcript import entry
from instar.doors.gateway.turns import chat_payload
from instar.wire import messages as m
from instar.wire.gateway.method import Generation
from instar.wire.gateway.methods.messaging import Attachment
from instar.wire.gateway.session_keys import SessionKey

HISTORY_MAX_BYTES = 6_291_456
"""Texts that one history holds; the oldest are left out beyond."""
STOP_WORDS = frozenset({"/stop", "stop", "esc", "abort", "wait", "exit", "interrupt"})


async def history(call: Call) -> dict[str, Any]:
    """Read the latest messages of a conversation. A session that nobody has opened yet is empty and has no id."""
    asked = call.params
    meant = await place(call, asked.session_key, asked.agent_id)
    known = await find_session(call, meant)
    told: dict[str, Any] = {"sessionKey": str(meant), "thinkingLevel": "off"}
    if meant.is_session and known is None:
        return told | {"sessionId": None, "messages": []}
    found = await messages(call, meant, asked.limit + asked.offset + 1)
    end = len(found) - asked.offset
    start = max(0, end - asked.limit)
    entries = _within(entry(one, meant.agent_id, asked.max_chars) for one in reversed(found[start : max(0, end)]))
    told |= {"sessionId": entry_id(known) if known else str(meant), "messages": entries[::-1]}
    if call.generation is Generation.V4:
        told |= {"hasMore": start > 0 or len(entries) < end - start, "pendingInputs": []}
        told |= {"totalMessages": known.messages} if known else {}
    return told


def _within(newest_first: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a generator of entries
    """Return as many entries as one history holds."""
    kept: list[dict[str, Any]] = []
    room = HISTORY_MAX_BYTES
    for one in newest_first:
        room -= len(one["content"][0]["text"].encode())
        if room < 0:
            break
        kept.append(one)
    return kept


async def send(call: Call) -> dict[str, Any]:
    """Say something in a conversation; `/stop` and its like stop every turn instead.

    Raises:
        InstarError: `bad_request` for a message without content; what sending raises.
    """
    asked = call.params
    meant = await place(call, asked.session_key, asked.agent_id)
    return await speak(call, meant, asked.message, asked.attachments, call.key, asked.reply_to_id)


async def speak(
    call: Call, meant: SessionKey, text: str, attachments: tuple[Attachment, ...], run_id: str, reply_to: str = ""
) -> dict[str, Any]:
    """Say something under an id; a repeat says nothing again, and answers what became of it.

    Raises:
        TurnFailedError: The turn of a repeat failed.
        InstarError: `bad_request` for a message without content; what sending raises.
    """
    if text.strip().lower() in STOP_WORDS and not attachments:
        stopped = await stop(call, meant, None)
        return {"ok": True, "aborted": bool(stopped), "runIds": stopped}
    if not text.strip() and not attachments:
        raise InstarError("bad_request", "message or attachment required")
    is_repeat = await said_before(call, run_id)
    await opened(call, meant)
    await say(call, meant, run_id, await parts_of(call, text, attachments), reply_to=reply_to)
    if is_repeat:
        return chat_payload(run_id, await answer(call, run_id, meant.agent_id, 0.0))
    return {"runId": run_id, "status": "started"}


async def abort(call: Call) -> dict[str, Any]:
    """Stop one turn of a conversation, or all of them.

    Raises:
        InstarError: `bad_request` for a turn of another conversation; `forbidden` for who may not stop it.
    """
    asked = call.params
    meant = await place(call, asked.session_key, asked.agent_id)
    stopped = await stop(call, meant, asked.run_id)
    return {"ok": True, "aborted": bool(stopped), "runIds": stopped}


async def inject(call: Call) -> dict[str, Any]:
    """Speak as the agent of a conversation; it wakes nobody. Only who administers speaks as somebody else.

    Raises:
        InstarError: `forbidden`; what sending raises.
    """
    asked = call.params
    meant = await place(call, asked.session_key, asked.agent_id)
    await opened(call, meant)
    text = f"[{asked.label}]\n\n{asked.message}" if asked.label else asked.message
    speaker = m.Actor("agent", meant.agent_id)
    message = m.SendMessage(meant.target, [m.Part(m.PartKind.TEXT, text)], id=new_id("inject"), from_=speaker)
    done: m.MessageAccepted = await invoke(call, m.SEND, message)
    return {"ok": True, "messageId": done.message_id}


async def message(call: Call) -> dict[str, Any]:
    """Read one message whole."""
    asked = call.params
    meant = await place(call, asked.session_key, asked.agent_id)
    found: m.Message | None = await sought(call, m.GET, m.MessageRef(asked.message_id))
    if found is None:
        return {"ok": False, "unavailableReason": "not_found"}
    if _place_of(found.target) != _place_of(meant.target):
        return {"ok": False, "unavailableReason": "not_visible"}
    return {"ok": True, "message": entry(found, meant.agent_id, asked.max_chars)}


def _place_of(target: m.Target) -> tuple[str, str]:
    """Return which conversation a target means, without what else it says."""
    return target.kind, target.session_id or target.dm_id or target.thread_id or target.room_id


HANDLERS: Mapping[str, Handler] = {
    "chat.history": history,
    "chat.send": send,
    "chat.abort": abort,
    "chat.inject": inject,
    "chat.message.get": message,
}
