"""A second hub on the same data is refused every time, and told whom to stop."""

import asyncio
import json
import socket
from pathlib import Path

import pytest

from faults.hub import INSTAR, Hub

TRIES = 10


@pytest.mark.timeout(120)
async def test_a_second_hub_is_refused_with_pid_and_host(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "hub")
    await hub.start()
    assert hub.process is not None
    for _ in range(TRIES):
        second = await asyncio.create_subprocess_exec(
            str(INSTAR),
            "start",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            str(hub.data_dir),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await second.communicate()
        error = json.loads(output)["error"]
        assert second.returncode == 5
        assert error["code"] == "storage_locked"
        assert str(hub.process.pid) in error["message"]
        assert socket.gethostname() in error["message"]
    await hub.stop()
    await hub.start()  # a clean end frees the data at once
    await hub.stop()
