"""The node of the hub's own machine: a child that starts when it is needed and ends with the hub."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from instar.server.local_node import SOCKET, PrivateSocket
from tests.doors.network.running import RunningHub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    running = RunningHub(tmp_path / "data", "bearer")
    yield running
    if running.process.poll() is None:
        running.stop()


def children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(each) for each in listed.stdout.split()]


def called(hub: RunningHub, **more: Any) -> Any:
    status, call = hub.ask("POST", "/v1/calls", {"tool": "ping", "target": "local", "wait": 15, **more})
    assert status == 201, call
    return call


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_starts_at_the_first_call_and_ends_with_the_hub(hub: RunningHub) -> None:
    assert children(hub.process.pid) == []
    assert stat.S_IMODE((hub.data_dir / SOCKET).stat().st_mode) == 0o600
    assert called(hub)["state"] == "done"
    node = hub.ask("GET", "/v1/nodes/local")[1]
    assert (node["is_connected"], bool(node["connected_at"])) == (True, True)
    [child] = children(hub.process.pid)
    arguments = Path(f"/proc/{child}/cmdline").read_bytes()
    environment = Path(f"/proc/{child}/environ").read_bytes()
    assert b"ik_" not in arguments + environment
    assert b"INSTAR_" not in environment
    assert [key["id"] for key in hub.ask("GET", "/v1/keys")[1]["keys"]] == ["local"]

    os.kill(child, 9)
    # A call that meets the dying child waits for another one, if it may.
    assert called(hub, if_away="queue")["state"] == "done"
    [another] = children(hub.process.pid)
    assert another != child
    hub.stop()
    assert not Path(f"/proc/{another}").exists()
    assert not (hub.data_dir / SOCKET).exists()


def test_it_can_be_forbidden_on_the_host_alone(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path / "data", "bearer", "--set", "nodes.local=false")
    try:
        status, call = hub.ask("POST", "/v1/calls", {"tool": "ping", "wait": 5})
        assert (status, call.get("error", call)["code"]) in ((201, "no_target"), (409, "no_target"), (404, "no_target"))
        status, refused = hub.ask("PATCH", "/v1/settings", {"changes": {"nodes.local": True}, "base_hash": ""})
        assert (status, refused["code"]) == (403, "host_only")
    finally:
        hub.stop()


def test_a_socket_in_a_deep_folder_lies_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 40)
    folder.mkdir()
    private = PrivateSocket(folder)
    assert private.path.exists()
    assert private.path.parent != folder
    assert stat.S_IMODE(private.path.parent.stat().st_mode) == 0o700
    private.close()
    assert not private.path.parent.exists()
