"""The real `openclaw` command of January 2026 (generation 3), which asks for a device's pairing before anything else.

`INSTAR_TEST_OPENCLAW_V3=/path/to/openclaw.mjs pytest -m real_openclaw_v3`. It is `openclaw@2026.1.29`, installed with
`--ignore-scripts` and the overrides `libsignal: npm:libsignal@2.0.1` and `linkedom: 0.18.11`: its own are out of reach.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.openclaw.cli import OpenClaw, Ran
from tests.doors.network.running import RunningHub

SECRET = "shared-secret-of-this-hub-0123456789"

pytestmark = [pytest.mark.real_openclaw_v3, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    folder = tmp_path_factory.mktemp("gateway")
    settings = folder / "instar.yaml"
    settings.write_text(f"auth:\n  token: {SECRET}\n")
    settings.chmod(0o600)
    hub = RunningHub(folder / "data", "bearer", "--config", str(settings))
    yield hub
    hub.stop()


def test_the_command_of_january(hub: RunningHub, tmp_path: Path) -> None:
    url = hub.url.replace("http://", "ws://")
    openclaw = OpenClaw(url, SECRET, tmp_path, Path(os.environ["INSTAR_TEST_OPENCLAW_V3"]))

    def run(*arguments: str) -> Ran:
        return openclaw.run(*arguments, home="home", is_remote=True)

    hub.ask("POST", "/v1/pairing/open", {})
    assert "pairing required" in run("gateway", "health").err
    [request] = hub.ask("GET", "/v1/devices/requests")[1]["requests"]
    approval = {"digest": request["digest"]}
    assert hub.ask("POST", f"/v1/devices/requests/{request['id']}/approve", approval)[0] == 200
    assert "OK" in run("gateway", "health").out
    assert run("gateway", "call", "status").json()["heartbeat"]["defaultAgentId"] == "guide"
    assert "Known: 0" in run("nodes", "status").out
    assert "No pending" in run("nodes", "pending").out
    assert request["device_id"][:20] in run("devices", "list").out
    assert "No cron jobs" in run("cron", "list").out
    answer = run("agent", "--message", "hello", "--session-id", "january", "--json").json()
    assert "I am `guide`" in answer["result"]["payloads"][0]["text"]
    assert run("logs", "--limit", "3").code == 0
