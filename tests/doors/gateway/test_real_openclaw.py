"""The real `openclaw` command, of the generation that `conformance/openclaw` locks, against a hub in a process."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conformance.openclaw.cli import COMMAND, OpenClaw, Ran
from tests.doors.network.running import RunningHub

SECRET = "shared-secret-of-this-hub-0123456789"
GREETING = "I am `guide`, the built-in agent of this hub"
READING = {
    "health": ("gateway", "health"),
    "call-status": ("gateway", "call", "status"),
    "call-health": ("gateway", "call", "health"),
    "call-unknown": ("gateway", "call", "no.such.method"),
    "call-missing": ("gateway", "call", "terminal.open"),
    "devices": ("devices", "list"),
    "nodes": ("nodes", "status"),
    "pending": ("nodes", "pending"),
    "logs": ("logs", "--limit", "5"),
    "agent": ("agent", "--message", "hello", "--session-key", "main"),
    "agent-json": ("agent", "--message", "/help", "--session-key", "agent:guide:conformance", "--json"),
    "agent-unknown": ("agent", "--message", "hello", "--session-key", "agent:nobody:main"),
    "cron-add": ("cron", "add", "--name", "tea", "--every", "10m", "--system-event", "Tea is ready", "--json"),
}  # fmt: skip

pytestmark = [
    pytest.mark.skipif(not COMMAND.is_file(), reason="run scripts/install_openclaw.py"),
    pytest.mark.timeout(240),
    pytest.mark.xdist_group("openclaw"),
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    folder = tmp_path_factory.mktemp("gateway")
    settings = folder / "instar.yaml"
    settings.write_text(f"auth:\n  token: {SECRET}\n")
    settings.chmod(0o600)
    hub = RunningHub(folder / "data", "bearer", "--config", str(settings))
    yield hub
    hub.stop()


def socket_of(hub: RunningHub) -> str:
    return hub.url.replace("http://", "ws://")


@pytest.fixture(scope="module")
def openclaw(hub: RunningHub, tmp_path_factory: pytest.TempPathFactory) -> OpenClaw:
    """The command as a user has it who was given the shared secret."""
    return OpenClaw(socket_of(hub), SECRET, tmp_path_factory.mktemp("homes"))


@pytest.fixture(scope="module")
def said(openclaw: OpenClaw) -> dict[str, Ran]:
    """What each command says to a hub on which nothing has happened yet."""
    # These two look for a gateway of their own on this machine, unless they are told of another on the command line.
    told = ("--json", "--url", openclaw.url, "--token", openclaw.token)
    return openclaw.run_all(READING | {"status": ("gateway", "status", *told), "probe": ("gateway", "probe", *told)})


def test_gateway_health(said: dict[str, Ran]) -> None:
    assert said["health"].code == 0, said["health"]
    assert "OK" in said["health"].out


def test_gateway_call_status(said: dict[str, Ran]) -> None:
    assert said["call-status"].code == 0, said["call-status"]
    status = said["call-status"].json()
    assert status["heartbeat"]["defaultAgentId"] == "guide"
    assert status["sessions"]["defaults"]["model"] == "builtin/echo"


def test_gateway_call_health(said: dict[str, Ran]) -> None:
    health = said["call-health"].json()
    assert health["ok"] is True
    assert [one["agentId"] for one in health["agents"]] == ["guide"]


def test_gateway_call_of_what_there_is_not(said: dict[str, Ran]) -> None:
    assert said["call-unknown"].code != 0
    assert "unknown method: no.such.method" in said["call-unknown"].err  # the command asks for admin, which may know
    assert said["call-missing"].code != 0
    assert "terminal.open is not available yet" in said["call-missing"].err


def test_gateway_status(said: dict[str, Ran]) -> None:
    assert said["status"].code == 0, said["status"]
    assert said["status"].json()["rpc"]["ok"] is True


def test_gateway_probe(said: dict[str, Ran]) -> None:
    assert said["probe"].code == 0, said["probe"]
    probed = said["probe"].json()
    target = next(one for one in probed["targets"] if one["connect"]["ok"])
    assert target["connect"]["rpcOk"] is True
    assert probed["ok"] is True


def test_status(openclaw: OpenClaw) -> None:
    told = openclaw.run("status", home="configured", is_remote=True)
    assert told.code == 0, told
    assert "reachable" in told.out
    assert "unreachable" not in told.out
    assert "disabled (guide)" in told.out


def test_devices_and_nodes_of_a_new_hub(said: dict[str, Ran]) -> None:
    assert "No device pairing entries" in said["devices"].out
    assert "Known: 0" in said["nodes"].out
    assert "No pending pairing requests" in said["pending"].out


def test_agent_answers_in_its_main_session(said: dict[str, Ran]) -> None:
    assert said["agent"].code == 0, said["agent"]
    assert GREETING in said["agent"].out


def test_agent_answers_in_a_session_of_its_own(said: dict[str, Ran]) -> None:
    answer = said["agent-json"].json()
    assert (answer["status"], answer["summary"]) == ("ok", "completed")
    assert "/slow" in answer["result"]["payloads"][0]["text"]


def test_agent_of_another_name_is_refused(said: dict[str, Ran]) -> None:
    assert said["agent-unknown"].code != 0
    assert "nobody" in said["agent-unknown"].out + said["agent-unknown"].err


def test_logs_need_more_than_reading(said: dict[str, Ran]) -> None:
    """The command asks for `operator.read` alone; here the log is for who operates the hub (docs: tightened)."""
    assert said["logs"].code != 0
    assert "missing scope: operator.admin" in said["logs"].out + said["logs"].err


def test_cron(said: dict[str, Ran], openclaw: OpenClaw, hub: RunningHub) -> None:
    job = said["cron-add"].json()
    assert (job["name"], job["sessionTarget"]) == ("tea", "main")
    assert hub.ask("GET", f"/v1/schedules/{job['id']}")[1]["text"] == "Tea is ready"
    assert "tea" in openclaw.run("cron", "list", home="cron-list").out
    removed = openclaw.run("cron", "rm", job["id"], home="cron-rm")
    assert removed.code == 0, removed
    assert hub.ask("GET", "/v1/schedules")[1]["schedules"] == []


def test_what_the_command_said_stands_in_the_rooms_of_everybody_else(said: dict[str, Ran], hub: RunningHub) -> None:
    status, page = hub.ask("GET", "/v1/sessions/agent:guide:main/messages")
    assert status == 200, page
    assert said["agent"].code == 0
    texts = [message["parts"][0]["text"] for message in page["messages"]]
    assert texts[0] == "hello"
    assert GREETING in texts[1]


def test_a_real_node_is_let_in_and_runs_what_somebody_allowed(
    openclaw: OpenClaw, hub: RunningHub, tmp_path: Path
) -> None:
    key = hub.key("lets machines in", "devices", "node", "admin", "observe", "execute", "approve")
    operator = OpenClaw(openclaw.url, key, tmp_path / "operator")
    hub.ask("POST", "/v1/pairing/open", {})
    arguments = ("node", "run", "--host", "127.0.0.1", "--port", hub.url.rpartition(":")[2], "--display-name", "box")
    node = openclaw.start(*arguments, home="node", log=tmp_path / "first.log")
    try:
        waits_until(lambda: bool(hub.ask("GET", "/v1/devices/requests")[1]["requests"]))
    finally:
        node.terminate()
        node.wait(20)
    listed = operator.run("devices", "list", "--json", home="list").json()
    request = listed["pending"][0]
    waiting = hub.ask("GET", "/v1/devices/requests")[1]["requests"][0]
    assert (request["requestId"], request["role"], request["displayName"]) == (waiting["id"], "node", "box")
    assert request["fingerprint"] == waiting["fingerprint"]
    assert request["fingerprint"].startswith("SHA256:")
    approved = operator.run("devices", "approve", request["requestId"], home="approve")
    assert approved.code == 0, approved
    assert request["deviceId"] in approved.out
    node = openclaw.start(*arguments, home="node", log=tmp_path / "second.log")
    try:
        waits_until(lambda: "box" in json.dumps(hub.ask("GET", "/v1/presence")[1]))
        shown = operator.run("nodes", "status", "--json", home="nodes").json()["nodes"]
        assert [(one["displayName"], one["connected"]) for one in shown] == [("box", True)]
        assert "roles" not in json.dumps(shown)
        permits(operator, request["deviceId"])
        runs_a_command(operator, hub, request["deviceId"])
    finally:
        node.terminate()
        node.wait(20)


def permits(operator: OpenClaw, node_id: str) -> None:
    """Nothing of what the node declares may be asked before the dialect's second approval."""
    before = operator.run("nodes", "describe", "--node", "box", "--json", home="nodes").json()
    assert (before["commands"], before["approvalState"]) == ([], "pending-approval")
    approved = operator.run("nodes", "approve", before["pendingRequestId"], home="nodes")
    assert approved.code == 0, approved
    node = approved.json()["node"]
    assert (node["nodeId"], node["approvalState"]) == (node_id, "approved")
    assert {"system.run", "system.which"} <= set(node["commands"])
    assert "desktop.stream" not in node["commands"]
    which = ("--command", "system.which", "--params", '{"bins":["uname","no-such-program"]}')
    found = operator.run("nodes", "invoke", "--node", "box", *which, home="nodes").json()
    assert list(found["payload"]["bins"]) == ["uname"]


def runs_a_command(operator: OpenClaw, hub: RunningHub, node_id: str) -> None:
    """It runs on the node, once somebody has seen what exactly would run; the node holds to its own plan."""
    argv = {"command": ["uname", "-s"], "rawCommand": "uname -s"}
    wanted = {"nodeId": node_id, "command": "system.run", "params": argv, "timeoutMs": 40_000, "idempotencyKey": "one"}
    with ThreadPoolExecutor(1) as pool:
        told = ("--params", json.dumps(wanted), "--timeout", "50000")
        asking = pool.submit(operator.run, "gateway", "call", "node.invoke", *told, home="asks")
        waits_until(lambda: bool(hub.ask("GET", "/v1/approvals")[1]["approvals"]))
        [waiting] = hub.ask("GET", "/v1/approvals")[1]["approvals"]
        listed = operator.run("approvals", "pending", "--json", home="nodes").json()["approvals"]
        assert [(one["id"], one["summary"]) for one in listed] == [(waiting["id"], "uname -s")]
        assert waiting["plan"]["argv"][0].endswith("/uname")
        assert waiting["plan"]["files"][0]["sha256"]
        assert "rules" not in waiting
        resolved = operator.run("approvals", "resolve", waiting["id"], "allow-once", home="nodes")
        assert resolved.code == 0, resolved
        answer = asking.result().json()
    assert (answer["payload"]["exitCode"], answer["payload"]["stdout"]) == (0, "Linux\n")
    call = hub.ask("GET", f"/v1/calls/{answer['callId']}")[1]
    assert (call["state"], call["target_name"], call["stdout"]) == ("done", "box", "Linux\n")


def waits_until(condition: object) -> None:
    ends = time.monotonic() + 40
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < ends
        time.sleep(0.1)
