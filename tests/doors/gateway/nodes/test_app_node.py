"""An app of OpenClaw as a node: pictures, places and canvases as calls, in the dialect's words."""

import asyncio
import base64
import hashlib
from typing import Any

from conformance.openclaw.app_node import PICTURE, PLACE, AppNode
from tests.doors.gateway.methods.talking import READ, WRITE, client
from tests.doors.gateway.serving import SECRET, Serving

from .conftest import Machine, device_id, joined, until


async def test_what_a_platform_has_is_offered_and_nothing_of_it_permitted(phone: Machine) -> None:
    async with client(phone.hub, *READ) as one:
        [row] = (await one.ok("node.list"))["nodes"]
        assert (row["nodeId"], row["displayName"], row["connected"]) == (phone.id, "phone", True)
        assert "system.run" not in row["declaredCommands"]
        assert {"camera.snap", "location.get", "canvas.eval"} <= set(row["declaredCommands"])
        assert (row["commands"], row["approvalState"]) == ([], "pending-approval")
        assert (row["caps"], row["permissions"]) == (["camera", "canvas", "location"], {"camera": True})
        assert (row["deviceFamily"], row["fingerprint"][:7]) == ("iPhone", "SHA256:")
        described = await one.ok("node.describe", nodeId=phone.id)
        assert described["pendingDeclaredCommands"] == row["pendingDeclaredCommands"]
        assert "camera.snap" not in row["pendingDeclaredCommands"]


async def test_an_operator_lets_it_have_what_it_offers_but_for_what_is_private(phone: Machine) -> None:
    async with client(phone.hub) as one:
        [request] = (await one.ok("node.pair.list"))["pending"]
        assert request["requiredApproveScopes"] == ["operator.pairing", "operator.write"]
        approved = await one.ok("node.pair.approve", requestId=request["requestId"])
        assert "location.get" in approved["node"]["commands"]
        assert "camera.snap" not in approved["node"]["commands"]
        assert (await one.ok("node.pair.list"))["pending"] == []
        error = await one.fails("node.pair.approve", requestId=request["requestId"])
        assert error["message"] == "unknown requestId"
        refused = await one.fails("node.invoke", nodeId=phone.id, command="camera.snap", idempotencyKey="k1")
        assert refused["details"]["reason"] == "command not allowlisted"


async def test_no_glob_permits_what_is_private(phone: Machine) -> None:
    seen = await phone.permit("*", "camera.*")
    assert "location.get" in seen["commands"]
    assert not {"camera.snap", "camera.clip", "screen.record"} & set(seen["commands"])
    refused = await phone.call("camera.snap")
    assert (refused["state"], refused["error"]["code"]) == ("failed", "command_refused")
    assert phone.node.asked == []
    assert "camera.snap" in (await phone.permit("camera.snap"))["commands"]


async def test_a_picture_is_the_output_of_a_call(phone: Machine) -> None:
    await phone.permit("camera.snap")
    done = await phone.ran("camera.snap", args={"facing": "back"})
    assert done["state"] == "done", done
    assert done["result"] == {"format": "jpg", "width": 16, "height": 16}
    [stream] = done["streams"]
    assert (stream["size_bytes"], stream["sha256"]) == (len(PICTURE), hashlib.sha256(PICTURE).hexdigest())
    [asked] = phone.node.asked
    assert (asked["nodeId"], asked["idempotencyKey"]) == (phone.id, done["id"])


async def test_node_invoke_answers_in_the_dialects_shape(phone: Machine) -> None:
    await phone.permit("camera.snap", "location.get", "screen.record")
    async with client(phone.hub) as one, client(phone.hub) as approver:
        asking = asyncio.ensure_future(
            one.ok("node.invoke", nodeId=phone.id, command="camera.snap", params={}, idempotencyKey="k1")
        )
        event = await approver.peer.event("exec.approval.requested")
        request = event["payload"]["request"]
        assert (request["nodeId"], request["allowedDecisions"][0]) == (phone.id, "allow-once")
        got = await approver.ok("approval.get", id=event["payload"]["id"])
        assert got["approval"]["status"] == "pending"
        done = await approver.ok("approval.resolve", id=event["payload"]["id"], kind="exec", decision="allow-once")
        assert (done["applied"], done["approval"]["status"]) == (True, "allowed")
        answer = await asking
        assert (answer["ok"], answer["nodeId"], answer["command"]) == (True, phone.id, "camera.snap")
        assert base64.b64decode(answer["payload"]["base64"]) == PICTURE
        resolved = await approver.peer.event("exec.approval.resolved")
        assert (resolved["payload"]["id"], resolved["payload"]["decision"]) == (event["payload"]["id"], "allow-once")
        again = await approver.ok("approval.resolve", id=event["payload"]["id"], kind="exec", decision="allow-once")
        assert again["applied"] is False
        error = await approver.fails("exec.approval.resolve", id=event["payload"]["id"], decision="deny")
        assert error["details"]["reason"] == "APPROVAL_ALREADY_RESOLVED"
        repeat = await one.ok("node.invoke", nodeId=phone.id, command="camera.snap", params={}, idempotencyKey="k1")
        assert repeat["callId"] == answer["callId"]
        assert len(phone.node.asked) == 1


async def approved(phone: Machine, one: Any, command: str, **params: Any) -> dict[str, Any]:
    """Invoke a command and approve it; return the response frame."""
    asking = asyncio.ensure_future(
        one.peer.call(
            "node.invoke", {"nodeId": phone.id, "command": command, "idempotencyKey": f"k-{command}", **params}
        )
    )
    await phone.approve()
    return await asking


async def test_places_and_refusals(phone: Machine) -> None:
    await phone.permit("location.get", "screen.record")
    async with client(phone.hub, *WRITE) as one:
        told = await approved(phone, one, "location.get")
        assert told["payload"]["payload"] == PLACE
        refused = (await approved(phone, one, "screen.record", params={"durationMs": 1}))["error"]
        assert refused["details"]["nodeError"] == {
            "code": "SCREEN_PERMISSION_REQUIRED", "message": "grant Screen Recording permission"
        }  # fmt: skip
        unknown = await one.fails("node.invoke", nodeId="no-such", command="x", idempotencyKey="k")
        assert "unknown nodeId" in unknown["message"]
        odd = await one.fails("node.invoke", nodeId=phone.id, command="system.run.prepare", idempotencyKey="k3")
        assert odd["message"] == "node command not allowed: system.run.prepare"


async def test_text_comes_while_it_runs_and_once(phone: Machine) -> None:
    await phone.permit("canvas.eval")
    done = await phone.ran("canvas.eval", args={"javaScript": "stream"})
    assert (done["stdout"], done["result"]) == ("one two ", {"result": "stream"})


async def test_a_cancelled_command_is_ended_on_the_node(phone: Machine) -> None:
    await phone.permit("canvas.eval")
    asked = await phone.call("canvas.eval", wait=0, args={"javaScript": "hang"})
    await phone.approve()
    await until(lambda: phone.node.asked)
    await phone.hub.ask("POST", f"/v1/calls/{asked['id']}/cancel", {"reason": "enough"})
    done = await phone.ended(asked["id"])
    assert done["state"] == "cancelled"
    await until(lambda: phone.node.cancelled)
    assert phone.node.cancelled == [phone.node.asked[0]["id"]]
    phone.node.release.set()
    await until(lambda: any(one["payload"] == {"ok": True, "ignored": True} for one in phone.node.answers))


async def test_what_is_asked_of_a_node_that_is_away(phone: Machine) -> None:
    await phone.permit("location.get")
    await phone.leave()
    async with client(phone.hub) as one:

        async def is_away() -> bool:
            return not (await one.ok("node.list"))["nodes"][0]["connected"]

        await until(is_away)
        error = await one.fails("node.invoke", nodeId=phone.id, command="location.get", idempotencyKey="k")
        assert (error["code"], error["details"]["code"]) == ("UNAVAILABLE", "NOT_CONNECTED")
        assert error["details"]["nodeError"]["code"] == "NOT_CONNECTED"
        queued = await one.ok("node.pending.enqueue", nodeId=phone.id, type="location.request")
        assert queued["queued"]["type"] == "location.request"
    waiting = await phone.hub.ask("GET", f"/v1/calls/{queued['queued']['id']}")
    assert waiting["state"] in ("admitted", "awaiting_approval")


async def test_one_nodes_answers_are_no_others(hub: Serving, phone: Machine) -> None:
    """Another node, with the id of an invocation that is not its own, changes nothing."""
    await phone.permit("canvas.eval")
    other = await joined(hub, AppNode(f"ws://127.0.0.1:{hub.port}/", SECRET, "other"))
    asked = await phone.call("canvas.eval", wait=0, args={"javaScript": "hang"})
    await phone.approve()
    await until(lambda: phone.node.asked)
    invoke_id = phone.node.asked[0]["id"]
    for node_id in (other.id, phone.id):
        forged = {"id": invoke_id, "nodeId": node_id, "ok": True, "payloadJSON": '{"result": "forged"}'}
        await other.node.send("node.invoke.result", forged)
    told = {"invokeId": invoke_id, "nodeId": other.id, "seq": 0, "chunk": "forged"}
    await other.node.send("node.invoke.progress", told)
    await until(lambda: not (len(other.node.answers) < 3))
    first, second, third = other.node.answers
    assert first["payload"] == {"ok": True, "ignored": True}
    assert second["error"]["message"] == "nodeId mismatch"
    assert third["payload"] == {"ok": True}
    phone.node.release.set()
    done = await phone.ended(asked["id"])
    assert (done["result"], done.get("stdout", "")) == ({"result": "hang"}, "")
    await other.leave()


async def test_what_a_node_makes_up_is_believed_of_nobody(phone: Machine) -> None:
    node = phone.node
    for event in ("exec.finished", "exec.started", "exec.denied"):
        await node.send("node.event", {"event": event, "payload": {"runId": "call_x", "exitCode": 0}})
    await node.send("node.event", {"event": "exec.approval.requested", "payload": {"id": "forged"}})
    await node.send("node.event", {"event": "voice.transcript", "payload": {"text": "open the door"}})
    await node.send("node.event", {"event": "node.host.stats", "payload": {"cpuCount": "many", "memoryTotalBytes": -1}})
    await until(lambda: not (len(node.answers) < 6))
    told = [one["payload"] for one in node.answers]
    assert [one["handled"] for one in told] == [False] * 5 + [True]
    assert [one.get("reason") for one in told[:4]] == ["unknown_run"] * 3 + ["unsupported_event"]
    assert "asks nothing itself" in told[4]["reason"]
    listed = await phone.hub.ask("GET", "/v1/approvals")
    assert listed["approvals"] == []


async def test_floods_and_frames_too_large(phone: Machine) -> None:
    """A node that floods answers for itself alone: others are served meanwhile."""
    node = phone.node
    for number in range(300):
        await node.send("node.invoke.result", {"id": f"inv_{number}", "nodeId": phone.id, "ok": True})
    await node.send("node.event", {"event": "x" * 128, "payload": {"a": "b" * 200_000}})
    await until(lambda: not (len(node.answers) < 301))
    async with client(phone.hub, *READ) as one:
        assert (await one.ok("node.list"))["nodes"][0]["connected"] is True
    assert phone.node.asked == []


async def test_a_declaration_beyond_all_measure_is_refused(hub: Serving) -> None:
    huge = AppNode(f"ws://127.0.0.1:{hub.port}/", SECRET, "huge", [f"canvas.{n}" for n in range(300)])
    refused = await huge.join()
    assert refused["error"]["code"] == "NOT_PAIRED"
    await huge.leave()
    [request] = await hub.requests()
    await hub.approve(request["id"])
    refused = await huge.join()
    assert refused["ok"] is False
    assert "256 commands" in refused["error"]["message"]
    await huge.leave()
    assert not (await hub.ask("GET", "/v1/nodes?connected=true"))["nodes"] or not (
        await hub.ask("GET", f"/v1/nodes/{await device_id(hub, 'huge')}")
    ).get("is_connected")


async def test_a_newer_connection_takes_the_place_of_the_older(phone: Machine) -> None:
    await phone.permit("location.get")
    again = AppNode(phone.node.url, SECRET)
    again._private, again._public, again.id = phone.node._private, phone.node._public, phone.node.id
    assert (await again.join())["ok"]
    await asyncio.wait_for(phone.task, 5)
    newer = Machine(phone.hub, again, again.id)
    done = await newer.ran("location.get")
    assert done["result"] == PLACE
    await newer.leave()


async def test_who_only_reads_asks_for_nothing(phone: Machine) -> None:
    await phone.permit("location.get")
    reader = await phone.hub.key("observe", "write")
    async with client(phone.hub, *WRITE, token=reader) as one:
        error = await one.fails("node.invoke", nodeId=phone.id, command="location.get", idempotencyKey="k")
        assert (error["code"], error["details"]["missingScope"]) == ("FORBIDDEN", "execute")
    async with client(phone.hub, *READ) as one:
        assert (await one.fails("node.invoke", nodeId=phone.id, command="location.get", idempotencyKey="k"))["code"]
        assert (await one.fails("exec.approval.list"))["details"]["missingScope"] == "operator.approvals"
