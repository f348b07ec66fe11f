"""The real `moltnet` binary against a running hub: `INSTAR_TEST_MOLTNET=/path/to/moltnet pytest -m real_moltnet`."""

import json
import os
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from .running import RunningHub

pytestmark = pytest.mark.real_moltnet


def fresh(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


class Moltnet:
    """The binary in a workspace of its own."""

    def __init__(self, hub: RunningHub, workspace: Path, member: str) -> None:
        self.hub = hub
        self.workspace = workspace
        self.member = member
        self.token = hub.agent_token(member)

    def run(self, *arguments: str) -> str:
        binary = os.environ["INSTAR_TEST_MOLTNET"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.workspace), "AGENT_TOKEN": self.token}
        done = subprocess.run(
            [binary, *arguments],
            check=False,
            cwd=self.workspace,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments))

    def connect(self, room: str) -> None:
        auth = ["--auth-mode", "bearer", "--token-env", "AGENT_TOKEN"] if self.token else ["--auth-mode", "none"]
        self.run(
            "connect",
            *("--base-url", self.hub.url, "--network-id", "local", "--member-id", self.member),
            *("--agent-name", self.member, "--rooms", room, "--runtime", "openclaw", "--enable-dms"),
            *auth,
        )


@pytest.fixture
def moltnet(any_hub: RunningHub, tmp_path: Path) -> Moltnet:
    return Moltnet(any_hub, tmp_path, fresh("alpha"))


def test_the_command(moltnet: Moltnet) -> None:
    hub, room = moltnet.hub, fresh("room")
    hub.operator().apply([{"id": room, "members": [moltnet.member]}])
    moltnet.connect(room)
    skills = list(moltnet.workspace.glob("**/SKILL.md"))
    assert skills
    assert "name: moltnet" in skills[0].read_text()
    assert moltnet.json("register-agent", "--agent", moltnet.member)["agent_id"] == moltnet.member
    sent = moltnet.json("send", "--target", f"room:{room}", "--text", "from the real one")
    assert sent["accepted"] is True
    page = moltnet.json("read", "--target", f"room:{room}")
    assert [message["parts"][0]["text"] for message in page["messages"]] == ["from the real one"]
    assert moltnet.json("participants", "--target", f"room:{room}")["members"] == [moltnet.member]
    assert [one["id"] for one in moltnet.json("conversations")["rooms"]] == [room]


def test_the_node_attaches_and_acknowledges(moltnet: Moltnet) -> None:
    hub, room = moltnet.hub, fresh("room")
    hub.operator().apply([{"id": room, "members": [moltnet.member]}])
    woken = moltnet.workspace / "woken"
    runtime = moltnet.workspace / "runtime"
    runtime.write_text(f'#!/bin/sh\necho woken >> {woken}\necho \'{{"session_id":"s1"}}\'\n')
    runtime.chmod(0o700)
    connection: dict[str, Any] = {"base_url": hub.url, "network_id": "local"}
    if moltnet.token:
        connection |= {"auth_mode": "bearer", "token": moltnet.token}
    config = moltnet.workspace / "moltnet-node.json"
    attachment = {
        "agent": {"id": moltnet.member, "name": moltnet.member},
        "runtime": {"kind": "codex", "command": str(runtime), "workspace_path": str(moltnet.workspace)},
        "rooms": [{"id": room, "wake": "mentions"}],
    }
    config.write_text(json.dumps({"version": "moltnet.node.v1", "moltnet": connection, "attachments": [attachment]}))
    config.chmod(0o600)
    node = subprocess.Popen([os.environ["INSTAR_TEST_MOLTNET"], "node", str(config)], cwd=moltnet.workspace)
    try:
        wait_until(lambda: hub.ask("GET", f"/v1/agents/{moltnet.member}")[1].get("connected") is True)
        target = {"kind": "room", "room_id": room}
        parts = [{"kind": "text", "text": f"wake up, @{moltnet.member}."}]
        assert hub.ask("POST", "/v1/messages", {"target": target, "parts": parts})[0] == 202
        wait_until(woken.exists)
        wait_until(lambda: "agent.wake.delivered" in json.dumps(hub.ask("GET", f"/v1/events?room_id={room}")[1]))
        hub.stop()
        hub.start()
        wait_until(lambda: hub.ask("GET", f"/v1/agents/{moltnet.member}")[1].get("connected") is True)
    finally:
        node.terminate()
        node.wait(10)


def wait_until(condition: Any) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)
