"""Health, status, presence, heartbeats, waking, the hub's identity and its log."""

from collections.abc import Mapping
from typing import Any

from instar.base.errors import InstarError
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import invoke, opened, place, say
from instar.doors.gateway.health import HEARTBEAT, survey
from instar.doors.gateway.presence import presence_row
from instar.doors.gateway.status import moltis_status, status_of
from instar.doors.gateway.times import millis, now_ms
from instar.wire import presence, schedules
from instar.wire.audit import LOGS, LogQuery, LogTail
from instar.wire.gateway.method import Generation
from instar.wire.gateway.scopes import NODE
from instar.wire.messages import Part, PartKind
from instar.wire.operation import Nothing
from instar.wire.schedules import Schedule, ScheduleRef, SlotState
from instar.wire.signatures import to_base64url


async def health(call: Call) -> object:
    """Answer how the hub is; without `probe` the answer may be a minute old. A node learns that it is, and no more."""
    if call.client.role == NODE:
        return {"ok": True, "ts": now_ms()}
    return await call.gateway.health.health(call.hub, call.caller, probe=call.params.probe)


async def status(call: Call) -> dict[str, Any]:
    """Summarise what there is."""
    seen = await survey(call.hub, call.caller)
    payload = status_of(seen, call.gateway.uptime_ms)
    if call.generation is Generation.MOLTIS:
        payload |= moltis_status(await _entries(call))
    elif not call.params.include_channel_summary:
        payload["channelSummary"] = []
    return payload


async def system_presence(call: Call) -> object:
    """List who is connected."""
    entries = await _entries(call)
    rows = [presence_row(one) for one in entries]
    if call.generation is not Generation.MOLTIS:
        return rows
    is_node = [one.role == NODE for one in entries]
    return {
        "clients": [row for row, node in zip(rows, is_node, strict=True) if not node],
        "nodes": [row for row, node in zip(rows, is_node, strict=True) if node],
    }


async def _entries(call: Call) -> list[presence.PresenceEntry]:
    found: presence.PresenceList = await invoke(call, presence.LIST, Nothing())
    return found.entries


async def system_event(call: Call) -> dict[str, Any]:
    """Leave a note of who is there."""
    said = call.params
    note = presence.PresenceNote(
        text=said.text,
        key=said.device_id or said.instance_id,
        host=said.host,
        mode=said.mode,
        version=said.version,
        platform=said.platform,
        family=said.device_family,
        model=said.model_identifier,
        reason=said.reason,
        tags=list(said.tags),
        idle_s=said.last_input_seconds,
    )
    await invoke(call, presence.NOTE, note)
    return {"ok": True}


async def _heartbeats(call: Call) -> list[Schedule]:
    found: schedules.ScheduleList = await invoke(call, schedules.LIST, Nothing())
    return [one for one in found.schedules if one.id.startswith(HEARTBEAT)]


async def last_heartbeat(call: Call) -> dict[str, Any] | None:
    """Answer what the latest heartbeat did; None: there was none yet."""
    last = [(one.last.at, one) for one in await _heartbeats(call) if one.last is not None]
    if not last:
        return None
    _, latest = max(last, key=lambda item: item[0])
    slot = latest.last
    assert slot is not None
    fired = slot.state is SlotState.FIRED
    told = {"ts": millis(slot.recorded_at), "status": "sent" if fired else "skipped", "preview": latest.text[:200]}
    return told | {"to": latest.room, "jobId": latest.id} | ({} if fired else {"reason": slot.reason})


async def set_heartbeats(call: Call) -> dict[str, Any]:
    """Let every heartbeat go on, or rest.

    Raises:
        InstarError: `not_found` when there is none.
    """
    heartbeats = await _heartbeats(call)
    if not heartbeats:
        raise InstarError(
            "not_found",
            f"there is no heartbeat: no schedule's id begins with `{HEARTBEAT}`",
            hint=f"Make one with `cron.add`, its id beginning with `{HEARTBEAT}`.",
        )
    enabled: bool = call.params.enabled
    for one in heartbeats:
        if one.is_paused is enabled:
            await invoke(call, schedules.RESUME if enabled else schedules.PAUSE, ScheduleRef(one.id))
    return {"ok": True, "enabled": enabled, "jobs": [one.id for one in heartbeats]}


async def wake(call: Call) -> dict[str, Any]:
    """Say something to an agent, which wakes it.

    Raises:
        InstarError: `not_available` for a text that shall wait for a heartbeat; what sending raises.
    """
    if call.params.mode != "now":
        raise InstarError("not_available", "no text waits for the next heartbeat here", hint="Send `mode: now`.")
    meant = await place(call, call.params.session_key, call.params.agent_id)
    await opened(call, meant)
    done = await say(call, meant, "", [Part(PartKind.TEXT, call.params.text)])
    return {"ok": True, "messageId": done.message_id, "sessionKey": str(meant)}


async def identity(call: Call) -> dict[str, Any]:
    """Answer by which key the hub is known; its clients may pin it."""
    return {"deviceId": call.hub.hub_id, "publicKey": to_base64url(call.hub.hub_public_key)}


async def logs_tail(call: Call) -> dict[str, Any]:
    """Read the end of the hub's log."""
    asked = call.params
    tail: LogTail = await invoke(call, LOGS, LogQuery(asked.cursor, asked.limit, asked.max_bytes))
    told: dict[str, Any] = {"file": tail.file, "cursor": tail.cursor, "size": tail.size, "lines": tail.lines}
    return told | {name: True for name in ("truncated", "reset") if getattr(tail, name)}


HANDLERS: Mapping[str, Handler] = {
    "health": health,
    "status": status,
    "system-presence": system_presence,
    "system-event": system_event,
    "last-heartbeat": last_heartbeat,
    "set-heartbeats": set_heartbeats,
    "wake": wake,
    "gateway.identity.get": identity,
    "logs.tail": logs_tail,
}
