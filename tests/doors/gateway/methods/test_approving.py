"""Rules, tools and what else is asked about execution over the gateway."""

from typing import Any

from tests.doors.gateway.serving import Serving

from .talking import READ, client, rpc


async def test_what_the_rules_say_of_a_command_of_somebody_elses(hub: Serving) -> None:
    async with client(hub) as one:
        asked = await one.ok("exec.approval.request", id="a1", command="some-program --now")
        assert (asked["id"], asked["decision"], asked["terminalReason"]) == ("a1", None, "no-route")
        rule = {"tool": "shell", "value": "some-program *", "action": "allow"}
        await hub.ask("POST", "/v1/approvals/rules", {"rule": rule})
        assert (await one.ok("exec.approval.request", command="some-program --now"))["decision"] == "allow-once"
        rule = {"tool": "shell", "value": "some-program *", "action": "deny"}
        await hub.ask("POST", "/v1/approvals/rules", {"rule": rule})
        assert (await one.ok("exec.approval.request", command="some-program --now"))["decision"] == "deny"
        assert await one.ok("exec.approval.list") == []
        assert await one.ok("plugin.approval.list") == []
        for method in ("exec.approval.get", "exec.approval.waitDecision", "approval.get"):
            error = await one.fails(method, id="apr_nothing")
            assert error["details"]["reason"] == "APPROVAL_NOT_FOUND"
        assert "command is required" in (await one.fails("exec.approval.request"))["message"]


async def test_rules_as_the_dialects_file(hub: Serving) -> None:
    rule = {"tool": "shell", "value": "some-program *", "action": "allow"}
    known = await hub.ask("POST", "/v1/approvals/rules", {"rule": rule})
    async with client(hub) as one:
        before = await one.ok("exec.approvals.get")
        listed = before["file"]["agents"]["*"]["allowlist"]
        assert (known["id"], "some-program *") in [(row["id"], row["pattern"]) for row in listed]
        file: Any = before["file"]
        stale = await one.fails("exec.approvals.set", file=file, baseHash="stale")
        assert "re-run exec.approvals.get" in stale["message"]
        added = {**file, "agents": {"*": {"allowlist": [*listed, {"pattern": "/usr/bin/rg"}]}}}
        error = await one.fails("exec.approvals.set", file=added, baseHash=before["hash"])
        assert error["details"]["code"] == "NOT_AVAILABLE"
        wider = {**file, "defaults": {"security": "full", "ask": "off"}}
        assert (await one.fails("exec.approvals.set", file=wider, baseHash=before["hash"]))["code"] == "UNAVAILABLE"
        left = {**file, "agents": {"*": {"allowlist": [row for row in listed if row["id"] != known["id"]]}}}
        after = await one.ok("exec.approvals.set", file=left, baseHash=before["hash"])
        assert known["id"] not in str(after)
    async with client(hub, *READ) as reader:
        assert (await reader.fails("exec.approvals.get"))["details"]["missingScope"] == "operator.admin"


async def test_tools_of_agents(hub: Serving) -> None:
    async with client(hub) as one:
        catalog = await one.ok("tools.catalog")
        names = [tool["id"] for group in catalog["groups"] for tool in group["tools"]]
        assert {"exec", "nodes_list", "read_file"} <= set(names)
        effective = await one.ok("tools.effective", sessionKey="main")
        assert (effective["agentId"], effective["profile"]) == ("guide", "full")
        used = await one.ok("tools.invoke", name="nodes_list")
        assert (used["ok"], used["toolName"]) == (True, "nodes_list")
        assert (await one.ok("tools.invoke", name="no_such_tool"))["ok"] is False
        assert "sessionKey" not in (await one.ok("tools.invoke", name="nodes_list", sessionKey="main"))


async def test_a_tool_without_the_right_to_ask_for_calls(hub: Serving) -> None:
    writer = await hub.key("observe", "write")
    async with client(hub, "operator.read", "operator.write", token=writer) as one:
        assert (await one.fails("tools.invoke", name="exec"))["details"]["missingScope"] == "execute"


async def test_what_no_node_offers(hub: Serving) -> None:
    async with client(hub) as one:
        error = await one.fails("browser.request", method="GET", path="/tabs")
        assert "0 connected nodes" in error["message"]
        assert "nodeId" in (await one.fails("fs.listDir"))["message"]
        assert "unknown nodeId" in (await one.fails("fs.listDir", nodeId="nothing"))["message"]
        assert "unknown nodeId" in (await one.fails("exec.approvals.node.get", nodeId="nothing"))["message"]
    assert (await rpc(hub, "exec.approval.request"))["payload"] == {"pending": []}
    for params in ({"requestId": "apr_x", "decision": "perhaps"}, {"requestId": "apr_x", "decision": "approved"}):
        assert not (await rpc(hub, "exec.approval.resolve", params))["ok"]
