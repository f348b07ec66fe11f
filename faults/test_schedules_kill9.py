"""R-17: `kill -9` inside fire windows. Every slot that was due is exactly one of fired and missed; none is done twice.

The checker knows nothing of the hub's code: it counts seconds by hand and reads the log over HTTP.
"""

import asyncio
import os
import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from faults.hub import ROOM, Http, Hub, make_room

IS_LONG = bool(os.environ.get("INSTAR_FAULTS_LONG"))
KILLS = 100 if IS_LONG else 7
EACH_SECOND = 200 if IS_LONG else 60
SELDOM = 800 if IS_LONG else 20
SELDOM_S = 20
"""The others are due every so many seconds, spread over them."""
WINDOW_S = 0.2
"""Slots are due at whole seconds; the kill comes within this time of one."""
AWAY_S = 1.5
"""A hub that is not started again at once passes slots that nobody was there for."""
ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
POLICIES = ("skip", "once", "all")


def timing(number: int) -> dict[str, Any]:
    if number < EACH_SECOND:
        return {"kind": "every", "seconds": 1, "anchor": ANCHOR.isoformat()}
    begin = ANCHOR + timedelta(seconds=number % SELDOM_S)
    return {"kind": "every", "seconds": SELDOM_S, "anchor": begin.isoformat()}


async def make_schedules(hub: Hub) -> list[dict[str, Any]]:
    http, made = Http(hub), []
    for number in range(EACH_SECOND + SELDOM):
        policy = POLICIES[number % len(POLICIES)]
        body = {"name": f"s{number}", "timing": timing(number), "room": f"room:{ROOM}", "text": "t", "catch_up": policy}
        status, schedule = await http.ask("POST", "/v1/schedules", body)
        assert status == 201, schedule
        made.append(schedule)
    http.close()
    return made


async def rest(hub: Hub, schedules: list[dict[str, Any]]) -> dict[str, str]:
    """Pause every schedule; return until when each has run."""
    http, until = Http(hub), {}
    for schedule in schedules:
        status, paused = await http.ask("POST", f"/v1/schedules/{schedule['id']}/pause", {})
        assert status == 200, paused
        until[schedule["id"]] = paused["updated_at"]
    http.close()
    return until


async def whole_log(hub: Hub) -> list[dict[str, Any]]:
    http, events = Http(hub), []
    cursor, has_more = "0", True
    while has_more:
        status, page = await http.ask("GET", f"/v1/events?after={cursor}&limit=500")
        assert status == 200, page
        events.extend(page["events"])
        cursor, has_more = page["cursor"], page["has_more"]
    http.close()
    return events


def due_slots(schedule: dict[str, Any], until: str) -> list[str]:
    """Every moment at which the schedule was due, counted from its anchor."""
    step = timedelta(seconds=schedule["timing"]["seconds"])
    begin, end = datetime.fromisoformat(schedule["created_at"]), datetime.fromisoformat(until)
    at = datetime.fromisoformat(schedule["timing"]["anchor"])
    at += ((begin - at) // step + 1) * step
    found: list[str] = []
    while at <= end:
        found.append(at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        at += step
    return found


async def kill_in_a_window(hub: Hub, chance: random.Random) -> None:
    into_s = chance.uniform(-0.02, WINDOW_S)
    now = time.time()
    await asyncio.sleep(max(0.0, int(now) + 1 - now + into_s))  # the moment of the fault, not a wait for luck
    await hub.kill()
    await asyncio.sleep(chance.choice((0.0, 0.0, AWAY_S)))  # how long it is away
    await hub.start()


@pytest.mark.timeout(KILLS * 10 + 120)
async def test_every_slot_ends_once_across_kills(tmp_path: Path, seed: int) -> None:
    print(f"{KILLS} kills")
    chance = random.Random(seed)
    hub = Hub(tmp_path / "hub")
    await hub.start()
    await make_room(hub)
    schedules = await make_schedules(hub)
    for _ in range(KILLS):
        await kill_in_a_window(hub, chance)
    until = await rest(hub, schedules)
    events = await whole_log(hub)
    await hub.stop()
    assert "Traceback" not in hub.log()
    check(schedules, until, events)


def check(schedules: list[dict[str, Any]], until: dict[str, str], events: list[dict[str, Any]]) -> None:
    fired = Counter((e["slot"]["schedule_id"], e["slot"]["at"]) for e in events if e["type"] == "schedule.fired")
    missed = Counter((e["slot"]["schedule_id"], e["slot"]["at"]) for e in events if e["type"] == "schedule.missed")
    said = Counter(e["message"]["id"] for e in events if e["type"] == "message.created")
    told = Counter(e["slot"]["message_id"] for e in events if e["type"] == "schedule.fired")
    due = {(each["id"], at) for each in schedules for at in due_slots(each, until[each["id"]])}
    ended = fired + missed
    assert [slot for slot, times in ended.items() if times > 1] == [], "a slot ended twice"
    assert due - ended.keys() == set(), "a slot never ended"
    assert ended.keys() - due == set(), "a slot ended that was never due"
    assert said == told, "a message without its slot, a slot without its message, or one said twice"
    assert set(said.values()) == {1}
    left = {e["slot"]["reason"] for e in events if e["type"] == "schedule.missed" and policy_of(schedules, e) == "all"}
    assert left <= {"the schedule was paused"}, "a schedule that catches all up missed one"
    assert fired
    assert missed
    print(f"{len(due)} slots due: {len(fired)} fired, {len(missed)} missed, 0 twice, 0 lost, over {KILLS} kills")


def policy_of(schedules: list[dict[str, Any]], event: dict[str, Any]) -> str:
    by_id = {schedule["id"]: schedule.get("catch_up", "once") for schedule in schedules}
    return by_id[event["slot"]["schedule_id"]]
