"""Cron: schedules as the dialect's jobs."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from instar.base.errors import InstarError
from instar.base.ids import new_id
from instar.doors.gateway import jobs
from instar.doors.gateway.call import Call, Handler
from instar.doors.gateway.conversation import default_agent, invoke, opened, place, sought
from instar.doors.gateway.health import STORE
from instar.doors.gateway.times import millis, now_ms
from instar.wire import schedules as s
from instar.wire.gateway.method import Generation
from instar.wire.gateway.methods import cron as c
from instar.wire.gateway.session_keys import MAIN, SessionKey
from instar.wire.limits import PAGE_MAX
from instar.wire.operation import Nothing

JOBS_PAGE = 200


async def _schedules(call: Call) -> list[s.Schedule]:
    found: s.ScheduleList = await invoke(call, s.LIST, Nothing())
    return found.schedules


async def list_jobs(call: Call) -> dict[str, Any]:
    """List jobs, those due next first."""
    asked: c.CronListParams = call.params
    default = await default_agent(call)
    with_paused = asked.include_disabled or asked.enabled in ("all", "disabled")
    found = [one for one in await _schedules(call) if with_paused or not one.is_paused]
    rows = [job for one in found if _is_wanted(job := jobs.job_of(one, call.generation, default), asked)]
    keys = {"nextRunAtMs": _next_run, "updatedAtMs": _updated, "name": _name}
    rows.sort(key=keys[asked.sort_by], reverse=asked.sort_dir == "desc")
    if call.generation is Generation.V3:
        return {"jobs": rows}
    limit = asked.limit or JOBS_PAGE
    page = rows[asked.offset : asked.offset + limit]
    end = asked.offset + len(page)
    told: dict[str, Any] = {"total": len(rows), "offset": asked.offset, "limit": limit, "hasMore": end < len(rows)}
    told |= {"nextOffset": end if end < len(rows) else None, "snapshotRevision": _revision_of(rows)}
    return told | {"jobs": [{**job, "effectiveAgentId": job["agentId"]} for job in page]}


def _revision_of(rows: list[dict[str, Any]]) -> str:
    """Return what changes whenever the list does, so that a client notices it between two pages."""
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()


def _next_run(job: dict[str, Any]) -> int:
    return job["state"].get("nextRunAtMs", c.TIME_MAX_MS)


def _updated(job: dict[str, Any]) -> int:
    return job["updatedAtMs"] or 0


def _name(job: dict[str, Any]) -> str:
    return job["name"]


def _is_wanted(job: dict[str, Any], asked: c.CronListParams) -> bool:
    words = f"{job['id']} {job['name']} {job.get('description', '')}".lower()
    return (
        (asked.enabled != "disabled" or not job["enabled"])
        and asked.query.lower() in words
        and asked.schedule_kind in ("all", job["schedule"]["kind"])
        and asked.last_run_status in ("all", job["state"].get("lastStatus", "unknown"))
        and asked.agent_id in (None, job["agentId"])
        and asked.trigger != "conditional"
    )


async def status(call: Call) -> dict[str, Any]:
    """Say how many jobs there are and when the next is due."""
    found = await _schedules(call)
    due = [one.next_at for one in found if one.next_at and not one.is_paused]
    told = {"enabled": True, "storePath": STORE, "storage": "instar", "jobs": len(found)}
    return told | {"nextWakeAtMs": millis(min(due)) if due else None}


def _id(call: Call) -> str:
    found = call.params.id or call.params.job_id
    if not found:
        raise InstarError("bad_request", f"invalid {call.method.name} params: missing id")
    return found


async def _found(call: Call, job_id: str) -> s.Schedule:
    """Return a schedule.

    Raises:
        InstarError: `not_found` in the dialect's words.
    """
    found: s.Schedule | None = await sought(call, s.GET, s.ScheduleRef(job_id))
    if found is None:
        detail = {"code": "CRON_JOB_NOT_FOUND", "jobId": job_id}
        raise InstarError("not_found", f"unknown cron job id: {job_id}", detail=detail)
    return found


async def _job(call: Call, schedule: s.Schedule) -> dict[str, Any]:
    return jobs.job_of(schedule, call.generation, await default_agent(call))


async def get(call: Call) -> dict[str, Any]:
    """Show one job."""
    return await _job(call, await _found(call, _id(call)))


async def _place(call: Call, target: str, agent_id: str | None, key: str | None, job_id: str) -> SessionKey:
    """Return where a job speaks; a session that is yet to be is opened."""
    if target == MAIN:
        meant = await place(call, MAIN, agent_id)
    elif target == jobs.ISOLATED:
        main = await place(call, MAIN, agent_id)
        meant = jobs.own_session(main.agent_id, job_id)
    elif target.startswith(jobs.SESSION_PREFIX):
        meant = await place(call, target.removeprefix(jobs.SESSION_PREFIX), agent_id)
    elif target == jobs.CURRENT and key:
        meant = await place(call, key, agent_id)
    else:
        raise InstarError("bad_request", f"unknown cron sessionTarget: {target[:64]!r}")
    await opened(call, meant)
    return meant


async def add(call: Call) -> dict[str, Any]:
    """Make a job.

    Raises:
        InstarError: `bad_request` for a payload that does not fit its session; `not_available` for what no job does.
    """
    asked: c.CronAddParams = call.params
    jobs.check_target(asked.session_target, asked.payload)
    jobs.check_delivery(asked.delivery)
    timing, text = jobs.timing_of(asked.schedule), jobs.text_of(asked.payload)
    job_id = asked.id or new_id("sch")
    meant = await _place(call, asked.session_target, asked.agent_id, asked.session_key, job_id)
    wanted = s.CreateSchedule(
        asked.name,
        timing,
        meant.room,
        text,
        id=job_id,
        agent_id=meant.agent_id,
        description=asked.description,
        is_paused=not asked.enabled,
        is_once=asked.delete_after_run,
    )
    return await _job(call, await invoke(call, s.CREATE, wanted))


async def update(call: Call) -> dict[str, Any]:
    """Change a job; what is left out stays.

    Raises:
        InstarError: As `add`; `not_found`; `conflict` when another revision was expected.
    """
    found = await _found(call, _id(call))
    patch: c.JobPatch = call.params.patch
    change = s.UpdateSchedule(found.id, revision=_revision(call.params.expected_config_revision))
    for name in ("name", "description"):
        if (value := getattr(patch, name)) is not UNSET:
            setattr(change, name, value)
    if patch.delete_after_run is not UNSET:
        change.is_once = patch.delete_after_run
    if patch.schedule is not UNSET:
        change.timing = jobs.timing_of(patch.schedule)
    if patch.delivery is not UNSET:
        jobs.check_delivery(patch.delivery)
    await _change_words(call, found, patch, change)
    if change != s.UpdateSchedule(found.id, revision=change.revision):
        found = await invoke(call, s.UPDATE, change)
    if patch.enabled is not UNSET and patch.enabled is found.is_paused:
        found = await invoke(call, s.RESUME if patch.enabled else s.PAUSE, s.ScheduleRef(found.id))
    return await _job(call, found)


def _revision(expected: str | None) -> int | None:
    if expected is None:
        return None
    if not expected.isascii() or not expected.isdigit():
        raise InstarError("conflict", "expectedConfigRevision is none of this job's")
    return int(expected)


async def _change_words(call: Call, found: s.Schedule, patch: c.JobPatch, change: s.UpdateSchedule) -> None:
    """Set what a job says, and where."""
    now = await _job(call, found)
    target = now["sessionTarget"] if patch.session_target is UNSET else patch.session_target
    payload = patch.payload
    if payload is UNSET and target != now["sessionTarget"]:
        raise InstarError("bad_request", "a new sessionTarget needs a payload that fits it")
    if payload is not UNSET:
        jobs.check_target(target, payload)
        change.text = jobs.text_of(payload)
    moved = patch.session_target is not UNSET or isinstance(patch.agent_id, str)
    if moved:
        agent_id = patch.agent_id if isinstance(patch.agent_id, str) else now["agentId"]
        key = patch.session_key if isinstance(patch.session_key, str) else None
        meant = await _place(call, target, agent_id, key, found.id)
        change.room, change.agent_id = meant.room, meant.agent_id


async def remove(call: Call) -> dict[str, Any]:
    """Remove a job; what became of its slots stays stored. One that is gone is `removed: false`."""
    removed = await sought(call, s.REMOVE, s.ScheduleRef(_id(call)))
    return {"ok": True, "removed": removed is not None}


async def run(call: Call) -> dict[str, Any]:
    """Fire a job besides its slots; `due` fires it only when a slot has come, `if-enabled` only when it is not paused.

    Raises:
        InstarError: `not_found`; what firing raises.
    """
    found = await _found(call, _id(call))
    if call.params.mode == "if-enabled" and found.is_paused:
        return {"ok": True, "ran": False, "reason": "disabled"}
    if call.params.mode == "due" and (not found.next_at or (millis(found.next_at) or 0) > now_ms()):
        return {"ok": True, "ran": False, "reason": "not-due"}
    slot: s.Slot = await invoke(call, s.RUN, s.ScheduleRef(found.id))
    told: dict[str, Any] = {"ok": True, "ran": slot.state is s.SlotState.FIRED}
    if call.generation is not Generation.V3 and slot.message_id:
        told |= {"enqueued": True, "runId": slot.message_id}
    return told | ({"reason": slot.reason} if slot.reason else {})


async def runs(call: Call) -> dict[str, Any]:
    """Say what became of a job's slots, newest first.

    Raises:
        InstarError: `bad_request` without a job; `not_available` for all jobs at once.
    """
    asked: c.CronRunsParams = call.params
    if asked.scope == "all":
        raise InstarError("not_available", "cron.runs: the history is kept by job; name one")
    found = await _found(call, _id(call))
    wanted = asked.limit + asked.offset
    slots: list[s.Slot] = []
    before, has_more = "", True
    while has_more and len(slots) < wanted:
        query = s.SlotQuery(found.id, min(wanted - len(slots), PAGE_MAX), before)
        page: s.SlotList = await invoke(call, s.HISTORY, query)
        slots += page.slots
        has_more = page.has_more and bool(page.slots)
        before = slots[-1].at if slots else ""
    statuses = asked.statuses or (None if asked.status == "all" else [asked.status])
    entries = [jobs.run_of(one, found) for one in slots if statuses is None or jobs.outcome(one) in statuses]
    entries = entries[asked.offset :]
    if asked.sort_dir == "asc":
        entries.reverse()
    if call.generation is Generation.V3:
        return {"entries": entries}
    return {"entries": entries, "offset": asked.offset, "limit": asked.limit, "hasMore": has_more}


HANDLERS: Mapping[str, Handler] = {
    "cron.list": list_jobs,
    "cron.get": get,
    "cron.status": status,
    "cron.runs": runs,
    "cron.add": add,
    "cron.update": update,
    "cron.remove": remove,
    "cron.run": run,
}
