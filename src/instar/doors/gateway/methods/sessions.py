"""Sessions: listed, found, called something else, begun anew, removed, opened, searched, heard."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import invoke, messages, place
from instar.doors.gateway.conversation import session as find_session
from instar.doors.gateway.health import STORE
from instar.doors.gateway.sessions import entry_id, session_row
from instar.doors.gateway.stopping import place_of_run, stop
from instar.doors.gateway.times import millis, now_ms
from instar.doors.gateway.transcript import entry, role_of, text_of
from instar.wire import messages as m
from instar.wire import sessions as s
from instar.wire.gateway.method import Generation
from instar.wire.gateway.session_keys import SessionKey, session_key_of
from instar.wire.limits import PAGE_MAX

from .chat import speak

LAST_MESSAGE_CHARS = 200
LAST_MESSAGES_MAX = 50
"""Sessions of one list whose last message is read."""


async def list_sessions(call: Call) -> dict[str, Any]:
    """List sessions that the caller may read, newest first."""
    asked = call.params
    limit = min(asked.limit, PAGE_MAX)
    query = s.SessionQuery(
        agent_id=asked.agent_id or "",
        search=asked.label or asked.search,
        active_s=None if asked.active_minutes is None else asked.active_minutes * 60.0,
        limit=min(limit + asked.offset, PAGE_MAX),
    )
    found: s.SessionList = await invoke(call, s.LIST, query)
    at_ms = now_ms()
    shown = [one for one in found.sessions if asked.label is None or one.label == asked.label]
    page = shown[asked.offset : asked.offset + limit] if asked.archived is not True else []
    rows = [session_row(one, at_ms) for one in page]
    if asked.include_last_message:
        for row, one in zip(rows[:LAST_MESSAGES_MAX], page, strict=False):
            row.update(await _last_message(call, one))
    told = {"ts": at_ms, "path": STORE, "count": len(rows), "defaults": {"model": None, "contextTokens": None}}
    if call.generation is not Generation.V3:
        end = asked.offset + len(rows)
        told |= {"totalCount": found.total, "hasMore": end < found.total}
        told |= {"nextOffset": end} if end < found.total else {}
    return told | {"sessions": rows}


async def _last_message(call: Call, one: s.Session) -> dict[str, Any]:
    meant = session_key_of(one.key, one.agent_id)
    last = await messages(call, meant, 1) if meant is not None and one.messages else []
    return {"lastMessagePreview": text_of(last[0])[:LAST_MESSAGE_CHARS]} if last else {}


async def preview(call: Call) -> dict[str, Any]:
    """Read the latest words of some sessions; each is answered for by itself."""
    return {"ts": now_ms(), "previews": [await _preview(call, key) for key in call.params.keys]}


async def _preview(call: Call, key: str) -> dict[str, Any]:
    try:
        meant = await place(call, key)
        if meant.is_session and await find_session(call, meant) is None:
            return {"key": key, "status": "missing", "items": []}
        latest = await messages(call, meant, min(call.params.limit, PAGE_MAX))
    except InstarError as error:
        return {"key": key, "status": "missing" if error.code == "not_found" else "error", "items": []}
    items = [{"role": role_of(one, meant.agent_id), "text": text_of(one)[: call.params.max_chars]} for one in latest]
    return {"key": key, "status": "ok" if items else "empty", "items": items}


async def resolve(call: Call) -> dict[str, Any]:
    """Find one session by key, id or label.

    Raises:
        InstarError: `bad_request` unless one of them is given; `not_found`.
    """
    asked = call.params
    key = asked.key or asked.session_id
    if key is None and asked.label is None:
        raise InstarError("bad_request", "Either key, sessionId or label is required")
    found = await _known(call, key, asked.agent_id) if key else await _labelled(call, asked.label)
    if found is None:
        if asked.allow_missing:
            return {"ok": False, "candidates": []}
        raise InstarError("not_found", f"No session found: {(key or asked.label)[:200]}")
    return {"ok": True, "key": found.id, "agentId": found.agent_id, "displayName": found.label or found.name}


async def _labelled(call: Call, label: str) -> s.Session | None:
    query = s.SessionQuery(agent_id=call.params.agent_id or "", search=label, limit=PAGE_MAX)
    found: s.SessionList = await invoke(call, s.LIST, query)
    named = [one for one in found.sessions if one.label == label]
    if len(named) > 1:
        keys = ", ".join(one.id for one in named[:5])
        raise InstarError("conflict", f"Multiple sessions found with label: {label[:200]} ({keys})")
    return named[0] if named else None


async def _known(call: Call, key: str, agent_id: str | None = None) -> s.Session | None:
    return await find_session(call, await place(call, key, agent_id))


async def _session(call: Call) -> s.Session:
    """Return the session that the call names.

    Raises:
        InstarError: `not_found`.
    """
    found = await _known(call, call.params.key, call.params.agent_id)
    if found is None:
        raise InstarError("not_found", f"session not found: {call.params.key[:200]}")
    return found


def _changed(session: s.Session) -> dict[str, Any]:
    row = session_row(session, now_ms())
    return {"ok": True, "path": STORE, "key": session.id, "entry": row}


async def patch(call: Call) -> dict[str, Any]:
    """Call a session something else; null clears its label.

    Raises:
        InstarError: `not_found`, `forbidden`.
    """
    session = await _session(call)
    label = call.params.label
    if label is not UNSET:
        session = await invoke(call, s.UPDATE, s.UpdateSession(session.id, label or ""))
    return _changed(session)


async def reset(call: Call) -> dict[str, Any]:
    """Begin a session anew.

    Raises:
        InstarError: `not_found`, `forbidden`.
    """
    session = await _session(call)
    return _changed(await invoke(call, s.RESET, s.SessionRef(session.id)))


async def delete(call: Call) -> dict[str, Any]:
    """Remove a session; the main one stays.

    Raises:
        InstarError: `bad_request` for a main session; `forbidden`.
    """
    meant = await place(call, call.params.key, call.params.agent_id)
    if meant.is_main:
        raise InstarError("bad_request", f"Cannot delete the main session ({meant}).", hint="Reset it instead.")
    found = await find_session(call, meant)
    if found is not None:
        await invoke(call, s.REMOVE, s.SessionRef(found.id))
    return {"ok": True, "key": str(meant), "deleted": found is not None, "archived": []}


async def create(call: Call) -> dict[str, Any]:
    """Open a session under a key of its own, or a given one, and perhaps say something in it.

    A repeat with the same idempotency key finds the session that the first one opened.

    Raises:
        InstarError: What opening and sending raise.
    """
    asked = call.params
    run_id = call.key or new_id("run")
    meant = await place(call, asked.key or None, asked.agent_id)
    if asked.key is None:
        meant = SessionKey(meant.agent_id, meant.kind, f"dashboard:{run_id}"[:80])
    session: s.Session = await invoke(
        call, s.OPEN, s.OpenSession(meant.agent_id, meant.name, asked.label or asked.display_name or "")
    )
    told = _changed(session) | {"sessionId": entry_id(session), "runStarted": False}
    said = asked.message or asked.task
    if said or asked.attachments:
        began = await speak(call, meant, said, asked.attachments, run_id)
        told |= {"runStarted": True, "runId": began["runId"]}
    return told


async def describe(call: Call) -> dict[str, Any]:
    """Show one session; null when there is none that the caller may read."""
    found = await _known(call, call.params.key, call.params.agent_id)
    return {"session": session_row(found, now_ms()) if found else None}


async def get(call: Call) -> dict[str, Any]:
    """Read the latest messages of one session."""
    meant = await place(call, call.params.key, call.params.agent_id)
    if meant.is_session and await find_session(call, meant) is None:
        return {"messages": []}
    return {"messages": [entry(one, meant.agent_id) for one in await messages(call, meant, call.params.limit)]}


async def send(call: Call) -> dict[str, Any]:
    """Say something in a session; its agent answers.

    Raises:
        InstarError: What sending raises.
    """
    asked = call.params
    meant = await place(call, asked.key, asked.agent_id)
    return await speak(call, meant, asked.message, asked.attachments, call.key or new_id("run"))


async def abort(call: Call) -> dict[str, Any]:
    """Stop one turn, or all turns of a session.

    Raises:
        InstarError: `bad_request` without a session or a turn, or for a turn of another session; `forbidden`.
    """
    asked = call.params
    if asked.key is None and asked.run_id is None:
        raise InstarError("bad_request", "Either key or runId is required")
    meant = await place(call, asked.key, asked.agent_id) if asked.key else await place_of_run(call, asked.run_id)
    stopped = [] if meant is None else await stop(call, meant, asked.run_id)
    state = "aborted" if stopped else "no-active-run"
    return {"ok": True, "abortedRunId": stopped[0] if stopped else None, "status": state}


async def search(call: Call) -> dict[str, Any]:
    """Find messages of sessions that the caller may read, newest first."""
    asked = call.params
    keys = None if asked.session_keys is None else {str(await place(call, key)) for key in asked.session_keys}
    found: m.SearchResult = await invoke(call, m.SEARCH, m.SearchQuery(asked.query, limit=PAGE_MAX))
    hits = [hit for hit in found.hits if _is_wanted(hit.message, asked.agent_id, keys)]
    results = [_hit(hit, rank) for rank, hit in enumerate(hits[: asked.limit])]
    return {"results": results, "truncated": len(hits) > asked.limit or found.has_more}


def _is_wanted(message: m.Message, agent_id: str | None, keys: set[str] | None) -> bool:
    key = message.target.session_id
    if message.target.kind is not m.TargetKind.SESSION or (keys is not None and key not in keys):
        return False
    return agent_id is None or key.startswith(f"agent:{agent_id}:")


def _hit(hit: m.SearchHit, rank: int) -> dict[str, Any]:
    key = hit.message.target.session_id
    owner = session_key_of(f"session:{key}", "")
    return {
        "sessionKey": key,
        "sessionId": key,
        "messageId": hit.message.id,
        "role": role_of(hit.message, owner.agent_id if owner else ""),
        "timestamp": millis(hit.message.created_at),
        "snippet": hit.excerpt.replace("\x01", "").replace("\x02", ""),
        "score": 1.0 / (1 + rank),
    }


HANDLERS: Mapping[str, Handler] = {
    "sessions.list": list_sessions,
    "sessions.preview": preview,
    "sessions.resolve": resolve,
    "sessions.patch": patch,
    "sessions.reset": reset,
    "sessions.delete": delete,
    "sessions.create": create,
    "sessions.describe": describe,
    "sessions.get": get,
    "sessions.send": send,
    "sessions.abort": abort,
    "sessions.search": search,
}
