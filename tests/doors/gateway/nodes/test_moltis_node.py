"""A stock Moltis node carries calls out: really, one after the other, and only what the gate let through."""

import asyncio
from typing import Any

import pytest

from instar.wire.limits import GATEWAY_V3_FRAME_MAX_BYTES
from tests.doors.gateway.methods.talking import client, rpc

from .conftest import Machine, until


async def test_pairing_alone_gives_no_execution(moltis: Machine) -> None:
    seen = await moltis.seen()
    assert seen["declared"] == ["exec", "shell", "which"]
    assert (seen.get("commands", []), seen["dialect"], seen["is_connected"]) == ([], "moltis", True)
    refused = await moltis.call("shell", args={"command": "id"})
    assert (refused["state"], refused["error"]["code"]) == ("failed", "command_refused")
    assert moltis.node.asked == [] or all(one["command"] == "system.providers" for one in moltis.node.asked)


async def test_a_command_really_runs_once_somebody_said_so(moltis: Machine, tmp_path: Any) -> None:
    await moltis.permit("exec", "shell")
    asked = await moltis.call("shell", wait=0, args={"command": "echo out; echo err >&2; exit 3"}, cwd=str(tmp_path))
    waiting = await moltis.pending()
    assert waiting["command"].find("echo out") >= 0
    assert len(waiting["unbound"]) == 3
    assert waiting.get("rules", []) == []
    assert not any(one["command"] == "system.run" for one in moltis.node.asked)
    body = {"digest": waiting["digest"]}
    await moltis.hub.ask("POST", f"/v1/approvals/{waiting['id']}/approve", body)
    done = await moltis.ended(asked["id"])
    assert (done["state"], done["exit_status"], done["stdout"], done["stderr"]) == ("done", 3, "out\n", "err\n")
    [ran] = [one for one in moltis.node.asked if one["command"] == "system.run"]
    assert (ran["args"]["cwd"], ran["args"]["timeout"]) == (str(tmp_path), 300_000)


async def test_arguments_are_not_read_by_the_shell(moltis: Machine) -> None:
    await moltis.permit("exec")
    done = await moltis.ran("exec", args={"argv": ["printf", "%s|", "a b", "$(id)", "'x'"]})
    assert done["stdout"] == "a b|$(id)|'x'|"


async def test_an_approval_of_it_becomes_no_rule(moltis: Machine) -> None:
    await moltis.permit("shell")
    await moltis.call("shell", wait=0, args={"command": "true"})
    await moltis.pending()
    async with client(moltis.hub) as one:
        [row] = await one.ok("exec.approval.list")
        assert row["request"]["allowedDecisions"] == ["allow-once", "deny"]
        error = await one.fails("exec.approval.resolve", id=row["id"], decision="allow-always")
        assert error["details"]["code"] == "APPROVAL_ALLOW_ALWAYS_UNAVAILABLE"
        assert await one.ok("exec.approval.resolve", id=row["id"], decision="deny") == {"ok": True}


async def test_providers_and_telemetry_of_this_node_alone(moltis: Machine) -> None:
    measured = {"nodeId": "somebody-else", "mem": {"total": 8, "available": 3}, "cpuCount": 4, "cpuUsage": 1.5}

    async def has_told() -> bool:
        return bool((await moltis.seen()).get("telemetry", {}).get("providers"))

    await until(has_told)
    assert (await moltis.seen())["telemetry"]["providers"] == [{"name": "ollama", "models": ["llama3"]}]
    await moltis.node._send("node.event", {"event": "node.telemetry", "payload": measured})
    rows = (await rpc(moltis.hub, "node.list"))["payload"]
    [row] = [one for one in rows if one["nodeId"] == "node-a"]
    assert row["providers"] == [{"provider": "ollama", "models": ["llama3"]}]
    assert "somebody-else" not in str(rows)


async def test_two_calls_take_turns(moltis: Machine) -> None:
    await moltis.permit("shell")
    first = await moltis.call("shell", wait=0, args={"command": "echo one"})
    await moltis.approve()
    second = await moltis.call("shell", wait=0, args={"command": "echo two"})
    await moltis.approve()
    assert [(await moltis.ended(one["id"]))["stdout"] for one in (first, second)] == ["one\n", "two\n"]


async def test_where_programs_are(moltis: Machine) -> None:
    await moltis.permit("which")
    asked = await moltis.call("which", args={"names": ["sh", "no-such-program"]})
    paths = (await moltis.ended(asked["id"]))["result"]["paths"]
    assert paths["sh"].endswith("/sh")
    assert paths["no-such-program"] == ""


async def test_what_its_dialect_cannot_do_is_said_before_anybody_is_asked(moltis: Machine) -> None:
    await moltis.permit("*")
    for more in ({"has_input": True}, {"terminal": {}}, {"is_background": True}, {"sandbox": "strict"}):
        refused = await moltis.call("shell", args={"command": "id"}, **more)
        assert refused["state"] == "failed", more
        assert refused["error"]["code"] in ("not_available", "sandbox_unavailable"), refused["error"]


async def test_an_answer_larger_than_its_frames_fails_at_once(moltis: Machine) -> None:
    await moltis.permit("shell")
    size = GATEWAY_V3_FRAME_MAX_BYTES
    done = await moltis.ran("shell", args={"command": f"head -c {size} /dev/zero | tr '\\0' x"})
    assert (done["state"], done["error"]["code"]) == ("failed", "bad_gateway")
    assert "PAYLOAD_TOO_LARGE" in done["error"]["message"]
    assert (await moltis.ran("shell", args={"command": "echo on"}))["stdout"] == "on\n"


async def test_node_invoke_in_its_own_shape(moltis: Machine) -> None:
    await moltis.permit("shell", "which")
    params = {"nodeId": "node-a", "command": "system.run", "args": {"command": "echo hi"}}
    asking = asyncio.ensure_future(rpc(moltis.hub, "node.invoke", params))
    await moltis.pending()
    listed = (await rpc(moltis.hub, "exec.approval.request"))["payload"]["pending"]
    assert listed[0]["command"] == "echo hi"
    resolved = {"requestId": listed[0]["requestId"], "decision": "approved"}
    assert (await rpc(moltis.hub, "exec.approval.resolve", resolved))["payload"] == {"ok": True}
    assert (await asking)["payload"] == {"stdout": "hi\n", "stderr": "", "exitCode": 0}
    missing = await rpc(moltis.hub, "node.invoke", {"nodeId": "node-b", "command": "system.run"})
    assert missing["error"]["message"] == "node not found"
    refused = await rpc(moltis.hub, "node.invoke", {"nodeId": "node-a", "command": "camera.snap"})
    assert refused["error"]["details"]["reason"] == "command not declared by node"


async def test_who_waits_for_an_approval_is_told_so(moltis: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.doors.gateway.methods.invoking.GATEWAY_INVOKE_S", 0.2)
    await moltis.permit("shell")
    params = {"nodeId": "node-a", "command": "system.run", "args": {"command": "echo hi"}}
    error = (await rpc(moltis.hub, "node.invoke", params))["error"]
    assert error["code"] == "AGENT_TIMEOUT"
    assert error["details"]["code"] == "APPROVAL_PENDING"
    assert error["details"]["approvalId"] == (await moltis.pending())["id"]


async def test_a_session_is_routed_to_it(moltis: Machine) -> None:
    await moltis.permit("shell")
    chosen = await rpc(moltis.hub, "nodes.set_session", {"session_key": "main", "node_id": "node-a"})
    assert chosen["payload"] == {"ok": True, "node_id": "node-a"}
    route = await moltis.hub.ask("GET", "/v1/calls/route?room=session:agent:guide:main")
    assert (route["target_id"], route["by"]) == (moltis.id, "room")
    unset = await rpc(moltis.hub, "nodes.set_session", {"session_key": "main", "node_id": None})
    assert unset["payload"] == {"ok": True, "node_id": None}


async def test_a_node_that_goes_away_loses_its_call_at_once(moltis: Machine) -> None:
    await moltis.permit("shell")
    asked = await moltis.call("shell", wait=0, args={"command": "exec sleep 30"})
    await moltis.approve()
    await until(lambda: any(one["command"] == "system.run" for one in moltis.node.asked))
    await moltis.node.leave()
    done = await moltis.ended(asked["id"])
    assert done["state"] == "lost"
    moltis.task.cancel()
