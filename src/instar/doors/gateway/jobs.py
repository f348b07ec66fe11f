"""Schedules as the dialect's jobs, and jobs as schedules. A job says no more than the schedule behind it does."""

from datetime import UTC, datetime
from typing import Any

from instar.base.errors import InstarError
from instar.wire import schedules as s
from instar.wire.gateway.method import Generation
from instar.wire.gateway.methods import cron as c
from instar.wire.gateway.session_keys import CHANNEL, MAIN, SessionKey, session_key_of
from instar.wire.rooms import RoomKind

from .times import millis, moment, now_ms

ISOLATED = "isolated"
CURRENT = "current"
SESSION_PREFIX = "session:"
OWN_SESSION = "cron:"
"""What the name of a job's own session begins with."""


def own_session(agent_id: str, job_id: str) -> SessionKey:
    """Return the session that a job has for itself."""
    return SessionKey(agent_id, RoomKind.SESSION, f"{OWN_SESSION}{job_id}"[:80])


def timing_of(schedule: c.JobSchedule) -> s.Timing:
    """Return when a job is due.

    Raises:
        InstarError: `bad_request` for a time that is none; `not_available` for what is no time.
    """
    match schedule:
        case c.AtSchedule(at_ms=int(ms)):
            return s.At(moment(ms))
        case c.AtSchedule(at=str(text)):
            return s.At(_time(text))
        case c.AtSchedule():
            raise InstarError("bad_request", "schedule.at needs a time: `at` or `atMs`")
        case c.EverySchedule(every_ms=every, anchor_ms=anchor):
            return s.Every(every / 1_000, moment(anchor) if anchor is not None else "")
        case c.CronSchedule(expr=expression, tz=zone, stagger_ms=stagger):
            if stagger:
                raise InstarError("not_available", "cron: no job is spread over time; give `staggerMs: 0`")
            return s.Cron(expression, zone) if zone else s.Cron(expression)
        case _:
            raise InstarError("not_available", "cron: a job is due by time alone, not by what a command does")


def _time(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InstarError("bad_request", f"schedule.at is no ISO 8601 time: {text[:64]!r}") from None
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).isoformat()


def text_of(payload: c.JobPayload) -> str:
    """Return what a job says.

    Raises:
        InstarError: `not_available` for what is no text.
    """
    match payload:
        case c.SystemEvent(text=text) | c.AgentTurn(message=text):
            return text
        case _:
            raise InstarError("not_available", "cron: a job says something; it runs no command and no script")


def check_target(target: str, payload: c.JobPayload) -> None:
    """Refuse a payload that does not fit its session.

    Raises:
        InstarError: `bad_request`.
    """
    if target == MAIN and not isinstance(payload, c.SystemEvent):
        raise InstarError("bad_request", 'main cron jobs require payload.kind="systemEvent"')
    if target != MAIN and isinstance(payload, c.SystemEvent):
        raise InstarError("bad_request", f'{target[:64]} cron jobs require payload.kind="agentTurn"')


def check_delivery(delivery: c.JobDelivery | None) -> None:
    """Refuse what an answer cannot be announced by.

    Raises:
        InstarError: `not_available`.
    """
    if delivery is None or delivery.mode == "none":
        return
    if delivery.mode == "webhook" or delivery.channel not in ("", "last", CHANNEL) or delivery.to:
        raise InstarError("not_available", "cron: an answer stands in the job's session, and is announced nowhere else")


def job_of(schedule: s.Schedule, generation: Generation, default_agent: str) -> dict[str, Any]:
    """Return a schedule as a job."""
    place = session_key_of(schedule.room, schedule.agent_id or default_agent)
    is_main = place is not None and place.is_main
    target = _target_of(place, generation)
    job: dict[str, Any] = {
        "id": schedule.id,
        "agentId": place.agent_id if place is not None else schedule.agent_id or default_agent,
        "name": schedule.name,
        "enabled": not schedule.is_paused,
        "createdAtMs": millis(schedule.created_at),
        "updatedAtMs": millis(schedule.updated_at),
        "schedule": _schedule_of(schedule.timing, generation),
        "sessionTarget": target,
        "wakeMode": "now",
        "payload": {"kind": "systemEvent", "text": schedule.text}
        if is_main
        else {"kind": "agentTurn", "message": schedule.text},
        "state": _state_of(schedule),
    }
    if place is not None:
        job["sessionKey"] = str(place)
    if schedule.description:
        job["description"] = schedule.description
    if schedule.is_once:
        job["deleteAfterRun"] = True
    if generation is not Generation.V3:
        job |= {"configRevision": str(schedule.revision), "delivery": {"mode": "none"}}
    return job


def _target_of(place: SessionKey | None, generation: Generation) -> str:
    if place is not None and place.is_main:
        return MAIN
    is_own = place is None or (place.is_session and place.name.startswith(OWN_SESSION))
    return ISOLATED if is_own or generation is Generation.V3 else f"{SESSION_PREFIX}{place}"


def _schedule_of(timing: s.Timing, generation: Generation) -> dict[str, Any]:
    match timing:
        case s.At(time=time):
            return {"kind": "at", "atMs": millis(time)} if generation is Generation.V3 else {"kind": "at", "at": time}
        case s.Every(seconds=seconds, anchor=anchor):
            told: dict[str, Any] = {"kind": "every", "everyMs": round(seconds * 1_000)}
            return told | ({"anchorMs": millis(anchor)} if anchor else {})
        case s.Cron(expression=expression, time_zone=zone):
            return {"kind": "cron", "expr": expression, "tz": zone}


def _state_of(schedule: s.Schedule) -> dict[str, Any]:
    state: dict[str, Any] = {}
    if schedule.next_at and not schedule.is_paused:
        state["nextRunAtMs"] = millis(schedule.next_at)
    if schedule.last is not None:
        state |= {"lastRunAtMs": millis(schedule.last.recorded_at), "lastStatus": outcome(schedule.last)}
        state["lastRunStatus"] = state["lastStatus"]
        if schedule.last.reason:
            state["lastError"] = schedule.last.reason
    return state


def outcome(slot: s.Slot) -> str:
    """Return how a slot ended: it fired, or it was recorded missed."""
    return "ok" if slot.state is s.SlotState.FIRED else "skipped"


def ended(slot: s.Slot) -> dict[str, Any]:
    """Return how a slot ended, as the event `cron` tells it."""
    recorded = millis(slot.recorded_at) or now_ms()
    due = millis(slot.at) or recorded
    told: dict[str, Any] = {
        "jobId": slot.schedule_id,
        "action": "finished",
        "status": outcome(slot),
        "runAtMs": due,
        "durationMs": max(0, recorded - due),
    }
    return told | ({"error": slot.reason} if slot.reason else {})


def run_of(slot: s.Slot, schedule: s.Schedule) -> dict[str, Any]:
    """Return a slot as an entry of a job's history."""
    entry = {"ts": millis(slot.recorded_at) or now_ms(), **ended(slot)}
    if slot.message_id:
        entry |= {"runId": slot.message_id, "summary": schedule.text[:200]}
    if schedule.next_at:
        entry["nextRunAtMs"] = millis(schedule.next_at)
    return entry
