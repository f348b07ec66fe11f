import base64
import hashlib

import pytest

from tests.doors.gateway.serving import Serving

from .talking import READ, WRITE, client, rpc

HEALTH = {
    "ok", "ts", "durationMs", "channels", "channelOrder", "channelLabels", "heartbeatSeconds", "defaultAgentId",
    "agents", "sessions",
}  # fmt: skip


async def test_health_is_the_same_for_a_minute_unless_it_is_probed(hub: Serving) -> None:
    async with client(hub, *READ) as one:
        first = await one.ok("health")
        assert first.keys() >= HEALTH
        assert (first["ok"], first["defaultAgentId"]) == (True, "guide")
        assert [agent["agentId"] for agent in first["agents"]] == ["guide"]
        assert first["agents"][0]["heartbeat"].keys() >= {"enabled", "every", "everyMs", "prompt", "target"}
        assert (await one.ok("health", whatever="is ignored"))["ts"] == first["ts"]
        assert (await one.ok("health", probe=True))["ts"] > first["ts"]


async def test_what_is_kept_of_health_is_nobody_elses(hub: Serving) -> None:
    async with client(hub, *WRITE) as one:
        await one.ok("chat.send", sessionKey="agent:guide:private", message="hello", idempotencyKey="k1")
        assert (await one.ok("health", probe=True))["sessions"]["count"] == 1
    elsewhere = await hub.key("observe", rooms=["general"])
    async with client(hub, *READ, token=elsewhere) as other:
        assert (await other.ok("health"))["sessions"]["count"] == 0
    blind = await hub.key("write")
    async with client(hub, *WRITE, token=blind) as other:
        assert (await other.fails("health"))["details"]["missingScope"] == "operator.read"


@pytest.mark.parametrize("generation", ["v3", "v4"])
async def test_status(hub: Serving, generation: str) -> None:
    async with client(hub, generation=generation) as one:
        status = await one.ok("status", includeChannelSummary=False)
        assert status["heartbeat"]["agents"][0]["agentId"] == "guide"
        assert status["channelSummary"] == []
        assert status["queuedSystemEvents"] == []
        assert status["sessions"].keys() >= {"paths", "count", "defaults", "recent", "byAgent"}
        assert status["pid"] > 0


async def test_presence_and_notes(hub: Serving) -> None:
    async with client(hub) as one:
        rows = await one.ok("system-presence")
        assert rows[0]["reason"] == "self"
        assert all("ts" in row for row in rows)
        assert await one.ok("system-event", text="Node: mill (10.0.0.7)", instanceId="mill-1", host="mill") == {
            "ok": True
        }
        assert "mill" in [row.get("host") for row in await one.ok("system-presence")]
    async with client(hub, *READ) as reader:
        assert (await reader.fails("system-event", text="x"))["code"] == "FORBIDDEN"


async def test_heartbeats_are_schedules_of_that_name(hub: Serving) -> None:
    async with client(hub) as one:
        assert await one.ok("last-heartbeat") is None
        assert "no heartbeat" in (await one.fails("set-heartbeats", enabled=True))["message"]
        job = await one.ok(
            "cron.add", id="sch_heartbeat-guide", name="heartbeat", schedule={"kind": "every", "everyMs": 1_800_000},
            sessionTarget="main", payload={"kind": "systemEvent", "text": "Anything new?"},
        )  # fmt: skip
        health = await one.ok("health", probe=True)
        assert health["heartbeatSeconds"] == 1800
        assert health["agents"][0]["heartbeat"]["prompt"] == "Anything new?"
        assert (await one.ok("set-heartbeats", enabled=False))["jobs"] == [job["id"]]
        assert (await one.ok("cron.get", id=job["id"]))["enabled"] is False
        await one.ok("set-heartbeats", enabled=True)
        await one.ok("cron.run", id=job["id"])
        last = await one.ok("last-heartbeat")
        assert (last["status"], last["preview"]) == ("sent", "Anything new?")


async def test_wake_speaks_at_once_or_says_that_it_cannot_wait(hub: Serving) -> None:
    async with client(hub, *WRITE) as one:
        assert (await one.ok("wake", mode="now", text="good morning"))["ok"] is True
        assert (await one.fails("wake", mode="next-heartbeat", text="later"))["details"]["code"] == "NOT_AVAILABLE"
        history = await one.ok("chat.history", sessionKey="main")
        assert history["messages"][0]["content"][0]["text"] == "good morning"


async def test_identity_and_log(hub: Serving) -> None:
    async with client(hub) as one:
        identity = await one.ok("gateway.identity.get")
        key = base64.urlsafe_b64decode(identity["publicKey"] + "=")
        assert hashlib.sha256(key).hexdigest() == identity["deviceId"]
        assert "=" not in identity["publicKey"]
        tail = await one.ok("logs.tail", limit=5)
        assert len(tail["lines"]) <= 5
        assert tail["cursor"] == tail["size"]
    async with client(hub, *READ) as reader:
        assert (await reader.fails("logs.tail"))["message"] == "missing scope: operator.admin"


async def test_moltis_counts_nodes_and_tells_clients_apart(hub: Serving) -> None:
    status = (await rpc(hub, "status"))["payload"]
    assert (status["nodes"], status["hasMobileNode"]) == (0, False)
    presence = (await rpc(hub, "system-presence"))["payload"]
    assert presence["nodes"] == []
    assert presence["clients"][0]["reason"] == "self"
