from typing import Any

import pytest

from tests.doors.gateway.serving import Serving

from .talking import ALL, READ, client

EVERY = {"kind": "every", "everyMs": 600_000}
TEXT = {"kind": "systemEvent", "text": "Tea is ready"}
TURN = {"kind": "agentTurn", "message": "/help"}


def job(**changes: Any) -> dict[str, Any]:
    return {"name": "tea", "schedule": EVERY, "sessionTarget": "main", "payload": TEXT} | changes


@pytest.mark.parametrize("generation", ["v3", "v4"])
async def test_a_job_is_a_schedule(hub: Serving, generation: str) -> None:
    async with client(hub, *ALL, generation=generation) as one:
        made = await one.ok("cron.add", **job(description="at four"))
        assert made.keys() >= {"id", "agentId", "name", "enabled", "createdAtMs", "updatedAtMs", "schedule", "state"}
        assert (made["sessionTarget"], made["wakeMode"], made["payload"]) == ("main", "now", TEXT)
        assert made["schedule"]["everyMs"] == 600_000
        assert made["state"]["nextRunAtMs"] > made["createdAtMs"]
        stored = await hub.ask("GET", f"/v1/schedules/{made['id']}")
        assert (stored["room"], stored["text"]) == ("session:agent:guide:main", "Tea is ready")
        status = await one.ok("cron.status")
        assert (status["enabled"], status["jobs"]) == (True, 1)
        assert status["nextWakeAtMs"] == made["state"]["nextRunAtMs"]
        listed = await one.ok("cron.list", includeDisabled=False)
        assert [row["id"] for row in listed["jobs"]] == [made["id"]]
        ran = await one.ok("cron.run", id=made["id"])
        assert (ran["ok"], ran["ran"]) == (True, True)
        assert (await one.ok("cron.run", jobId=made["id"], mode="due"))["reason"] == "not-due"
        [entry] = (await one.ok("cron.runs", id=made["id"]))["entries"]
        assert (entry["jobId"], entry["action"], entry["status"]) == (made["id"], "finished", "ok")
        history = await one.ok("chat.history", sessionKey="main")
        assert history["messages"][0]["content"][0]["text"] == "Tea is ready"
        assert await one.ok("cron.remove", id=made["id"]) == {"ok": True, "removed": True}
        assert await one.ok("cron.remove", id=made["id"]) == {"ok": True, "removed": False}


async def test_an_isolated_job_has_a_session_of_its_own(hub: Serving) -> None:
    async with client(hub) as one:
        made = await one.ok("cron.add", **job(sessionTarget="isolated", payload=TURN, deleteAfterRun=True))
        assert (made["sessionTarget"], made["payload"]) == ("isolated", TURN)
        assert made["sessionKey"] == f"agent:guide:cron:{made['id']}"
        assert made["deleteAfterRun"] is True
        room = await one.ok(
            "cron.add", **job(sessionTarget="session:agent:guide:instar:channel:general", payload=TURN, name="all")
        )
        assert room["sessionTarget"] == "session:agent:guide:instar:channel:general"
        assert (await hub.ask("GET", f"/v1/schedules/{room['id']}"))["room"] == "room:general"


async def test_times_of_both_generations(hub: Serving) -> None:
    at_ms = 4_102_444_800_000
    async with client(hub, generation="v3") as one, client(hub) as two:
        made = await one.ok("cron.add", **job(schedule={"kind": "at", "atMs": at_ms}))
        assert made["schedule"] == {"kind": "at", "atMs": at_ms}
        shown = await two.ok("cron.get", id=made["id"])
        assert shown["schedule"] == {"kind": "at", "at": "2100-01-01T00:00:00Z"}
        naive = await two.ok("cron.add", **job(schedule={"kind": "at", "at": "2100-01-01T00:00:00"}))
        assert naive["state"]["nextRunAtMs"] == at_ms
        zoned = await two.ok("cron.add", **job(schedule={"kind": "cron", "expr": "0 9 * * 1-5", "tz": "Europe/Berlin"}))
        assert zoned["schedule"] == {"kind": "cron", "expr": "0 9 * * 1-5", "tz": "Europe/Berlin"}


async def test_changing_a_job(hub: Serving) -> None:
    hourly = {"kind": "cron", "expr": "0 * * * *"}
    async with client(hub) as one:
        made = await one.ok("cron.add", **job())
        changed = await one.ok("cron.update", id=made["id"], patch={"name": "coffee", "enabled": False})
        assert (changed["name"], changed["enabled"], changed["payload"]) == ("coffee", False, TEXT)
        assert "nextRunAtMs" not in changed["state"]
        assert (await one.ok("cron.list"))["jobs"] == []
        assert len((await one.ok("cron.list", includeDisabled=True))["jobs"]) == 1
        assert (await one.ok("cron.run", id=made["id"], mode="if-enabled"))["reason"] == "disabled"
        moved = await one.ok(
            "cron.update", id=made["id"], expectedConfigRevision=changed["configRevision"],
            patch={"sessionTarget": "isolated", "payload": TURN, "enabled": True, "schedule": hourly},
        )  # fmt: skip
        assert (moved["sessionTarget"], moved["payload"], moved["enabled"]) == ("isolated", TURN, True)
        assert moved["schedule"]["kind"] == "cron"
        error = await one.fails("cron.update", id=made["id"], patch={"name": "x"}, expectedConfigRevision="1")
        assert error["details"]["code"] == "CONFLICT"


async def test_pages_of_jobs(hub: Serving) -> None:
    async with client(hub) as one:
        for name in ("beta", "alpha", "gamma"):
            await one.ok("cron.add", **job(name=name))
        page = await one.ok("cron.list", limit=2, sortBy="name")
        assert [row["name"] for row in page["jobs"]] == ["alpha", "beta"]
        assert (page["total"], page["hasMore"], page["nextOffset"]) == (3, True, 2)
        rest = await one.ok("cron.list", limit=2, offset=2, sortBy="name")
        assert ([row["name"] for row in rest["jobs"]], rest["nextOffset"]) == (["gamma"], None)
        assert rest["snapshotRevision"] == page["snapshotRevision"]
        assert (await one.ok("cron.list", query="ALPH"))["total"] == 1
        assert (await one.ok("cron.list", scheduleKind="cron"))["total"] == 0
        assert (await one.ok("cron.list", sortBy="name", sortDir="desc"))["jobs"][0]["name"] == "gamma"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"payload": TURN}, 'main cron jobs require payload.kind="systemEvent"'),
        ({"sessionTarget": "isolated"}, 'require payload.kind="agentTurn"'),
        ({"sessionTarget": "moon", "payload": TURN}, "unknown cron sessionTarget"),
        ({"sessionTarget": "isolated", "payload": {"kind": "command", "argv": ["ls"]}}, "runs no command"),
        ({"schedule": {"kind": "on-exit", "command": "ls"}}, "due by time alone"),
        ({"schedule": {"kind": "at"}}, "needs a time"),
        ({"schedule": {"kind": "at", "at": "soon"}}, "no ISO 8601 time"),
        ({"schedule": {"kind": "cron", "expr": "not a cron"}}, "not a cron"),
        ({"schedule": {"kind": "cron", "expr": "0 9 * * *", "staggerMs": 5}}, "spread over time"),
        ({"schedule": {"kind": "every", "everyMs": 1}}, "seconds"),
        ({"delivery": {"mode": "webhook", "to": "https://example.org"}}, "announced nowhere else"),
        ({"trigger": {"script": "true"}}, "Instar has no trigger"),
        ({"sessionTarget": "isolated", "payload": TURN | {"model": "gpt"}}, "Instar has no payload.model"),
        ({"agentId": "nobody"}, "unknown agent id"),
        ({"id": "mine"}, "id"),
    ],
)  # fmt: skip
async def test_what_no_job_is(hub: Serving, changes: dict[str, Any], says: str) -> None:
    async with client(hub) as one:
        error = await one.fails("cron.add", **job(**changes))
        assert says in error["message"]
        assert (await one.ok("cron.status"))["jobs"] == 0


async def test_unknown_jobs_and_rights(hub: Serving) -> None:
    async with client(hub) as one:
        error = await one.fails("cron.get", id="sch_nothing")
        assert error["details"] | {"hint": ""} == {"code": "CRON_JOB_NOT_FOUND", "jobId": "sch_nothing", "hint": ""}
        assert "missing id" in (await one.fails("cron.run"))["message"]
        assert "by job" in (await one.fails("cron.runs", scope="all"))["message"]
    async with client(hub, *READ) as reader:
        assert (await reader.ok("cron.list"))["jobs"] == []
        assert (await reader.fails("cron.add", **job()))["details"]["missingScope"] == "operator.admin"
