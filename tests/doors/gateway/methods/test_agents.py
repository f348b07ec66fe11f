from tests.doors.gateway.serving import Serving

from .talking import READ, client


async def test_agents(hub: Serving) -> None:
    async with client(hub) as one:
        listed = await one.ok("agents.list")
        assert (listed["defaultId"], listed["mainKey"], listed["scope"]) == ("guide", "main", "per-sender")
        assert listed["agents"][0]["model"] == {"primary": "builtin/echo"}
        made = await one.ok("agents.create", name="Night Watch")
        assert (made["ok"], made["agentId"]) == (True, "night-watch")
        assert "model" not in (await one.ok("agents.list"))["agents"][1]
        assert await one.ok("agents.update", agentId="night-watch", name="Day Watch") == {
            "ok": True, "agentId": "night-watch",
        }  # fmt: skip
        assert (await one.ok("agent.identity.get", agentId="night-watch"))["name"] == "Day Watch"
        deleted = await one.ok("agents.delete", agentId="night-watch")
        assert (deleted["ok"], deleted["removedBindings"]) == (True, 0)
        assert [row["id"] for row in (await one.ok("agents.list"))["agents"]] == ["guide"]
        gone = await one.fails("agents.delete", agentId="night-watch")
        assert gone["details"]["code"] == "UNKNOWN_AGENT_ID"
        error = await one.fails("agents.create", name="x", workspace="/home/x")
        assert error["details"]["code"] == "NOT_AVAILABLE"
        assert "no files of its own" in (await one.fails("agents.files.list", agentId="guide"))["message"]
    async with client(hub, *READ) as reader:
        assert (await reader.fails("agents.create", name="y"))["details"]["missingScope"] == "operator.admin"
